"""fit_stack: many chi(k), one model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import FitError
from ...records import OK, Array, Chi, Series, spread
from ..fourier_transform import check_k
from ..model import Model
from . import kernel_numpy, objective, result
from .kernel_numpy import Solution, Work, make_work
from .minimise import Start, solve, status_of
from .program import Program, compile_model
from .result import Backend, BatchFit
from .spread import Spread, everything, numbers_of, total


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
        error (a foil's S02) passes it on to the errors of the others. A name that is no parameter is one of the rows'
        `variables`, such as T.
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
    BatchFit, one row per spectrum. A fit that ends badly, or more than 0.01 standard errors from a minimum, is tried again from
    other starts, then marked.

    Raises
    ------
    FitError
        A path that belongs to one data row (fit those together with exafs.fit.fit_chi), and what exafs.fit.fit_chi refuses.
    RangeError, DataError
        As exafs.fit.fit_chi.
    """
    return _result(minima(model, chi, epsilon_k, start, threads, backend))


@dataclass(frozen=True, eq=False)
class Minima:
    """Where the fits of a stack ended, before values and errors are read from it."""

    model: Model
    work: Work
    goal: objective.Objective
    solution: Solution
    size: Array
    noise: Array
    status: tuple[str, ...]
    k: Array
    backend: Backend
    given: bool
    variables: dict[str, Array]

    @property
    def chi2(self) -> Array:
        """Chi-square (m,) of every row."""
        return self.solution.chisq * self.goal.n_idp / self.goal.n_residual


def minima(
    model: Model,
    chi: Chi | Series,
    epsilon_k: float | Array | None,
    start: Start,
    threads: int,
    backend: Backend,
) -> Minima:
    """The minima of `fit_stack`, which has what is taken and raised."""
    bound_to = sorted({p.data for p in model.paths if p.data})
    if bound_to:
        raise FitError(
            f"a path belongs to data row {bound_to[0]!r}, and the rows of a stack share all paths: remove its data key, or "
            "fit the rows together with exafs.fit.fit_chi"
        )
    record: Chi = chi.data if isinstance(chi, Series) else chi
    check_k(record, model.range.k)
    stack = np.atleast_2d(record.chi)
    variables = variables_of(model, record, len(stack))
    numbers = numbers_of(variables, len(stack))
    good = np.asarray(np.isfinite(stack).all(axis=1) & np.isfinite(numbers).all(axis=1))
    if not good.any():
        of = "chi(k), T or the like" if variables else "chi(k)"
        raise FitError(f"no row of {of} is free of NaN and inf; nothing to fit")
    middle = {n: float(np.mean(v[good])) for n, v in variables.items()}
    program = compile_model(model, variables=middle)
    if model.range.background:
        raise FitError(
            "a background is refined in fits of single spectra (exafs.fit.fit_chi), not of a stack"
        )
    goal = objective.build(record.k, model.range)
    used = stack if good.all() else stack[good]
    given = epsilon_k is not None
    if record.chi_err is not None and not given:
        if model.range.space == "k":
            raise FitError("a stack with chi_err cannot be fitted in k space; give one epsilon_k a row")
        noise = goal.mean_noise(np.broadcast_to(record.chi_err, stack.shape)[good])
    else:
        own = None if epsilon_k is None else np.broadcast_to(np.asarray(epsilon_k, float), good.shape)[good]
        noise = goal.noise_of(used, own)
    work = make_work(model, program, [goal], [0] * len(model.paths))
    data, weights = goal.reduce(used), goal.weights(noise, given)
    solution = solve(work, data, weights, start, threads, backend, numbers[good])
    size = np.einsum("ij,ij->i", weights[:, goal.weight_of_row], data**2)
    if not good.all():
        rows, m = np.flatnonzero(good), good.size
        solution, size, noise = _spread(solution, rows, m), spread(size, rows, m), spread(noise, rows, m)
    status = _status(program, solution, good)
    return Minima(model, work, goal, solution, size, noise, status, record.k, backend, given, variables)


def variables_of(model: Model, chi: Chi, m: int) -> dict[str, Array]:
    """The rows' numbers (m,) of the names that are no parameters. Raises FitError where the rows lack one."""
    missing = [n for n in model.open_names if n not in chi.variables]
    if missing:
        raise FitError(
            f"{missing[0]!r} is neither a parameter nor one of the rows' variables "
            f"({', '.join(chi.variables) or 'they have none'})"
        )
    return {n: np.broadcast_to(np.asarray(chi.variables[n], float), m).copy() for n in model.open_names}


def _spread(s: Solution, rows: NDArray[np.intp], m: int) -> Solution:
    ended, calls = np.full(m, kernel_numpy.AT_LIMIT), np.zeros(m, int)
    ended[rows], calls[rows] = s.ended, s.evaluations
    floats = (s.x, s.covar, s.carried, s.chisq, s.step)
    x, covar, carried, chisq, step = (spread(a, rows, m) for a in floats)
    return Solution(x, covar, carried, chisq, step, ended, calls)


def _status(program: Program, s: Solution, good: NDArray[np.bool_]) -> tuple[str, ...]:
    at_bound = np.asarray(((s.x <= program.lower) | (s.x >= program.upper)).any(axis=1))
    return tuple(
        result.NO_DATA if not usable else word if word != OK else result.AT_BOUND if bound else OK
        for usable, word, bound in zip(good, status_of(s), at_bound, strict=True)
    )


def _result(found: Minima) -> BatchFit:
    """Values and errors of every parameter and path quantity."""
    model, work, s = found.model, found.work, found.solution
    program, numbers = work.program, numbers_of(found.variables, len(s.x))
    free = work.points - program.n_varied
    covar = s.covar * (s.chisq / free)[:, None, None]
    errors_of = Spread(program, covar, s.carried)
    params, paths = everything(program, model, s.x, numbers)
    errors = {name: errors_of.parts(slope) for name, (_, slope) in {**params, **paths}.items()}
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
        chi2=found.chi2,
        chi2_reduced=found.chi2 / free,
        rfactor=(s.chisq - work.restraints_chisq(s.x, numbers)) / found.size,
        n_idp=found.goal.n_idp,
        epsilon_k=found.noise,
        status=found.status,
        evaluations=s.evaluations,
        step=s.step,
        k=found.k,
        backend=found.backend,
        epsilon_given=found.noise[:, 0] if found.given else None,
        variables=found.variables,
    )
