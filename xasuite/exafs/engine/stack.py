"""fit_stack: many chi(k), one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import FitError
from ...records import OK, Array, Chi, Series
from ..fourier_transform import check_k
from ..model import PATH_VALUES, Model
from . import kernel_numpy, objective, result, tables
from .kernel_numpy import Solution, Work
from .program import Program, compile_model, parameters, start_values
from .result import BatchFit

Backend = Literal["numba", "numpy"]
Start = Mapping[str, float] | Literal["mean", "previous"] | None

_STATUS = {
    kernel_numpy.CONVERGED: OK,
    kernel_numpy.AT_LIMIT: result.MAX_ITERATIONS,
    kernel_numpy.SINGULAR: result.SINGULAR,
    kernel_numpy.STUCK: result.STUCK,
}


def fit_stack(
    model: Model,
    chi: Chi | Series,
    *,
    epsilon_k: float | Array | None = None,
    start: Start = None,
    threads: int = 1,
    backend: Backend = "numba",
) -> BatchFit:
    """Fit one model to each of many chi(k), row by row what Larch's feffit gives at tight tolerance.

    Parameters
    ----------
    model : Model
        Any number of paths, expressions, bounds, k weights; r, k or q space. A fixed parameter with a standard
        error (a foil's S02) passes it on to the errors of the others.
    chi : Chi or Series of it
        chi (m, nk) on k from 0 in equal steps of 1/A; (nk,) counts as one row. Rows that are not finite are marked.
    epsilon_k : float or (m,), optional
        Standard deviation of chi(k); left out, estimated from |chi(R)| at 15-30 A, row by row and k weight by k weight.
    start : optional
        Starting values by name, in place of the model's; "mean" starts all rows from a fit of their mean, "previous"
        each row from the one before it (one thread).
    threads : int
        Threads that share the rows.
    backend : "numba" or "numpy"
        Compiled, or its twin in numpy.

    Returns
    -------
    BatchFit, a row a spectrum. A fit that ends badly is tried once more from another start, then marked.

    Raises
    ------
    UnsupportedError
        What only Larch can do: wavelet space, paths that belong to one data row.
    FitError, RangeError, DataError
        As exafs.fit.fit_chi.
    """
    record: Chi = chi.data if isinstance(chi, Series) else chi
    check_k(record, model.range.k)
    stack = np.atleast_2d(record.chi)
    program = compile_model(model)
    goal = objective.build(record.k, model.range)
    good = np.asarray(np.isfinite(stack).all(axis=1))
    if not good.any():
        raise FitError("no row of chi(k) is free of NaN and inf; nothing to fit")
    used = stack if good.all() else stack[good]
    noise, given = _noise(goal, used, epsilon_k, good)
    work = Work(
        tables.build([p.feff for p in model.paths]), goal.k, goal.model_matrix, goal.weight_of_row, program,
        goal.n_idp,
    )  # fmt: skip
    data, weights = goal.reduce(used), goal.weights(noise, given)
    solution = _solve(work, data, weights, start, threads, backend)
    size = np.einsum("ij,ij->i", weights[:, goal.weight_of_row], data**2)
    if not good.all():
        solution, size, noise = _spread(solution, good), _fill(size, good), _fill(noise, good)
    status = _status(program, solution, good)
    return _result(model, program, goal, solution, size, noise, status, record.k, backend, given)


def _noise(
    goal: objective.Objective, chi: Array, epsilon: Any, good: NDArray[np.bool_]
) -> tuple[Array, bool]:
    if epsilon is None:
        # noiseless data have an epsilon of rounding errors, or none: any weight gives the same fit
        return np.maximum(goal.noise(chi), 1e-300), False
    one = np.broadcast_to(np.asarray(epsilon, float), good.shape)[good]
    if not (one > 0).all():
        raise FitError("epsilon_k must be positive; leave it out to have it estimated")
    return np.repeat(one[:, None], goal.n_weights, axis=1), True


def _solve(work: Work, data: Array, weights: Array, start: Start, threads: int, backend: Backend) -> Solution:
    if backend not in ("numba", "numpy"):
        raise FitError(f"backend = {backend!r} is not one of numba, numpy")
    program, chain = work.program, start == "previous"
    own = start_values(program, start if isinstance(start, Mapping) else None)
    mean = data.mean(axis=0, keepdims=True), weights.mean(axis=0, keepdims=True)
    first = own
    if start == "mean":
        first = _from_mean(work, *mean, own)
    elif chain and backend == "numpy":
        return _chained(work, data, weights, own)
    x0 = np.broadcast_to(first, (len(data), own.size))
    solution = _run(work, data, weights, x0, threads, backend, chain)
    bad = solution.ended != kernel_numpy.CONVERGED
    if bad.any():
        other = own if start == "mean" else _from_mean(work, *mean, own)
        again = _run(
            work, data[bad], weights[bad], np.broadcast_to(other, (bad.sum(), own.size)), threads, backend
        )
        _keep_better(solution, again, np.flatnonzero(bad))
    return solution


def _from_mean(work: Work, data: Array, weights: Array, own: Array) -> Array:
    """The solution for the mean spectrum where there is one, else the start it was sought from."""
    mean = kernel_numpy.fit_rows(work, data, weights, own[None])
    found = own.copy()
    if mean.ended[0] == kernel_numpy.CONVERGED:
        found[: work.program.n_varied] = mean.x[0]
    return found


def _chained(work: Work, data: Array, weights: Array, own: Array) -> Solution:
    rows, x0 = [], own.copy()
    for i in range(len(data)):
        rows.append(kernel_numpy.fit_rows(work, data[i : i + 1], weights[i : i + 1], x0[None]))
        converged = rows[-1].ended[0] == kernel_numpy.CONVERGED
        x0 = own.copy()
        if converged:
            x0[: work.program.n_varied] = rows[-1].x[0]
    names = Solution.__dataclass_fields__
    return Solution(*(np.concatenate([getattr(r, n) for r in rows]) for n in names))


def _run(
    work: Work, data: Array, weights: Array, x0: Array, threads: int, backend: Backend, chain: bool = False
) -> Solution:
    if backend == "numpy":
        return kernel_numpy.fit_rows(work, data, weights, x0)
    from . import compiled_fit

    return compiled_fit.fit_rows(work, data, weights, x0, threads=threads, chain=chain)


def _keep_better(solution: Solution, again: Solution, rows: NDArray[np.intp]) -> None:
    """Put the second try in place where it converged, or failed at a lower chi-square."""
    was, now = solution.ended[rows] == kernel_numpy.CONVERGED, again.ended == kernel_numpy.CONVERGED
    better = (now & ~was) | ((now == was) & (again.chisq < solution.chisq[rows]))
    for name in Solution.__dataclass_fields__:
        getattr(solution, name)[rows[better]] = getattr(again, name)[better]


def _fill(values: Array, good: NDArray[np.bool_]) -> Array:
    out = np.full((good.size, *values.shape[1:]), np.nan)
    out[good] = values
    return out


def _spread(s: Solution, good: NDArray[np.bool_]) -> Solution:
    ended = np.full(good.size, kernel_numpy.AT_LIMIT)
    ended[good] = s.ended
    calls = np.zeros(good.size, int)
    calls[good] = s.evaluations
    x, covar, carried, chisq = (_fill(a, good) for a in (s.x, s.covar, s.carried, s.chisq))
    return Solution(x, covar, carried, chisq, ended, calls)


def _status(program: Program, s: Solution, good: NDArray[np.bool_]) -> tuple[str, ...]:
    at_bound = np.asarray(((s.x <= program.lower) | (s.x >= program.upper)).any(axis=1))
    out = []
    for usable, ended, bound in zip(good, s.ended, at_bound, strict=True):
        status = _STATUS[int(ended)] if usable else result.NO_DATA
        out.append(result.AT_BOUND if status == OK and bound else status)
    return tuple(out)


def _result(
    model: Model, program: Program, goal: objective.Objective, s: Solution, size: Array, noise: Array,
    status: tuple[str, ...], k: Array, backend: str, given: bool,
) -> BatchFit:  # fmt: skip
    nv, m = program.n_varied, len(s.x)
    free = goal.n_idp - nv
    covar = s.covar * (s.chisq / free)[:, None, None]
    full = np.hstack(
        [s.x, np.broadcast_to(program.start[nv : len(program.names)], (m, len(program.names) - nv))]
    )
    # how everything moves with each carried parameter: by itself, and through the varied ones
    response = np.concatenate([s.carried, np.broadcast_to(np.eye(len(program.carried)), (m, *[len(program.carried)] * 2))], axis=1)  # fmt: skip
    spread = _Spread(covar, response * program.carried)
    values, grads = parameters(program, full)
    errors = {name: spread.of(grads[name][:, :nv], grads[name]) for name in values}
    path_values, path_errors = _path_quantities(model, values, grads, spread, nv)
    chi2 = s.chisq * goal.n_idp / goal.n_residual
    ordered = [p.name for p in model.params]
    return BatchFit(
        model=model,
        names=program.names[:nv],
        x=s.x,
        covar=covar,
        values={n: np.array(values[n]) for n in ordered},
        stderr={n: errors[n][0] for n in ordered},
        stderr_fit={n: errors[n][1] for n in ordered},
        path_values=path_values,
        path_stderr=path_errors,
        chi2=chi2,
        chi2_reduced=chi2 / free,
        rfactor=s.chisq / size,
        n_idp=goal.n_idp,
        epsilon_k=noise,
        status=status,
        evaluations=s.evaluations,
        k=k,
        backend=backend,
        epsilon_given=noise[:, 0] if given else None,
    )


class _Spread:
    """Standard errors of functions of the parameters from the covariance and the inherited errors."""

    def __init__(self, covar: Array, inherited: Array) -> None:
        self.covar, self.inherited = covar, inherited
        held = np.isnan(np.einsum("mii->mi", covar))
        self.held = held
        self.clean = np.where(held[:, :, None] | held[:, None, :], 0.0, covar)

    def of(self, by_varied: Array, by_all: Array) -> tuple[Array, Array]:
        """(all, the fit's own) standard errors (m,); NaN where there is none or it rests on a held parameter."""
        own = np.einsum("mi,mij,mj->m", by_varied, self.clean, by_varied)
        total = own + (np.einsum("mi,mic->mc", by_all, np.nan_to_num(self.inherited)) ** 2).sum(axis=1)
        lost = ((by_varied != 0) & self.held).any(axis=1)
        bare = np.where(lost | (total <= 0), np.nan, np.sqrt(np.maximum(total, 0)))
        return bare, np.where(lost | (own <= 0), np.nan, np.sqrt(np.maximum(own, 0)))


def _path_quantities(
    model: Model, values: Mapping[str, Array], grads: Mapping[str, Array], spread: _Spread, nv: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values and errors of n, s02, e0, deltar, r, sigma2, third, fourth of each path."""
    out, errors = {}, {}
    m = len(spread.covar)
    for path in model.paths:
        for quantity in PATH_VALUES:
            expression = getattr(path, quantity)
            value = np.broadcast_to(np.asarray(expression(values), float), (m,)).copy()
            grad = _gradient(expression, values, grads)
            key = f"{path.label}.{quantity}"
            out[key], errors[key] = value, spread.of(grad[:, :nv], grad)[0]
        out[f"{path.label}.r"] = path.feff.reff + out[f"{path.label}.deltar"]
        errors[f"{path.label}.r"] = errors[f"{path.label}.deltar"]
    return out, errors


def _gradient(expression: Any, values: Mapping[str, Array], grads: Mapping[str, Array]) -> Array:
    """Derivatives (m, nd) of an expression by the program's names, by the chain rule over its own names."""
    total = np.zeros_like(next(iter(grads.values())))
    if expression.is_name:
        (name,) = expression.names
        return total + grads[name]
    for name in expression.names:
        step = 1e-6 * np.maximum(np.abs(values[name]), 1e-3)
        up = np.asarray(expression({**values, name: values[name] + step}), float)
        down = np.asarray(expression({**values, name: values[name] - step}), float)
        total = total + ((up - down) / (2 * step))[:, None] * grads[name]
    return total
