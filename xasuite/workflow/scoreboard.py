"""One line per table: how many cells are within, and whether such a score can tell anything (docs/decisions/scoring.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..exafs.model import FitRange
from ..exafs.result import FitResult
from ..records.quantities import Quantity, quantity
from ..records.table import Table
from ..specs.published import PublishedTable, table_of
from .fits import Progress
from .resolve import MEASURED, Context
from .run import SpecResult
from .score import (
    COMBINED_ERRORS,
    SCORED,
    Cell,
    Differences,
    constant_row,
    score_differences,
    score_result,
    smallest_change,
)
from .settings import Refits, settings


@dataclass(frozen=True)
class TableScore:
    """The score of one published table, and what it is worth.

    constant : cells of N, R, sigma2 and S02 that one and the same row for all spectra would score, and of how many.
    noticed : smallest change of a cell that the score would have noticed in 95 of 100 cases, by quantity.
    settings : for each of 30 other sensible settings, how many of the `scored` cells are within the errors that the spec's
        own result prints.
    held_out : cells within, and of how many, where the settings are chosen on one half of the rows and scored on the other;
        (0, 0) for one row.
    used : the k (1/A) that the fits use, tapers included; stated : the k range that the paper states.
    """

    table: str
    label: str
    cells: tuple[Cell, ...]
    constant: tuple[int, int]
    noticed: dict[str, float]
    differences: Differences
    settings: tuple[int, ...] = ()
    held_out: tuple[int, int] = (0, 0)
    used: tuple[float, float] = (0.0, 0.0)
    stated: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0

    @property
    def within(self) -> int:
        """How many cells are within."""
        return sum(c.within for c in self.cells)

    @property
    def scored(self) -> int:
        """How many cells have an error: those that another setting can move."""
        return sum(bool(c.ours_err) for c in self.cells)

    @property
    def worst(self) -> Cell | None:
        """The cell farthest from the published value, in errors; None where none has an error."""
        return max((c for c in self.cells if c.ours_err), key=lambda c: abs(c.difference), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Every number but the cells (docs/guide/json.md)."""
        plain = {n: v for n, v in asdict(self).items() if n != "cells"}
        return plain | {"within": self.within, "total": len(self.cells)}


def scoreboard(scores: Sequence[TableScore]) -> Table:
    """One row per table: cells within, the worst one, what one constant row and other settings would score."""
    rows = []
    for s in scores:
        where = "-"
        if far := s.worst:
            where = f"{far.difference:+.1f} {quantity(far.quantity).symbol}({far.path}) {far.row}"
        scanned = f"{min(s.settings)}-{max(s.settings)} of {s.scored}" if s.settings else "-"
        mark = " *" if s.label == MEASURED else "" if all(c.counted for c in s.cells) else " †"
        within, constant = _of(s.within, len(s.cells)), _of(*s.constant)
        rows.append((s.table + mark, within, where, constant, scanned, f"{s.seconds:.0f} s"))
    heads = ("Table", "Within", "Worst, in errors", "One row", "Settings", "Time")
    return Table.of("Published tables made again", [Quantity(h) for h in heads], rows, notes=NOTES)


NOTES = (
    "Closure; * measured; † models that no paper printed: their cells do not count in the exit code.",
    "One row: what the best single row for all spectra would score.",
    "Settings: least and most cells within the same errors under 30 other settings.",
)


def _of(within: int, total: int) -> str:
    return f"{within} of {total}" if total else "-"


