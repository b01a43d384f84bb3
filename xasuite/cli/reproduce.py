"""``xasuite reproduce``: published tables made again and scored cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, JSON, OUTPUT, print_json, print_table, say, show, spinner

if TYPE_CHECKING:
    from ..records.table import Table
    from ..workflow.reproduce import Reproduction
    from ..workflow.run import SpecResult

OUTSIDE = 2
SAID_LINES = 8  # of doubts and failures, without --verbose
SAID_WIDTH = 96


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reproduce")(reproduce)


def reproduce(
    targets: list[str] | None = typer.Argument(
        None, help="Folders of specs, or specs; all of fits/ if left out."
    ),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figures."),
    verbose: bool = typer.Option(
        False, "--verbose", "-v", help="Print every cell, variant, statement and doubt."
    ),
) -> None:
    """Make published tables again and print a line a table: how many cells are within, and the worst one.

    Everything else is in the page that is written. Exit code 0 when all cells are within, 2 when one is outside or a
    fit failed, 1 on a mistake.
    """
    from ..report.html import write_report
    from ..report.results import write_results
    from ..workflow import reproduce_specs

    written: list[Path] = []
    with spinner(json) as progress:

        def keep(result: SpecResult) -> None:
            written.append(write_results(result, output, figures=figures, progress=progress)[0])

        done = reproduce_specs(targets or [], data_root=data_root, keep=keep, progress=progress)
        progress("writing the page")
        page = (
            write_report(written, output / "reproduce.html", title="Published tables made again")
            if written
            else None
        )
    if json:
        print_json(done.to_dict())
    else:
        if verbose:
            print_everything(done)
        show(scoreboard(done))
        print_lines(done, None if verbose else SAID_LINES)
        if page is not None:
            say(f"written: {page} and a folder a spec in {output}/")
    raise typer.Exit(0 if done.good else OUTSIDE)


def scoreboard(done: Reproduction) -> Table:
    """A row a table and label: cells within, and the cell that is farthest from what is published."""
    from ..records.quantities import Quantity, quantity
    from ..records.table import Table

    rows = []
    for key in dict.fromkeys((c.table, c.label) for c in done.cells):
        of = [c for c in done.cells if (c.table, c.label) == key]
        far = max(of, key=lambda c: (not c.within, abs(c.difference) if math.isfinite(c.difference) else 0.0))
        gap = f"{far.difference:+.1f} errors" if math.isfinite(far.difference) else "no error known"
        where = f"{far.row} {far.path} {quantity(far.quantity).symbol}: {gap}" + (
            "" if far.within else ", OUTSIDE"
        )
        rows.append((*key, f"{sum(c.within for c in of)} of {len(of)}", where))
    columns = (
        Quantity("table", "Table"),
        "label",
        Quantity("within", "Within"),
        Quantity("worst", "Farthest cell"),
    )
    return Table.of("Published tables made again", columns, rows)


def print_lines(done: Reproduction, most: int | None) -> None:
    """Doubtful published statements, data that are not there and failures, a line each."""
    for title, lines in (
        ("Doubtful in print", list(done.doubts)),
        ("Data not there", [f"{k}: {v}" for k, v in done.missing.items()]),
        ("Failed", [f"{k}: {v}" for k, v in done.failed.items()]),
    ):
        for line in lines[:most]:
            short = line if most is None or len(line) <= SAID_WIDTH else line[: SAID_WIDTH - 1] + "…"
            say(f"  {title}: {short}", "yellow" if title != "Failed" else "red")
        if most is not None and len(lines) > most:
            say(f"  {title}: {len(lines) - most} more (--verbose)", "dim")


def print_everything(done: Reproduction) -> None:
    """Every cell, variant, statement and what the data cannot determine."""
    from ..workflow.summary import cells_table, variants_table

    for result in done.results:
        cells = [c for c in done.cells if c.spec == result.loaded.name]
        if cells:
            show(cells_table(f"{result.loaded.name}: {result.loaded.spec.title}", cells))
        for row in result.inputs.values():
            say(f"  {row.label}: {row.kind}, {row.origin}", "dim")
        if result.variants:
            show(variants_table(result))
        for line in result.warnings:
            say(f"  {line}", "yellow")
    for table in extra_tables(done):
        show(table)
    if done.claims:
        rows = [(c.id, c.verdict, c.number, c.label) for c in done.claims]
        print_table("Statements of the paper", ("Claim", "Verdict", "Number", "Label"), rows)
        for key, text in dict.fromkeys((c.id, c.text) for c in done.claims):
            say(f"  {key}: {text}", "dim")
    for line in done.cannot_tell:
        say(f"  not determined: {line}")


def extra_tables(done: Reproduction) -> Iterator[Table]:
    """Closure at the noise that gives N its published error, and what other potentials than the truth's move."""
    from ..records.quantities import QUANTITIES, Quantity, quantity
    from ..records.table import Table

    if done.matched:
        rows = []
        for r in done.matched:
            q = quantity(r.quantity)
            scale = 10.0**q.power
            printed = f" ± {r.published_err * scale:g}" if r.published_err else ""
            inside = "-" if not r.published_err else "yes" if abs(r.bias) <= r.published_err else "NO"
            numbers = (f"{x * scale:.3f}" for x in (r.truth + r.bias, r.spread, r.reported))
            covered = f"{r.coverage:.2f}" + (f" ({r.reason})" if r.reason else "")
            rows.append(
                (r.row, r.path, q.head, r.noise, f"{r.truth * scale:g}{printed}", *numbers, inside, covered)
            )
        heads = ("mean", "spread", "own error", "mean within", "coverage")
        columns = ("row", "path", "quantity", "epsilon_k", "published", *map(Quantity, heads))
        title = "At the noise where the fit's own error of N equals the published one"
        note = f"Median of 24 seeds finds the noise; then {done.matched[0].seeds} seeds."
        yield Table.of(title, columns, rows, notes=(note,), label="closure")
    if done.potentials:
        signed = [Quantity(q.name, q.symbol, q.unit, power=q.power, form="+.4f" if n == "r" else "+.2f") for n in ("n", "r", "sigma2") for q in (QUANTITIES[n],)]  # fmt: skip
        rows = [(c.row, c.path, c.n_shift, c.r, c.sigma2) for c in done.potentials]
        title = "What potentials cost: fit with feff8l minus fit with the truth's, without noise"
        yield Table.of(title, ("row", "path", *signed), rows, label="closure")
