"""Asymmetric errors: how far a parameter can go before chi-square, all others fitted again, rises by one standard error.

For parameters near a bound and for strongly correlated ones, where the covariance of the minimum says too little
(docs/decisions/profiles.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import PATH_VALUES
from ..records import Array, Chi
from .engine import kernel_numpy
from .engine.program import Program
from .engine.spread import everything, full
from .fit import Problem, make_problem
from .result import STRONG_CORRELATION, FitResult, FittedPath, Value

# a bound nearer than this many standard errors makes the interval one-sided
NEAR = 2.0
# an end that differs from the standard error by less is the standard error
SAME = 0.1
# chi-square at one standard error within this part of the wanted rise, on both sides: the ends are within 8 % of it
STRAIGHT = 0.15
# ends are found to this part of their distance
_PRECISION = 2e-3
# steps of the search for a bracket, each twice as far
_STEPS = 8
# a chi-square that lies lower than the minimum's by this part of one standard error's rise is another minimum
LOWER = 0.02
# a misfit below this part of the data is rounding, which no error can be measured with
_EXACT = 1e-12

Flags = NDArray[np.bool_]


def with_profiles(fit: FitResult, chi: Chi | Sequence[Chi], *, epsilon_k: float | None = None) -> FitResult:
    """The fit with asymmetric errors of the parameters that need them, and of what follows from one of them alone.

    Parameters
    ----------
    fit : FitResult
        What fit_chi gave.
    chi, epsilon_k :
        What it took.

    Returns
    -------
    FitResult
        With `plus` and `minus` in the values of parameters near a bound or strongly correlated, and of path quantities that depend
        on such a parameter and on no other.
    """
    problem = make_problem(fit.model, [chi] if isinstance(chi, Chi) else list(chi), epsilon_k)
    values = {p.name: p.value for p in fit.parameters}
    x = np.array([values[n].value for n in problem.program.names[: problem.program.n_varied]])
    here = _at(problem, x)
    near, strong = doubtful(problem.program, x[None], here.covar * _rise(problem, here))
    which = np.flatnonzero((near | strong)[0]).tolist()
    ends = intervals(problem, x, which) if which else {}
    if not ends:
        return fit
    values |= {f"{p.data}/{p.label}.{q}": getattr(p, q) for p in fit.paths for q in (*PATH_VALUES, "r")}
    changed = _changed(problem, x, ends, values)
    return replace(
        fit,
        parameters=tuple(replace(p, value=changed.get(p.name, p.value)) for p in fit.parameters),
        paths=tuple(_path(p, changed) for p in fit.paths),
    )


def _path(p: FittedPath, changed: Mapping[str, Value]) -> FittedPath:
    own: dict[str, Any] = {
        q: value for q in (*PATH_VALUES, "r") if (value := changed.get(f"{p.data}/{p.label}.{q}")) is not None
    }
    return replace(p, **own)


def doubtful(program: Program, x: Array, covar: Array) -> tuple[Flags, Flags]:
    """Varied parameters (m, nv) that are near a bound (2 standard errors), and those correlated with another by 0.9 or more."""
    each = np.arange(program.n_varied)
    sigma = np.sqrt(covar[:, each, each])
    with np.errstate(all="ignore"):
        correlation = np.abs(covar / (sigma[:, :, None] * sigma[:, None, :]))
        correlation[:, each, each] = 0.0
        near = np.minimum(x - program.lower, program.upper - x) < NEAR * sigma
    near |= (x <= program.lower) | (x >= program.upper)
    return near, (np.nan_to_num(correlation) >= STRONG_CORRELATION).any(axis=2)


def intervals(problem: Problem, x: Array, which: Iterable[int]) -> dict[str, Array]:
    """The profile intervals of some varied parameters about the minimum x (nv,), at a rise of reduced chi-square.

    Parameters
    ----------
    problem : Problem
    x : (nv,)
        Its minimum.
    which : iterable of int
        Numbers of varied parameters.

    Returns
    -------
    dict
        By name all varied values (2, nv) at the low and the high end, the others fitted again. Left out are parameters whose chi-square is a parabola, and those on whose way a lower minimum lies.
    """
    out: dict[str, Array] = {}
    rise = _rise(problem, _at(problem, x))
    if rise < _EXACT * problem.size(x):
        return out
    here = _at(problem, x, free=True)
    for i in which:
        low, high = (_Search(problem, x, i, side, here, rise) for side in (-1, 1))
        if low.straight() and high.straight():
            continue
        ends = low.end(), high.end()
        if ends[0] is not None and ends[1] is not None:
            out[problem.program.names[i]] = np.stack([ends[0], ends[1]])
    return out


def _rise(problem: Problem, here: kernel_numpy.Solution) -> float:
    """By how much one standard error raises the sum of squares."""
    return float(here.chisq[0]) / (problem.work.points - problem.program.n_varied)


def _at(problem: Problem, x: Array, free: bool = False) -> kernel_numpy.Solution:
    """The normal equations at x (nv,), with `free` those without bounds."""
    program = problem.program
    work = problem.work
    if free:
        nowhere = np.full(program.n_varied, np.inf)
        work = replace(work, program=replace(program, lower=-nowhere, upper=nowhere))
    return kernel_numpy.at(work, problem.data, problem.weights, full(program, x[None]))


class _Search:
    """One end of one parameter's interval: chi-square at values of it, each with all others fitted."""

    def __init__(
        self, problem: Problem, x: Array, i: int, side: int, here: kernel_numpy.Solution, rise: float
    ) -> None:
        self.problem, self.i, self.side = problem, i, side
        self.best, self.rise = float(here.chisq[0]), rise
        self.covar = here.covar[0] * self.rise
        self.sigma = math.sqrt(self.covar[i, i])
        self.start = float(x[i])
        self.bound = float((problem.program.upper if side > 0 else problem.program.lower)[i])
        self.reached: dict[float, Array] = {self.start: x}
        self.heights = {self.start: -1.0}

    def above(self, value: float) -> float:
        """How far chi-square lies above the wanted one, in units of the rise."""
        if value not in self.heights:
            nearest = min(self.reached, key=lambda v: abs(v - value))
            along = (value - nearest) * self.covar[self.i] / self.covar[self.i, self.i]
            guess = self.reached[nearest] + along
            chisq, self.reached[value] = _held(self.problem, self.i, value, guess)
            self.heights[value] = (chisq - self.best) / self.rise - 1.0
        return self.heights[value]

    def straight(self) -> bool:
        """Whether one standard error away, within the bound, chi-square is what a parabola says."""
        if not self.sigma > 0:
            return True
        first = self.start + self.side * self.sigma
        return (self.bound - first) * self.side > 0 and abs(self.above(first)) < STRAIGHT

    def end(self) -> Array | None:
        """All varied values where the wanted rise or the bound is reached; None where a lower minimum or no end is found."""
        from scipy.optimize import brentq

        inner, outer = self.start, self.start + self.side * self.sigma
        for _ in range(_STEPS):
            outer = min(outer, self.bound) if self.side > 0 else max(outer, self.bound)
            height = self.above(outer)
            if height < -1.0 - LOWER or not math.isfinite(height):
                return None
            if height >= 0:
                found = float(brentq(self.above, inner, outer, xtol=_PRECISION * self.sigma))
                return self.reached[min(self.reached, key=lambda v: abs(v - found))]
            if outer == self.bound:
                return self.reached[outer]
            inner, outer = outer, outer + (outer - self.start)
        return None


