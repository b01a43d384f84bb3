"""``xasuite reproduce``: published tables made again and scored cell by cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, JSON, OUTPUT, console, print_json, print_table, spinner

if TYPE_CHECKING:
    from ..workflow.reproduce import Reproduction
    from ..workflow.run import SpecResult
    from ..workflow.score import Cell

OUTSIDE = 2


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
) -> None:
    """Make published tables again: published, ours, difference, within or outside.

    Exit code 0 when all cells are within, 2 when one is outside or a fit failed, 1 on a mistake.
    """
    from ..report.results import reproduction_json, write_results
    from ..workflow import reproduce_specs

    written = []
    with spinner(json) as progress:

        def keep(result: SpecResult) -> None:
            written.append(write_results(result, output, figures=figures, progress=progress)[0].parent)

        done = reproduce_specs(targets or [], data_root=data_root, keep=keep, progress=progress)
    if json:
        print_json(reproduction_json(done))
    else:
        print_reproduction(done)
        if written:
            console().print(f"figures and tables: {', '.join(str(p) for p in written)}")
    raise typer.Exit(0 if done.good else OUTSIDE)


def print_reproduction(done: Reproduction) -> None:
    """Tables of cells, variants, what cannot be told, doubts, and a summary line a table."""
    from .fit import print_variants

    for result in done.results:
        cells = [c for c in done.cells if c.spec == result.loaded.name]
        if cells:
            header = ("row", "path", "quantity", "published", "ours", "diff/err", "verdict", "rule", "label")
            print_table(
                f"{result.loaded.name}: {result.loaded.spec.title}", header, [_line(c) for c in cells]
            )
        for row in result.inputs.values():
            console().print(f"  {row.label}: {row.kind}, {row.origin}", style="dim")
        print_variants(result)
        for line in result.warnings:
            console().print(f"  {line}", style="yellow")
    print_matched(done)
    print_potentials(done)
    print_claims(done)
    for title, lines in (
        ("What the data cannot tell", done.cannot_tell),
        ("Published statements that are doubtful", done.doubts),
        ("Data that are not there", [f"{k}: {v}" for k, v in done.missing.items()]),
        ("Failed", [f"{k}: {v}" for k, v in done.failed.items()]),
    ):
        if lines:
            console().print(f"\n{title}", style="bold")
            for line in lines:
                console().print(f"  {line}")
    console().print()
    for line in summary(done.cells):
        console().print(line)


def print_matched(done: Reproduction) -> None:
    """The closure rows at the noise that gives N its published error."""
    if not done.matched:
        return
    rows = []
    for r in done.matched:
        scale = 1e3 if r.quantity == "sigma2" else 1.0
        printed = f"± {r.published_err:g}" if r.published_err else "-"
        inside = "-" if not r.published_err else "yes" if abs(r.bias) <= r.published_err else "[red]NO[/red]"
        rows.append(
            (
                r.row,
                r.path,
                r.quantity + (" e-3" if scale > 1 else ""),
                f"{r.noise:.1e}",
                f"{r.truth * scale:g} {printed}",
                f"{(r.truth + r.bias) * scale:.3f}",
                f"{r.spread * scale:.3f}",
                f"{r.reported * scale:.3f}",
                inside,
                f"{r.coverage:.2f}" + (f" ({r.reason})" if r.reason else ""),
            )
        )
    title = (
        f"At the noise where the fit's own error of N equals the published one (median of 24 seeds; then "
        f"{done.matched[0].seeds} seeds; closure)"
    )
    header = (
        "row",
        "path",
        "quantity",
        "epsilon_k",
        "published",
        "mean",
        "spread",
        "own error",
        "mean within",
        "coverage",
    )
    print_table(title, header, rows)


def print_potentials(done: Reproduction) -> None:
    """What fitting with other potentials than the truth's moves."""
    rows = [
        (c.row, c.path, f"{c.n_shift:+.2f}", f"{c.r:+.4f}", f"{c.sigma2 * 1e3:+.2f}") for c in done.potentials
    ]
    if rows:
        header = ("row", "path", "N", "R (A)", "sigma2 (1e-3 A^2)")
        print_table(
            "What potentials cost: fit with feff8l minus fit with the truth's (noise-free closure)",
            header,
            rows,
        )


def print_claims(done: Reproduction) -> None:
    """Statements with verdict and number."""
    if done.claims:
        rows = [(c.id, c.verdict, c.number, c.label) for c in done.claims]
        print_table("Statements of the paper", ("claim", "verdict", "number", "label"), rows)
        for key, text in dict.fromkeys((c.id, c.text) for c in done.claims):
            console().print(f"  {key}: {text}", style="dim")


def summary(cells: tuple[Cell, ...]) -> list[str]:
    """One line a table and label."""
    lines = []
    for key in dict.fromkeys((c.table, c.label) for c in cells):
        of = [c for c in cells if (c.table, c.label) == key]
        within = sum(c.within for c in of)
        verdict = "all within" if within == len(of) else f"{len(of) - within} OUTSIDE"
        lines.append(f"{key[0]} ({key[1]}): {within} of {len(of)} cells within; {verdict}")
    return lines


def _line(cell: Cell) -> tuple[str, ...]:
    from ..records.quantities import as_printed

    scale, unit = (1e3, " e-3") if cell.quantity == "sigma2" else (1.0, "")
    published = f"{cell.published * scale:g}"
    published += f" ± {cell.published_err * scale:g}{unit}" if cell.published_err else unit
    ours = as_printed(cell.ours * scale, (cell.ours_err or math.nan) * scale) + unit
    gap = f"{cell.difference:+.1f}" if math.isfinite(cell.difference) else "-"
    verdict = "within" if cell.within else "[red]OUTSIDE[/red]"
    if cell.remark:
        verdict += f" ({cell.remark})"
    return (cell.row, cell.path, cell.quantity, published, ours, gap, verdict, cell.rule, cell.label)
