"""xasuite edge FILES: edge energies with their errors."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import MU, NORM, OUT, PRE, keep, normalized, show


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def edge(
        files: list[str] = typer.Argument(..., help='Files of scans; "file::group" picks one of several.'),
        method: str = typer.Option(
            "fraction", "--method", help="fraction, inflection, whiteline or integral."
        ),
        fraction: float = typer.Option(0.5, "--fraction", help="Of the edge jump, for the method fraction."),
        mu: str | None = MU,
        pre: str | None = PRE,
        norm: str | None = NORM,
        out: Path | None = OUT,
    ) -> None:
        """Edge energies, with errors from noise and from the choice of normalisation range."""
        import pandas as pd

        from ..report.plots import xanes as plots
        from ..xanes import edge_energy

        records = normalized(files, mu=mu, pre=pre, norm=norm)
        table = pd.concat([edge_energy(r, method=method, fraction=fraction).table() for r in records])
        show(table)
        keep(plots.edges(records), table, out, "edges")
