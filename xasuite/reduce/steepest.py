"""The steepest point of an edge as Larch's find_e0 chooses it, for many rows on one grid by linear algebra.

The derivative is used twice: first unsmoothed for a first guess, then smoothed by a Lorentzian in the neighbourhood of that guess.
The second step takes most of the time. It is linear in mu, so that all rows with the same first guess share one matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ReductionError
from ..records import Array

_CLOSE = 0.0005  # eV; smaller steps are raised to this
_LEAST = 14  # smallest number of points in a scan
# share of the range of the derivative above which a point with two such neighbours may be the edge; the second for up to _FEW points
_HIGH, _HIGH_OF_FEW, _FEW = 0.60, 0.30, 20
_ABOUT = 75  # points on each side of the first guess that are smoothed
_EARLY = 0.05  # a first guess within this share of the points is a glitch
_PAD = 5  # steps by which the smoothed axis extends beyond the data
_FINE = 50  # most points of the smoothed axis per point of the data


def steepest(energy: Array, mu: Array, what: str = "spectrum") -> NDArray[np.intp]:
    """Index (m,) of the maximum of the smoothed derivative of each row of mu (m, n) on energy (n,), ascending.

    Raises ReductionError for scans of too few points.
    """
    if energy.size < _LEAST:
        raise ReductionError(f"{what}: {energy.size} points are too few to find E0; give e0")
    first = _highest(_derivative(energy[:-1], mu[:, :-1]))
    out = np.empty(len(mu), np.intp)
    for guess in np.unique(first):
        rows = np.flatnonzero(first == guess)
        part, width = _about(energy, int(guess))
        near = energy[part][:-1]
        slopes = _derivative(near, mu[rows, part][:, :-1]) @ _smoothing(near, width).T
        at = _highest(slopes)
        out[rows] = part.start + np.where(at < 1, 2, at)
    return out


def _derivative(energy: Array, mu: Array) -> Array:
    return np.asarray(np.gradient(mu, axis=1) / np.maximum(np.gradient(energy), _CLOSE))


def _about(energy: Array, guess: int) -> tuple[slice, float]:
    """The points about a first guess that are smoothed, and the width in eV of the smoothing."""
    n, e1 = energy.size, float(energy[guess])
    start, stop = max(3, guess - _ABOUT), min(guess + _ABOUT, n - 3)
    if guess < _EARLY * n:
        e1, start, stop = float(energy.mean()), max(3, guess - 20), n - 3
    usual = _usual_step(energy[:-1])
    return slice(start, stop), 0.5 * (max(0.01, min(1.0, usual)) + max(0.01, min(1.0, e1 / 25000.0)))


def _usual_step(energy: Array) -> float:
    """The mean in eV of the ten smallest steps, without the smallest hundredth and the ends of the grid."""
    skip = int(0.01 * energy.size)
    if skip == 0:  # too few points: the largest width is used
        return np.inf
    steps = np.sort(np.diff(energy[:-1][skip:-skip]))
    return float(steps[skip : skip + 10].mean())


def _highest(slope: Array) -> NDArray[np.intp]:
    """Index (m,) of the highest derivative whose neighbours are high as well; 0 where there is none."""
    n = slope.shape[1]
    margin = max(3, int(n * 0.02))
    inner = slope[:, margin:-margin]
    low = inner.min(axis=1, keepdims=True)
    scaled = (slope - low) / np.maximum(1e-10, np.ptp(inner, axis=1, keepdims=True))
    least = np.full(len(slope), _HIGH if n > _FEW else _HIGH_OF_FEW)
    few = (scaled > least[:, None]).sum(axis=1) < 3
    for _ in range(2):
        few &= (scaled > least[:, None]).sum(axis=1) <= 3
        least[few] *= 0.5
    high = scaled > least[:, None]
    high[high.sum(axis=1) < 3] = True
    both = np.zeros_like(high)
    both[:, 1:-1] = high[:, 1:-1] & high[:, :-2] & high[:, 2:]
    both[:, :margin] = False
    both[:, n - margin + 1 :] = False
    return np.where(both.any(axis=1), np.argmax(np.where(both, scaled, -np.inf), axis=1), 0)


def _smoothing(energy: Array, width: float) -> Array:
    """The matrix (n, n) that smooths values on `energy` by a Lorentzian of half width `width` (eV), as Larch does.

    Values are interpolated linearly to even steps of `width`, mirrored at both ends, convolved with the Lorentzian, and interpolated
    linearly back.
    """
    low, high = (
        width * int((energy[0] - _PAD * width) / width),
        width * int((energy[-1] + _PAD * width) / width),
    )
    n = min(1 + int(abs(high - low + 0.1 * width) / width), _FINE * energy.size)
    even = np.linspace(low, high, n)
    at = np.clip(np.searchsorted(even, energy, side="right") - 1, 0, n - 2)
    part = ((energy - even[at]) / (even[at + 1] - even[at]))[:, None]
    folded = (1 - part) * _lorentzian(at, n) + part * _lorentzian(at + 1, n)
    left = np.clip(np.searchsorted(energy, even, side="right") - 1, 0, energy.size - 2)
    share = np.clip((even - energy[left]) / (energy[left + 1] - energy[left]), 0.0, 1.0)
    # each even point depends on the two energies around it; points between the same two energies are contiguous
    first, starts = np.unique(left, return_index=True)
    out = np.zeros((energy.size, energy.size))
    out[:, first] += np.add.reduceat(folded * (1 - share), starts, axis=1)
    out[:, first + 1] += np.add.reduceat(folded * share, starts, axis=1)
    return out


def _lorentzian(at: NDArray[np.intp], n: int) -> Array:
    """Rows `at` of the convolution matrix with a Lorentzian of half width 1 over n even points, mirrored at both ends."""
    weight = 1 / (1.0 + np.arange(-n, n, dtype=float) ** 2)
    weight /= weight.sum()
    j, v = at[:, None], np.arange(n)[None, :]
    out = weight[j - v + n]
    both = j + v
    lower = (v >= 1) & (both <= n - 1)
    out += np.where(lower, weight[np.where(lower, both, 0) + n], 0.0)
    upper = both >= n - 1
    return np.asarray(out + np.where(upper, weight[np.where(upper, both - n + 1, 0)], 0.0))
