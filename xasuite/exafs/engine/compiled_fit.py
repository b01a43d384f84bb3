"""Levenberg-Marquardt compiled: `kernel_numpy._fit_chunk`, row by row.

numba keeps the machine code by this file's time of change alone. A change of compiled_model, whose functions are compiled into
these, must change this file too: old code called with new arguments writes beyond its arrays. `COMPILED_MODEL` is for that: a test
holds it to the other file's content.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from ...records import Array
from ..equation import N_VALUES, PathTables
from . import kernel_numpy, nodes
from .compiled_model import N_COLUMNS, _columns, _project, _run, _slopes
from .kernel_numpy import Solution, Work
from .program import CAPS, RELATIVE_CAP, Program

CONVERGED, AT_LIMIT, SINGULAR, STUCK = (
    kernel_numpy.CONVERGED,
    kernel_numpy.AT_LIMIT,
    kernel_numpy.SINGULAR,
    kernel_numpy.STUCK,
)
OUTSIDE = 9  # the box that few points are good for
LOOSE2 = 100.0  # of the squared ends of a descent that another follows
STEP2, SMALL2 = kernel_numpy.STEP_TOLERANCE**2, kernel_numpy.SMALL_STEP**2
MAX_ITERATIONS = kernel_numpy.MAX_ITERATIONS
PIVOT = kernel_numpy.SINGULAR_PIVOT
ROUNDING = kernel_numpy.ROUNDING
FIRST, UP, DOWN, LAST = (
    kernel_numpy.DAMPING_FIRST,
    kernel_numpy.DAMPING_UP,
    kernel_numpy.DAMPING_DOWN,
    kernel_numpy.DAMPING_LAST,
)
COMPILED_MODEL = "29dfb8c72375cbda"
# rows a thread takes at a time
CHUNK = 512


@njit(cache=True, nogil=True)
def _copy(source, to):
    """Whole-array assignment would compile ten times as long."""
    for i in range(to.shape[0]):
        to[i] = source[i]


@njit(cache=True, nogil=True)
def _copy2(source, to):
    for i in range(to.shape[0]):
        for j in range(to.shape[1]):
            to[i, j] = source[i, j]


@njit(cache=True, nogil=True)
def _fill(value, to):
    for i in range(to.shape[0]):
        for j in range(to.shape[1]):
            to[i, j] = value


@njit(cache=True, nogil=True)
def _equal(a, b):
    same = True
    for i in range(a.shape[0]):
        same = same and a[i] == b[i]
    return same


@njit(cache=True, nogil=True)
def _evaluate(x, tables, grid, program, uses, space):
    """Model (nr + n restraints,) and Jacobian at x, the last two arrays of `space`, the workspace of `_workspace`.

    False, and no model, where a value of a path lies outside the box that the grid's points are good for.
    """
    k, matrix, middle, reach = grid
    coef, left, cell, width, reff = tables
    ops, args, first, target, start = program
    slots, slopes, values, grads, stack, dstack, col, rows, proj, model, jac = space
    nd = x.shape[0]
    for i in range(start.shape[0]):
        slots[i] = x[i] if i < nd else start[i]
        for d in range(nd):
            slopes[i, d] = 1.0 if i == d else 0.0
    _run(ops, args, first, target, slots, slopes, values, grads, stack, dstack, nd)
    for j in range(uses.size):
        if abs(values[j] - middle[j]) > reach[j]:
            return False
    nr = matrix.shape[1]
    for r in range(nr):
        model[r] = 0.0
        for i in range(nd):
            jac[i, r] = 0.0
    for p in range(uses.shape[0]):
        value = values[p * N_VALUES : (p + 1) * N_VALUES]
        own = min(p, k.shape[0] - 1)
        _columns(k[own], value[1], coef[p], left[p], cell[p], width[p], col)
        n = _slopes(value, reff[p], uses[p], col, rows)
        _project(matrix[own], rows, n, proj)
        for r in range(nr):
            model[r] += value[0] * proj[0, r]
        n = 0
        for v in range(N_VALUES):
            if not uses[p, v]:
                if v == 0:
                    n = 1
                continue
            for i in range(nd):
                g = grads[p * N_VALUES + v, i]
                if g != 0.0:
                    for r in range(nr):
                        jac[i, r] += g * proj[n, r]
            n += 1
    for r in range(model.shape[0] - nr):  # the restraints are observations of their own
        model[nr + r] = values[uses.size + r]
        for i in range(nd):
            jac[i, nr + r] = grads[uses.size + r, i]
    return True


@njit(cache=True, nogil=True)
def _workspace(ns, nd, n_values, depth, nk, nr, n_model):
    return (
        np.empty(ns),
        np.empty((ns, nd)),
        np.empty(n_values),
        np.zeros((n_values, nd)),
        np.empty(depth),
        np.empty((depth, nd)),
        np.empty((N_COLUMNS, nk)),
        np.zeros((8, nk)),
        np.empty((8, nr)),
        np.empty(n_model),
        np.empty((nd, n_model)),
    )


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def _normal(data, model, jac, w, nd, normal, pull):
    """Weighted sum of squares; the normal matrix and its right side into `normal`, `pull`."""
    chisq = 0.0
    for r in range(data.shape[0]):
        d = data[r] - model[r]
        chisq += w[r] * d * d
    for i in range(nd):
        s = 0.0
        for r in range(data.shape[0]):
            s += w[r] * jac[i, r] * (data[r] - model[r])
        pull[i] = s
        for j in range(i + 1):
            s = 0.0
            for r in range(data.shape[0]):
                s += w[r] * jac[i, r] * jac[j, r]
            normal[i, j] = s
            normal[j, i] = s
    return chisq


@njit(cache=True, nogil=True)
def _factor(normal, free, lam, nv, chol, scale):
    """Cholesky factor of the scaled, damped normal matrix; False where a pivot is too small."""
    for i in range(nv):
        held = not free[i] or not normal[i, i] > 0
        scale[i] = 1.0 if held else math.sqrt(normal[i, i])
        for j in range(i + 1):
            if i == j:
                chol[i, i] = 1.0 + lam
            elif held or not free[j] or not normal[j, j] > 0:
                chol[i, j] = 0.0
            else:
                chol[i, j] = normal[i, j] / scale[i] / scale[j]
    for i in range(nv):
        for j in range(i):
            s = chol[i, j]
            for m in range(j):
                s -= chol[i, m] * chol[j, m]
            chol[i, j] = s / chol[j, j]
        s = chol[i, i]
        for m in range(i):
            s -= chol[i, m] * chol[i, m]
        if not s >= PIVOT:
            return False
        chol[i, i] = math.sqrt(s)
    return True


@njit(cache=True, nogil=True)
def _solve(chol, scale, right, free, nv, out):
    for i in range(nv):
        s = right[i] / scale[i] if free[i] else 0.0
        for m in range(i):
            s -= chol[i, m] * out[m]
        out[i] = s / chol[i, i]
    for i in range(nv - 1, -1, -1):
        s = out[i]
        for m in range(i + 1, nv):
            s -= chol[m, i] * out[m]
        out[i] = s / chol[i, i]
    for i in range(nv):
        out[i] /= scale[i]


@njit(cache=True, nogil=True)
def _cap(step, values, grads, nv):
    """The factor by which the step passes the cap of some path value (1 or less where it does not)."""
    worst = 0.0
    for j in range(values.shape[0]):
        v = j % N_VALUES
        change = 0.0
        for i in range(nv):
            change += grads[j, i] * step[i]
        cap = CAPS[v]
        if v == 0:
            cap = max(cap, RELATIVE_CAP * abs(values[j]))
        worst = max(worst, abs(change) / cap)
    return worst


@njit(cache=True, nogil=True)
def _errors(x, bounds, normal, nv, nd, covar, carried, space):
    """Covariance and response of one row; False where the data do not determine the parameters."""
    lower, upper = bounds
    chol, scale, free, column, unit = space
    for i in range(nv):
        free[i] = x[i] > lower[i] and x[i] < upper[i]
    good = _factor(normal, free, 0.0, nv, chol, scale)
    for i in range(nv):
        good = good and (not free[i] or normal[i, i] > 0)
    _fill(np.nan, covar)
    _fill(np.nan, carried)
    if not good:
        return False
    for i in range(nv):
        if free[i]:
            for j in range(nv):
                unit[j] = 1.0 if i == j else 0.0
            _solve(chol, scale, unit, free, nv, column)
            for j in range(nv):
                if free[j]:
                    covar[i, j] = column[j]
    for c in range(nd - nv):
        for i in range(nv):
            s = 0.0
            for j in range(nv):
                if free[i] and free[j]:
                    s -= covar[i, j] * normal[j, nv + c]
            carried[i, c] = s
    return True


@njit(cache=True, nogil=True)
def _step(x, trial, bounds, normal, pull, lam, nv, values, grads, space):
    """The next trial, damped until it can be computed, capped, inside the bounds.

    Gives whether there is one, the damping, the step's size in the metric of the normal matrix, and by what factor it
    passed its cap.
    """
    lower, upper = bounds
    chol, scale, free, step, _ = space
    for i in range(nv):
        free[i] = not ((x[i] <= lower[i] and pull[i] <= 0) or (x[i] >= upper[i] and pull[i] >= 0))
    good = _factor(normal, free, lam, nv, chol, scale)
    while not good and lam <= LAST / UP:
        lam = max(lam * UP, FIRST)
        good = _factor(normal, free, lam, nv, chol, scale)
    if not good:
        return False, lam, 0.0, 0.0
    _solve(chol, scale, pull, free, nv, step)
    moved = 0.0
    for i in range(nv):
        for j in range(nv):
            moved += step[i] * normal[i, j] * step[j]
    over = _cap(step, values, grads, nv)
    _copy(x, trial)
    for i in range(nv):
        trial[i] = min(max(x[i] + step[i] / max(over, 1.0), lower[i]), upper[i])
    return True, lam, moved, over


@njit(cache=True, nogil=True)
def _keep(trial, new_normal, new_pull, new_values, new_grads, x, normal, pull, values, grads):
    """Make the trial the point to go on from."""
    _copy(trial, x)
    _copy2(new_normal, normal)
    _copy(new_pull, pull)
    _copy(new_values, values)
    _copy2(new_grads, grads)


@njit(cache=True, nogil=True)
def _weigh(data, weights, weight_of_row, known, w):
    """The weight of each observation into w, the restraints' last; the weighted sum of squares of the data."""
    size = 0.0
    for r in range(w.size):
        w[r] = weights[weight_of_row[r]] if r < weight_of_row.size else known[r - weight_of_row.size]
        size += w[r] * data[r] * data[r]
    return size


