"""The evidence of a model: the probability of the data given the model, averaged over the prior of its parameters.

It is computed by sequential Monte Carlo, for noise of at least the estimated size (docs/decisions/comparison.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, ndtr, ndtri

from ..expressions import parse
from ..records import Array, Chi
from .engine.kernel_numpy import Work, evaluate
from .engine.minimise import solve
from .engine.program import Program, compile_model, run, run_all, start_values
from .equation import path_wave
from .fit import Problem, make_problem
from .model import Restraint
from .result import FitResult

# standard deviations of the prior in each path value: 0.58 of the amplitude (anything from 0 to twice the start),
# 5 eV, 0.1 A, 0.005 A^2, 5e-4 A^3, 5e-5 A^4, 2 eV, 0.5 rad
WIDTHS = np.array([0.5, 5.0, 0.1, 0.005, 5e-4, 5e-5, 2.0, 0.5])
RELATIVE_WIDTH = 1 / np.sqrt(3)
# factors by which the noise may exceed its estimate, in equal steps of the logarithm
_SCALES = np.exp(np.linspace(0.0, np.log(1e3), 241))
# number of points, and number of moves of each point in every step from the first guess to the posterior
_POINTS, _MOVES = 1024, 6
# smallest share of effective points after a step
_EFFECTIVE = 0.5
# width of the first guess relative to Laplace's approximation, and degrees of freedom of its tails (Student's t)
_WIDER, _TAILS = 1.5, 5.0
_SEED = 11


@dataclass(frozen=True, eq=False)
class Prior:
    """The prior of the varied parameters: middle and standard deviation (nv,) of normal distributions."""

    middle: Array
    width: Array


def prior_of(program: Program) -> Prior:
    """The prior of a model's parameters, from their bounds or from their effect on the paths at the start.

    Two finite bounds give the mean and standard deviation of a uniform distribution between them. Otherwise the middle is the
    starting value, and the width is the largest that changes no value of a path by more than `WIDTHS`.
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
    # a parameter that occurs only in restraints changes no path
    return Prior(middle, np.where(np.isfinite(width), width, np.maximum(np.abs(middle), 1.0)))


def chi_square(work: Work, data: Array, weights: Array, x: Array) -> tuple[float, Array, Array]:
    """chi-square at x (nv + nc,), scaled to independent points, half its negative gradient (nv,) and its information matrix (nv, nv)."""
    nv = work.program.n_varied
    model, jacobian, *_ = evaluate(work, x[None])
    observed, w = work.observed(data, weights)
    residual, by_x = (observed - model)[0], jacobian[0, :, :nv]
    weighted = by_x * (w[0] / work.per_point)[:, None]
    return float(w[0] @ residual**2) / work.per_point, weighted.T @ residual, weighted.T @ by_x


def log_evidence(fit: FitResult, chi: Chi | Sequence[Chi], *, epsilon_k: float | None = None) -> float:
    """The natural logarithm of the evidence of one fit, up to a constant that is the same for all models of the same data.

    Parameters
    ----------
    fit : FitResult
        The result of fit_chi; inherited parameters are fixed.
    chi, epsilon_k :
        The arguments of that fit.

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
    """The most probable parameters (nv + nc,), searched from the minimum of the fit and from the middle of the prior.

    The noise is the estimated one, or that of the misfit if this is larger.
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
    """The logarithm of the evidence of a problem with the parameters `values` at its minimum.

    Sequential Monte Carlo (Del Moral, Doucet and Jasra 2006, J. R. Stat. Soc. B 68, 411) leads from a first guess, half Laplace's
    approximation about the most probable point and half the prior, to the posterior. No shape of the posterior is assumed.
    """
    rng = np.random.default_rng(_SEED)
    prior = prior_of(problem.program)
    best = _most_probable(problem, prior, values)
    target = _Target(problem, prior, best[problem.program.n_varied :])
    guess = _Guess.of(problem, prior, best)
    x = guess.draw(rng, _POINTS, target)
    log_p, log_q = target(x), guess(x, target)
    total, reached = 0.0, 0.0
    while reached < 1.0:
        step = _next(log_p - log_q, 1.0 - reached)
        weight = step * (log_p - log_q)
        top = weight.max()
        total += float(top + np.log(np.mean(np.exp(weight - top))))
        reached += step
        share = np.cumsum(np.exp(weight - top))
        at = np.searchsorted(share / share[-1], (rng.random() + np.arange(len(x))) / len(x))
        x, log_p, log_q = x[at], log_p[at], log_q[at]
        for move in range(_MOVES if reached < 1.0 else 0):
            others = rng.permuted(np.tile(np.arange(len(x)), (2, 1)), axis=1)
            gamma = 2.38 / np.sqrt(2 * x.shape[1]) / 2 ** (move % 4)
            tried = x + gamma * (x[others[0]] - x[others[1]]) + 1e-4 * guess.scale * rng.normal(size=x.shape)
            new_p, new_q = target(tried), guess(tried, target)
            gain = reached * (new_p - log_p) + (1 - reached) * (new_q - log_q)
            taken = np.log(rng.random(len(x))) < gain
            x[taken], log_p[taken], log_q[taken] = tried[taken], new_p[taken], new_q[taken]
    return total