def _held(problem: Problem, i: int, value: float, guess: Array) -> tuple[float, Array]:
    """The sum of squares with one parameter held, the others fitted, and all of them."""
    program = problem.program
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[i] = upper[i] = value
    work = replace(problem.work, program=replace(program, lower=lower, upper=upper))
    x = full(program, np.clip(guess, lower, upper)[None])
    solution = kernel_numpy.fit_rows(work, problem.data, problem.weights, x)
    return float(solution.chisq[0]), solution.x[0]


def _changed(
    problem: Problem, x: Array, ends: Mapping[str, Array], values: Mapping[str, Value]
) -> dict[str, Value]:
    """By key the values whose errors differ upwards and downwards: parameters, and quantities that depend on one of them alone."""
    nv = problem.program.n_varied
    params, paths = everything(problem.program, problem.model, x[None])
    moving = {key: np.flatnonzero(slope[0, :nv]) for key, (_, slope) in (params | paths).items()}
    out: dict[str, Value] = {}
    for name, both in ends.items():
        i = problem.program.names.index(name)
        params, paths = everything(problem.program, problem.model, both)
        for key in (key for key, by in moving.items() if by.tolist() == [i]):
            out[key] = _with_ends(values[key], (params | paths)[key][0])
    return out


def _with_ends(value: Value, ends: Array) -> Value:
    """The value with the errors that its ends (2,) give, other parts of its error in quadrature."""
    minus, plus = (max(0.0, float(x)) for x in (value.value - ends.min(), ends.max() - value.value))
    fit = value.parts.get("fit", math.nan)
    if abs(plus - fit) < SAME * fit and abs(minus - fit) < SAME * fit:
        return value
    others = math.sqrt(sum(part**2 for name, part in value.parts.items() if name != "fit"))
    return replace(value, plus=math.hypot(plus, others), minus=math.hypot(minus, others))
