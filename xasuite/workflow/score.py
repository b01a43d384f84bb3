"""A fit compared with the published table, cell by cell, and how much evidence such a score is (docs/decisions/scoring.md).

A cell is within when it differs from the published value by no more than two standard errors: for a measured spectrum
the printed and our own combined, for a closure spectrum, whose truth is the published value itself, our own alone. An
R factor has no error: it is within when it is no worse than twice the published one or 0.02, below which the field
calls a fit good. Values that were put in (fixed, inherited) are not scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..exafs.result import FitResult, FittedPath, Value
from ..specs.published import PublishedPath, PublishedTable
from .resolve import CLOSURE

if TYPE_CHECKING:
    from .run import SpecResult

COMBINED_ERRORS = 2.0
GOOD_RFACTOR = 0.02
SCORED = ("n", "r", "sigma2", "s02")
# one-sided 95 % of a Gaussian: what must be added to a bound for a change to be seen in 95 of 100 cases
_SEEN = 1.645


@dataclass(frozen=True)
class Cell:
    """One published number and ours; `difference` is in the errors of the rule (nan without any).

    `bound` is the largest difference that counts as within, in the quantity's own unit; `counted` is false for the
    cells of a model that no paper printed.
    """

    table: str
    row: str
    path: str
    quantity: str
    published: float
    published_err: float | None
    ours: float
    ours_err: float | None
    within: bool
    label: str
    difference: float
    rule: str
    remark: str = ""
    spec: str = ""
    bound: float = math.nan
    counted: bool = True


def score_result(
    result: SpecResult, table: PublishedTable, reference: str, fits: Sequence[FitResult] | None = None
) -> tuple[Cell, ...]:
    """Every published number of the rows that the spec fits, with ours; `fits` are other fits of its rows.

    Parameters
    ----------
    result : SpecResult
        Of `run_spec`.
    table : PublishedTable
        The published table.
    reference : str
        The table's name as the spec's `reproduces` has it, "PAPER/TABLE"; it is written into the cells.
    fits : sequence of FitResult, optional
        Other fits of the rows; left out, the result's own.

    Returns
    -------
    tuple of Cell
        One for each published number of a path that the fit has; values that were put in have none.

    Examples
    --------
    >>> from xasuite.references import fits_dir
    >>> from xasuite.specs import load_spec
    >>> from xasuite.specs.published import table_of
    >>> from xasuite.workflow import run_spec, score_result
    >>> loaded = load_spec(fits_dir() / "foils" / "co_foil_closure.toml")
    >>> cells = score_result(run_spec(loaded, variants=False), table_of(loaded), loaded.spec.reproduces)
    >>> len(cells) > 0
    True
    """
    cells: list[Cell] = []
    for entry in result.loaded.spec.data:
        of_row = (
            f for f in (result.rows if fits is None else fits) for d in f.data if d.label == entry.label
        )
        if (fit := next(of_row, None)) is None:
            continue
        where = (reference, entry.label, result.kinds[entry.label], result.loaded.name)
        lines = table.lines(entry.published_row)
        cells += [c for line in lines for c in _line_cells(fit, line, where)]
        cells += _rfactor_cell(fit, lines, where)
    return tuple(replace(c, counted=not table.model) for c in cells)


Where = tuple[str, str, str, str]  # table, row, label (measured, closure), spec


def _repeated(fit: FitResult, path: FittedPath, label: str) -> FittedPath:
    """A path's values for scoring: of measured data those of the fit without the budget's draws, as the paper's analysis was.

    The errors are those of the budget in both cases.
    """
    if fit.stated is None or label == CLOSURE:
        return path
    own = fit.stated.path(path.label, path.data)
    values: dict[str, Any] = {q: replace(getattr(own, q), stderr=getattr(path, q).stderr) for q in SCORED}
    return replace(path, **values)


def _line_cells(fit: FitResult, line: PublishedPath, where: Where) -> Iterator[Cell]:
    try:
        path = _repeated(fit, fit.path(line.path, where[1]), where[2])
    except KeyError:
        return
    put_in = {*path.fixed, *(line.fixed if where[2] == CLOSURE else ())}
    for quantity in SCORED:
        if getattr(line, quantity) is not None and quantity not in put_in:
            yield _cell(path, line, quantity, where)


def _cell(path: FittedPath, line: PublishedPath, quantity: str, where: Where) -> Cell:
    reference, row, label, spec = where
    value: Value = getattr(path, quantity)
    published, published_err = getattr(line, quantity), getattr(line, f"{quantity}_err")
    ours_err = value.stderr if math.isfinite(value.stderr) else None
    closure = label == CLOSURE
    error = math.hypot(0.0 if closure else published_err or 0.0, ours_err or 0.0)
    difference = (value.value - published) / error if error > 0 else math.nan
    state = path.states.get(quantity, "")
    remark = f"{quantity} {state}: its error is not valid" if state.startswith("at ") else ""
    return Cell(
        reference, row, path.label, quantity, published, published_err, value.value, ours_err,
        bool(error > 0 and abs(difference) <= COMBINED_ERRORS and not remark), label, difference,
        f"{COMBINED_ERRORS:g} of our errors from the truth" if closure else f"{COMBINED_ERRORS:g} combined errors",
        remark, spec, COMBINED_ERRORS * error,
    )  # fmt: skip


def _rfactor_cell(fit: FitResult, lines: Iterable[PublishedPath], where: Where) -> Iterator[Cell]:
    reference, row, label, spec = where
    for line in lines:
        if line.rfactor is not None:
            ours = next(d.rfactor for d in fit.data if d.label == row)
            limit = max(2 * line.rfactor, GOOD_RFACTOR)
            yield Cell(
                reference, row, line.path, "rfactor", line.rfactor, None, ours, None, ours <= limit, label, math.nan,
                f"at most {limit:g}", spec=spec, bound=limit,
            )  # fmt: skip
            return


def columns_of(cells: Iterable[Cell]) -> dict[tuple[str, str], list[Cell]]:
    """The cells with an error by path and quantity: a column of the table, one cell per row."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for c in cells:
        if c.ours_err:
            found.setdefault((c.path, c.quantity), []).append(c)
    return found


