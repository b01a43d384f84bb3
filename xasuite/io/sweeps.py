"""Quick scans kept in one array: split where the energies turn, so that up and down are not averaged."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from ..records import Array
from .axis import find_axis
from .table import Table

# A reversal counts as a new sweep when it covers this share of the range; backlash and repeated points do not
TURN = 0.5
LEAST_POINTS = 20


def split(table: Table) -> list[Table]:
    """The sweeps of a table in their order, groups named 1, 2, ...; the table itself where there is one."""
    if table.trusted or table.refusal or table.group:
        return [table]
    axis = table.axis or find_axis(table)
    values = table.column(axis) if axis else np.empty(0)
    ends = turns(values)
    whole = [
        (a, b)
        for a, b in itertools.pairwise(ends)
        if b - a >= LEAST_POINTS and np.nanmax(values[a:b]) - np.nanmin(values[a:b]) >= TURN * np.ptp(values)
    ]
    if len(whole) < 2:
        return [table]
    lost = values.size - sum(b - a for a, b in whole)
    said = f"of {len(whole)} sweeps of the energy in this file, cut where it turns; align them before merging"
    more = [f"{lost} points outside whole sweeps left out"] if lost else []
    return [
        replace(
            table,
            columns=table.columns[:, a:b],
            group=str(i),
            label=f"{table.label} {i}".strip(),
            notes=[*table.notes, f"number {i} {said}", *more],
        )
        for i, (a, b) in enumerate(whole, start=1)
    ]


def turns(values: Array) -> list[int]:
    """The first point of each sweep, and n; [0, n] for values that do not reverse by `TURN` of their range."""
    n = values.size
    x = np.where(np.isfinite(values), values, np.nanmedian(values)) if n else values
    far = TURN * float(np.ptp(x)) if n else 0.0
    back = (np.maximum.accumulate(x) - x).max(initial=0.0), (x - np.minimum.accumulate(x)).max(initial=0.0)
    if n < 2 * LEAST_POINTS or far == 0 or min(back) < far:
        return [0, n]
    found, extreme = [0], 0
    direction = 0
    for i in range(n):
        step = x[i] - x[extreme]
        if direction == 0 and abs(step) >= far:
            direction, extreme = (1 if step > 0 else -1), i
        elif direction * step >= 0 and direction:
            extreme = i
        elif direction and abs(step) >= far:
            found.append(extreme + 1)
            direction, extreme = -direction, i
    return [*found, n]