def _next(ratio: Array, left: float) -> float:
    """The next step, at most `left`, after which enough of the points are effective."""

    def effective(step: float) -> float:
        w = np.exp(step * (ratio - ratio.max()))
        return float(w.sum() ** 2 / (w @ w) / len(w))

    if effective(left) >= _EFFECTIVE:
        return left
    low, high = 0.0, left
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= _EFFECTIVE else (low, middle)
    return max(low, 1e-6)


@dataclass(frozen=True, eq=False)
class _Target:
    """The logarithm of prior times likelihood at points (m, nv), averaged over the scale of the noise."""

    problem: Problem
    prior: Prior
    carried: Array

    def log_prior(self, x: Array) -> Array:
        """The logarithm of the prior (m,): normal distributions, cut at the bounds."""
        program, prior = self.problem.program, self.prior
        low, high = ((edge - prior.middle) / prior.width for edge in (program.lower, program.upper))
        each = -0.5 * ((x - prior.middle) / prior.width) ** 2 - np.log(prior.width * np.sqrt(2 * np.pi))
        inside = ((x >= program.lower) & (x <= program.upper)).all(axis=1)
        return np.where(inside, (each - np.log(ndtr(high) - ndtr(low))).sum(axis=1), -np.inf)

    def __call__(self, x: Array) -> Array:
        work, out = self.problem.work, self.log_prior(x)
        inside = np.flatnonzero(np.isfinite(out))
        chi2 = np.empty(len(x))
        if inside.size:
            full = np.hstack([x[inside], np.tile(self.carried, (inside.size, 1))])
            model, observed, w = _seen(work, full, self.problem.data, self.problem.weights)
            chi2[inside] = ((observed - model) ** 2 @ w[0]) / work.per_point
        terms = -0.5 * chi2[inside, None] / _SCALES**2 - work.points * np.log(_SCALES)
        top = terms.max(axis=1)
        out[inside] += top + np.log(np.exp(terms - top[:, None]).mean(axis=1))
        return np.asarray(out)


def _seen(work: Work, x: Array, data: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Model (m, nr) without derivatives, data and weights (1, nr), restraints at the end."""
    values, _, known, _ = run_all(work.program, x)
    model = np.zeros((len(x), work.matrix.shape[-2]))
    for i, (rows, ks) in enumerate(work.spans):
        wave, _ = path_wave(work.tables, i, work.k[ks], values[:, i])
        model[:, rows] += work.projected(i, wave.imag[:, None])[:, 0]
    observed, w = work.observed(data, weights)
    return (np.hstack([model, known]) if work.program.restraints else model), observed, w


@dataclass(frozen=True, eq=False)
class _Guess:
    """The first guess: half the prior, half Laplace's approximation with wider tails; middle (nv,), root (nv, nv) of its covariance."""

    middle: Array
    root: Array
    scale: Array

    @classmethod
    def of(cls, problem: Problem, prior: Prior, x: Array) -> _Guess:
        """About the most probable point x (nv + nc,)."""
        nv = problem.program.n_varied
        chi2, _, information = chi_square(problem.work, problem.data, problem.weights, x)
        scale = max(1.0, np.sqrt(chi2 / problem.work.points))
        covar = np.linalg.inv(information / scale**2 + np.diag(1 / prior.width**2))
        return cls(x[:nv], _WIDER * np.linalg.cholesky(covar), np.sqrt(np.diag(covar)))

    def draw(self, rng: np.random.Generator, count: int, target: _Target) -> Array:
        """Random points (count, nv), half of them from Laplace's approximation, the others from the prior within its bounds."""
        nv, program, prior = len(self.middle), target.problem.program, target.prior
        half = count // 2
        tails = np.sqrt(_TAILS / rng.chisquare(_TAILS, size=(half, 1)))
        near = self.middle + (rng.normal(size=(half, nv)) * tails) @ self.root.T
        low, high = (ndtr((edge - prior.middle) / prior.width) for edge in (program.lower, program.upper))
        far = prior.middle + prior.width * ndtri(low + (high - low) * rng.random((count - half, nv)))
        return np.vstack([near, far])

    def __call__(self, x: Array, target: _Target) -> Array:
        """The logarithm of the density of the guess at points (m, nv)."""
        nv = len(self.middle)
        z2 = (np.linalg.solve(self.root, (x - self.middle).T) ** 2).sum(axis=0)
        near = (
            gammaln((_TAILS + nv) / 2) - gammaln(_TAILS / 2) - nv / 2 * np.log(_TAILS * np.pi)
            - np.log(np.diag(self.root)).sum() - (_TAILS + nv) / 2 * np.log1p(z2 / _TAILS)
        )  # fmt: skip
        return np.asarray(np.logaddexp(near, target.log_prior(x)) - np.log(2))
