"""The page of a reproduction: scores, statements of the papers, doubtful values, then the report of every spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import files
from ..records.quantities import QUANTITIES, Quantity, quantity
from ..records.table import Table
from ..workflow.scoreboard import scoreboard, worth
from ..workflow.summary import cells_table
from .html import render, section_of
from .sections import Section

if TYPE_CHECKING:
    from ..workflow.reproduce import Reproduction

TITLE = "Published tables made again"


def write_reproduction(done: Reproduction, results: Sequence[str | Path], target: str | Path) -> Path:
    """Write the page: one HTML file that needs no network. `results` are the result.json of the specs.

    Raises ReadError, WriteError.
    """
    sections = [_overview(done), *(section_of(Path(p)) for p in results)]
    return files.write_text(target, render(sections, TITLE))


def _overview(done: Reproduction) -> Section:
    first, *others = tables(done)
    said = [f"Doubtful in print: {line}" for line in done.doubts]
    for word, of in (("Data not there", done.missing), ("Failed", done.failed)):
        said += [f"{word}: {k}: {v}" for k, v in of.items()]
    kinds = " and ".join(dict.fromkeys(s.label for s in done.scores))
    facts = (
        ("Cells within", f"{done.within} of {len(done.cells)}"), ("k", "-"), ("R", "-"),
        ("Statements", verdicts(done)),
    )  # fmt: skip
    return Section(
        "Scores and statements", kinds or "no data", facts, tuple(said), (first,), None, (), "", tuple(others)
    )


def verdicts(done: Reproduction) -> str:
    """How many checks of statements hold, fail, and are not decided."""
    found = [c.verdict for c in done.claims]
    return ", ".join(f"{v}: {found.count(v)}" for v in dict.fromkeys(found)) or "none"


def tables(done: Reproduction) -> Iterator[Table]:
    """The scoreboard, then the tables with its details."""
    yield scoreboard(done.scores)
    yield worth(done.scores)
    yield cells_table("Every cell", done.cells)
    if done.claims:
        said = [(c.id, c.verdict, c.number, c.label) for c in done.claims]
        texts = dict.fromkeys(f"{c.id}: {c.text}" for c in done.claims)
        columns = [Quantity(h) for h in ("Statement", "Verdict", "Number", "Label")]
        yield Table.of("Statements of the papers", columns, said, notes=tuple(texts))
    if done.matched:
        yield _matched(done)
    if done.potentials:
        signed = [Quantity(q.name, q.symbol, q.unit, power=q.power, form="+.4f" if n == "r" else "+.2f") for n in ("n", "r", "sigma2") for q in (QUANTITIES[n],)]  # fmt: skip
        rows = [(c.row, c.path, c.n_shift, c.r, c.sigma2) for c in done.potentials]
        title = "Effect of potentials: fit with feff8l minus fit with those of the truth, without noise"
        yield Table.of(title, ("row", "path", *signed), rows, label="closure")
    yield Table.of("What the data cannot determine", [Quantity("Row and reason")], [(x,) for x in done.cannot_tell])  # fmt: skip


def _matched(done: Reproduction) -> Table:
    """Closure at the noise for which the error of N equals the published one."""
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
    return Table.of(title, columns, rows, notes=(note,), label="closure")
