"""xasuite peaks FILES --peak CENTRE ...: pre-edge and white-line peaks above an edge step."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import ENERGY_RANGE, FLAT, JSON, MU, NORM, OUT, PRE, Interval, kept, normalized
from .common import present


def peaks(
    files: list[str] = typer.Argument(..., help="Scans to be fitted."),
    peak: list[float] = typer.Option(..., help="First guess of a peak's energy; repeat for each."),
    width: float = typer.Option(2.0, help="First guess of the peaks' full width, eV."),
    energy_range: Interval = ENERGY_RANGE,
    step: float | None = typer.Option(None, help="First guess of the edge step's energy."),
    kind: str = typer.Option("arctan", help="Edge step: arctan or erf."),
    flat: bool = FLAT,
    mu: str | None = MU,
    pre_range: Interval | None = PRE,
    norm_range: Interval | None = NORM,
    out: Path | None = OUT,
    json: bool = JSON,
) -> None:
    """Peak positions, areas, centroid and splitting with their errors."""
    from ..errors import ComponentError
    from ..xanes import EdgeStep, Peak, fit_peaks
    from ..xanes.peaks import STEPS

    if kind not in STEPS:
        raise ComponentError(f"--kind {kind!r} is no edge step; choose {', '.join(STEPS)}")
    if not width > 0:
        raise ComponentError(f"--width {width:g} is no width; give the peaks' full width in eV, such as 2")
    edge = None if step is None else EdgeStep(kind, step)
    wanted, array = [Peak(c, width) for c in peak], "flat" if flat else "norm"
    records = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
    fits = [fit_peaks(r, wanted, energy_range=energy_range, step=edge, array=array).rows[0] for r in records]
    found = {i: fit for i, fit in enumerate(fits, start=1) if fit is not None}
    written = [path for i, fit in found.items() for path in kept(out, f"peaks_{i}", fit)]
    present(json, *found.values(), written=written)
