"""Fewer points in k: chi of a path at a few of the objective's points stands for all of them, near a start.

Within a box about the start, chi of a path and its derivatives are sums of n curves. n points of k that tell the curves apart give
the share of each, and with it what the objective sees: one matrix (nr, n) in place of that on all points (empirical
interpolation: Barrault et al. 2004, C. R. Math. 339, 667; its points by QR with pivots: Drmac and Gugercin 2016, SIAM J. Sci.
Comput. 38, A631). Fits begin so and end on all points (compiled_fit): what is left out costs no accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..equation import N_VALUES, path_wave
from .kernel_numpy import Work
from .program import CAPS, run

# rows from which fewer points are worth finding
MANY = 1000
# half the box's sides in longest steps, and the points looked at inside it
REACH, SAMPLES = 2.0, 96
# curves below this part of the strongest are left out
LEFT_OUT = 3e-6
# more points than this part of all gain nothing
MOST = 0.6


@dataclass(frozen=True, eq=False)
class Nodes:
    """Points of each path and what they stand for.

    `k` (np, n) in 1/A; `matrix` (np, nr, n) takes the place of the objective's. They hold where no value of a path is
    farther than `reach` (np, 8) from `middle` (np, 8).
    """

    k: Array
    matrix: Array
    middle: Array
    reach: Array


def nodes(work: Work, x: Array) -> Nodes | None:
    """The points for fits that start at x (nv + nc,); None where few points do not do.

    The box is laid about the start rounded to longest steps, so that the parts of a series share it.
    """
    uses, values = work.program.uses, run(work.program, x[None])[0][0]
    middle = np.where(uses, np.round(values / CAPS) * CAPS, values)
    middle[:, 0] = 1.0  # chi is proportional to it
    t = work.tables
    parts = (middle, uses, work.k, work.matrix, t.coef, t.left, t.reff)
    return _found(_Wanted(b"".join(a.tobytes() for a in parts), work, middle))


@dataclass(frozen=True)
class _Wanted:
    """What the points depend on, compared by its bytes."""

    key: bytes
    work: Work = field(compare=False)
    middle: Array = field(compare=False)


@lru_cache(maxsize=8)
def _found(wanted: _Wanted) -> Nodes | None:
    work, uses = wanted.work, wanted.work.program.uses
    paths = [_points(work, path, value, uses[path]) for path, value in enumerate(wanted.middle)]
    n = -(-max(len(at) for at, _ in paths) // 4) * 4  # whole vector registers
    if n > MOST * work.k.size:
        return None
    k, matrix = np.ones((len(paths), n)), np.zeros((len(paths), len(work.matrix), n))
    for path, (at, weights) in enumerate(paths):
        k[path], k[path, : len(at)] = work.k[at[-1]], work.k[at]
        matrix[path, :, : len(at)] = weights
    # chi is proportional to the amplitude and takes dphase as a turn: both may go anywhere
    reach = np.where(uses, REACH * CAPS, np.inf)
    reach[:, [0, -1]] = np.inf
    return Nodes(k, matrix, wanted.middle, reach)


def _points(work: Work, path: int, middle: Array, uses: Array) -> tuple[NDArray[np.intp], Array]:
    """Which points (n,) of the objective's k one path needs, and the matrix (nr, n) on them."""
    # a sequence that fills the box evenly (Roberts): multiples of a root of x^(d + 1) = x + 1, cut to their fractions
    root = 1.0
    for _ in range(50):
        root = (1 + root) ** (1 / (N_VALUES + 1))
    places = np.outer(np.arange(1, SAMPLES + 1), root ** -np.arange(1.0, N_VALUES + 1)) % 1.0
    values = middle + np.where(uses, REACH * CAPS, 0.0) * (2 * places - 1)
    values[:, 0], values[:, -1] = 1.0, middle[-1]
    asked = uses.copy()
    asked[0], asked[-1] = False, False
    wave, slopes = path_wave(work.tables, path, work.k, values, asked)
    weight = np.linalg.norm(work.matrix, axis=0)
    weight = np.maximum(weight, 1e-6 * weight.max())
    curves = np.concatenate([wave.imag, wave.real, *slopes]) * weight
    length = np.linalg.norm(curves, axis=1)
    good = np.isfinite(length) & (length > 0)
    curves = curves[good] / length[good, None]
    size2, axes = np.linalg.eigh(curves.T @ curves)
    basis = axes[:, size2 >= LEFT_OUT**2 * size2[-1]].T
    left, at = basis.copy(), np.empty(len(basis), np.intp)
    for i in range(len(at)):  # QR with pivots
        at[i] = np.argmax(np.einsum("ij,ij->j", left, left))
        column = left[:, at[i]] / np.linalg.norm(left[:, at[i]])
        left -= np.outer(column, column @ left)
    at.sort()
    everywhere = (basis / weight).T
    return at, np.linalg.solve(everywhere[at].T, (work.matrix @ everywhere).T).T
