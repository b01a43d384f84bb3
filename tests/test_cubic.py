"""Cubic splines against scipy's, whose values are the reference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from xasuite.cubic import interpolated, weights

ROUNDING = 1e-14  # of the largest weight


def _grid(n: int, uneven: bool) -> np.ndarray:
    rng = np.random.default_rng(n)
    return np.cumsum(10 ** rng.uniform(-3, 1, n) if uneven else rng.uniform(0.5, 2, n))


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("n", [4, 5, 6, 9, 40, 300])
def test_weights_are_the_splines_own(n: int, uneven: bool) -> None:
    """Each row of weights is the spline of one point's unit value, at the points, between them and at both ends."""
    x = _grid(n, uneven)
    at = np.r_[x, np.random.default_rng(1).uniform(x[0], x[-1], 50)]
    first, found = weights(x, at)
    room = found.shape[1]
    dense = np.zeros((at.size, n + 2 * room))
    np.put_along_axis(dense, (first + room)[:, None] + np.arange(room), found, axis=1)
    wanted = CubicSpline(x, np.eye(n), bc_type="not-a-knot")(at)
    largest = np.abs(wanted).max()
    np.testing.assert_allclose(dense[:, room : room + n], wanted, atol=ROUNDING * largest)
    assert not dense[:, :room].any(), "nothing before the points"
    assert not dense[:, room + n :].any(), "nothing after them"


@pytest.mark.parametrize("uneven", [False, True])
def test_values_are_scipys(uneven: bool) -> None:
    x = _grid(60, uneven)
    y = np.random.default_rng(2).normal(size=(60, 3))
    at = np.linspace(x[0], x[-1], 200)
    wanted = CubicSpline(x, y, bc_type="not-a-knot")(at)
    np.testing.assert_allclose(interpolated(x, y, at), wanted, atol=ROUNDING * np.abs(wanted).max())
