"""xasuite lcf FILE --ref FILE ...: linear combination of references, and all subsets ranked."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import ENERGY, FLAT, MU, NORM, OUT, PRE, keep, normalized, pair_of, show


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def lcf(
        files: list[str] = typer.Argument(..., help="Spectra to be made up."),
        ref: list[str] = typer.Option(..., "--ref", help="A reference; repeat for each."),
        energy: str = ENERGY,
        flat: bool = FLAT,
        free_sum: bool = typer.Option(False, "--free-sum", help="Do not keep the sum of the weights at one."),
        rank: bool = typer.Option(False, "--rank", help="Rank all subsets of references for each spectrum."),
        mu: str | None = MU,
        pre_range: str | None = PRE,
        norm_range: str | None = NORM,
        out: Path | None = OUT,
    ) -> None:
        """Weights of references in spectra, bounded from 0 to 1, their sum exactly one."""
        from ..report.plots import components as plots
        from ..xanes import linear_combination, rank_references

        spectra = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
        references = normalized(ref, mu=mu, pre_range=pre_range, norm_range=norm_range)
        array, within = "flat" if flat else "norm", pair_of(energy)
        found = linear_combination(spectra, references, energy=within, array=array, sum_to_one=not free_sum)
        show(found.table(), 4)
        if rank:
            for spectrum in spectra:
                typer.echo(f"\n{spectrum.label}: subsets of references, the best first")
                show(rank_references(spectrum, references, energy=within, array=array), 5)
        keep(plots.lcf(found), found.table(), out, "lcf")
