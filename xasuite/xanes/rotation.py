"""The freedom of a bilinear model: C S = (C T)(T^-1 S) for every T that keeps closure and non-negativity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..records import Array

POINTS = 160  # number of energies at which spectra must not be negative
ITSELF = 0.5  # least share of itself that a component keeps under a rotation
SLACK = 0.005  # allowed negative values, as a share of the largest value (noise)


@dataclass(frozen=True)
class Match:
    """Correlation of each component with another program's, as found and after the closest allowed rotation.

    `order` says which of our components stands for each of theirs; `concentrations` (m, k) are the rotated
    ones in their order, `rms` and `rms_rotated` the root mean square differences of concentrations.
    """

    order: tuple[int, ...]
    correlations: tuple[float, ...]
    correlations_rotated: tuple[float, ...]
    rms: float
    rms_rotated: float
    concentrations: Array


def _square(free: Array, k: int) -> Array:
    """T (k, k) from its k (k - 1) free entries, each row summing to one so that closure holds."""
    t = free.reshape(k, k - 1)
    return np.hstack([t, 1 - t.sum(1, keepdims=True)])


def _constraint(c: Array, s: Array) -> Callable[[Array], Array]:
    k = len(s)
    thin = s[:, np.unique(np.linspace(0, s.shape[1] - 1, POINTS).astype(int))]
    low_c, low_s = SLACK * c.max(), SLACK * s.max()

    def allowed(free: Array) -> Array:
        t = _square(free, k)
        spectra = np.linalg.solve(t, thin).ravel()
        return np.concatenate([(c @ t).ravel() / c.max() + low_c, spectra / s.max() + low_s])

    return allowed


def _search(
    goal: Callable[[Array], float], c: Array, s: Array, first: Array, *, itself: bool = False
) -> Array:
    """The free entries of T that minimise the goal; with `itself` each component keeps at least half of itself."""
    from scipy.optimize import minimize

    allowed = _constraint(c, s)
    limits: list[Any] = [{"type": "ineq", "fun": allowed}]
    if itself:
        limits.append({"type": "ineq", "fun": lambda x: np.diag(_square(x, len(s))) - ITSELF})
    options: Any = {"maxiter": 150, "ftol": 1e-9}
    result: Any = minimize(goal, first, method="SLSQP", constraints=limits, options=options)
    good = result.success and allowed(result.x).min() > -1e-3
    return result.x if good else first


def _total(c: Array, k: int, j: int, sign: float, free: Array) -> float:
    return sign * float((c @ _square(free, k))[:, j].mean())


def bands(c: Array, s: Array) -> tuple[Array, Array]:
    """Lowest and highest concentrations (m, k) over rotations that take each component to its extremes.

    For every component the total concentration is made as small and as large as the constraints let it (after
    Tauler's MCR-BANDS, J. Chemom. 15 (2001) 627); the envelope of the 2 k solutions found is given, an inner
    bound of the true freedom.
    """
    k = len(s)
    start = np.eye(k)[:, :-1].ravel()
    found = [c]
    for j in range(k):
        for sign in (1.0, -1.0):
            free = _search(partial(_total, c, k, j, sign), c, s, start, itself=True)
            found.append(c @ _square(free, k))
    stack = np.array(found)
    return np.clip(stack.min(0), 0, None), stack.max(0)


def closest(c: Array, s: Array, other: Array) -> Match:
    """Match components to another program's, before and after the closest allowed rotation."""
    from scipy.optimize import linear_sum_assignment

    k = len(s)
    cross = np.corrcoef(c.T, other.T)[:k, k:]
    order = linear_sum_assignment(-cross.T)[1]
    mine, spectra = c[:, order], s[order]
    start = np.eye(k)[:, :-1].ravel()

    def distance(free: Array) -> float:
        return float(np.mean((mine @ _square(free, k) - other) ** 2))

    rotated = mine @ _square(_search(distance, mine, spectra, start), k)

    def correlations(x: Array) -> tuple[float, ...]:
        return tuple(float(np.corrcoef(x[:, j], other[:, j])[0, 1]) for j in range(k))

    return Match(
        tuple(int(i) for i in order),
        correlations(mine),
        correlations(rotated),
        float(np.sqrt(np.mean((mine - other) ** 2))),
        float(np.sqrt(np.mean((rotated - other) ** 2))),
        rotated,
    )