def constant_row(cells: Iterable[Cell]) -> tuple[int, int]:
    """How many cells would be within if the same row, the best one, was returned for every spectrum; and of how many.

    Only columns of two rows or more count: one row alone is no trend.
    """
    within = total = 0
    for of in columns_of(cells).values():
        if len(of) > 1:
            # some best constant is the upper end of a cell's interval
            ends = [b.published + (1 - 1e-9) * b.bound for b in of]
            within += max(sum(abs(c.published - end) <= c.bound for c in of) for end in ends)
            total += len(of)
    return within, total


def smallest_change(cells: Iterable[Cell]) -> dict[str, float]:
    """The change of one cell that the score would have noticed in 95 of 100 cases, by quantity: median over cells.

    It is a cell's bound and 1.645 of our standard errors: after a smaller change the cell is still "within" too often.
    """
    found: dict[str, list[float]] = {}
    for c in cells:
        if c.ours_err:
            found.setdefault(c.quantity, []).append(c.bound + _SEEN * c.ours_err)
    return {q: sorted(of)[len(of) // 2] for q, of in found.items()}


@dataclass(frozen=True)
class Differences:
    """Differences between rows of a table: `within` of `total` agree with the printed ones.

    `decided` of our differences lie more than two of their errors from zero. `worst` is the largest deviation in errors.
    """

    within: int
    total: int
    decided: int
    worst: float


def score_differences(cells: Iterable[Cell], fits: Mapping[tuple[str, str], FitResult]) -> Differences:
    """Every difference between two rows of a column against the printed one, in the error of a difference.

    `fits` are the fits by spec and row; what two rows have in common (a foil's S02) cancels in their difference.
    """
    within = total = decided = 0
    worst = 0.0
    for (path, quantity), of in columns_of(cells).items():
        for a, b in combinations(of, 2):
            both = fits[a.spec, a.row], fits[b.spec, b.row]
            error = row_difference(*both, path, quantity, (a.row, b.row)).stderr
            if not error > 0:
                continue  # one parameter of both
            printed = (
                0.0 if a.label == CLOSURE else math.hypot(a.published_err or 0.0, b.published_err or 0.0)
            )
            off = ((b.ours - a.ours) - (b.published - a.published)) / math.hypot(error, printed)
            within += abs(off) <= COMBINED_ERRORS
            decided += abs(b.ours - a.ours) > COMBINED_ERRORS * error
            total += 1
            worst = max(worst, abs(off))
    return Differences(int(within), total, int(decided), worst)


def row_difference(
    first: FitResult, last: FitResult, path: str, quantity: str, rows: tuple[str, str] = ("", "")
) -> Value:
    """A quantity of the last row minus that of the first, with its error; `rows` are the labels of rows fitted together.

    Two budgets from the same draws are subtracted draw by draw and part by part, so that only common errors cancel. Without
    budgets the parts of the two errors are compared by name.
    """
    from ..exafs.budget.record import combined, difference

    found, keys = [], []
    for fit, row in zip((first, last), rows, strict=True):
        p = fit.path(path, row if any(q.data == row for q in fit.paths) else "")
        found.append(getattr(p, quantity))
        keys.append(f"{p.data}/{path}.{quantity}" if len(fit.data) > 1 else f"{path}.{quantity}")
    a, b = found
    known = [f.budget for f in (first, last) if f.budget is not None]
    if len(known) == 2 and known[0] is known[1]:
        return difference(known[0], *keys)
    if len(known) == 2 and known[0].draws.shape[0] == known[1].draws.shape[0]:
        return combined(known, [-1.0, 1.0], keys)
    return Value(b.value - a.value, difference_error(a, b))


def difference_error(a: Value, b: Value) -> float:
    """Standard error of b - a of two fits; parts other than "fit" and "noise" are common to both and scale with the value."""
    own = [math.hypot(*(v.parts.get(n, 0.0) for n in ("fit", "noise"))) or v.stderr for v in (a, b)]
    names = (set(a.parts) & set(b.parts)) - {"fit", "noise"}
    return math.hypot(*own, *(b.parts[n] - a.parts[n] for n in names))
