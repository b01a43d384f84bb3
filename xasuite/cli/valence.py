"""xasuite valence SPEC: calibration, leave-one-out, unknowns, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, JSON, present

if TYPE_CHECKING:
    from ..workflow.valence import ValenceResult


def valence(
    spec: Path = typer.Argument(..., help="The valence spec (TOML), such as fits/valence/fe.toml."),
    data_root: Path | None = DATA_ROOT,
    out: Path | None = typer.Option(None, "--output", "-o", help="Folder for tables (CSV) and figures."),
    json: bool = JSON,
) -> None:
    """Calibrate formal valence against edge energy and read unknowns off the line."""
    from ..workflow.valence import run_valence

    result = run_valence(spec, data_root=data_root)
    lines = [r.calibration for r in result.results if r.calibration is not None]
    present(json, result, result.edges(), *lines, written=() if out is None else save(result, out))


def save(result: ValenceResult, folder: Path) -> list[Path]:
    """Write the tables and the figures of a valence result into a folder."""
    from ..report.plots import style, xanes
    from ..report.tables import write_table

    stem = folder / result.loaded.path.stem
    paths = [write_table(result.edges(), f"{stem}_edges.csv")]
    for r in result.results:
        if r.calibration is None:
            continue
        name = f"{stem}_E{r.fraction:g}"
        paths.append(write_table(r.calibration.summary(), f"{name}.csv"))
        paths += style.save(xanes.valence(r, kind=result.kind), name)
    paths += style.save(xanes.edges([s for c in result.compounds for s in c.scans[:1]]), f"{stem}_xanes")
    return paths
