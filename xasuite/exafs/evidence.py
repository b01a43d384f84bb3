"""The evidence for a model: the probability of the data under it, averaged over what its parameters could have been.

Laplace's approximation with all correlations, for noise that is at least what was estimated (docs/decisions/comparison.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..expressions import parse
from ..records import Array, Chi
from .engine.kernel_numpy import Work, evaluate
from .engine.minimise import solve
from .engine.program import Program, compile_model, run, start_values
from .fit import Problem, make_problem
from .model import Restraint
from .result import FitResult

# standard deviations of the prior in each path value: 0.58 of the amplitude (anything from 0 to twice the start),
# 5 eV, 0.1 A, 0.005 A^2, 5e-4 A^3, 5e-5 A^4, 2 eV, 0.5 rad
WIDTHS = np.array([0.5, 5.0, 0.1, 0.005, 5e-4, 5e-5, 2.0, 0.5])
RELATIVE_WIDTH = 1 / np.sqrt(3)
# factors by which the noise may exceed what was estimated, evenly in their logarithm
_SCALES = np.exp(np.linspace(0.0, np.log(1e3), 241))


@dataclass(frozen=True, eq=False)
class Prior:
    """Where each varied parameter (nv,) may lie before the data: its middle and standard deviation."""

    middle: Array
    width: Array


def prior_of(program: Program) -> Prior:
    """The prior of a model's parameters, from their bounds, or from what they do to the paths at the start.

    Two finite bounds a and b give the mean and standard deviation of an even distribution between them. Else the middle is the
    starting value, and the width is the one that moves no path value by more than `WIDTHS`.
    """
    nv = program.n_varied
    x = start_values(program)
    values, slopes = run(program, x[None])
    widths = np.broadcast_to(WIDTHS, values[0].shape).copy()
    widths[:, 0] = np.maximum(widths[:, 0], RELATIVE_WIDTH * np.abs(values[0][:, 0]))
    with np.errstate(divide="ignore"):
        width = (widths[..., None] / np.abs(slopes[0, ..., :nv])).reshape(-1, nv).min(axis=0)
    middle = x[:nv].copy()
    both = np.isfinite(program.lower) & np.isfinite(program.upper)
    middle[both] = (program.lower[both] + program.upper[both]) / 2
    width[both] = (program.upper[both] - program.lower[both]) / np.sqrt(12)
    # a parameter of restraints alone moves no path
    return Prior(middle, np.where(np.isfinite(width), width, np.maximum(np.abs(middle), 1.0)))


def chi_square(work: Work, data: Array, weights: Array, x: Array) -> tuple[float, Array, Array]:
    """chi-square at x (nv + nc,), scaled to the independent points, half its downward slope (nv,) and its information (nv, nv)."""
    nv = work.program.n_varied
    model, jacobian, *_ = evaluate(work, x[None])
    observed, w = work.observed(data, weights)
    residual, by_x = (observed - model)[0], jacobian[0, :, :nv]
    weighted = by_x * (w[0] / work.per_point)[:, None]
    return float(w[0] @ residual**2) / work.per_point, weighted.T @ residual, weighted.T @ by_x


def log_evidence(fit: FitResult, chi: Chi | Sequence[Chi], *, epsilon_k: float | None = None) -> float:
    """The natural logarithm of the evidence of one fit, up to a constant that models of the same data share.

    Parameters
    ----------
    fit : FitResult
        What fit_chi gave; inherited parameters are held.
    chi, epsilon_k :
        What it took.

    Returns
    -------
    float
        A difference of 3 between two models is odds of 20 to 1.
    """
    fit = fit.stated or fit
    sets = [chi] if isinstance(chi, Chi) else list(chi)
    return evidence_of(
        make_problem(fit.model, sets, epsilon_k), {p.name: p.value.value for p in fit.parameters}
    )


def _most_probable(problem: Problem, prior: Prior, values: dict[str, float]) -> Array:
    """Where chi-square and prior together are lowest (nv + nc,), sought from the fit's minimum and from the prior's middle.

    The noise is that of the fit's misfit, or what was estimated where that is more.
    """
    program, work = problem.program, problem.work
    names = program.names[: program.n_varied]
    best = start_values(program, values)
    chi2, *_ = chi_square(work, problem.data, problem.weights, best)
    scale = max(1.0, np.sqrt(chi2 / (work.points - program.n_varied)))
    own = tuple(
        Restraint(parse(n), float(m), float(w) / scale)
        for n, m, w in zip(names, prior.middle, prior.width, strict=True)
    )
    model = replace(problem.model, restraints=(*problem.model.restraints, *own))
    together = replace(work, program=compile_model(model, work.n_idp))
    starts = (values, dict(zip(names, prior.middle.tolist(), strict=True)))
    tried = [solve(together, problem.data, problem.weights, s, 1, "numpy") for s in starts]
    found = min(tried, key=lambda s: float(s.chisq[0]))
    best[: program.n_varied] = found.x[0]
    return best


def evidence_of(problem: Problem, values: dict[str, float]) -> float:
    """The same of a problem at its minimum."""
    program, work = problem.program, problem.work
    nv = program.n_varied
    prior = prior_of(program)
    x = _most_probable(problem, prior, values)
    chi2, pull, information = chi_square(work, problem.data, problem.weights, x)
    off = (x[:nv] - prior.middle) / prior.width
    precision = 1 / prior.width**2
    terms = []
    for scale in _SCALES:
        curvature = information / scale**2 + np.diag(precision)
        slope = pull / scale**2 - off / prior.width
        # from the most probable point to that at this noise: one Newton step, exact for a parabola
        least = chi2 / scale**2 + float(off @ off) - float(slope @ np.linalg.solve(curvature, slope))
        volume = np.linalg.slogdet(curvature)[1] - float(np.log(precision).sum())
        terms.append(-0.5 * (least + volume) - work.points * np.log(scale))
    top = max(terms)
    return float(top + np.log(np.mean(np.exp(np.array(terms) - top))))
