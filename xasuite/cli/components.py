"""xasuite components FILES: principal components of a set of spectra, and MCR-ALS."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import ENERGY, FLAT, MU, NORM, OUT, PRE, keep, normalized, pair_of, show


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def components(
        files: list[str] = typer.Argument(
            ..., help="Spectra, or a file of many, in the order of the process."
        ),
        energy: str = ENERGY,
        number: int = typer.Option(0, "--number", "-n", help="Components for MCR-ALS; left out, PCA alone."),
        target: list[str] = typer.Option([], "--target", help="A reference to test against the components."),
        start: str = typer.Option("efa", "--start", help="MCR-ALS from efa or purest."),
        unimodal: bool = typer.Option(False, "--unimodal", help="Concentrations have one maximum each."),
        flat: bool = FLAT,
        mu: str | None = MU,
        pre_range: str | None = PRE,
        norm_range: str | None = NORM,
        out: Path | None = OUT,
    ) -> None:
        """How many species a series holds (scree, IND, F test, target tests), and what they are (MCR-ALS)."""
        from ..report.plots import components as plots
        from ..xanes import mcr_als, pca, target_test

        records = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
        array, within = "flat" if flat else "norm", pair_of(energy)
        found = pca(records, energy=within, array=array)
        typer.echo(found.table().to_string(index=False, float_format=lambda x: f"{x:.4g}"))
        typer.echo(
            f"IND is least at {found.n_ind} component(s); {found.n_f} significant by the F test at 5 %"
        )
        keep(plots.pca(found), found.table(), out, "pca")
        if target:
            references = normalized(target, mu=mu, pre_range=pre_range, norm_range=norm_range)
            for t in target_test(found, references, number or found.n_ind, array=array):
                typer.echo(f"target {t.name}: SPOIL {t.spoil:.2f}, R factor {t.rfactor:.2g}: {t.verdict}")
        if number:
            mcr = mcr_als(
                records, number, energy=within, array=array, start=start, unimodal=unimodal, freedom=True
            )
            typer.echo(
                f"\nMCR-ALS from {mcr.start}: RMS {mcr.rms:.5f} (least possible {mcr.rms_least:.5f}), lack of fit "
                f"{mcr.lack_of_fit:.2f} %, {mcr.iterations} iterations"
            )
            show(mcr.table())
            keep(plots.mcr(mcr), mcr.table(), out, "mcr")
