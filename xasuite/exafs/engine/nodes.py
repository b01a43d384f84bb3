"""Fewer points in k: chi of a path at a few of the objective's points stands for all of them, near a start.

Within a box about the start, chi of a path and its derivatives are sums of n curves. n points of k that tell the curves apart give
the share of each, and with it what the objective sees: one matrix (nr, n) in place of that on all points (empirical
interpolation: Barrault et al. 2004, C. R. Math. 339, 667; its points by QR with pivots: Drmac and Gugercin 2016, SIAM J. Sci.
Comput. 38, A631). Fits begin so and end on all points (compiled_fit).

How many points: the fewest for which the bound of the discrete interpolation (Chaturantabut and Sorensen 2010, SIAM J. Sci.
Comput. 32, 2737) on what the objective sees, |B f - M f| <= |B (1 - P)| dist(f, curves), is below `LIMIT` (docs/notes/engine.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product

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
# curves below this part of the strongest are left out: the first of these that keeps the bound
LEFT_OUT = (3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7)
# standard errors that the ends of fits on few points may lie from those on all, for an R factor of `MISFIT`
LIMIT, MISFIT = 0.02, 0.01
# more points than this part of all gain nothing
MOST = 0.6


@dataclass(frozen=True, eq=False)
class Nodes:
    """Points of each path and what they stand for.

    `k` (np, n) in 1/A; `matrix` (np, nr, n) takes the place of the objective's. They hold where no value of a path is
    farther than `reach` (np, 8) from `middle` (np, 8). There the model on few points differs from that on all by at most
    `bound` in standard errors of a fit with an R factor of `MISFIT`; with one of R, by that times sqrt(MISFIT / R).
    """

    k: Array
    matrix: Array
    middle: Array
    reach: Array
    bound: float


def nodes(work: Work, x: Array) -> Nodes | None:
    """The points for fits that start at x (nv + nc,); None where few points do not do.

    The box is laid about the start rounded to longest steps, so that the parts of a series share it.
    """
    uses, values = work.program.uses, run(work.program, x[None])[0][0]
    middle = np.where(uses, np.round(values / CAPS) * CAPS, values)
    middle[:, 0] = 1.0  # chi is proportional to it; the bound needs it to a factor of two
    amplitude = 2.0 ** np.round(np.log2(np.maximum(np.abs(values[:, 0]), 1e-3)))
    t, free = work.tables, work.points - work.program.n_varied
    parts = (middle, amplitude, uses, work.k, work.matrix, t.coef, t.left, t.reff, np.array(free))
    return _found(_Wanted(b"".join(a.tobytes() for a in parts), work, middle, amplitude, free))


@dataclass(frozen=True)
class _Wanted:
    """What the points depend on, compared by its bytes."""

    key: bytes
    work: Work = field(compare=False)
    middle: Array = field(compare=False)
    amplitude: Array = field(compare=False)
    free: float = field(compare=False)


@lru_cache(maxsize=8)
def _found(wanted: _Wanted) -> Nodes | None:
    work, uses = wanted.work, wanted.work.program.uses
    paths = [_Path(work, path, value, uses[path]) for path, value in enumerate(wanted.middle)]
    size = np.hypot.reduce(wanted.amplitude * [p.size for p in paths])
    for left_out in LEFT_OUT:
        chosen = [p.points(left_out) for p in paths]
        off = float(wanted.amplitude @ [off for *_, off in chosen]) / size
        bound = off * np.sqrt(max(wanted.free, 0.0) / MISFIT)
        n = -(-max(len(at) for at, *_ in chosen) // 4) * 4  # whole vector registers
        if n > MOST * work.k.size:
            return None
        if bound <= LIMIT:
            break
    else:
        return None
    k, matrix = np.ones((len(paths), n)), np.zeros((len(paths), len(work.matrix), n))
    for path, (at, weights, _) in enumerate(chosen):
        k[path], k[path, : len(at)] = work.k[at[-1]], work.k[at]
        matrix[path, :, : len(at)] = weights
    # chi is proportional to the amplitude and takes dphase as a turn: both may go anywhere
    reach = np.where(uses, REACH * CAPS, np.inf)
    reach[:, [0, -1]] = np.inf
    return Nodes(k, matrix, wanted.middle, reach, bound)


class _Path:
    """The curves that chi of one path of amplitude 1 and its derivatives are made of inside the box.

    All are weighted as the objective weighs k: `axes` (nk, nk), the strongest last, of strength `strength` (nk,);
    `outermost` (2, m, nk) imaginary and real chi at the box's corners and at the draws; `size` the length of what the
    objective sees at the box's middle.
    """

    def __init__(self, work: Work, path: int, middle: Array, uses: Array) -> None:
        # a sequence that fills the box evenly (Roberts): multiples of a root of x^(d + 1) = x + 1, cut to their fractions
        root = 1.0
        for _ in range(50):
            root = (1 + root) ** (1 / (N_VALUES + 1))
        places = 2 * (np.outer(np.arange(1, SAMPLES + 1), root ** -np.arange(1.0, N_VALUES + 1)) % 1.0) - 1
        asked = uses.copy()
        asked[0], asked[-1] = False, False
        free = int(np.count_nonzero(asked))
        corners = np.zeros((2**free, N_VALUES))
        corners[:, asked] = list(product((-1, 1), repeat=free))
        values = middle + np.where(asked, REACH * CAPS, 0.0) * np.vstack(
            [np.zeros(N_VALUES), places, corners]
        )
        wave, slopes = path_wave(work.tables, path, work.k, values, asked)
        weight = np.linalg.norm(work.matrix, axis=0)
        self.weight = np.maximum(weight, 1e-6 * weight.max())
        self.seen = work.matrix / self.weight
        self.size = float(np.linalg.norm(work.matrix @ wave[0].imag))
        self.outermost = np.stack([wave.imag, wave.real]) * self.weight
        drawn = slice(1, SAMPLES + 1)
        curves = np.concatenate([a[drawn] for a in (wave.imag, wave.real, *slopes)]) * self.weight
        length = np.linalg.norm(curves, axis=1)
        good = np.isfinite(length) & (length > 0)
        curves = curves[good] / length[good, None]
        self.strength, self.axes = np.linalg.eigh(curves.T @ curves)

    def points(self, left_out: float) -> tuple[NDArray[np.intp], Array, float]:
        """Which points (n,) of the objective's k it needs, the matrix (nr, n) on them, and how far off that is at most.

        Curves below `left_out` of the strongest are left out. The distance from the rest is the largest of the corners
        and the draws, with any dphase; what the interpolation makes of it is the norm of its error on what is left out.
        """
        basis = self.axes[:, self.strength >= left_out**2 * self.strength[-1]].T
        left, at = basis.copy(), np.empty(len(basis), np.intp)
        for i in range(len(at)):  # QR with pivots
            at[i] = np.argmax(np.einsum("ij,ij->j", left, left))
            column = left[:, at[i]] / np.linalg.norm(left[:, at[i]])
            left -= np.outer(column, column @ left)
        at.sort()
        # on weighted curves
        weights = np.linalg.solve(basis[:, at], basis @ self.seen.T).T
        error = self.seen - (self.seen @ basis.T) @ basis
        taken = np.zeros_like(error)
        taken[:, at] = weights
        error -= taken - (taken @ basis.T) @ basis
        outside = self.outermost - (self.outermost @ basis.T) @ basis
        distance = np.linalg.norm(np.hstack([*outside]), axis=1).max()
        off = float(np.linalg.norm(error, 2) * distance)
        return at, weights * self.weight[at], off
