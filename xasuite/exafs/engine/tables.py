"""FEFF's tables as piecewise cubics: amplitude, phase, real part of p and 1/lambda at any shifted q.

The cubics are interpolating splines without knots at the second and the last but one point (not-a-knot),
which is what Larch evaluates; beyond the table the outermost cubic goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...feff.paths import FeffPath
from ...records import Array

# |k^2 - e0| below this is raised to it: q stands in a denominator
SMALL_ENERGY = 1e-6
COLUMNS = ("amp", "pha", "rep", "lam")
# greatest width in 1/A of the cells that lead from q to its cubic; FEFF's own steps are 0.05 or more
CELL = 0.05


@dataclass(frozen=True, eq=False)
class PathTables:
    """Cubics of all paths: `coef` (np, npiece, 4 columns, 4 powers) about `left` (np, npiece).

    Column order is `COLUMNS`; `left` ends in inf. q falls into cell number q / `width` (np,), which holds one knot at
    most; `cell` (np, ncell) is the cubic at its lower end. `reff` (np,).
    """

    coef: Array
    left: Array
    cell: NDArray[np.int64]
    width: Array
    reff: Array


def build(paths: Sequence[FeffPath]) -> PathTables:
    """Tables of several paths, padded to the same number of pieces."""
    from scipy.interpolate import PPoly, make_interp_spline

    pieces = []
    for path in paths:
        columns = [PPoly.from_spline(make_interp_spline(path.k, getattr(path, c), k=3)) for c in COLUMNS]
        x = columns[0].x
        real = np.flatnonzero(np.diff(x) > 0)
        # PPoly has the highest power first
        coef = np.stack([c.c[::-1, real].T for c in columns], axis=1)
        pieces.append((x[real], coef))
    most = max(len(left) for left, _ in pieces) + 1
    left = np.full((len(pieces), most), np.inf)
    coef = np.zeros((len(pieces), most, len(COLUMNS), 4))
    # a hair below the smallest step, so that rounding cannot put two knots into a cell
    width = np.array([min(CELL, 0.999 * float(np.diff(x).min())) for x, _ in pieces])
    cells = max(int(np.ceil(x[-1] / w)) for (x, _), w in zip(pieces, width, strict=True)) + 2
    cell = np.zeros((len(pieces), cells), np.int64)
    for i, (x, c) in enumerate(pieces):
        left[i, : len(x)], coef[i, : len(x)] = x, c
        cell[i] = np.clip(np.searchsorted(x, width[i] * np.arange(cells), side="right") - 1, 0, len(x) - 1)
    return PathTables(coef, left, cell, width, np.array([p.reff for p in paths]))


def lookup(tables: PathTables, path: int, q: Array) -> tuple[Array, Array]:
    """Values and derivatives by q of the four columns, each (4, ...), at q of any shape."""
    left = tables.left[path]
    at = np.clip(np.searchsorted(left[np.isfinite(left)], q, side="right") - 1, 0, None)
    x = q - left[at]
    c = np.moveaxis(tables.coef[path][at], (-2, -1), (0, 1))
    value = c[:, 0] + x * (c[:, 1] + x * (c[:, 2] + x * c[:, 3]))
    slope = c[:, 1] + x * (2 * c[:, 2] + 3 * x * c[:, 3])
    return value, slope
