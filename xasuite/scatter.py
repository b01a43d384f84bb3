"""Noise of points from medians, which spikes and oscillations do not raise; the size of a jump and its error."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Standard deviation of normal noise over its median absolute deviation
MAD = 1.4826
_POINTS = 61  # about each point that give the local scatter
# Of `jump_at` and the edges of other elements: eV on either side, shifts of an edge (oxidation states, scales) and its width
# in eV, the coefficients of the curve that EXAFS and background are there
WITHIN, SHIFTS, WIDTH, CURVES = 60.0, (-6.0, -3.0, 0.0, 3.0, 6.0), 3.0, 4
HEAVIER = 3  # K edges of the next elements: what occurs with a metal, and what its scan reaches


def point_noise(values: Floats) -> Floats:
    """Standard deviation (...) of a point of values (..., n), from their third differences.

    These have 20 times (1 + 9 + 9 + 1) the variance of white noise, and of a parabola nothing. 0 for less than 4 points.
    """
    third = np.diff(values, 3, axis=-1)
    if not third.shape[-1]:
        return np.zeros(third.shape[:-1])
    return np.asarray(MAD * np.median(np.abs(third), axis=-1) / np.sqrt(20.0))


def local_scatter(values: Floats) -> Floats:
    """Standard deviation (..., n) of values (..., n) about zero, from the 61 about each."""
    from scipy.ndimage import median_filter

    size = (*[1] * (values.ndim - 1), min(_POINTS, 2 * values.shape[-1] - 1))
    local = median_filter(np.abs(values), size=size, mode="mirror")
    return np.asarray(np.maximum(MAD * local, np.finfo(float).tiny))


@lru_cache(maxsize=128)
def _cubic_and_jump(x_bytes: bytes, width: float) -> tuple[Floats, Floats]:
    """A cubic and a jump at points x (n,), as columns (n, CURVES + 1), and their pseudo-inverse: one for all scans of one grid."""
    x = np.frombuffer(x_bytes)
    basis = np.vstack([*np.vander(x / WITHIN, CURVES).T, 0.5 + np.arctan(x / width) / np.pi]).T
    return basis, np.linalg.pinv(basis)


@np.errstate(all="ignore")
def jump_at(x: Floats, values: Floats, width: float = WIDTH) -> tuple[float, float, float]:
    """The jump of values (n,) at x = 0 (eV) besides a cubic, its ratio to its standard error, and the rms residual."""
    basis, inverse = _cubic_and_jump(np.asarray(x, float).tobytes(), width)
    found = inverse @ values
    noise = float(np.sqrt(((values - basis @ found) ** 2).sum() / (x.size - CURVES - 1)))
    error = noise * float(np.sqrt((inverse[-1] ** 2).sum()))
    return float(found[-1]), float(found[-1]) / max(error, 1e-12), noise
