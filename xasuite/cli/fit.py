"""``xasuite fit``: fit specs, print the coordination tables, write results and figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import DATA_ROOT, JSON, OUTPUT, print_json, say, say_written, show, spinner

if TYPE_CHECKING:
    from ..specs import Spec
    from ..specs.load import Loaded
    from ..workflow.run import SpecResult

EXIT_UNCONFIRMED, EXIT_NOT_A_FIT = 2, 3
COLOURS = {"good": "green", "doubtful": "yellow", "not a fit": "bold red"}


def fit(
    specs: list[Path] = typer.Argument(help="Spec files (.toml)."),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figures."),
    parts: bool = typer.Option(False, "--parts", help="Print the parts of every error."),
    audit: bool | None = typer.Option(
        None,
        help="Repeat the fits with Larch; left out, once for each combination of spec, data and versions.",
    ),
) -> None:
    """Fit specs and write results/<spec>/: result.json, tables, curves, the methods' text, figures.

    A spec that cannot be fitted does not stop the others; all that failed are named at the end, with exit code 1. Exit
    code 2 where Larch does not confirm a fit that it repeats, 3 where the verdict on a row is "not a fit".
    """
    from ..errors import FitError, SpecError, XasuiteError
    from ..specs import load_spec
    from ..workflow import run_spec
    from ..workflow.resolve import Context
    from ..workflow.summary import parts_table
    from ..workflow.verdict import NOT_A_FIT

    context = Context.of(data_root)
    documents, failures = [], []
    levels: set[str] = set()
    unconfirmed = False
    loaded: list[Loaded[Spec]] = []
    for path in specs:
        try:
            loaded.append(load_spec(path))
        except SpecError as exc:
            failures += exc.mistakes
    with spinner(json) as progress:
        for one in loaded:
            try:
                result = run_spec(one, context, progress=progress)
            except XasuiteError as exc:
                if len(specs) == 1:
                    raise
                failures.append(f"{one.name}: {exc}")
                continue
            levels |= {verdict.level for verdict in result.verdicts.values()}
            failures += [f"{one.name} {row}: {why}" for row, why in result.failed.items()]
            if not json:
                print_result(result)
                if parts:
                    show(parts_table(result))
            result = _kept(result, output, figures=figures, audit=audit, silent=json, progress=progress)
            if json:
                documents.append(result.to_dict())
            unconfirmed |= result.audit is not None and not result.audit.passed
    if json and documents:
        print_json(documents[0] if len(specs) == 1 else documents)
    if failures:
        raise SpecError(failures) if not loaded else FitError("; ".join(failures))
    if unconfirmed:
        raise typer.Exit(EXIT_UNCONFIRMED)
    if NOT_A_FIT in levels:
        raise typer.Exit(EXIT_NOT_A_FIT)


def _kept(
    result: SpecResult, output: Path, *, figures: bool, audit: bool | None, silent: bool, progress: Any
) -> SpecResult:
    """Write the files of a result and give it with Larch's audit. The imports take seconds: the table is shown before."""
    from ..report.results import write_results
    from ..workflow import audit_spec

    if audit is not False:
        progress("Larch repeats the fit")
        result = replace(result, audit=audit_spec(result, again=audit is True))
    written = write_results(result, output, figures=figures, progress=progress)
    if not silent:
        if result.audit is not None:
            say(f"  {result.audit}", style="dim" if result.audit.passed else "red")
        say_written(written)
    return result


def print_result(result: SpecResult) -> None:
    """Print the table, the verdicts, the warnings, and the table of the variants."""
    from ..workflow.summary import changes_table, variants_table

    show(result.summary())
    if (changes := changes_table(result)) is not None:
        show(changes)
    verdicts = result.verdicts
    if verdicts and all(v.level == "good" for v in verdicts.values()):
        say("  verdict: good" + (f", all {len(verdicts)} rows" if len(verdicts) > 1 else ""), COLOURS["good"])
    else:
        for label, verdict in verdicts.items():
            reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
            say(f"  {label}: {verdict.level}{reasons}", COLOURS[verdict.level])
    for line in (*(f"{f.label}: {w}" for f in result.rows for w in f.warnings), *result.warnings):
        say(f"  {line}", "yellow")
    if result.variants:
        show(variants_table(result))
