"""The minimiser in plain numpy: single fits, fits of several data sets together, and the oracle of the compiled kernel.

All rows move together; a row leaves the loop when it has converged. The steps, the damping and the ends are
those of `compiled_fit`, number by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..equation import N_VALUES, PathTables, build_tables, path_wave
from ..model import Model
from .objective import Objective
from .program import CAPS, RELATIVE_CAP, Program, run_all
from .spread import full

CONVERGED, AT_LIMIT, SINGULAR, STUCK = range(4)
Flags = NDArray[np.bool_]

# the fit ends at a step below this many standard errors, or where a small step together with the last one says
# that the next would be ten times smaller still
STEP_TOLERANCE = 1e-4
SMALL_STEP = 3e-3
MAX_ITERATIONS = 60
# a pivot of the scaled normal matrix below this: the data do not determine the parameters
SINGULAR_PIVOT = 1e-11
DAMPING_FIRST, DAMPING_UP, DAMPING_DOWN, DAMPING_LAST = 1e-3, 10.0, 0.1, 1e10
# rows worked on at once: the complex arrays of a chunk stay in the cache
CHUNK = 256
# part of the data's sum of squares below which a misfit is their rounding
ROUNDING = 1e-16


Part = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Work:
    """What both kernels take: tables, objective in arrays, program, and the number behind the error scale.

    `per_point` is the length of feffit's residual over the independent points: what one independent point weighs in the sum of squares.

    With several data sets `k` (nk,) and the rows of `matrix` (nr, nk) hold them one after the other, and `spans` says of each
    path which rows and which k are its own.

    Where the m spectra do not share an objective (`stacked`), `owner` (m,) says which of the objectives each has, `matrix` is
    (n objectives, nr, nk), and `own` (2, m) are each spectrum's `points` and `per_point`. Only the minimiser in numpy takes
    such work.
    """

    tables: PathTables
    k: Array
    matrix: Array
    weight_of_row: Array
    program: Program
    n_idp: float
    spans: tuple[Part, ...]
    per_point: float = 1.0
    n_background: int = 0
    owner: NDArray[np.intp] | None = None
    own: Array | None = None

    @property
    def points(self) -> float:
        """Independent points, each restraint counted as one, less the coefficients of a refined background."""
        return self.n_idp + len(self.program.restraints) - self.n_background

    def sizes(self, m: int) -> Array:
        """`points` and `per_point` (2, m) of m spectra."""
        if self.own is None:
            return np.repeat([[self.points], [self.per_point]], m, axis=1)
        return self.own

    def take(self, rows: slice | NDArray[np.intp]) -> Work:
        """The work of some of the spectra."""
        if self.owner is None or self.own is None:
            return self
        return replace(self, owner=self.owner[rows], own=self.own[:, rows])

    def projected(self, path: int, columns: Array) -> Array:
        """What the objective sees (m, nc, nr) of columns (m, nc, nk) of one path; nr and nk are those of its data set."""
        rows, ks = self.spans[path]
        if self.owner is None:
            return columns @ self.matrix[rows, ks].T
        out = np.empty((*columns.shape[:2], rows.stop - rows.start))
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        for start, end in zip(starts, (*starts[1:], len(out)), strict=True):
            np.matmul(columns[start:end], self.matrix[self.owner[start], rows, ks].T, out=out[start:end])
        return out

    def observed(self, data: Array, weights: Array) -> tuple[Array, Array]:
        """Data and weights (m, nr + n restraints) of all rows, each restraint an observation more."""
        restraints = self.program.restraints
        w = weights[:, self.weight_of_row]
        if not restraints:
            return data, w
        wanted = np.array([r.value for r in restraints])
        own = self.sizes(len(data))[1][:, None] / np.array([r.within for r in restraints]) ** 2
        return tuple(
            np.hstack([a, np.broadcast_to(b, (len(a), len(restraints)))])
            for a, b in ((data, wanted), (w, own))
        )  # type: ignore[return-value]

    def restraints_chisq(self, x: Array, numbers: Array | None = None) -> Array:
        """The restraints' part (m,) of the sum of squares at the varied x (m, nv) and the rows' variables (m, nn)."""
        program = self.program
        if not program.restraints:
            return np.zeros(len(x))
        found = run_all(program, full(program, x, numbers))[2]
        off = [(found[:, i] - r.value) / r.within for i, r in enumerate(program.restraints)]
        return np.asarray(self.per_point * np.sum(np.square(off), axis=0))


def make_work(model: Model, program: Program, goals: Sequence[Objective], owner: Sequence[int]) -> Work:
    """The work of a model on one objective or several; path i belongs to objective number owner[i]."""
    rows, ks = (np.cumsum([0, *sizes]) for sizes in zip(*(g.model_matrix.shape for g in goals), strict=True))
    matrix = goals[0].model_matrix
    if len(goals) > 1:
        matrix = np.zeros((rows[-1], ks[-1]))
        for i, goal in enumerate(goals):
            matrix[rows[i] : rows[i + 1], ks[i] : ks[i + 1]] = goal.model_matrix
    first = np.cumsum([0, *(g.n_weights for g in goals)])
    return Work(
        tables=build_tables([p.feff for p in model.paths]),
        k=np.concatenate([g.k for g in goals]),
        matrix=matrix,
        weight_of_row=np.concatenate([g.weight_of_row + at for g, at in zip(goals, first, strict=False)]),
        program=program,
        n_idp=sum(g.n_idp for g in goals),
        n_background=sum(g.n_background for g in goals),
        per_point=sum(g.n_residual for g in goals) / sum(g.n_idp for g in goals),
        spans=tuple((slice(rows[i], rows[i + 1]), slice(ks[i], ks[i + 1])) for i in owner),
    )


def stacked(works: Sequence[Work], data: Sequence[Array]) -> tuple[Work, Array]:
    """Works of one model, with one k weight of each data set, and their data (m, nr), as one work and its data.

    The k of a data set begin alike in all works. Objectives of fewer rows, and those whose k ends earlier, are filled with
    zeros, which add nothing to a sum of squares.
    """
    parts = [_data_sets(w) for w in works]
    sizes = np.array([[(r.stop - r.start, k.stop - k.start) for r, k in of] for of in parts]).max(axis=0)
    ends = np.cumsum(sizes, axis=0)
    places = [(slice(r - nr, r), slice(k - nk, k)) for (r, k), (nr, nk) in zip(ends, sizes, strict=True)]
    matrix, k = np.zeros((len(works), *ends[-1])), np.zeros(ends[-1, 1])
    counts = [len(d) for d in data]
    padded = np.zeros((sum(counts), ends[-1, 0]))
    for i, (work, of, end) in enumerate(zip(works, parts, np.cumsum(counts), strict=True)):
        for (rows, ks), (to_rows, to_ks) in zip(of, places, strict=True):
            nr, nk = rows.stop - rows.start, ks.stop - ks.start
            at_rows, at_ks = slice(to_rows.start, to_rows.start + nr), slice(to_ks.start, to_ks.start + nk)
            matrix[i, at_rows, at_ks] = work.matrix[rows, ks]
            k[at_ks] = work.k[ks]
            padded[end - counts[i] : end, at_rows] = data[i][:, rows]
    own = np.repeat([[w.points for w in works], [w.per_point for w in works]], counts, axis=1)
    number = {rows.start: n for n, (rows, _) in enumerate(parts[0])}
    stack = replace(
        works[0],
        k=k,
        matrix=matrix,
        weight_of_row=np.repeat(np.arange(len(places)), sizes[:, 0]),
        own=own,
        spans=tuple(places[number[rows.start]] for rows, _ in works[0].spans),
        owner=np.repeat(np.arange(len(works)), counts),
    )
    return stack, padded


def _data_sets(work: Work) -> list[Part]:
    """The rows and the k of each data set."""
    by_start = {rows.start: (rows, ks) for rows, ks in work.spans}
    return [by_start[start] for start in sorted(by_start)]


@dataclass(frozen=True, eq=False)
class Solution:
    """Fits of m rows: x (m, nv), unscaled covariance (m, nv, nv), dx/d(carried) (m, nv, nc), sum of squares (m,).

    `step` (m,) is the length, in standard errors, of the undamped Gauss-Newton step from the last point at which the
    derivatives were taken; a fit that converged has taken it. NaN where the data do not determine the parameters.
    """

    x: Array
    covar: Array
    carried: Array
    chisq: Array
    step: Array
    ended: NDArray[np.int64]
    evaluations: NDArray[np.int64]


def evaluate(work: Work, x: Array) -> tuple[Array, Array, Array, Array]:
    """Model (m, nr + n restraints) and Jacobian (m, nr + n restraints, nd), path values and their slopes."""
    values, grad, known, by_x = run_all(work.program, x)
    m, nr = len(x), work.matrix.shape[-2]
    model, jacobian = np.zeros((m, nr)), np.zeros((m, nr, x.shape[1]))
    for i, (rows, ks) in enumerate(work.spans):
        uses = work.program.uses[i]
        wave, slopes = path_wave(work.tables, i, work.k[ks], values[:, i], uses)
        seen = work.projected(i, np.stack([wave.imag, *slopes], axis=1))
        model[:, rows] += seen[:, 0]
        jacobian[:, rows] += np.matmul(seen[:, 1:].swapaxes(1, 2), grad[:, i, uses])
    if work.program.restraints:
        model, jacobian = np.hstack([model, known]), np.concatenate([jacobian, by_x], axis=1)
    return model, jacobian, values, grad


def fit_rows(work: Work, data: Array, weights: Array, x0: Array) -> Solution:
    """Levenberg-Marquardt fits of data (m, nr) with weights (m, nw), from x0 (m, nv + nc)."""
    parts = [slice(i, i + CHUNK) for i in range(0, len(data), CHUNK)]
    return joined([_fit_chunk(work.take(p), data[p], weights[p], x0[p]) for p in parts])


def joined(parts: Sequence[Solution]) -> Solution:
    """Solutions of several stacks as one, in their order."""
    return Solution(*(np.concatenate([getattr(p, f) for p in parts]) for f in Solution.__dataclass_fields__))


def at(work: Work, data: Array, weights: Array, x: Array) -> Solution:
    """The same of given points x (m, nv + nc): nothing moves."""
    model, jacobian, *_ = evaluate(work, x)
    data, w = work.observed(data, weights)
    residual = data - model
    weighted = jacobian * w[..., None]
    normal, pull = np.einsum("mri,mrj->mij", weighted, jacobian), np.einsum("mri,mr->mi", weighted, residual)
    chisq, size = (np.einsum("ij,ij->i", w, a**2) for a in (residual, data))
    ended, calls = np.full(len(x), CONVERGED), np.ones(len(x), int)
    return _solution(work, x, normal, pull, chisq, size, ended, calls)


def _fit_chunk(work: Work, data: Array, weights: Array, x0: Array) -> Solution:
    nv = work.program.n_varied
    m, nd = x0.shape
    data, w = work.observed(data, weights)
    x, lam, last2 = x0.copy(), np.zeros(m), np.zeros(m)
    chisq, ended, calls = np.full(m, np.inf), np.full(m, AT_LIMIT), np.zeros(m, int)
    normal, pull = np.zeros((m, nd, nd)), np.zeros((m, nd))
    values = np.zeros((m, work.program.n_paths, N_VALUES))
    grad = np.zeros((*values.shape, nd))
    trial, live = x.copy(), np.arange(m)
    size = np.einsum("ij,ij->i", w, data**2)
    free = np.maximum(work.sizes(m)[0] - nv, 1e-9)
    for _ in range(MAX_ITERATIONS):
        # rows that start alike share their first evaluation
        same = work.owner is None and len(live) > 1 and calls[live[0]] == 0
        same = same and bool((trial[live] == trial[live[0]]).all())
        got = evaluate(work.take(live), trial[live[:1]] if same else trial[live])
        model, jac, val, gra = (np.broadcast_to(g, (len(live), *g.shape[1:])) for g in got)
        calls[live] += 1
        residual = data[live] - model
        new = np.einsum("ij,ij->i", w[live], residual**2)
        better = new <= chisq[live] * (1 + 1e-12)
        kept = live[better]
        x[kept], chisq[kept], values[kept], grad[kept] = trial[kept], new[better], val[better], gra[better]
        weighted = jac[better] * w[kept][..., None]
        normal[kept] = np.einsum("mri,mrj->mij", weighted, jac[better])
        pull[kept] = np.einsum("mri,mr->mi", weighted, residual[better])
        first = calls[live] == 1
        lam[kept] = np.where(lam[kept] * DAMPING_DOWN < 1e-7, 0.0, lam[kept] * DAMPING_DOWN)
        worse = live[~better & ~first]
        lam[worse] = np.maximum(lam[worse] * DAMPING_UP, DAMPING_FIRST)
        ended[live[first & ~np.isfinite(new)]] = STUCK
        ended[live[lam[live] > DAMPING_LAST]] = STUCK
        live = live[(lam[live] <= DAMPING_LAST) & ~(first & ~np.isfinite(new))]
        if not len(live):
            break
        step, bad = _step(work.program, x[live], normal[live], pull[live], lam[live])
        moved = np.einsum("mi,mij,mj->m", step, normal[live][:, :nv, :nv], step)
        scaled, capped = _cap(step, values[live], grad[live], nv)
        errors2 = moved * free[live] / np.maximum(chisq[live], 1e-300)
        # steps shrink by a factor each time: what is left after this one is about step^2 / last step
        left2 = errors2**2 / np.maximum(last2[live], 1e-300)
        settled = (errors2 < SMALL_STEP**2) & (left2 < (0.1 * STEP_TOLERANCE) ** 2) & (lam[live] == 0)
        done = ~capped & ~bad & ((errors2 < STEP_TOLERANCE**2) | settled | (moved < 1e-22 * size[live]))
        last2[live] = errors2
        trial[live] = x[live]
        trial[live, :nv] = np.clip(x[live, :nv] + scaled, work.program.lower, work.program.upper)
        at = live[done]
        x[at], ended[at] = trial[at], CONVERGED
        chisq[at] = np.maximum(chisq[at] - np.where(lam[at] == 0, moved[done], 0.0), 0.0)
        stuck = bad & (lam[live] > DAMPING_LAST / DAMPING_UP)
        lam[live[bad]] = np.maximum(lam[live[bad]] * DAMPING_UP, DAMPING_FIRST)
        ended[live[stuck]] = SINGULAR
        live = live[~done & ~stuck]
        if not len(live):
            break
    return _solution(work, x, normal, pull, chisq, size, ended, calls)


def _solution(
    work: Work, x: Array, normal: Array, pull: Array, chisq: Array, size: Array,
    ended: NDArray[np.int64], calls: NDArray[np.int64],
) -> Solution:  # fmt: skip
    """Errors and certificate from the normal equations of the last point."""
    nv = work.program.n_varied
    covar, carried, singular = _errors(work.program, x, normal, pull)
    ended[singular] = SINGULAR
    # a misfit below the rounding of the data is none: a step is not measured against it
    unit2 = np.maximum(chisq, ROUNDING * size) / np.maximum(work.sizes(len(x))[0] - nv, 1e-9)
    step, bad = _step(work.program, x, normal, pull, np.zeros(len(x)))
    left = np.sqrt(np.einsum("mi,mi->m", step, pull[:, :nv]) / unit2)
    left[bad | ~np.isfinite(chisq)] = np.nan
    return Solution(x[:, :nv], covar, carried, chisq, left, ended, calls)


def _free(program: Program, x: Array, pull: Array) -> Flags:
    """Parameters (m, nv) that may move: not those that lie on a bound and are drawn beyond it."""
    nv = program.n_varied
    x, pull = x[:, :nv], pull[:, :nv]
    return ~(((x <= program.lower) & (pull <= 0)) | ((x >= program.upper) & (pull >= 0)))


def _scaled(normal: Array, free: Flags) -> tuple[Array, Array]:
    """The normal matrix with unit diagonal, held parameters cut out, and the scale (m, nv)."""
    nv = free.shape[1]
    diagonal = np.einsum("mii->mi", normal[:, :nv, :nv])
    held = ~free | ~(diagonal > 0)
    scale = np.where(held, 1.0, np.sqrt(np.where(held, 1.0, diagonal)))
    a = normal[:, :nv, :nv] / scale[:, :, None] / scale[:, None, :]
    a = np.where(held[:, :, None] | held[:, None, :], 0.0, a)
    a[:, np.arange(nv), np.arange(nv)] = 1.0
    return a, scale


def _step(program: Program, x: Array, normal: Array, pull: Array, lam: Array) -> tuple[Array, Flags]:
    nv = program.n_varied
    free = _free(program, x, pull)
    a, scale = _scaled(normal, free)
    damped = a + lam[:, None, None] * np.eye(nv)
    bad = _lowest_pivot(damped) < SINGULAR_PIVOT
    damped[bad] = np.eye(nv)
    right = np.where(free, pull[:, :nv] / scale, 0.0)
    step = np.linalg.solve(damped, right[..., None])[..., 0] / scale
    step[bad] = 0.0
    return step, bad


def _lowest_pivot(a: Array) -> Array:
    """The smallest pivot of a Cholesky decomposition (m,), without failing where there is none."""
    a = a.copy()
    lowest = np.full(len(a), np.inf)
    for i in range(a.shape[1]):
        pivot = a[:, i, i]
        lowest = np.minimum(lowest, np.where(np.isfinite(pivot), pivot, -1.0))
        safe = np.where(pivot > SINGULAR_PIVOT, pivot, 1.0)
        column = a[:, i + 1 :, i] / safe[:, None]
        a[:, i + 1 :, i + 1 :] -= column[:, :, None] * a[:, None, i + 1 :, i]
    return lowest


def _cap(step: Array, values: Array, grad: Array, nv: int) -> tuple[Array, Flags]:
    """Steps short enough for every path value to stay within its cap, and whether they were shortened."""
    change = np.abs(np.einsum("mpvi,mi->mpv", grad[..., :nv], step))
    caps = np.broadcast_to(CAPS, change.shape).copy()
    caps[..., 0] = np.maximum(CAPS[0], RELATIVE_CAP * np.abs(values[..., 0]))
    ratio = (change / caps).max(axis=(1, 2))
    return step / np.maximum(ratio, 1.0)[:, None], ratio > 1.0


def _errors(program: Program, x: Array, normal: Array, pull: Array) -> tuple[Array, Array, Flags]:
    """Unscaled covariance, the response to carried parameters, and the rows where neither exists."""
    nv = program.n_varied
    free = _free(program, x, pull) & (x[:, :nv] > program.lower) & (x[:, :nv] < program.upper)
    a, scale = _scaled(normal, free)
    flat = free & ~(np.einsum("mii->mi", normal)[:, :nv] > 0)
    singular = (_lowest_pivot(a) < SINGULAR_PIVOT) | flat.any(axis=1)
    a[singular] = np.eye(nv)
    inverse = np.linalg.inv(a) / scale[:, :, None] / scale[:, None, :]
    held = ~free[:, :, None] | ~free[:, None, :]
    response = -np.where(held, 0.0, inverse) @ normal[:, :nv, nv:]
    covar = np.where(held | singular[:, None, None], np.nan, inverse)
    response[singular] = np.nan
    return covar, response, singular
