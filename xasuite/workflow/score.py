"""A fit beside the published table, cell by cell (docs/decisions/scoring.md).

A measured cell is within when it differs from the published value by no more than two combined standard
errors. A closure cell is compared with its truth, the published value itself, by fixed tolerances: the published
error says nothing of how well a known truth must come back. An R factor has no error: it is within when it is
no worse than twice the published one or 0.02, below which the field calls a fit good. Values that were put in
(fixed, inherited) are not scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..exafs.result import FitResult, FittedPath, Value
from ..specs.published import PublishedPath, PublishedTable
from .resolve import CLOSURE

if TYPE_CHECKING:
    from .run import SpecResult

COMBINED_ERRORS = 2.0
GOOD_RFACTOR = 0.02
# Largest difference from the truth at good data: same potentials as the truth's, and others (issue of potentials)
TOLERANCE_SAME = {"n": 0.5, "r": 0.012, "sigma2": 1.5e-3, "s02": 0.05}
TOLERANCE_OTHER = {"n": 0.8, "r": 0.02, "sigma2": 1.5e-3, "s02": 0.10}


@dataclass(frozen=True)
class Cell:
    """One published number beside ours; `difference` is in combined standard errors (nan without any)."""

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


def score_result(result: SpecResult, table: PublishedTable, reference: str) -> tuple[Cell, ...]:
    """Every published number of the rows that the spec fits, beside ours."""
    cells: list[Cell] = []
    for entry in result.loaded.spec.data:
        published = entry.published or (entry.simulate.row if entry.simulate else entry.label)
        fits = [r for r in result.rows if any(d.label == entry.label for d in r.data)]
        if not fits:
            continue
        lines = table.lines(published)
        tolerance = _tolerance(result) if result.kinds[entry.label] == CLOSURE else None
        for line in lines:
            cells += _line_cells(fits[0], entry.label, line, reference, result.kinds[entry.label], tolerance)
        cells += _rfactor_cell(fits[0], entry.label, lines, reference, result.kinds[entry.label])
    return tuple(replace(c, spec=result.loaded.name) for c in cells)


def _tolerance(result: SpecResult) -> dict[str, float]:
    how = result.loaded.spec.simulate
    assert how is not None
    same = all(p.program == how.program and p.scf == how.scf for p in result.loaded.spec.path)
    return TOLERANCE_SAME if same else TOLERANCE_OTHER


def _line_cells(
    fit: FitResult,
    row: str,
    line: PublishedPath,
    reference: str,
    label: str,
    tolerance: dict[str, float] | None,
) -> Iterable[Cell]:
    try:
        path = fit.path(line.path, row)
    except KeyError:
        return
    for quantity in ("n", "r", "sigma2", "s02"):
        published = getattr(line, quantity)
        if published is None or quantity in path.fixed:
            continue
        value: Value = getattr(path, quantity)
        if tolerance is not None and quantity in line.fixed:
            continue
        yield _cell(
            path,
            value,
            published,
            getattr(line, f"{quantity}_err"),
            quantity,
            row,
            reference,
            label,
            tolerance,
        )


def _cell(
    path: FittedPath,
    value: Value,
    published: float,
    published_err: float | None,
    quantity: str,
    row: str,
    reference: str,
    label: str,
    tolerance: dict[str, float] | None,
) -> Cell:
    ours_err = value.stderr if math.isfinite(value.stderr) else None
    combined = math.hypot(published_err or 0.0, ours_err or 0.0)
    gap = value.value - published
    difference = gap / combined if combined > 0 else math.nan
    state = path.states.get(quantity, "")
    remark = f"{quantity} {state}: its error means nothing" if state.startswith("at ") else ""
    if tolerance is not None:
        within = abs(gap) <= tolerance[quantity]
        rule = f"truth +- {tolerance[quantity]:g}"
    else:
        within = combined > 0 and abs(difference) <= COMBINED_ERRORS and not remark
        rule = f"{COMBINED_ERRORS:g} combined errors"
    return Cell(
        reference,
        row,
        path.label,
        quantity,
        published,
        published_err,
        value.value,
        ours_err,
        bool(within),
        label,
        difference,
        rule,
        remark,
    )


def _rfactor_cell(
    fit: FitResult, row: str, lines: tuple[PublishedPath, ...], reference: str, label: str
) -> Iterable[Cell]:
    printed = [(line.path, line.rfactor) for line in lines if line.rfactor is not None]
    if not printed:
        return
    path, published = printed[0]
    ours = next(d.rfactor for d in fit.data if d.label == row)
    limit = max(2 * published, GOOD_RFACTOR)
    yield Cell(
        reference,
        row,
        path,
        "rfactor",
        published,
        None,
        ours,
        None,
        ours <= limit,
        label,
        math.nan,
        f"at most {limit:g}",
    )
