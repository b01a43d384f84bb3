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
        fraction: list[float] = typer.Option(
            [0.5], "--fraction", help="Of the edge jump, for the method fraction; repeat for several."
        ),
        mu: str | None = MU,
        pre_range: str | None = PRE,
        norm_range: str | None = NORM,
        out: Path | None = OUT,
    ) -> None:
        """Edge energies, with errors from noise and from the choice of normalisation range."""
        import pandas as pd

        from ..report.plots import xanes as plots
        from ..xanes import edge_energy

        records = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
        tables = []
        several = method == "fraction" and len(fraction) > 1
        for f in fraction if several else fraction[:1]:
            found = [edge_energy(r, method=method, fraction=f) for r in records]
            table = pd.concat([e.table() for e in found], ignore_index=True)
            show(table)
            tail = {c: f"{found[0].name} {c}" for c in table.columns[2:]}
            tables.append(table.rename(columns=tail) if several else table)
        elements = list(dict.fromkeys(r.element for r in records))
        for element in elements:
            rows = [i for i, r in enumerate(records) if r.element == element]
            columns = [t.iloc[rows] if n == 0 else t.iloc[rows, 1:] for n, t in enumerate(tables)]
            name = "edges" if len(elements) == 1 else f"edges_{element}"
            keep(plots.edges([records[i] for i in rows]), pd.concat(columns, axis=1), out, name)
