"""The budgets of all rows of a series from those of some rows (docs/decisions/error_budget_series.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from .record import MAD, Budget

# relative parts are relative to the value, but at least to this share of the largest value among the rows
_FLOOR = 0.1
# largest number of positions along a series at which the size of a common part is computed
_POSITIONS = 512
_LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class Carried:
    """The part of the budgets that all rows of a series share, for n keys, as piecewise linear functions along the series.

    knots (K,): positions of the corners of these functions. offset (K, n): difference of the estimate from the value of the stated fit.
    draws (K, nd, n): deviation of each draw. shifts, by part (K, ns, n): deviation by each cause. scale (n,): if it is positive, the
    functions of this key are relative to the value, or to `scale` if the value is smaller. noise (n,): standard error by noise over
    that of the stated fit, which is not scaled by the misfit. own (n,): further scatter of single rows through the choices, over the
    noise. missed: root mean square relative difference between predicted and own errors of rows that were left out.
    """

    keys: tuple[str, ...]
    knots: Array
    offset: Array
    draws: Array
    shifts: Mapping[str, Array]
    scale: Array
    noise: Array
    own: Array
    missed: float

    def moved(self, key: str, x: Array, stated: Array) -> Array:
        """The estimates (m,) of rows at positions x (m,), from the values of the stated fit (m,)."""
        i = self.keys.index(key)
        return np.asarray(stated + self._size(i, stated) * np.interp(x, self.knots, self.offset[:, i]))

    def own_error(self, key: str, fit_noise: Array) -> Array:
        """The independent standard error (m,) of each row, from the stated fit's error by noise (m,), not scaled by the misfit."""
        i = self.keys.index(key)
        return np.asarray(fit_noise * self.noise[i] * np.hypot(1.0, self.own[i]))

    def common_error(self, key: str, x: Array, stated: Array) -> Array:
        """The part of the standard errors that the rows (m,) share."""
        i = self.keys.index(key)
        at = np.unique(x) if len(x) <= _POSITIONS else np.linspace(x.min(), x.max(), _POSITIONS)
        lines = hats(at, self.knots)
        square = (MAD * np.median(np.abs(lines @ self.draws[:, :, i]), axis=1)) ** 2
        for shift in self.shifts.values():
            square += ((lines @ shift[:, :, i]) ** 2).sum(axis=1)
        return np.asarray(self._size(i, stated) * np.interp(x, at, np.sqrt(square)))

    def weighted(self, key: str, x: Array, stated: Array, fit_noise: Array, weights: Array) -> Budget:
        """The budget of a weighted sum of rows (m,): noise adds in quadrature, draws and shifts add linearly before their size is taken."""
        i = self.keys.index(key)
        value = float(weights @ self.moved(key, x, stated))
        own = self.own_error(key, fit_noise)
        by_size = weights * self._size(i, stated)
        # a matrix of all rows and corners would be large
        lines = np.array([by_size @ np.interp(x, self.knots, corner) for corner in np.eye(self.knots.size)])
        return Budget(
            keys=(key,),
            values=np.array([value]),
            draws=(value + lines @ self.draws[:, :, i])[:, None],
            noise=np.array([[float(weights**2 @ own**2)]]),
            shifts={part: (lines @ shift[:, :, i])[:, None] for part, shift in self.shifts.items()},
        )

    def _size(self, i: int, stated: Array) -> Array:
        return np.maximum(np.abs(stated), self.scale[i]) if self.scale[i] > 0 else np.ones_like(stated)


def hats(x: Array, knots: Array) -> Array:
    """The weights (m, K) of the corners of a piecewise linear function at positions x (m,)."""
    if knots.size == 1:
        return np.ones((len(x), 1))
    return np.stack([np.interp(x, knots, corner) for corner in np.eye(knots.size)], axis=1)


