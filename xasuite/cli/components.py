"""xasuite components FILES: principal components of a set of spectra, and MCR-ALS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ._xanes import ENERGY_RANGE, FLAT, JSON, MU, NORM, OUT, PRE, Interval, kept, normalized
from .common import present

if TYPE_CHECKING:
    from ..records.table import Presented, Table


def components(
    files: list[str] = typer.Argument(..., help="Spectra, or a file of many, in the order of the process."),
    energy_range: Interval = ENERGY_RANGE,
    number: int = typer.Option(0, "--number", "-n", help="Components for MCR-ALS; left out, PCA alone."),
    target: list[str] = typer.Option([], help="A reference to test against the components."),
    start: str = typer.Option("efa", help="MCR-ALS from efa or purest."),
    unimodal: bool = typer.Option(False, "--unimodal", help="Concentrations have one maximum each."),
    flat: bool = FLAT,
    mu: str | None = MU,
    pre_range: Interval | None = PRE,
    norm_range: Interval | None = NORM,
    out: Path | None = OUT,
    json: bool = JSON,
) -> None:
    """How many species a series holds (scree, IND, F test, target tests), and what they are (MCR-ALS)."""
    from ..records.quantities import Quantity
    from ..records.table import Table
    from ..xanes import mcr_als, pca, target_test

    records = normalized(files, mu=mu, pre_range=pre_range, norm_range=norm_range)
    array = "flat" if flat else "norm"
    used: Any = {"energy_range": energy_range, "array": array}
    found = pca(records, **used)
    results: list[Presented | Table] = [found]
    written = [*kept(out, "pca", found)]
    if target:
        references = normalized(target, mu=mu, pre_range=pre_range, norm_range=norm_range)
        tests = target_test(found, references, number or found.n_ind, array=array)
        columns = ("label", Quantity("spoil", "SPOIL", form=".2f"), "rfactor", "verdict")
        rows = ((t.name, t.spoil, t.rfactor, t.verdict) for t in tests)
        results.append(Table.of("Target tests", columns, rows))
    if number:
        mcr = mcr_als(records, number, **used, start=start, unimodal=unimodal, freedom=True)
        results.append(mcr)
        written += kept(out, "mcr", mcr)
    present(json, *results, written=written)
