"""Real spherical harmonics, and the angular part of the free propagator between two sites.

Order within an angular momentum: m = -l ... l, so that p is (y, z, x). The integrals of three real
harmonics (Gaunt) are summed over m'' at once by the addition theorem, on a Gauss-Legendre times uniform
grid that integrates them exactly.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..records import Array


def angular_momenta(lmax: int) -> NDArray[np.int_]:
    """The l of each harmonic, shape ((lmax + 1)^2,)."""
    return np.repeat(np.arange(lmax + 1), 2 * np.arange(lmax + 1) + 1)


def real_harmonics(directions: Array, lmax: int) -> Array:
    """Real orthonormal Y_L of unit vectors (..., 3), shape (..., (lmax + 1)^2); no Condon-Shortley sign."""
    from scipy.special import sph_harm_y

    x, y, z = np.moveaxis(np.asarray(directions, float), -1, 0)
    theta, phi = np.arccos(np.clip(z, -1, 1)), np.arctan2(y, x)
    out = np.empty((*theta.shape, (lmax + 1) ** 2))
    for l in range(lmax + 1):  # noqa: E741
        centre = l * l + l
        out[..., centre] = sph_harm_y(l, 0, theta, phi).real
        for m in range(1, l + 1):
            value = np.sqrt(2) * (-1) ** m * sph_harm_y(l, m, theta, phi)
            out[..., centre + m] = value.real
            out[..., centre - m] = value.imag
    return out


def allowed(lmax: int, l2: int) -> NDArray[np.bool_]:
    """Where the integral of three harmonics may differ from zero, shape ((lmax + 1)^2, (lmax + 1)^2)."""
    l = angular_momenta(lmax)  # noqa: E741
    total, gap = l[:, None] + l, np.abs(l[:, None] - l)
    return ((total + l2) % 2 == 0) & (l2 <= total) & (l2 >= gap)


@lru_cache(maxsize=8)
def _sphere(degree: int) -> tuple[Array, Array]:
    """Directions (n, 3) and weights (n,) exact for polynomials up to `degree` on the unit sphere."""
    z, wz = np.polynomial.legendre.leggauss(degree // 2 + 1)
    phi = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    s = np.sqrt(1 - z**2)
    points = np.stack(
        np.broadcast_arrays(s[:, None] * np.cos(phi), s[:, None] * np.sin(phi), z[:, None]), axis=-1
    )
    return points.reshape(-1, 3), np.repeat(wz * 2 * np.pi / (degree + 1), phi.size)


def angular_tensor(directions: Array, lmax: int, rows: slice = slice(None)) -> Array:
    """A[p, l'', L, L'] = 4 pi sum_m'' C_LL'L'' Y_L''(R_p), C the integrals of three real harmonics.

    Parameters
    ----------
    directions
        unit vectors (n, 3) from the second site to the first
    lmax
        largest angular momentum of L and L'
    rows
        harmonics L that are wanted, all by default

    Returns
    -------
    Array (n, 2 lmax + 1, rows, (lmax + 1)^2); exactly zero unless l + l' + l'' is even and the
    three can form a triangle (rounding there would meet Hankel functions of 1e20).
    """
    nodes, weights = _sphere(4 * lmax)
    y = real_harmonics(nodes, lmax)
    first, second = y[:, rows, None], y[:, None, :] * weights[:, None, None]
    shape = (first.shape[1], second.shape[2])
    products = (first * second).reshape(len(nodes), -1)
    cosine = np.clip(np.asarray(directions, float) @ nodes.T, -1, 1)
    out = np.empty((len(cosine), 2 * lmax + 1, *shape))
    before, now = np.zeros_like(cosine), np.ones_like(cosine)
    for l2 in range(2 * lmax + 1):
        out[:, l2] = ((2 * l2 + 1) * (now @ products)).reshape(-1, *shape) * allowed(lmax, l2)[rows]
        before, now = now, ((2 * l2 + 1) * cosine * now - l2 * before) / (l2 + 1)
    return out


def hankel(z: NDArray[np.complex128], lmax: int) -> NDArray[np.complex128]:
    """Outgoing spherical Hankel functions h_0 ... h_lmax of z (...,), shape (lmax + 1, ...).

    Upward recurrence, which is stable for the growing solution.
    """
    z = np.asarray(z, complex)
    out = np.empty((lmax + 1, *z.shape), complex)
    wave = np.exp(1j * z) / z
    out[0] = -1j * wave
    if lmax:
        out[1] = -wave * (1 + 1j / z)
    for n in range(1, lmax):
        out[n + 1] = (2 * n + 1) / z * out[n] - out[n - 1]
    return out
