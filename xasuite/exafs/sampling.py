"""The posterior of the parameters of one fit, including noise and the analyst's choices, sampled with emcee.

The choices are the draws of the error budget (background, ranges, k weight, dk), all with the same probability. Within a draw
the likelihood is exp(-chi-square / 2) with the estimated noise, times the prior of exafs.evidence and the bounds. In k and q
space chi-square is not in units of the noise; there its curvature is adjusted to the covariance by noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FitError, XasuiteError
from ..records import Array
from .budget.draws import Draw
from .budget.fits import Ready
from .budget.spectra import Spectra
from .budget.stack import Foil, ready
from .engine.minimise import settled
from .engine.spread import everything
from .evidence import Prior, chi_square, prior_of

WALKERS_A_DIMENSION = 4
# share of the steps at the beginning that is discarded
BURN = 0.25
# a chain shorter than this many autocorrelation times does not determine the widths
LONG_ENOUGH = 50
_BLOCK = 50
_SEED = 7


@dataclass(frozen=True, eq=False)
class Target:
    """One draw: its problem, its minimum x (nv,), the scale (nv, nv) of its errors, the inherited values `carried` (nc,).

    `counted` (nv, nv) is the scale from the curvature of chi-square. In R space the two scales are equal. In k and q space chi-square
    is evaluated at a point as many scales `counted` from the minimum as the parameters are scales `scale` from it (M. Ribatet,
    D. Cooley, A. C. Davison, Statistica Sinica 22, 813 (2012): curvature adjustment).
    """

    problem: Ready
    x: Array
    scale: Array
    counted: Array
    offset: float
    carried: Array


@dataclass(frozen=True, eq=False)
class Space:
    """The coordinates that are sampled: the number of the draw, then each varied and each inherited parameter in standard deviations.

    In these coordinates the posterior of every draw is nearly a standard normal distribution, so that walkers can change the draw.
    """

    targets: tuple[Target, ...]
    prior: Prior
    errors: Array

    @property
    def size(self) -> int:
        """The number of dimensions: the draw, the varied and the inherited parameters."""
        return 1 + self.prior.middle.size + self.errors.size

    def point(self, u: Array) -> tuple[Target, Array] | None:
        """The draw and the parameters (nv + nc,) at coordinates u; None outside the draws or the bounds."""
        if not 0 <= u[0] < len(self.targets):
            return None
        nv = self.prior.middle.size
        target = self.targets[int(u[0])]
        x = target.x + target.scale @ u[1 : 1 + nv]
        program = target.problem.work.program
        if (x < program.lower).any() or (x > program.upper).any():
            return None
        return target, np.concatenate([x, target.carried + self.errors * u[1 + nv :]])

    def log_probability(self, u: Array) -> float:
        """The logarithm of the posterior at coordinates u (size,), up to a constant."""
        found = self.point(u)
        if found is None:
            return -math.inf
        target, x = found
        nv = self.prior.middle.size
        x[:nv] = target.x + target.counted @ u[1 : 1 + nv]
        chi2, inherited = _chi2(target.problem, self.prior, x)[0], u[1 + nv :]
        value = -0.5 * chi2 + target.offset - 0.5 * float(inherited @ inherited)
        return value if math.isfinite(value) else -math.inf

    def values(self, chain: Array) -> tuple[tuple[str, ...], Array]:
        """Names and values (n, n keys) of all parameters and path quantities along a chain (n, size)."""
        names: tuple[str, ...] = ()
        out = []
        for u in chain:
            found = self.point(u)
            if found is None:
                raise FitError(
                    "the chain holds a point outside of its bounds; delete its file and sample again"
                )
            target, x = found
            problem, nv = target.problem, self.prior.middle.size
            params, paths = everything(problem.work.program, problem.model, x[None, :nv], x[None, nv:])
            both = params | paths
            names = tuple(both)
            out.append([float(value[0]) for value, _ in both.values()])
        return names, np.array(out)


def _chi2(problem: Ready, prior: Prior, x: Array) -> tuple[float, Array, Array]:
    """chi-square including the prior at x (nv + nc,), half its negative gradient, its information matrix."""
    nv = prior.middle.size
    chi2, pull, information = chi_square(problem.work, problem.data, problem.weights, x)
    off = (x[:nv] - prior.middle) / prior.width
    return chi2 + float(off @ off), pull - off / prior.width, information + np.diag(1 / prior.width**2)


def space(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil]) -> Space:
    """The space in which a posterior is sampled. Raises FitError if fewer than half of the draws end at a minimum."""
    prior: Prior | None = None
    targets = []
    errors: Array = np.zeros(0)
    for problem in ready(spectra, draws, held):
        program = problem.work.program
        prior = prior or prior_of(program)
        solution = problem.solution()
        if not settled(solution)[0]:
            continue
        nv = program.n_varied
        carried = program.start[nv : len(program.names)]
        errors = np.array([held[n].error for n in program.names[nv:]])
        x = np.concatenate([solution.x[0], carried])
        chi2, pull, information = _chi2(problem, prior, x)
        covar = np.linalg.inv(information)
        # a Newton step from the minimum of chi-square to that including the prior, and the offset that gives all draws equal weight
        middle = np.clip(solution.x[0] + covar @ pull, program.lower, program.upper)
        offset = 0.5 * (chi2 - float(pull @ covar @ pull))
        counted = scale = np.linalg.cholesky(covar)
        if problem.seen is not None:
            unscaled = np.asarray(covar[None] / problem.work.per_point)
            scale = np.linalg.cholesky(problem.noise(solution.x[:1], unscaled, carried[None])[0])
        targets.append(Target(problem, middle, scale, counted, offset, carried))
    if prior is None or len(targets) < len(draws) / 2:
        raise FitError("most draws end at no minimum: the posterior cannot be sampled about them")
    return Space(tuple(targets), prior, errors)


def sample(
    where: Space, file: Path, key: str, *, steps: int, progress: Callable[[str, int, int], object]
) -> tuple[Array, Array]:
    """Sample until the chain in `file` has `steps` steps; a chain with the same key is continued.

    Parameters
    ----------
    where : Space
        The space that is sampled.
    file : Path
        HDF5 file of the chain; it is written after every block of steps, so that a stopped run can be continued.
    key : str
        Identifies the problem; a file with another key is replaced.
    steps : int
        Number of steps of the whole chain.
    progress : callable
        Called with a word, the number of steps done, and the number of all steps.

    Returns
    -------
    chain : ndarray (n, size)
        All walkers after the burn-in.
    tau : ndarray (size,)
        Autocorrelation times in steps.

    Raises
    ------
    XasuiteError
        emcee is not installed.
    """
    try:
        import emcee
    except ImportError:
        raise XasuiteError(
            "xasuite posterior needs the package emcee: pip install 'xasuite[posterior]'"
        ) from None
    import h5py

    if file.exists():
        with h5py.File(file, "r") as held:
            same = held.attrs.get("key") == key
        if not same:
            file.unlink()
    walkers = max(32, 2 * (WALKERS_A_DIMENSION * where.size // 2))
    backend = emcee.backends.HDFBackend(str(file))
    if not file.exists():
        backend.reset(walkers, where.size)
        with h5py.File(file, "a") as held:
            held.attrs["key"] = key
    # stretch moves, and moves along differences of walkers, which work better in narrow regions
    moves = [(emcee.moves.StretchMove(), 0.5), (emcee.moves.DEMove(), 0.5)]
    sampler = emcee.EnsembleSampler(walkers, where.size, where.log_probability, backend=backend, moves=moves)
    done = int(backend.iteration)
    state: Any = None
    if not done:
        state = emcee.State(_start(where, walkers), random_state=np.random.RandomState(_SEED).get_state())
    while done < steps:
        progress("sampling", done, steps)
        state = sampler.run_mcmc(state, min(_BLOCK, steps - done))
        done = int(backend.iteration)
    burn = int(BURN * done)
    return backend.get_chain(discard=burn, flat=True), backend.get_autocorr_time(discard=burn, tol=0)


def _start(where: Space, walkers: int) -> Array:
    """Walkers spread over the draws, each within a fraction of a standard error of a draw's minimum."""
    rng = np.random.default_rng(_SEED)
    out: list[Array] = []
    while len(out) < walkers:
        for size in (0.5, 0.1, 0.01):
            u = np.concatenate([[len(where.targets) * rng.random()], size * rng.normal(size=where.size - 1)])
            if math.isfinite(where.log_probability(u)):
                out.append(u)
                break
    return np.array(out)
