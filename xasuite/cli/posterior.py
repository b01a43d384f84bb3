"""``xasuite posterior``: parameters and choices sampled together, with a corner plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from .common import DATA_ROOT, JSON, OUTPUT, present, spinner


def posterior(
    spec: Path = typer.Argument(help="A spec (.toml)."),
    row: str | None = typer.Option(None, help="Label of the row; left out, the first."),
    steps: int = typer.Option(
        2000, min=20, help="Steps of the chain; the same command with more steps continues it."
    ),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the corner plot."),
) -> None:
    """Sample the posterior of a row with emcee, over parameters and choices together, and compare it with the error budget.

    Writes results/<spec>/posterior_<row>.h5 (the chain), .json and the corner plot. Stopped with Ctrl-C, it keeps the chain.
    """
    from ..report.posterior import write_posterior
    from ..workflow import sample_posterior

    with spinner(json) as progress:

        def said(word: str, done: int = 0, total: int = 0) -> None:
            progress(f"{word} {done}/{total}" if total else word)

        asked: Any = {"row": row, "steps": steps, "folder": output, "data_root": data_root}
        found = sample_posterior(spec, progress=said, **asked)
    present(json, found, written=write_posterior(found, figures=figures))
