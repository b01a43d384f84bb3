"""Cubic splines through points, in numpy alone: importing scipy.interpolate takes longer than a whole fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def coefficients(x: Floats, y: Floats) -> Floats:
    """The interpolating cubic spline without knots at the second and the last but one point (not-a-knot).

    The second derivatives solve the usual tridiagonal system (de Boor 1978, A Practical Guide to Splines, chapter IV).

    Parameters
    ----------
    x : (n,)
        Strictly ascending, four points or more.
    y : (n, ...)
        Values at the points; each trailing column has a spline of its own.

    Returns
    -------
    (n - 1, 4, ...) : the cubic of each interval as powers 0 to 3 of the distance from its lower end.

    Examples
    --------
    >>> x = np.arange(5.0)
    >>> np.allclose(coefficients(x, x**3)[1], [1, 3, 3, 1])
    True
    """
    h = np.diff(x).reshape(-1, *[1] * (y.ndim - 1))
    bend = _bends(x, y)
    linear = np.diff(y, axis=0) / h - h * (2 * bend[:-1] + bend[1:]) / 6
    return np.stack([y[:-1], linear, bend[:-1] / 2, np.diff(bend, axis=0) / (6 * h)], axis=1)


def interpolated(x: Floats, y: Floats, at: ArrayLike) -> Floats:
    """The spline of `coefficients` at points (m,): values (m, ...). Beyond the ends the outermost cubics go on."""
    at = np.asarray(at, float)
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)
    wide = np.diff(x)[i]
    right = (at - x[i]) / wide
    wide, right = (v.reshape(-1, *[1] * (y.ndim - 1)) for v in (wide, right))
    left, bend = 1 - right, _bends(x, y)
    curved = (left**3 - left) * bend[i] + (right**3 - right) * bend[i + 1]
    return np.asarray(left * y[i] + right * y[i + 1] + wide**2 / 6 * curved)


def _bends(x: Floats, y: Floats) -> Floats:
    """Second derivatives (n, ...) at the points."""
    h = np.diff(x)
    lower, diagonal, upper = h[:-1].copy(), 2 * (h[:-1] + h[1:]), h[1:].copy()
    diagonal[0] += h[0] * (h[0] + h[1]) / h[1]
    upper[0] -= h[0] ** 2 / h[1]
    diagonal[-1] += h[-1] * (h[-1] + h[-2]) / h[-2]
    lower[-1] -= h[-1] ** 2 / h[-2]
    bend = np.empty_like(y)
    bend[1:-1] = 6 * np.diff(np.diff(y, axis=0) / h.reshape(-1, *[1] * (y.ndim - 1)), axis=0)
    inner = bend[1:-1]
    for i in range(1, len(inner)):
        part = lower[i] / diagonal[i - 1]
        diagonal[i] -= part * upper[i - 1]
        inner[i] -= part * inner[i - 1]
    inner[-1] /= diagonal[-1]
    for i in range(len(inner) - 2, -1, -1):
        inner[i] = (inner[i] - upper[i] * inner[i + 1]) / diagonal[i]
    bend[0] = ((h[0] + h[1]) * bend[1] - h[0] * bend[2]) / h[1]
    bend[-1] = ((h[-1] + h[-2]) * bend[-2] - h[-1] * bend[-3]) / h[-2]
    return bend
