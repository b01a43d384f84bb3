"""xasuite valence SPEC: calibration, leave-one-out, unknowns, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from ..specs.valence import CalibrationTable
    from ..workflow.valence import AtFraction, ValenceResult


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def valence(
        spec: Path = typer.Argument(..., help="The valence spec (TOML), such as fits/valence/fe.toml."),
        data_root: Path | None = typer.Option(None, "--data-root", help="Folder of measured spectra."),
        out: Path | None = typer.Option(None, "--output", "-o", help="Folder for tables (CSV) and figures."),
    ) -> None:
        """Calibrate formal valence against edge energy and read unknowns off the line."""
        from ..workflow.valence import run_valence

        result = run_valence(spec, data_root=data_root)
        _show(result)
        if out is not None:
            for path in save(result, out):
                typer.echo(f"wrote {path}")


def _show(result: ValenceResult) -> None:
    spec = result.loaded.spec
    typer.echo(f"{spec.title}   [{result.kind}]")
    typer.echo("\nEdge energies and the parts of their errors (eV)")
    typer.echo(_text(result.edges_table()))
    for r in result.results:
        _show_fraction(r, spec.calibration)
    if result.sources:
        typer.echo(f"\ndata: {'; '.join(result.sources)}")


def _show_fraction(r: AtFraction, asked: CalibrationTable) -> None:
    typer.echo(f"\nAt {r.fraction:g} of the edge jump")
    if r.calibration is None:
        typer.echo(f"  {r.refused}")
        return
    line = r.calibration.line
    middle = sum(r.calibration.valence_range) / 2
    typer.echo(
        f"  dE/dvalence {float(line.slope(middle)):.2f} eV, scatter between compounds {line.tau:.2f} eV, "
        f"{line.dof} residual degree(s) of freedom"
    )
    if asked.slope is not None:
        tested = "the standards test it too" if line.dof else "no standard here tests it"
        typer.echo(
            f"  slope stated, {asked.slope[0]:g}({asked.slope[1]:g}) eV ({asked.slope_source}); {tested}"
        )
    typer.echo(_text(r.calibration.table()))
    for remark in r.calibration.remarks:
        typer.echo(f"  remark: {remark}")
    known = [x for x in r.calibration.left_out if x.inside is not None]
    if known:
        inside = sum(bool(x.inside) for x in known)
        typer.echo(f"  left out one at a time, {inside} of {len(known)} lie inside their own interval")
    for p in r.predictions:
        mark = "" if p.scale == "proven" else f"  (energy scale {p.scale})"
        typer.echo(
            f"  {p.name}: E {p.energy:.2f}({p.energy_err:.2f}) eV, valence {p.text} [{p.method}]{mark}"
        )


def _text(table: pd.DataFrame) -> str:
    return table.to_string(index=False, na_rep="", float_format=lambda x: "" if x != x else f"{x:.2f}")


def save(result: ValenceResult, folder: Path) -> list[Path]:
    """Write the tables and the figures of a valence result into a folder."""
    from ..files import write_text
    from ..report.plots import style, xanes

    stem = folder / result.loaded.path.stem
    paths = [write_text(Path(f"{stem}_edges.csv"), result.edges_table().to_csv(index=False))]
    for r in result.results:
        if r.calibration is None:
            continue
        name = f"{stem}_E{r.fraction:g}"
        paths.append(write_text(Path(f"{name}.csv"), r.calibration.table().to_csv(index=False)))
        paths += style.save(xanes.valence(r, kind=result.kind), name)
    paths += style.save(xanes.edges([s for c in result.compounds for s in c.scans[:1]]), f"{stem}_xanes")
    return paths