def carry(
    budgets: Sequence[Budget],
    keys: Sequence[str],
    x: Array,
    stated: Array,
    fit_noise: Array,
    relative: NDArray[np.bool_],
) -> Carried:
    """The common part of the budgets of M rows at positions x (M,), which were made with the same draws.

    Parameters
    ----------
    budgets : sequence of Budget
        One budget per row.
    keys : sequence of str
        The n keys that are needed.
    x : (M,)
        Positions of the rows along the series.
    stated, fit_noise : (M, n)
        Values of the stated fits, and their errors by noise, not scaled by the misfit; NaN where there is none.
    relative : (n,)
        Whether the parts of a key are proportional to its value (amplitudes).

    Returns
    -------
    Carried
        With the number of corners that predicts left-out rows best.
    """
    at = [budgets[0].keys.index(key) for key in keys]
    scale = np.where(relative, _FLOOR * np.abs(stated).max(axis=0), 0.0)
    size = np.where(scale > 0, np.maximum(np.abs(stated), scale), 1.0)
    noise = np.sqrt([np.diag(b.noise)[at] for b in budgets])
    total = np.array([[b.value(key).stderr for key in keys] for b in budgets])
    parts = tuple(budgets[0].shifts)
    counts = [1, len(budgets[0].draws), *(len(budgets[0].shifts[p]) for p in parts)]
    lines = np.stack([_lines(b, at, parts, s) for b, s in zip(budgets, stated, strict=True)]) / size[:, None]
    unit = np.nan_to_num(np.median(np.nan_to_num(total) / size, axis=0))
    shares = np.concatenate(
        [np.full(n, 1 / np.sqrt(n)) if i == 1 else np.ones(n) for i, n in enumerate(counts)]
    )
    knots, corners, left, alone = _broken(x, lines, shares[:, None] / np.where(unit > 0, unit, np.inf))
    where = np.cumsum(counts)[:-1]
    offset, draws, *shifts = np.split(corners, where, axis=1)
    spare = len(x) - knots.size
    scatter = (_spread(np.split(left, where, axis=1)[1]) ** 2).sum(axis=0) / max(spare, 1)
    mean_noise = (noise**2 / size**2).mean(axis=0)
    own = np.sqrt(scatter / np.maximum(mean_noise, _LEAST)) * (mean_noise > 0)
    known = np.nan_to_num(fit_noise)
    missed = _sizes(np.split(lines - alone, where, axis=1)) * size
    missed = np.sqrt(missed**2 + noise**2 * (1 + own**2))
    good = np.isfinite(total) & (total > 0)
    return Carried(
        keys=tuple(keys),
        knots=knots,
        offset=offset[:, 0],
        draws=draws,
        shifts=dict(zip(parts, shifts, strict=True)),
        scale=scale,
        noise=np.sqrt((noise**2).sum(axis=0) / np.maximum((known**2).sum(axis=0), _LEAST))
        * known.any(axis=0),
        own=own,
        missed=float(np.sqrt(np.mean((missed[good] / total[good] - 1) ** 2)))
        if spare and good.any()
        else np.nan,
    )


def _lines(b: Budget, at: Sequence[int], parts: Sequence[str], stated: Array) -> Array:
    """Offset, draws and shifts (1 + nd + ns, n) of one row's budget."""
    deviations = [(b.values[at] - stated)[None], b.draws[:, at] - b.values[at]]
    return np.concatenate([*deviations, *(b.shifts[p][:, at] for p in parts)])


def _spread(draws: Array) -> Array:
    """The size (m, n) of draws (m, nd, n) about zero."""
    return np.asarray(MAD * np.median(np.abs(draws), axis=1))


def _sizes(parts: Sequence[Array]) -> Array:
    """The common error (m, n), from offset, draws and shifts."""
    _, draws, *shifts = parts
    return np.asarray(np.sqrt(_spread(draws) ** 2 + sum((s**2).sum(axis=1) for s in shifts)))


def _broken(x: Array, lines: Array, weight: Array) -> tuple[Array, Array, Array, Array]:
    """Knots (K,), corners (K, f, n), residuals (M, f, n), and the residual of each row if it is left out (M, f, n).

    The functions are fitted by least squares. Of 1, 2, 3, 5, 9 ... corners, at most one for every two rows, the number with the
    smallest leave-one-out residuals, weighted by `weight` (f, n), is chosen.
    """
    best = None
    corners = 1 if len(x) < 4 else 2
    while best is None or corners <= (len(x) + 1) // 2:
        knots = np.linspace(x.min(), x.max(), corners) if corners > 1 else np.array([float(x.mean())])
        basis = hats(x, knots)
        inverse = np.linalg.pinv(basis)
        leverage = np.clip(np.einsum("mk,km->m", basis, inverse), 0.0, 1 - 1e-6)
        found = np.tensordot(inverse, lines, 1)
        left = lines - np.tensordot(basis, found, 1)
        alone = left / (1 - leverage)[:, None, None]
        loss = float(((alone * weight) ** 2).sum())
        if best is None or loss < best[0]:
            best = loss, knots, found, left, alone
        corners = corners + 1 if corners < 3 else 2 * corners - 1
    assert best is not None
    return best[1:]