def worth(scores: Sequence[TableScore]) -> Table:
    """One row per table: what its score would have noticed, differences between rows, settings held out, the k window."""
    rows = []
    for s in scores:
        change = [
            f"{s.noticed[q] * 10.0 ** quantity(q).power:.2g}" if q in s.noticed else "-" for q in SCORED
        ]
        pairs = s.differences
        agree = _of(pairs.within, pairs.total) + (f", worst {pairs.worst:.1f}" if pairs.total else "")
        median = _of(sorted(s.settings)[len(s.settings) // 2], s.scored) if s.settings else "-"
        used, stated = (f"{low:g} to {high:g}" for low, high in (s.used, s.stated))
        seen, kept = _of(pairs.decided, pairs.total), _of(*s.held_out)
        rows.append((s.table, s.label, *change, agree, seen, median, kept, used, stated))
    heads = ("Differences agree", "seen", "Settings, median", "Held out", "k used (1/A)", "k stated (1/A)")
    columns = [*map(Quantity, ("Table", "Label")), *map(quantity, SCORED), *map(Quantity, heads)]
    return Table.of("What the scores are worth", columns, rows, notes=WORTH_NOTES)


WORTH_NOTES = (
    "N, R, sigma2, S02: the smallest change of one cell that the score would have noticed in 95 of 100 cases (the "
    "rule's bound and 1.645 of our error, median over the table).",
    "Differences agree: pairs of rows whose difference is the printed one within two errors of a difference, and the "
    "worst in errors; seen: pairs whose difference is itself larger than two of its errors.",
    "Settings: cells within the errors that the result prints under 30 other settings. Held out: the settings that are "
    "best on half of the rows, scored on the other half.",
    "k used: where the window is not zero; a taper dk is centred on each end of the range.",
)


@dataclass
class Scorer:
    """Scores specs one by one and gathers them by table."""

    context: Context
    scan: bool = True
    _found: dict[tuple[str, str], list[tuple[SpecResult, float]]] = field(default_factory=dict)

    def add(self, result: SpecResult, seconds: float = 0.0) -> tuple[Cell, ...]:
        """The cells of a spec that reproduces a table; `seconds` it took."""
        reference = result.loaded.spec.reproduces
        if not reference:
            return ()
        cells = score_result(result, table_of(result.loaded), reference)
        for label in dict.fromkeys(c.label for c in cells):
            self._found.setdefault((reference, label), []).append((result, seconds))
        return cells

    def scores(self, progress: Progress) -> Iterator[TableScore]:
        """The score of each table, in the order of the specs."""
        for (reference, label), found in self._found.items():
            begun = time.perf_counter() - sum(seconds for _, seconds in found)
            progress(f"{reference}: {len(settings())} other settings")
            yield self._score(reference, label, [result for result, _ in found], begun)

    def _score(self, reference: str, label: str, results: Sequence[SpecResult], begun: float) -> TableScore:
        table = table_of(results[0].loaded)
        cells = _cells(results, table, reference, label, [r.rows for r in results])
        fits = {(r.loaded.name, d.label): f for r in results for f in r.rows for d in f.data}
        scanned: list[tuple[Cell, ...]] = []
        if self.scan:
            refits = Refits(self.context)
            for setting in settings():
                under = [refits.fits(r, setting) for r in results]
                scanned.append(_in_errors_of(cells, _cells(results, table, reference, label, under)))
        windows = [window_ends(f.model.range) for r in results for f in r.rows]
        return TableScore(
            table=reference,
            label=label,
            cells=cells,
            constant=constant_row(cells),
            noticed=smallest_change(cells),
            differences=score_differences(cells, fits),
            settings=tuple(sum(c.within for c in of) for of in scanned),
            held_out=held_out([[c for c in cells if c.ours_err], *scanned]) if scanned else (0, 0),
            used=(min(w[0] for w in windows), max(w[1] for w in windows)),
            stated=table.k,
            seconds=time.perf_counter() - begun,
        )


def _cells(
    results: Sequence[SpecResult],
    table: PublishedTable,
    reference: str,
    label: str,
    fits: Sequence[Sequence[FitResult]],
) -> tuple[Cell, ...]:
    scored = (c for r, f in zip(results, fits, strict=True) for c in score_result(r, table, reference, f))
    return tuple(c for c in scored if c.label == label)


def _in_errors_of(own: Sequence[Cell], other: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells of another setting judged by the errors that the spec's own result prints."""
    bounds = {(c.spec, c.row, c.path, c.quantity): c.bound for c in own if c.ours_err}
    judged = []
    for c in other:
        bound = bounds.get((c.spec, c.row, c.path, c.quantity))
        if bound is not None:
            off = c.ours - c.published
            judged.append(replace(c, within=abs(off) <= bound, difference=COMBINED_ERRORS * off / bound))
    return tuple(judged)


def window_ends(of: FitRange) -> tuple[float, float]:
    """The k (1/A) at which a window becomes zero: a taper of dk is centred on each end of the range."""
    return max(0.0, of.k[0] - of.dk / 2), of.k[1] + (of.dk if of.dk2 is None else of.dk2) / 2


def held_out(under: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    """Cells within, and how many, when each half of the rows is scored with the setting that is best on the other.

    Parameters
    ----------
    under : the cells of every setting. Best: most cells within, then the least mean square deviation in errors.
    """
    rows = list(dict.fromkeys((c.spec, c.row) for c in under[0]))
    halves = ({*rows[::2]}, {*rows[1::2]})
    if len(rows) < 2:
        return 0, 0
    within = total = 0
    for mine, other in (halves, halves[::-1]):
        chosen = min(
            under, key=lambda cells: _rank([c for c in cells if (c.spec, c.row) in other and c.ours_err])
        )
        scored = [c for c in chosen if (c.spec, c.row) in mine and c.ours_err]
        within += sum(c.within for c in scored)
        total += len(scored)
    return within, total


def _rank(cells: Sequence[Cell]) -> tuple[float, float]:
    if not cells:
        return 0.0, float("inf")
    return -sum(c.within for c in cells), sum(c.difference**2 for c in cells) / len(cells)
