"""What several commands share: options, ranges, progress, and the printing of results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..records.table import Presented, Table

DATA_ROOT = typer.Option(None, "--data-root", help="Folder in which the specs' data files are looked for.")
JSON = typer.Option(False, "--json", help="Print one JSON document and nothing else on standard output.")
I0 = typer.Option(None, "--i0", help="Column of the incident intensity, where its name does not show it.")
ENERGY = typer.Option(None, "--energy", help="Column of the energies, where its name does not show it.")
UNITS = typer.Option(None, "--units", help="What --energy holds: eV, keV or angle (degrees).")
ELEMENT = typer.Option(None, "--element", help="Element symbol, where the file does not say.")
ABSORPTION_EDGE = typer.Option(None, "--edge", help="K, L3, ...")


def _no_file(folder: Path | None) -> Path | None:
    """The output folder. Raises typer.BadParameter for a file, before a long run begins."""
    if folder is not None and folder.is_file():
        raise typer.BadParameter(f"{folder} is a file: results cannot be written to it; name a folder")
    return folder


OUTPUT = typer.Option(Path("results"), "--output", "-o", callback=_no_file, help="Folder for results.")
QUIET = "XASUITE_QUIET"  # set by --quiet, which every command takes
PIPE_WIDTH = 160


class Interval(NamedTuple):
    """A range that was typed as LOW,HIGH."""

    low: float
    high: float


def interval(text: str | tuple[float, float]) -> Interval:
    """A range typed as LOW,HIGH (3,12). Raises typer.BadParameter."""
    if not isinstance(text, str):
        return Interval(*text)
    try:
        low, high = (float(x) for x in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no range; write it as LOW,HIGH, such as 3,12") from None
    if not low < high:
        raise typer.BadParameter(f"{text!r} runs backwards; write the lower end first")
    return Interval(low, high)


def ranged(default: Any, *names: str, help: str) -> Any:
    """An option that takes a range."""
    return typer.Option(default, *names, parser=interval, metavar="LOW,HIGH", help=help)


@contextmanager
def spinner(quiet: bool) -> Iterator[Callable[..., None]]:
    """A line on stderr that says what is being done; nothing when quiet or not a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or os.environ.get(QUIET) or not console.is_terminal:
        yield lambda word, *_: None
        return
    with console.status("starting") as status:
        yield lambda word, *_: status.update(word)


def print_json(document: Any) -> None:
    """One JSON document on standard output; arrays become lists, mappings objects, paths text."""
    import json

    from ..records.table import plain

    typer.echo(json.dumps(document, indent=1, ensure_ascii=False, default=plain))


def console() -> Console:
    """A rich console on standard output, as wide as the terminal, or 160 columns into a pipe; silent with --quiet."""
    from rich.console import Console

    quiet = bool(os.environ.get(QUIET))
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "quiet": quiet}
    out = Console(**plain)
    return out if out.is_terminal else Console(**plain, width=PIPE_WIDTH)


def say(line: str, style: str | None = None) -> None:
    """One line on standard output; brackets in it are text."""
    console().print(line, style=style, soft_wrap=True)


def warn(line: str) -> None:
    """A warning on standard error, in the form of Python's own."""
    typer.secho(f"warning: {line}", fg="yellow", err=True)


def show(table: Table) -> None:
    """A table on the terminal: title, statistics, rows, notes."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    out = console()
    out.print(Text(table.title + (f" [{table.label}]" if table.label else ""), style="bold"))
    width = max((len(name) for name, _ in table.facts), default=0)
    for name, value in table.facts:
        out.print(f"  {name:<{width}}  {value}", soft_wrap=True)
    if table.columns:
        grid = Grid(box=box.SIMPLE_HEAD)
        for head, number in zip(table.header, table.numeric(), strict=True):
            grid.add_column(Text(head), justify="right" if number else "left")
        for row in table.cells():
            grid.add_row(*map(Text, row))
        out.print(grid)
    for note in table.notes:
        out.print(f"  {note}", style="dim", soft_wrap=True)


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Show rows of text under plain heads."""
    from ..records.quantities import Quantity
    from ..records.table import Table

    show(Table.of(title, [Quantity(h) for h in header], ([str(c) for c in row] for row in rows)))


def present(json: bool, *results: Presented | Table, written: Sequence[Path] = ()) -> None:
    """Print results as JSON (one document, or a list of several) or as tables, and what was written."""
    if json:
        documents = [r.to_dict() for r in results]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    from ..records.table import Table

    for result in results:
        show(result if isinstance(result, Table) else result.summary())
    say_written(written)


def say_written(paths: Sequence[Path]) -> None:
    """Every folder that was written to, once, with its files."""
    for folder in dict.fromkeys(p.parent for p in paths):
        names = ", ".join(dict.fromkeys(p.name for p in paths if p.parent == folder))
        say(f"written: {folder}/ ({names})")
