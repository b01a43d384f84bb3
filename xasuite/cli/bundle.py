"""``xasuite bundle``: a result with everything it was made of, in one archive."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import DATA_ROOT, JSON, present, spinner


def bundle(
    results: list[Path] = typer.Argument(help="Folders of results (of fit, reproduce), or specs."),
    output: Path = typer.Option(Path("bundle.zip"), "--output", "-o", help="The archive."),
    title: str = typer.Option("", help="Title of the deposition; by default the first spec's."),
    author: list[str] = typer.Option([], help='"Family, Given"; once for each author.'),
    licence: str = typer.Option("", help="Licence of data whose spec states none, such as CC-BY-4.0."),
    data_root: Path | None = DATA_ROOT,
    figures: bool = typer.Option(True, help="Make the figures."),
    json: bool = JSON,
) -> None:
    """Write a deposition: specs, data, FEFF, tables, figures, versions, licences, checksums; `xasuite reproduce` runs it."""
    from ..deposit import bundle as make

    with spinner(json) as progress:
        made = make(
            list(results), output, title=title, authors=author, licence=licence, data_root=data_root, figures=figures, progress=progress
        )  # fmt: skip
    present(json, made)
