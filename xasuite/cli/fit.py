"""``xasuite fit``: fit specs, print the coordination tables, write results and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, JSON, OUTPUT, console, print_json, print_table, spinner

if TYPE_CHECKING:
    from ..workflow.run import SpecResult

EXIT_NOT_A_FIT = 3
COLOURS = {"good": "green", "doubtful": "yellow", "not a fit": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fit")(fit)


def fit(
    specs: list[Path] = typer.Argument(help="Spec files (.toml)."),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figures."),
) -> None:
    """Fit specs and write results/<spec>/ (result.json, table.csv/.md/.tex, fit.png/.pdf).

    Exit code 3 where a row is not a fit.
    """
    from .. import workflow
    from ..errors import FitError
    from ..report.results import fit_json, write_results
    from ..specs import load_spec
    from ..workflow.resolve import Context
    from ..workflow.verdict import NOT_A_FIT

    context = Context.of(data_root)
    loaded = [load_spec(path) for path in specs]
    documents, failures = [], []
    levels: set[str] = set()
    with spinner(json) as progress:
        for one in loaded:
            result = workflow.run_spec(one, context, progress=progress)
            written = write_results(result, output, figures=figures, progress=progress)
            documents.append(fit_json(result))
            levels |= {verdict.level for verdict in result.verdicts.values()}
            failures += [f"{one.name} {row}: {why}" for row, why in result.failed.items()]
            if not json:
                print_result(result)
                console().print(f"written: {written[0].parent}/ ({', '.join(p.name for p in written)})\n")
    if json:
        print_json(documents[0] if len(documents) == 1 else documents)
    if failures:
        raise FitError("; ".join(failures))
    if NOT_A_FIT in levels:
        raise typer.Exit(EXIT_NOT_A_FIT)


def print_result(result: SpecResult) -> None:
    """The table, its footnotes and its warnings on a terminal."""
    from ..report.tables import coordination_table

    table = coordination_table(result)
    print_table(table.title, table.header, table.rows)
    for line in table.footnotes:
        console().print(f"  {line}", style="dim")
    for label, verdict in result.verdicts.items():
        console().print(f"  {label}: {verdict.level}", style=COLOURS[verdict.level], markup=False)
        for reason in verdict.reasons:
            console().print(f"    {reason}", markup=False)
    for fit in result.rows:
        for line in fit.warnings:
            console().print(f"  {fit.label}: {line}", style="yellow")
    for line in result.warnings:
        console().print(f"  {line}", style="yellow")
    print_variants(result)


def print_variants(result: SpecResult) -> None:
    """The variants beside the main fit: every parameter, R factor, and what was changed."""
    if not result.variants:
        return
    names = [p.name for p in result.rows[0].parameters] if result.rows else []
    rows = []
    for label, fits in (("as the spec says", result.rows), *result.variants.items()):
        for f in fits:
            cells = []
            for name in names:
                p = next((q for q in f.parameters if q.name == name), None)
                mark = "" if p is None else {"fixed": "*", "inherited": "*"}.get(p.kind, "")
                state = f" ({p.state})" if p is not None and p.state else ""
                cells.append("-" if p is None else f"{p.value}{mark}{state}")
            rows.append((label, f.label, *cells, f"{f.rfactor:.4f}"))
    print_table("The same data fitted in other ways", ("variant", "sample", *names, "R factor"), rows)
    for variant in result.loaded.spec.variant:
        if variant.note:
            console().print(f"  {variant.label}: {variant.note}", style="dim")
