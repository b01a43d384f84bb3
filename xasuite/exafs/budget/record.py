"""Error budgets: the parts of the errors of a fit, and of combinations of several fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...records import Array
from ..result import Value

PARTS = ("noise", "choices", "shells", "foil", "theory")
EDGE_STEP = "edge step"
# the part of the budget to which a cause of shifts belongs, if it has another name
_PART_OF = {
    "cumulant": "choices",
    EDGE_STEP: "choices",
    "over-absorption": "choices",
    "dead time": "choices",
    "potentials": "theory",
    "energy scale": "theory",
}
# causes that spectra of different beamlines do not share
BEAMLINE = (EDGE_STEP, "over-absorption", "dead time", "energy scale")
# standard deviation of a normal distribution over its median absolute deviation
MAD = 1.4826
# deviations are limited to this many robust standard deviations for correlations
_CUT = 3.0
# parts below this share of the largest are rounding errors and left out
_NOTHING = 1e-4


@dataclass(frozen=True, eq=False)
class Budget:
    """The error budget of one row, for n keys: parameters ("n_o") and path quantities ("Co-O.n").

    values (n,): the estimate, the median of the draws. draws (nd, n): the values of each draw, with farther shells subtracted. noise
    (n, n): covariance by noise of the data. shifts, by cause (ns, n): each row is the shift of all values by one standard error of a
    cause, which other fits may share.
    """

    keys: tuple[str, ...]
    values: Array
    draws: Array
    noise: Array
    shifts: Mapping[str, Array] = field(default_factory=dict)

    def value(self, key: str) -> Value:
        """The estimate of one key with the parts of its error."""
        return combined([self], [1.0], [key])

    def covariance(self, keys: Sequence[str]) -> Array:
        """The covariance (len(keys), len(keys)) of several keys, all parts together."""
        at = [self.keys.index(k) for k in keys]
        total = self.noise[np.ix_(at, at)].copy()
        off = self.draws[:, at] - self.values[at]
        size = MAD * np.median(np.abs(off), axis=0)
        unit = np.clip(off / np.where(size > 0, size, 1.0), -_CUT, _CUT)
        norm = np.sqrt(np.maximum((unit**2).sum(axis=0), 1e-300))
        total += np.outer(size, size) * (unit.T @ unit) / np.outer(norm, norm)
        for shift in self.shifts.values():
            total += shift[:, at].T @ shift[:, at]
        return total


def combined(budgets: Sequence[Budget], weights: Sequence[float], keys: Sequence[str]) -> Value:
    """The weighted sum of one key of each of several fits, with the parts of its error.

    Errors that the fits share can cancel: draws and shifts are added before their size is taken; noise is independent.
    A difference has the weights 1 and -1, the slope of a trend those of its regression.
    """
    at = [b.keys.index(k) for b, k in zip(budgets, keys, strict=True)]
    each = list(zip(budgets, weights, at, strict=True))
    value = sum(w * float(b.values[i]) for b, w, i in each)
    noise = sum(w**2 * float(b.noise[i, i]) for b, w, i in each)
    off = sum(w * (b.draws[:, i] - b.values[i]) for b, w, i in each)
    parts = {"noise": float(np.sqrt(noise)), "choices": float(MAD * np.median(np.abs(off)))}
    for cause in dict.fromkeys(name for b in budgets for name in b.shifts):
        part = _PART_OF.get(cause, cause)
        own = [w * b.shifts[cause][:, i] for b, w, i in each if cause in b.shifts]
        # fits of different models have different shifts, which do not cancel one by one
        shift = sum(own) if len({x.size for x in own}) == 1 else np.concatenate(own)
        parts[part] = float(np.hypot(parts.get(part, 0.0), np.sqrt(np.sum(np.square(shift)))))
    least = _NOTHING * max(parts.values())
    return Value.of(value, {p: parts[p] for p in PARTS if parts.get(p, 0.0) > least})


def difference(budget: Budget, first: str, last: str) -> Value:
    """The key `last` minus the key `first` of the same fit, such as one of several data sets; exactly zero for the same parameter."""
    i, j = budget.keys.index(first), budget.keys.index(last)
    noise = budget.noise
    apart = Budget(
        keys=("",),
        values=budget.values[[j]] - budget.values[[i]],
        draws=budget.draws[:, [j]] - budget.draws[:, [i]],
        noise=np.maximum(noise[[[j]], j] + noise[[[i]], i] - 2 * noise[[[i]], j], 0.0),
        shifts={cause: s[:, [j]] - s[:, [i]] for cause, s in budget.shifts.items()},
    )
    return apart.value("")


def joined(budgets: Sequence[Budget], keys: Sequence[str], own: Sequence[str] = BEAMLINE) -> Budget:
    """One key of each of several fits of the same model, as the keys "0", "1", ... of one budget.

    Noise and the causes named in `own` are independent between the fits; draws and all other causes are shared. Its covariance
    is used to compare values from several beamlines.
    """
    at = [b.keys.index(k) for b, k in zip(budgets, keys, strict=True)]
    each = list(zip(budgets, at, strict=True))
    shifts = {}
    for cause in budgets[0].shifts:
        columns = np.stack([b.shifts[cause][:, i] for b, i in each], axis=1)
        shifts[cause] = np.concatenate([np.diag(row) for row in columns]) if cause in own else columns
    return Budget(
        keys=tuple(str(n) for n in range(len(budgets))),
        values=np.array([b.values[i] for b, i in each]),
        draws=np.stack([b.draws[:, i] for b, i in each], axis=1),
        noise=np.diag([b.noise[i, i] for b, i in each]),
        shifts=shifts,
    )
