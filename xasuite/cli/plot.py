"""``xasuite plot``: one curve of each file on one pair of axes, without a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ._xanes import MU, NORM, PRE, normalized
from .common import Interval, ranged, say_written


def plot(
    files: list[str] = typer.Argument(help="Scans, a curve each; FILE::GROUP for one group."),
    kind: str = typer.Option("norm", help="mu, norm, flat, derivative, chi or chir."),
    mu: str | None = MU,
    pre_range: Interval | None = PRE,
    norm_range: Interval | None = NORM,
    kweight: int = typer.Option(2, min=0, max=4, help="Power of k that chi(k) is multiplied with."),
    k: Interval = ranged((3.0, 12.0), "--k", help="Range of the transform in 1/A, as in --k 3,12."),
    xlim: Interval | None = ranged(None, "--xlim", help="Range of the x axis that is shown."),
    offset: float = typer.Option(0.0, help="Vertical offset between curves."),
    output: Path = typer.Option(
        Path("plot"), "--output", "-o", help="Stem of the .png and .pdf files, or one file."
    ),
) -> None:
    """Draw one curve of each file in one figure: mu(E), normalised, chi(k) or |chi(R)|."""
    from .. import exafs, reduce
    from ..report import plot as draw
    from ..report.plots import style

    records: list[Any] = list(normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range))
    if kind in ("chi", "chir"):
        records = [reduce.background(r) for r in records]
    if kind == "chir":
        records = [exafs.fourier(r, k=k, kweight=kweight) for r in records]
    say_written(style.save(draw(records, kind=kind, kweight=kweight, offset=offset, xlim=xlim), output))
