"""``xasuite compare``: which of two models of the same data."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import DATA_ROOT, JSON, present, spinner


def compare(
    first: Path = typer.Argument(help="A spec (.toml)."),
    second: Path = typer.Argument(help="Another spec of the same rows, reduction and ranges."),
    data_root: Path | None = DATA_ROOT,
    json: bool = JSON,
) -> None:
    """AIC, BIC, the F test (Hamilton) and the evidence of two models of the same data.

    Refused where data, ranges, k weights or restraints differ.
    """
    from ..errors import SpecError
    from ..workflow import compare_specs

    if first.exists() and second.exists() and first.samefile(second):
        raise SpecError(f"{first} and {second} are one file; name a spec of another model of the same data")
    with spinner(json) as progress:
        found = compare_specs(first, second, data_root=data_root, progress=progress)
    present(json, found)
