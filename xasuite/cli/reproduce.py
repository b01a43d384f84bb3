"""``xasuite reproduce``: published tables made again and scored cell by cell, and depositions compared number by number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from .common import DATA_ROOT, JSON, OUTPUT, present, print_json, say, show, spinner

if TYPE_CHECKING:
    from ..workflow.reproduce import Reproduction
    from ..workflow.run import SpecResult

OUTSIDE = 2
WIDTH = 100  # columns, without --verbose


def reproduce(
    targets: list[str] | None = typer.Argument(
        None,
        help="Folders of specs, or specs; or one deposition (.zip of xasuite bundle). All of fits/ if left out.",
    ),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    unpack: Path | None = typer.Option(
        None, help="Folder into which a deposition is unpacked and where it stays; left out, a temporary one."
    ),
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figures."),
    verbose: bool = typer.Option(
        False, "--verbose", "-v", help="Print every cell, variant, statement and doubt."
    ),
) -> None:
    """Make published tables again and print one line per table: how many cells are within, and the worst one.

    Everything else is in the page that is written. Exit code 0 when all published cells are within, 2 when one is outside or a
    fit failed, 1 on a mistake. A deposition is made again from its own files; exit code 2 also where a number is not the stated one.
    """
    from ..errors import SpecError

    bundles = [t for t in targets or [] if t.lower().endswith(".zip")]
    if bundles and (len(targets or []) > 1 or data_root is not None):
        raise SpecError(f"{bundles[0]} is a deposition with its own data: name it alone, without --data-root")
    if bundles:
        _deposition(bundles[0], unpack, output, json=json, figures=figures)
    if unpack is not None:
        raise SpecError("--unpack belongs to a deposition: name a .zip of xasuite bundle")
    from ..report.reproduction import write_reproduction
    from ..report.results import write_results
    from ..workflow import reproduce_specs

    written: list[Path] = []
    with spinner(json) as progress:

        def keep(result: SpecResult) -> None:
            written.append(write_results(result, output, figures=figures, progress=progress)[0])

        done = reproduce_specs(targets or [], data_root=data_root, keep=keep, progress=progress)
        progress("writing the page")
        page = write_reproduction(done, written, output / "reproduce.html")
    if json:
        print_json(done.to_dict())
    else:
        if verbose:
            print_everything(done)
        else:
            print_scores(done)
        print_lines(done, verbose)
        say(f"written: {page} and one folder per spec in {output}/")
    raise typer.Exit(0 if done.good else OUTSIDE)


def _deposition(path: str, unpack: Path | None, output: Path, *, json: bool, figures: bool) -> NoReturn:
    """Run a deposition again: its tables, then how many numbers equal the stated ones."""
    from ..deposit import reproduce_bundle
    from ..report.results import write_results

    written: list[Path] = []
    with spinner(json) as progress:

        def keep(result: SpecResult) -> None:
            written.extend(write_results(result, output, figures=figures, progress=progress))

        done = reproduce_bundle(path, folder=unpack, keep=keep, output=output, progress=progress)
    if not json:
        for result in done.reproduction.results:
            show(result.summary())
        if done.reproduction.scores:
            print_scores(done.reproduction)
    present(json, done, written=written)
    raise typer.Exit(0 if done.good else OUTSIDE)


def print_scores(done: Reproduction) -> None:
    """The scoreboard, and a line on the statements of the papers."""
    from ..report.reproduction import verdicts
    from ..workflow.scoreboard import scoreboard

    show(scoreboard(done.scores))
    say(f"Statements of the papers: {verdicts(done)}")


def print_lines(done: Reproduction, whole: bool) -> None:
    """Doubtful published values, missing data and failures, a line each; cut at WIDTH unless `whole`."""
    missing = [f"{k}: {v}" for k, v in done.missing.items()]
    if missing and not whole:
        missing = [f"{len(missing)} spectra: {', '.join(done.missing)}"]
    for title, lines, style in (
        ("Doubtful in print (in brackets the noise epsilon_k)", list(done.doubts), "yellow"),
        ("No data (named with --verbose)", missing, "dim"),
        ("Failed", [f"{k}: {v}" for k, v in done.failed.items()], "red"),
    ):
        for line in ([title] if lines else []) + [f"  {x}" for x in lines]:
            say(line if whole or len(line) <= WIDTH else line[: WIDTH - 1] + "…", style)


def print_everything(done: Reproduction) -> None:
    """Every variant and warning, then every table behind the scoreboard."""
    from ..report.reproduction import tables
    from ..workflow.summary import variants_table

    for result in done.results:
        for row in result.inputs.values():
            say(f"  {result.loaded.name} {row.label}: {row.kind}, {row.origin}", "dim")
        if result.variants:
            show(variants_table(result))
        for line in result.warnings:
            say(f"  {line}", "yellow")
    for table in tables(done):
        show(table)
