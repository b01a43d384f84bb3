"""Asymmetric errors: how far a parameter can go before chi-square, all others fitted again, rises by one standard error.

For parameters near a bound and for strongly correlated ones, where the covariance of the minimum says too little
(docs/decisions/profiles.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..records import Array
from .engine import kernel_numpy
from .engine.spread import everything
from .result import STRONG_CORRELATION, Value

if TYPE_CHECKING:
    from .fit import Minimum, Problem

# a bound nearer than this many standard errors makes the interval one-sided
NEAR = 2.0
# an end that differs from the standard error by less is the standard error
_SAME = 0.1
# ends are found to this part of their distance
_PRECISION = 2e-3
# steps of the search for a bracket, each twice as far
_STEPS = 8
# a chi-square that lies lower than the minimum's by this part of one standard error's rise is another minimum
_LOWER = 0.02
# a misfit below this part of the data is rounding, which no error can be measured with
_EXACT = 1e-12


@dataclass(frozen=True, eq=False)
class Interval:
    """The ends of a parameter's interval and all varied values (nv,) at each, the others fitted again."""

    low: Array
    high: Array


def doubtful(problem: Problem, found: Minimum) -> tuple[int, ...]:
    """The varied parameters that are near a bound (2 standard errors) or correlated with another by 0.9 or more."""
    program = problem.program
    sigma = np.sqrt(np.diag(found.covar))
    with np.errstate(invalid="ignore"):
        correlation = np.abs(found.covar / np.outer(sigma, sigma))
        np.fill_diagonal(correlation, 0.0)
        near = np.minimum(found.x - program.lower, program.upper - found.x) < NEAR * sigma
        held = (found.x <= program.lower) | (found.x >= program.upper)
        strong = (correlation >= STRONG_CORRELATION).any(axis=0)
    return tuple(np.flatnonzero(near | held | strong).tolist())


def intervals(problem: Problem, found: Minimum, which: Iterable[int]) -> dict[str, Interval]:
    """The profile intervals of some varied parameters, at a rise of reduced chi-square.

    Parameters
    ----------
    problem : Problem
    found : Minimum
        Of that problem.
    which : iterable of int
        Numbers of varied parameters.

    Returns
    -------
    dict
        By name. A parameter on whose way a lower minimum lies is left out.
    """
    out: dict[str, Interval] = {}
    best = float(_at(problem, found.x).chisq[0])
    if best < _EXACT * problem.size(found.x):
        return out
    rise = best / (problem.work.points - problem.program.n_varied)
    for i in which:
        ends = [_end(problem, found, i, side, best, rise) for side in (-1, 1)]
        if all(e is not None for e in ends):
            out[problem.program.names[i]] = Interval(*ends)  # type: ignore[arg-type]
    return out


def _at(problem: Problem, x: Array, free: bool = False) -> kernel_numpy.Solution:
    """The normal equations at x (nv,), with `free` those without bounds."""
    program = problem.program
    full = np.concatenate([x, program.start[program.n_varied : len(program.names)]])
    work = problem.work
    if free:
        nowhere = np.full(program.n_varied, np.inf)
        work = replace(work, program=replace(program, lower=-nowhere, upper=nowhere))
    return kernel_numpy.at(work, problem.data, problem.weights, full[None])


def _end(problem: Problem, found: Minimum, i: int, side: int, best: float, rise: float) -> Array | None:
    """All varied values where chi-square has risen by `rise` on one side of a parameter, or its bound is reached."""
    from scipy.optimize import brentq

    program = problem.program
    bound = float(program.upper[i] if side > 0 else program.lower[i])
    start = float(found.x[i])
    covar = _at(problem, found.x, free=True).covar[0] * rise
    sigma = math.sqrt(covar[i, i])
    if not sigma > 0:
        return None
    reached: dict[float, Array] = {start: found.x}
    heights = {start: -1.0}

    def above(value: float) -> float:
        """How far chi-square lies above the wanted one, in units of the rise."""
        if value not in heights:
            nearest = min(reached, key=lambda v: abs(v - value))
            guess = reached[nearest] + (value - nearest) * covar[i] / covar[i, i]
            chisq, reached[value] = _held(problem, i, value, guess)
            heights[value] = (chisq - best) / rise - 1.0
        return heights[value]

    inner, outer = start, start + side * sigma
    for _ in range(_STEPS):
        outer = min(outer, bound) if side > 0 else max(outer, bound)
        if outer == start:
            return found.x
        height = above(outer)
        if height < -1.0 - _LOWER or not math.isfinite(height):
            return None
        if height >= 0:
            end = float(brentq(above, inner, outer, xtol=_PRECISION * sigma))
            return reached[min(reached, key=lambda v: abs(v - end))]
        if outer == bound:
            return reached[outer]
        inner, outer = outer, outer + (outer - start)
    return None


def _held(problem: Problem, i: int, value: float, guess: Array) -> tuple[float, Array]:
    """The sum of squares with one parameter held, the others fitted, and all of them."""
    program = problem.program
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[i] = upper[i] = value
    work = replace(problem.work, program=replace(program, lower=lower, upper=upper))
    x = np.concatenate([np.clip(guess, lower, upper), program.start[program.n_varied : len(program.names)]])
    solution = kernel_numpy.fit_rows(work, problem.data, problem.weights, x[None])
    return float(solution.chisq[0]), solution.x[0]


def asymmetric(problem: Problem, found: Minimum, values: dict[str, Value]) -> dict[str, Value]:
    """Parameters and path quantities ("label.quantity") with asymmetric errors where they need them.

    What follows from one profiled parameter alone takes its ends; what follows from several keeps its standard error.
    """
    which = doubtful(problem, found)
    ends = intervals(problem, found, which) if which else {}
    if not ends:
        return values
    nv = problem.program.n_varied
    here = everything(problem.program, problem.model, found.x[None])
    moving = {key: np.flatnonzero(slope[0, :nv]) for keyed in here for key, (_, slope) in keyed.items()}
    out = dict(values)
    for name, interval in ends.items():
        i = problem.program.names.index(name)
        own = [key for key, by in moving.items() if by.tolist() == [i]]
        both = np.stack([interval.low, interval.high])
        there = {
            k: v[0] for keyed in everything(problem.program, problem.model, both) for k, v in keyed.items()
        }
        for key in own:
            out[key] = _with_ends(values[key], there[key])
    return out


def _with_ends(value: Value, ends: Array) -> Value:
    """The value with the errors that its ends (2,) give, other parts of its error in quadrature."""
    minus, plus = (max(0.0, float(x)) for x in (value.value - ends.min(), ends.max() - value.value))
    fit = value.parts.get("fit", math.nan)
    if abs(plus - fit) < _SAME * fit and abs(minus - fit) < _SAME * fit:
        return value
    others = math.sqrt(sum(part**2 for name, part in value.parts.items() if name != "fit"))
    return replace(value, plus=math.hypot(plus, others), minus=math.hypot(minus, others))
