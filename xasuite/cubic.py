"""Cubic splines through points, in numpy alone: importing scipy.interpolate takes longer than a whole fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# points on each side that weigh in an interpolated value: 2**-60 is below rounding
_FAR = 60


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


def weights(x: Floats, at: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The spline of `interpolated` at points (m,) as sums over the values y (n,).

    A row of the inverse of the tridiagonal system is a product of ratios on both sides of its diagonal (Meurant, SIAM J. Matrix
    Anal. Appl. 13 (1992) 707). The ratios are below 1/2 as the diagonal dominates (0.27 on an even grid), so that products of more
    than 60 are below rounding and left out.

    Returns
    -------
    first : (m,)
        The point to which the first weight of each row belongs; it may lie before the first point or the last weight after the
        last, where weights are 0.
    weights : (m, 126)
    """
    h = np.diff(x)
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)
    right = (at - x[i]) / h[i]
    left, scale = 1 - right, h[i] ** 2 / 6
    # second derivatives at the inner points i - 1 to i + 2 that each row takes; those of the ends follow from their neighbours
    taken = np.zeros((at.size, 4))
    taken[:, 1], taken[:, 2] = scale * (left**3 - left), scale * (right**3 - right)
    begin, end = i == 0, i == x.size - 2
    taken[begin, 3] = -taken[begin, 1] * h[0] / h[1]
    taken[begin, 2] += taken[begin, 1] * (h[0] + h[1]) / h[1]
    taken[begin, 1] = 0.0
    taken[end, 0] = -taken[end, 2] * h[-1] / h[-2]
    taken[end, 1] += taken[end, 2] * (h[-1] + h[-2]) / h[-2]
    taken[end, 2] = 0.0
    upwards, size, downwards = (np.pad(v, _FAR + 4) for v in _ratios(*_system(h)))
    rows = np.zeros((at.size, 2 * _FAR + 4))
    steps = np.arange(_FAR)
    for j in range(4):
        row = (i - 2 + j + _FAR + 4)[:, None]
        rows[:, j + _FAR] += taken[:, j] * size[row[:, 0]]
        after = np.cumprod(upwards[row + steps], axis=1) * size[row + 1 + steps]
        before = np.cumprod(downwards[row - steps], axis=1) * size[row - 1 - steps]
        rows[:, j + _FAR + 1 : j + 2 * _FAR + 1] += taken[:, j, None] * after
        rows[:, j : j + _FAR] += taken[:, j, None] * before[:, ::-1]
    first = i - 2 - _FAR
    slope = np.pad(1 / h, _FAR + 4)[(first + _FAR + 4)[:, None] + np.arange(2 * _FAR + 5)]
    out = np.zeros((at.size, 2 * _FAR + 6))
    out[:, :-2] += 6 * rows * slope[:, :-1]
    out[:, 1:-1] -= 6 * rows * (slope[:, :-1] + slope[:, 1:])
    out[:, 2:] += 6 * rows * slope[:, 1:]
    out[:, _FAR + 2] += left
    out[:, _FAR + 3] += right
    return first, out


def _system(h: Floats) -> tuple[Floats, Floats, Floats]:
    """The tridiagonal system of the second derivatives at the inner points: below, on and above its diagonal."""
    lower, diagonal, upper = h[:-1].copy(), 2 * (h[:-1] + h[1:]), h[1:].copy()
    diagonal[0] += h[0] * (h[0] + h[1]) / h[1]
    upper[0] -= h[0] ** 2 / h[1]
    diagonal[-1] += h[-1] * (h[-1] + h[-2]) / h[-2]
    lower[-1] -= h[-1] ** 2 / h[-2]
    return lower, diagonal, upper


def _ratios(lower: Floats, diagonal: Floats, upper: Floats) -> tuple[Floats, Floats, Floats]:
    """Of the inverse: an element over the one below it (above the diagonal), the diagonal, and over the one above it (below)."""
    below, middle, above = lower.tolist(), diagonal.tolist(), upper.tolist()
    down, up = middle.copy(), middle.copy()
    for j in range(1, len(middle)):
        down[j] -= below[j] * above[j - 1] / down[j - 1]
    for j in range(len(middle) - 2, -1, -1):
        up[j] -= below[j + 1] * above[j] / up[j + 1]
    upwards, downwards = -upper / down, -lower / up
    upwards[-1] = downwards[0] = 0.0
    return upwards, 1 / (np.array(down) + up - diagonal), downwards


def _bends(x: Floats, y: Floats) -> Floats:
    """Second derivatives (n, ...) at the points."""
    h = np.diff(x)
    lower, diagonal, upper = _system(h)
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
