"""xasuite peaks FILES --peak CENTRE ...: pre-edge and white-line peaks above an edge step."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import ENERGY, FLAT, MU, NORM, OUT, PRE, keep, normalized, pair_of, show


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def peaks(
        files: list[str] = typer.Argument(..., help="Scans to be fitted."),
        peak: list[float] = typer.Option(
            ..., "--peak", help="First guess of a peak's energy; repeat for each."
        ),
        width: float = typer.Option(2.0, "--width", help="First guess of the peaks' full width, eV."),
        energy: str = ENERGY,
        step: float | None = typer.Option(None, "--step", help="First guess of the edge step's energy."),
        kind: str = typer.Option("arctan", "--kind", help="Edge step: arctan or erf."),
        flat: bool = FLAT,
        mu: str | None = MU,
        pre_range: str | None = PRE,
        norm_range: str | None = NORM,
        out: Path | None = OUT,
    ) -> None:
        """Peak positions, areas, centroid and splitting with their errors."""
        import pandas as pd

        from ..report.plots import components as plots
        from ..xanes import EdgeStep, Peak, fit_peaks

        within = pair_of(energy)
        edge = None if step is None else EdgeStep(kind, step)
        for i, record in enumerate(normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)):
            fits = fit_peaks(
                record,
                [Peak(c, width) for c in peak],
                energy=within,
                step=edge,
                array="flat" if flat else "norm",
            )
            fit = fits.rows[0]
            if fit is None:
                continue
            typer.echo(f"{fit.label}   R factor {fit.rfactor:.2g}")
            rows = [{"": k, "value": v, "error": fit.errors[k]} for k, v in fit.values.items()]
            show(pd.DataFrame(rows))
            for remark in fit.remarks:
                typer.echo(f"  remark: {remark}")
            keep(plots.peaks(fit), pd.DataFrame(rows), out, f"peaks_{i + 1}")
