"""fit_stack: many chi(k), one model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import FitError
from ...records import OK, Array, Chi, Series
from ..fourier_transform import check_k
from ..model import Model
from . import kernel_numpy, objective, result
from .kernel_numpy import Solution, make_work
from .minimise import Backend, Start, solve, status_of
from .program import Program, compile_model
from .result import BatchFit
from .spread import Spread, everything, total


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
        Compiled, or the same in numpy.

    Returns
    -------
    BatchFit, a row a spectrum. A fit that ends badly, or more than 0.01 standard errors from a minimum, is tried again from
    other starts, then marked.

    Raises
    ------
    FitError
        A path that belongs to one data row (fit those together with exafs.fit.fit_chi), and what exafs.fit.fit_chi refuses.
    RangeError, DataError
        As exafs.fit.fit_chi.
    """
    bound_to = sorted({p.data for p in model.paths if p.data})
    if bound_to:
        raise FitError(
            f"a path belongs to data row {bound_to[0]!r}, and the rows of a stack share all paths: remove its data key, or "
            "fit the rows together with exafs.fit.fit_chi"
        )
    record: Chi = chi.data if isinstance(chi, Series) else chi
    check_k(record, model.range.k)
    stack = np.atleast_2d(record.chi)
    program = compile_model(model)
    goal = objective.build(record.k, model.range)
    good = np.asarray(np.isfinite(stack).all(axis=1))
    if not good.any():
        raise FitError("no row of chi(k) is free of NaN and inf; nothing to fit")
    used = stack if good.all() else stack[good]
    given = epsilon_k is not None
    noise = goal.noise_of(
        used, None if epsilon_k is None else np.broadcast_to(np.asarray(epsilon_k, float), good.shape)[good]
    )
    work = make_work(model, program, [goal], [0] * len(model.paths))
    data, weights = goal.reduce(used), goal.weights(noise, given)
    solution = solve(work, data, weights, start, threads, backend)
    size = np.einsum("ij,ij->i", weights[:, goal.weight_of_row], data**2)
    if not good.all():
        solution, size, noise = _spread(solution, good), _fill(size, good), _fill(noise, good)
    status = _status(program, solution, good)
    return _result(model, program, goal, solution, size, noise, status, record.k, backend, given)


def _fill(values: Array, good: NDArray[np.bool_]) -> Array:
    out = np.full((good.size, *values.shape[1:]), np.nan)
    out[good] = values
    return out


def _spread(s: Solution, good: NDArray[np.bool_]) -> Solution:
    ended = np.full(good.size, kernel_numpy.AT_LIMIT)
    ended[good] = s.ended
    calls = np.zeros(good.size, int)
    calls[good] = s.evaluations
    x, covar, carried, chisq, step = (_fill(a, good) for a in (s.x, s.covar, s.carried, s.chisq, s.step))
    return Solution(x, covar, carried, chisq, step, ended, calls)


def _status(program: Program, s: Solution, good: NDArray[np.bool_]) -> tuple[str, ...]:
    at_bound = np.asarray(((s.x <= program.lower) | (s.x >= program.upper)).any(axis=1))
    return tuple(
        result.NO_DATA if not usable else word if word != OK else result.AT_BOUND if bound else OK
        for usable, word, bound in zip(good, status_of(s), at_bound, strict=True)
    )


def _result(
    model: Model, program: Program, goal: objective.Objective, s: Solution, size: Array, noise: Array,
    status: tuple[str, ...], k: Array, backend: str, given: bool,
) -> BatchFit:  # fmt: skip
    free = goal.n_idp - program.n_varied
    covar = s.covar * (s.chisq / free)[:, None, None]
    spread = Spread(program, covar, s.carried)
    params, paths = everything(program, model, s.x)
    errors = {name: spread.parts(slope) for name, (_, slope) in {**params, **paths}.items()}
    chi2 = s.chisq * goal.n_idp / goal.n_residual
    ordered = [p.name for p in model.params]
    return BatchFit(
        model=model,
        names=program.names[: program.n_varied],
        x=s.x,
        covar=covar,
        values={n: np.array(params[n][0]) for n in ordered},
        stderr={n: total(*errors[n]) for n in ordered},
        stderr_fit={n: errors[n][0] for n in ordered},
        path_values={n: value for n, (value, _) in paths.items()},
        path_stderr={n: total(*errors[n]) for n in paths},
        path_stderr_fit={n: errors[n][0] for n in paths},
        chi2=chi2,
        chi2_reduced=chi2 / free,
        rfactor=s.chisq / size,
        n_idp=goal.n_idp,
        epsilon_k=noise,
        status=status,
        evaluations=s.evaluations,
        step=s.step,
        k=k,
        backend=backend,
        epsilon_given=noise[:, 0] if given else None,
    )
