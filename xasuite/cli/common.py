"""What several commands share: options, progress, tables on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

DATA_ROOT = typer.Option(None, "--data-root", help="Folder in which the specs' data files are looked for.")
JSON = typer.Option(False, "--json", help="Print one JSON document and nothing else on standard output.")
OUTPUT = typer.Option(Path("results"), "--output", "-o", help="Folder for results.")


@contextmanager
def spinner(quiet: bool) -> Iterator[Callable[..., None]]:
    """A line of progress on stderr that says what is being done; nothing when quiet or not a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda word, *_: None
        return
    with console.status("starting") as status:
        yield lambda word, *_: status.update(word)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    import json

    typer.echo(json.dumps(document, indent=1, ensure_ascii=False))


def console() -> Any:
    """A rich console on standard output, as wide as its reader's, or 160 columns into a pipe."""
    from rich.console import Console

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=160)


def print_table(title: str, header: tuple[str, ...], rows: Any, *, right: tuple[str, ...] = ()) -> None:
    """A rich table; columns named in `right` are aligned right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for name in header:
        table.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*(str(c) for c in row))
    console().print(table)