@njit(cache=True, nogil=True)
def _trials(nd, nu):
    """Normal equations, values and variables of the point that holds and of the one that is tried."""
    return (
        np.zeros((nd, nd)), np.zeros(nd), np.empty((nd, nd)), np.empty(nd),
        np.empty(nu), np.empty((nu, nd)), np.empty(nd), np.empty(nd),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _is_end(errors2, rate2, loose2, lam, over, moved, size):
    """Whether the step, of errors2 squared standard errors, is too small for another evaluation.

    rate2 is by how much steps shrink: what is left after this one is that part of it. loose2 is more than 1 where another
    descent follows.
    """
    settled = errors2 < loose2 * SMALL2 and errors2 * rate2 < 0.01 * loose2 * STEP2 and lam == 0
    return over <= 1.0 and (errors2 < loose2 * STEP2 or settled or moved < 1e-22 * size)


@njit(cache=True, nogil=True)
def _step_left(good, lam, moved, chisq, freedom, size):
    """The next step's size in standard errors, NaN where there is no undamped one."""
    if good and lam == 0 and np.isfinite(chisq):
        return math.sqrt(moved * freedom / max(chisq, ROUNDING * size))
    return np.nan


@njit(cache=True, nogil=True)
def _descend(shared, rate2, loose2, observed, fixed, grid, spaces, trials, space):
    """Levenberg-Marquardt from the trial, on one grid: how it ended, evaluations, chi-square, and the steps' rate.

    With `shared`, rows that start alike share their first evaluation. rate2 is the squared ratio of the last two steps, at the
    start that of a descent before this one.
    """
    data, w, size = observed
    freedom, bounds, tables, program, uses = fixed
    first_x, first, later = spaces
    normal, pull, new_normal, new_pull, values, grads, x, trial = trials
    nv, nd = bounds[0].shape[0], x.shape[0]
    chisq, lam, last2 = np.inf, 0.0, 0.0
    for calls in range(1, MAX_ITERATIONS + 1):
        here = first if shared and calls == 1 else later
        if calls > 1 or not shared or not _equal(trial, first_x):
            if calls == 1 and shared:
                _copy(trial, first_x)
            if not _evaluate(trial, tables, grid, program, uses, here):
                if calls == 1:
                    _copy(trial, x)
                    first_x[0] = np.nan
                return OUTSIDE, calls, chisq, rate2
        new = _normal(data, here[9], here[10], w, nd, new_normal, new_pull)
        if calls == 1 and not np.isfinite(new):
            _copy(trial, x)
            _fill(0.0, normal)
            return STUCK, calls, chisq, rate2
        if new <= chisq * (1 + 1e-12):
            chisq = new
            _keep(trial, new_normal, new_pull, here[2], here[3], x, normal, pull, values, grads)
            lam = 0.0 if lam * DOWN < 1e-7 else lam * DOWN
        else:
            lam = max(lam * UP, FIRST)
            if lam > LAST:
                return STUCK, calls, chisq, rate2
        good, lam, moved, over = _step(x, trial, bounds, normal, pull, lam, nv, values, grads, space)
        if not good:
            return SINGULAR, calls, chisq, rate2
        errors2 = moved * freedom / max(chisq, 1e-300)
        if calls > 1:
            rate2 = errors2 / max(last2, 1e-300)
        last2 = errors2
        if _is_end(errors2, rate2, loose2, lam, over, moved, size):
            _copy(trial, x)
            if lam == 0:
                chisq = max(chisq - moved, 0.0)
            return CONVERGED, calls, chisq, rate2
    return AT_LIMIT, MAX_ITERATIONS, chisq, rate2


@njit(cache=True, nogil=True)
def _fit_rows(
    lo, hi, chain, data, weights, weight_of_row, known, x0, bounds, n_idp, few, every, tables, program, uses,
    depth, out_x, out_covar, out_carried, out_chisq, out_step, out_ended, out_calls,
):  # fmt: skip
    """Fits of the rows lo to hi into the arrays `out_...`: on few points of k, where there are such, then on every one."""
    nv, nd, nr = bounds[0].shape[0], x0.shape[1], every[1].shape[1] + known.shape[0]
    n_values, begin = uses.size + known.shape[0], few if few[0].size else every
    sizes = program[4].shape[0], nd, n_values, depth
    first = _workspace(*sizes, begin[0].shape[1], every[1].shape[1], nr)
    later = _workspace(*sizes, begin[0].shape[1], every[1].shape[1], nr)
    last = _workspace(*sizes, every[0].shape[1], every[1].shape[1], nr)
    first_x, w, freedom = np.full(nd, np.nan), np.empty(nr), max(n_idp - nv, 1e-9)
    soon, late = (first_x, first, later), (first_x, last, last)
    fixed = freedom, bounds, tables, program, uses
    trials = _trials(nd, uses.size)
    normal, pull, _, _, values, grads, x, trial = trials
    space = np.empty((nv, nv)), np.empty(nv), np.empty(nv, np.bool_), np.empty(nv), np.empty(nv)
    for row in range(lo, hi):
        size = _weigh(data[row], weights[row], weight_of_row, known, w)
        _copy(x0[row], trial)
        if chain and row > lo and out_ended[row - 1] == CONVERGED:
            trial[:nv] = out_x[row - 1, :nv]
        own = data[row], w, size
        loose2 = LOOSE2 if few[0].size else 1.0
        ended, calls, chisq, rate2 = _descend(True, np.inf, loose2, own, fixed, begin, soon, trials, space)
        if few[0].size:
            if ended in (CONVERGED, OUTSIDE):
                _copy(x, trial)
            else:
                rate2 = np.inf
                _copy(x0[row], trial)
            ended, more, chisq, _ = _descend(False, rate2, 1.0, own, fixed, every, late, trials, space)
            calls += more
        good, lam, moved, _ = _step(x, trial, bounds, normal, pull, 0.0, nv, values, grads, space)
        out_step[row] = _step_left(good, lam, moved, chisq, freedom, size)
        if not _errors(x, bounds, normal, nv, nd, out_covar[row], out_carried[row], space):
            ended = SINGULAR
        _copy(x, out_x[row])
        out_chisq[row], out_ended[row], out_calls[row] = chisq, ended, calls


def _grid(k: Array, matrix: Array, n_values: int) -> tuple[Array, ...]:
    """Points of k that are good for any values of the paths."""
    return k, matrix, np.zeros(n_values), np.full(n_values, np.inf)


def fit_rows(
    work: Work, data: Array, weights: Array, x0: Array, *, threads: int = 1, chain: bool = False
) -> Solution:
    """Fits of data (m, nr) with weights (m, nw) from x0 (m, nv + nc), on `threads` threads.

    With `chain` each row starts from the one before it, where that converged; this takes one thread.
    """
    p, t = work.program, work.tables
    m, nv, nc = len(data), p.n_varied, len(p.names) - p.n_varied
    x, covar, carried = np.empty((m, nv)), np.empty((m, nv, nv)), np.empty((m, nv, nc))
    chisq, step, ended, calls = np.empty(m), np.empty(m), np.empty(m, np.int64), np.empty(m, np.int64)
    tables = (t.coef, t.left, t.cell, t.width, t.reff)
    program = (p.ops, p.args, p.first, p.target, p.start)
    known = np.array([work.per_point / r.within**2 for r in p.restraints])
    observed = work.observed(data, weights)[0]
    every, found = _grid(work.k[None], work.matrix[None], p.uses.size), None
    if m >= nodes.MANY:
        found = nodes.nodes(work, x0[0])
    none = _grid(np.empty((0, 0)), np.empty((0, len(work.matrix), 0)), 0)
    few = none if found is None else (found.k, found.matrix, found.middle.ravel(), found.reach.ravel())
    fixed = (
        np.ascontiguousarray(observed), np.ascontiguousarray(weights), work.weight_of_row, known,
        np.ascontiguousarray(x0), (p.lower, p.upper), float(work.points), few, every, tables, program,
        p.uses, p.depth, x, covar, carried, chisq, step, ended, calls,
    )  # fmt: skip
    if threads <= 1 or chain:
        _fit_rows(0, m, chain, *fixed)
    else:
        with ThreadPoolExecutor(threads) as pool:
            edges = range(0, m, min(CHUNK, -(-m // threads)))
            wait = [pool.submit(_fit_rows, lo, min(lo + edges.step, m), False, *fixed) for lo in edges]
            for future in wait:
                future.result()
    return Solution(x, covar, carried, chisq, step, ended, calls)


@njit(cache=True, nogil=True)
def _add_curves(x, k, tables, program, n_paths, depth, out):
    """chi of all paths at x (m, nv + nc) added to out (m, nk)."""
    coef, left, cell, width, reff = tables
    ops, args, first, target, start = program
    slots, slopes, values, grads, stack, dstack, col, rows, _, _, _ = _workspace(
        start.shape[0], 0, target.shape[0], depth, k.shape[0], 0, 0
    )
    none = np.zeros(N_VALUES, np.bool_)
    for row in range(x.shape[0]):
        for i in range(start.shape[0]):
            slots[i] = x[row, i] if i < x.shape[1] else start[i]
        _run(ops, args, first, target, slots, slopes, values, grads, stack, dstack, 0)
        for p in range(n_paths):
            value = values[p * N_VALUES : (p + 1) * N_VALUES]
            _columns(k, value[1], coef[p], left[p], cell[p], width[p], col)
            _slopes(value, reff[p], none, col, rows)
            for j in range(k.shape[0]):
                out[row, j] += value[0] * rows[0, j]


def curves(program: Program, tables: PathTables, k: Array, x: Array) -> Array:
    """chi(k) (m, nk) of the model at x (m, nv + nc)."""
    out = np.zeros((len(x), k.size))
    _add_curves(
        np.ascontiguousarray(x), k, (tables.coef, tables.left, tables.cell, tables.width, tables.reff),
        (program.ops, program.args, program.first, program.target, program.start), program.n_paths, program.depth, out,
    )  # fmt: skip
    return out
