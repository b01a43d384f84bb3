"""xasuite lcf FILE --ref FILE ...: linear combination of references, and all subsets ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ._xanes import ENERGY_RANGE, FLAT, JSON, MU, NORM, OUT, PRE, Interval, kept, normalized
from .common import present


def lcf(
    files: list[str] = typer.Argument(..., help="Spectra to be fitted by the references."),
    ref: list[str] = typer.Option(..., help="A reference; repeat for each."),
    energy_range: Interval = ENERGY_RANGE,
    flat: bool = FLAT,
    free_sum: bool = typer.Option(False, "--free-sum", help="Do not keep the sum of the weights at one."),
    rank: bool = typer.Option(False, "--rank", help="Rank all subsets of references for each spectrum."),
    mu: str | None = MU,
    pre_range: Interval | None = PRE,
    norm_range: Interval | None = NORM,
    out: Path | None = OUT,
    json: bool = JSON,
) -> None:
    """Weights of references in spectra, bounded from 0 to 1, their sum exactly one."""
    from ..records.table import Table
    from ..xanes import linear_combination, rank_references

    spectra = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
    references = normalized(ref, mu=mu, pre_range=pre_range, norm_range=norm_range)
    used: Any = {"energy_range": energy_range, "array": "flat" if flat else "norm"}
    found = linear_combination(spectra, references, **used, sum_to_one=not free_sum)
    ranks = []
    for s in spectra if rank else ():
        title = f"{s.label}: subsets of references, the best first"
        ranks.append(Table.from_dataframe(title, rank_references(s, references, **used)))
    present(json, found, *ranks, written=kept(out, "lcf", found))
