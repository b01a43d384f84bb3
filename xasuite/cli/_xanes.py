"""What the XANES commands share: files to normalised records, options, figures with their tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import RangeError
from .common import JSON, Interval, ranged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..records import Normalized
    from ..records.table import Presented, Table

MU = typer.Option(None, "--mu", help='Expression of channels for mu, such as "ln(i0/it)".')
PRE = ranged(None, "--pre-range", help="Pre-edge range in eV from E0, as in --pre-range -150,-50.")
NORM = ranged(None, "--norm-range", help="Post-edge range in eV from E0, as in --norm-range 50,400.")
ENERGY_RANGE = ranged(
    ..., "--energy-range", help="Energies used in eV, not from E0, as in --energy-range 7100,7160."
)
OUT = typer.Option(None, "--output", "-o", help="Folder for the table (CSV) and the figure.")
FLAT = typer.Option(False, "--flat", help="Use flattened spectra.")

__all__ = ["FLAT", "JSON", "MU", "NORM", "OUT", "PRE", "ENERGY_RANGE", "Interval", "kept", "normalized"]


def normalized(
    names: list[str],
    *,
    mu: str | None = None,
    pre_range: Interval | None = None,
    norm_range: Interval | None = None,
) -> list[Normalized]:
    """Every scan of the files named (all groups of a file, or "file::group"), normalised, each with its own label.

    The label of scans of one name holds the name of their file.

    Raises RangeError for a pre-edge range that ends above E0 and a post-edge range that begins below it.
    """
    from .. import io, reduce

    if pre_range is not None and pre_range.high > 0:
        raise RangeError(
            f"--pre-range ends {pre_range.high:g} eV above E0; give a range below it, as in -150,-50"
        )
    if norm_range is not None and norm_range.low < 0:
        raise RangeError(
            f"--norm-range begins {-norm_range.low:g} eV below E0; give a range above it, as in 50,400"
        )
    records, stems = [], []
    for name in [file for pattern in names for file in io.expanded(pattern)]:
        scans = [io.read(name, mu=mu)] if "::" in name else io.read_all(name, mu=mu)
        records += [
            reduce.normalize(s.mu(), pre_range=pre_range, norm_range=norm_range, method="polynomial")
            for s in scans
        ]
        stems += [Path(name.partition("::")[0]).stem] * len(scans)
    labels = [" ".join(r.label.split()) or stem for r, stem in zip(records, stems, strict=True)]
    often = Counter(labels)
    labels = [
        f"{label} ({stem})" if often[label] > 1 else label for label, stem in zip(labels, stems, strict=True)
    ]
    return [replace(r, label=label) for r, label in zip(records, labels, strict=True)]


def kept(
    out: Path | None, name: str, result: Presented | Table, figure: Callable[..., Figure] | None = None
) -> Sequence[Path]:
    """Write a table (CSV) and a figure into the folder `out`; gives the paths written, none where `out` is None.

    The figure is what `figure` draws, by default that of the result.
    """
    if out is None:
        return ()
    from ..records.table import Table
    from ..report.plots import style
    from ..report.plots.dispatch import plot
    from ..report.tables import write_table

    table = result if isinstance(result, Table) else result.summary()
    drawn = figure() if figure is not None else plot(result)
    return [write_table(table, out / f"{name}.csv"), *style.save(drawn, out / name)]
