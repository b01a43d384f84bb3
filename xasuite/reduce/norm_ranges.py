"""The ranges in which pre-edge and post-edge are fitted, in eV from E0, as given or as Larch chooses them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._larch import checks
from ..errors import RangeError
from ..notices import warn
from ..records import Array

Range = tuple[float, float]
MAX_NNORM = 5
LEAST_POINTS = 3


@dataclass(frozen=True)
class Ranges:
    """Ranges of the pre-edge and post-edge fits in eV from E0, and the order of the post-edge polynomial."""

    pre_range: Range
    norm_range: Range
    nnorm: int


def ranges(
    energy: Array,
    e0: float,
    pre_range: Range | None = None,
    norm_range: Range | None = None,
    nnorm: int | None = None,
    what: str = "spectrum",
) -> Ranges:
    """The ranges that are used: the given ones, cut to the data; those left out as Larch chooses them.

    Larch's pre-edge runs from the second point (rounded to 5 eV) to half of that distance from E0; its post-edge from the smaller of
    25 eV and a fifteenth of the data above E0 to the end of the data. Raises RangeError when a range holds fewer than three points.
    """
    low, high = energy[0] - e0, energy[-1] - e0
    if pre_range is None:
        digits = 5.0 if np.argmin(np.abs(energy - e0)) > 20 else 2.0
        start = digits * round((energy[1] - e0) / digits)
        pre_range = (max(start, low), 0.5 * max(start, low))
    else:
        pre_range = cut(pre_range, (low, high), "pre_range", what)
    if norm_range is None:
        end = min(5.0 * round(high / 5.0), high)
        norm_range = (min(25, 5.0 * round(end / 15.0), end - 2), end)
    else:
        norm_range = cut(norm_range, (low, high), "norm_range", what)
    if nnorm is None:
        length = norm_range[1] - norm_range[0]
        nnorm = 0 if length < 30 else 1 if length < 300 else 2
    elif not (isinstance(nnorm, (int, np.integer)) and 0 <= nnorm <= MAX_NNORM):
        raise RangeError(f"{what}: nnorm = {nnorm!r} is not a whole number from 0 to {MAX_NNORM}")
    return holding(energy, e0, Ranges(pre_range, norm_range, int(nnorm)), what)


def holding(energy: Array, e0: float, r: Ranges, what: str) -> Ranges:
    """The ranges as plain numbers. Raises RangeError when one holds fewer than three points."""
    for name, (a, b) in (("pre_range", r.pre_range), ("norm_range", r.norm_range)):
        points = np.count_nonzero((energy - e0 >= a) & (energy - e0 <= b))
        if points < LEAST_POINTS:
            raise RangeError(
                f"{what}: {name} = ({a:g}, {b:g}) eV from E0 {e0:g} holds {points} points, fewer than {LEAST_POINTS}; "
                f"the scan spans ({energy[0] - e0:.1f}, {energy[-1] - e0:.1f}) eV"
            )
    (a, b), (c, d) = r.pre_range, r.norm_range
    return Ranges((float(a), float(b)), (float(c), float(d)), r.nnorm)


def cut(pair: Range, span: Range, name: str, what: str) -> Range:
    """A range cut to the data, with a warning. Raises RangeError where the range lies outside the data."""
    pair, (low, high) = checks.ordered(pair, name, what, "eV"), span
    used = (max(pair[0], low), min(pair[1], high))
    if used[1] <= used[0]:
        raise RangeError(
            f"{what}: {name} = ({pair[0]:g}, {pair[1]:g}) eV lies outside the scan, ({low:.1f}, {high:.1f}) eV from E0; give a range within it"
        )
    if used != pair:
        warn(
            f"{what}: {name} = ({pair[0]:g}, {pair[1]:g}) eV reaches beyond the scan; used ({used[0]:.1f}, {used[1]:.1f})",
        )
    return used
