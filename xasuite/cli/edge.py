"""xasuite edge FILES: edge energies with their errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._xanes import JSON, MU, NORM, OUT, PRE, Interval, kept, normalized
from .common import present

if TYPE_CHECKING:
    from ..records.table import Table


def edge(
    files: list[str] = typer.Argument(..., help='Files of scans; "file::group" picks one of several.'),
    method: str = typer.Option("fraction", help="fraction, inflection, whiteline or integral."),
    fraction: list[float] = typer.Option(
        [0.5], help="Of the edge jump, for the method fraction; repeat for several."
    ),
    mu: str | None = MU,
    pre_range: Interval | None = PRE,
    norm_range: Interval | None = NORM,
    out: Path | None = OUT,
    json: bool = JSON,
) -> None:
    """Edge energies, with errors from noise and from the choice of normalisation range."""
    from dataclasses import replace

    from ..records.table import joined
    from ..report.plots import xanes as plots
    from ..xanes import edge_energy

    records = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
    fractions = fraction if method == "fraction" else fraction[:1]
    tables = [
        joined([edge_energy(r, method=method, fraction=f).summary() for r in records]) for f in fractions
    ]
    whole = side_by_side(tables)
    written: list[Path] = []
    elements = list(dict.fromkeys(r.element for r in records))
    for element in elements:
        own = [r for r in records if r.element == element]
        rows = tuple(row for row, r in zip(whole.rows, records, strict=True) if r.element == element)
        name = "edges" if len(elements) == 1 else f"edges_{element}"
        written += kept(out, name, replace(whole, rows=rows), lambda own=own: plots.edges(own))
    present(json, *tables, written=written)


def side_by_side(tables: list[Table]) -> Table:
    """Edge energies at several fractions as one table, one row per spectrum; columns of error parts name their E(f)."""
    from dataclasses import replace

    if len(tables) == 1:
        return tables[0]
    columns = [tables[0].columns[0]]
    for energy, *parts in (t.columns[1:] for t in tables):
        columns += [energy, *(p.within(energy.name) for p in parts)]
    rows = (
        (first[0], *(cell for row in (first, *others) for cell in row[1:]))
        for first, *others in zip(*(t.rows for t in tables), strict=True)
    )
    return replace(tables[0], columns=tuple(columns), rows=tuple(rows))
