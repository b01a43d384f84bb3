"""The EXAFS equation for paths of FEFF, with its derivatives. All fits and simulations use it.

FEFF's tables (amplitude, phase, real part of p, mean free path) are interpolated by cubic splines with not-a-knot ends, as in Larch;
outside the table the outermost cubic is continued.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..constants import ETOK
from ..cubic import coefficients
from ..errors import FitError
from ..feff.paths import FeffPath
from ..records import Array, ComplexArray

# the quantities on which chi of a path depends, in the order of all arrays of them; the first is n times s02
VALUES = ("amplitude", "e0", "deltar", "sigma2", "third", "fourth", "ei", "dphase")
N_VALUES = len(VALUES)
# smaller values of |k^2 - e0| are raised to this, because q is in a denominator
SMALL_ENERGY = 1e-6
COLUMNS = ("amp", "pha", "rep", "lam")
# largest width in 1/A of the cells by which the cubic at q is found; FEFF's steps are 0.05 or more
CELL = 0.05


AnyArray = TypeVar("AnyArray", Array, ComplexArray)


@dataclass(frozen=True, eq=False)
class PathTables:
    """Cubics of all paths: `coef` (np, npiece, 4 columns, 4 powers) about `left` (np, npiece).

    The order of columns is `COLUMNS`; `left` is padded with inf. q lies in cell number q / `width` (np,), which contains at most one
    knot; `cell` (np, ncell) is the number of the cubic at the lower end of each cell. `reff` (np,) is in A.
    """

    coef: Array
    left: Array
    cell: NDArray[np.int64]
    width: Array
    reff: Array


def build_tables(paths: Sequence[FeffPath]) -> PathTables:
    """Tables of several paths, padded to the same number of pieces."""
    pieces = [_cubics(path) for path in paths]
    most = max(len(left) for left, _ in pieces) + 1
    left = np.full((len(pieces), most), np.inf)
    coef = np.zeros((len(pieces), most, len(COLUMNS), 4))
    # slightly below the smallest step, so that with rounding no cell contains two knots
    width = np.array([min(CELL, 0.999 * float(np.diff(x).min())) for x, _ in pieces])
    cells = max(int(np.ceil(x[-1] / w)) for (x, _), w in zip(pieces, width, strict=True)) + 2
    cell = np.zeros((len(pieces), cells), np.int64)
    for i, (x, c) in enumerate(pieces):
        left[i, : len(x)], coef[i, : len(x)] = x, c
        cell[i] = np.clip(np.searchsorted(x, width[i] * np.arange(cells), side="right") - 1, 0, len(x) - 1)
    return PathTables(coef, left, cell, width, np.array([p.reff for p in paths]))


@lru_cache(maxsize=4096)
def _cubics(path: FeffPath) -> tuple[Array, Array]:
    """Left ends (npiece,) and coefficients (npiece, 4 columns, 4 powers) of one path's splines."""
    columns = np.stack([getattr(path, c) for c in COLUMNS], axis=1)
    coef = coefficients(path.k, columns).swapaxes(1, 2)
    # without a knot there, the first two and the last two intervals are one cubic each
    joined = [1, path.k.size - 2]
    return np.delete(path.k[:-1], joined), np.delete(coef, joined, axis=0)


def lookup(tables: PathTables, path: int, q: Array) -> tuple[Array, Array]:
    """Values of the four columns and their derivatives by q, each (4, ...), at q of any shape."""
    left = tables.left[path]
    at = np.clip(np.searchsorted(left[np.isfinite(left)], q, side="right") - 1, 0, None)
    x = q - left[at]
    # one contiguous array per power: numpy is three times slower for arrays with a stride
    powers = np.ascontiguousarray(tables.coef[path].transpose(2, 1, 0))
    c0, c1, c2, c3 = powers.reshape(16, -1).take(at, axis=1).reshape(4, 4, *q.shape)
    return c0 + x * (c1 + x * (c2 + x * c3)), c1 + x * (2 * c2 + 3 * x * c3)


def path_wave(
    tables: PathTables, path: int, k: Array, values: Array, uses: Iterable[bool] = ()
) -> tuple[ComplexArray, list[Array]]:
    """Complex chi (m, nk) of one path, and the derivatives (m, nk) of its imaginary part.

    With q^2 = k^2 - e0 ETOK, complex p^2 = (rep + i / lam)^2 + i ei ETOK (FEFF's columns at q) and R = reff,

    chi = n s02 amp / (q (R + d)^2) exp(-2 R Im p - 2 p^2 (s2 - p^2 c4 / 3) + i (2 q R + pha + f + 2 p (d - 2 s2 / R - 2 p^2 c3 / 3)))

    with f = dphase, as in FEFF, Ifeffit and Larch (Newville 2001, J. Synchrotron Rad. 8, 322).

    Parameters
    ----------
    tables, path : the tables of several paths, and the number of the path.
    k : (nk,) in 1/A, without 0.
    values : (m, 8) in the order of `VALUES`: n s02; e0 in eV; deltar, sigma2, third, fourth in A, A^2, A^3, A^4; ei in eV;
        dphase in rad.
    uses : for each of the values, whether its derivative is needed; by default none is.

    Returns
    -------
    chi, and a list of the derivatives by the values in `uses`, in their order.
    """
    a, e0, d, s2, c3, c4, ei, phase = (values[:, j, None] for j in range(N_VALUES))
    r = tables.reff[path]
    # if all rows have the same e0 the tables are looked up once
    energy = k**2 - (e0[:1] if (e0 == e0[0]).all() else e0) * ETOK
    energy = np.where(np.abs(energy) < SMALL_ENERGY, SMALL_ENERGY, energy)
    q = np.sign(energy) * np.sqrt(np.abs(energy))
    (amp, pha, u, lam), (amp1, pha1, u1, lam1) = lookup(tables, path, q)
    # p = u + iv and its derivative by q; in real numbers, because numpy is several times slower for complex ones
    v, v1 = 1 / lam, -lam1 / lam**2
    if ei.any():
        before = u + 1j * v
        p = np.sqrt(before * before + 1j * ETOK * ei)
        p1 = (u1 + 1j * v1) * before / p
        u, v, u1, v1 = p.real, p.imag, p1.real, p1.imag
    x, y = u * u - v * v, 2 * u * v  # p^2
    shift = d - 2 * s2 / r
    # of s2 - p^2 c4 / 3 and of d - 2 s2 / R - 2 p^2 c3 / 3
    damp, damp_i = s2 - x * (c4 / 3), -y * (c4 / 3)
    far, far_i = shift - x * (2 / 3 * c3), -y * (2 / 3 * c3)
    fall = -2 * (r * v + x * damp - y * damp_i + u * far_i + v * far)
    turn = 2 * (r * q - x * damp_i - y * damp + u * far - v * far_i) + pha + phase
    unit = np.exp(fall) / (q * (r + d) ** 2)
    cos, sin = unit * np.cos(turn), unit * np.sin(turn)
    z, z_i = amp * cos, amp * sin
    slopes: list[Array] = []
    for j in np.flatnonzero([*uses]):
        # the derivative is z f; its imaginary part is needed
        if j == 0:
            slopes.append(z_i)
            continue
        if j in (1, 6):
            # derivative of the exponent by p, without R Im p: -4 p (s2 - 2 p^2 c4 / 3) + 2i (d - 2 s2 / R - 2 p^2 c3)
            damp, damp_i = s2 - x * (2 / 3 * c4), -y * (2 / 3 * c4)
            far, far_i = shift - x * (2 * c3), -y * (2 * c3)
            by, by_i = -4 * (u * damp - v * damp_i) - 2 * far_i, -4 * (u * damp_i + v * damp) + 2 * far
            s, s_i = (u1, v1) if j == 1 else (0.5 * ETOK * w / (u * u + v * v) for w in (v, u))
            f, f_i = by * s - by_i * s_i - 2 * r * s_i, by * s_i + by_i * s
        elif j == 2:
            f, f_i = -2 * v - 2 / (r + d), 2 * u
        elif j == 3:
            f, f_i = -2 * x + 4 / r * v, -2 * y - 4 / r * u
        elif j == 4:
            f, f_i = 4 / 3 * (x * v + y * u), -4 / 3 * (x * u - y * v)
        elif j == 5:
            f, f_i = 2 / 3 * (x * x - y * y), 4 / 3 * x * y
        else:
            f, f_i = np.zeros(1), np.ones(1)
        slope = z * f_i + z_i * f
        if j == 1:  # the derivatives of amplitude, 1 / q and phase by q are added; q decreases with e0
            slope = (slope + sin * (amp1 - amp / q) + z * (2 * r + pha1)) * (-ETOK / (2 * np.abs(q)))
        slopes.append(a * slope)
    return a * (z + 1j * z_i), slopes


def path_chi(
    feff: FeffPath,
    k: ArrayLike,
    n: ArrayLike = 1.0,
    s02: ArrayLike = 1.0,
    e0: ArrayLike = 0.0,
    deltar: ArrayLike = 0.0,
    sigma2: ArrayLike = 0.0,
    third: ArrayLike = 0.0,
    fourth: ArrayLike = 0.0,
    ei: ArrayLike = 0.0,
    dphase: ArrayLike = 0.0,
) -> ComplexArray:
    """chi(k), complex, of one path (the equation of `path_wave`); its imaginary part is the EXAFS.

    Parameters
    ----------
    feff : FeffPath
        The path; `n` is used instead of its degeneracy.
    k : (nk,)
        In 1/A; 0 is allowed only as the first of at least three points, and chi there is extrapolated.
    n, s02, e0, deltar, sigma2, third, fourth, ei, dphase : float or (...)
        n and s02 without unit; e0 in eV; deltar in A; sigma2, third, fourth in A^2, A^3, A^4; ei in eV; dphase in rad.

    Returns
    -------
    complex array (..., nk)

    Raises
    ------
    FitError
        R + deltar is not positive.
    """
    k = np.asarray(k, float)
    amplitude = np.asarray(n, float) * np.asarray(s02, float)
    each = (amplitude, e0, deltar, sigma2, third, fourth, ei, dphase)
    values = np.stack(np.broadcast_arrays(*(np.asarray(v, float) for v in each)), -1)
    if not np.all(feff.reff + values[..., 2] > 0):
        least = values[..., 2].min()
        raise FitError(f"path {feff.index}: deltar {least:g} A puts the atom behind the absorber")
    wave, _ = path_wave(build_tables([feff]), 0, k, values.reshape(-1, N_VALUES))
    return at_zero(k, wave).reshape(*values.shape[:-1], k.size)


def at_zero(k: Array, chi: AnyArray) -> AnyArray:
    """chi (..., nk) with its value at k = 0 extrapolated linearly from the next two points, as in Larch."""
    if k.size > 2 and k[0] == 0:
        chi[..., 0] = 2 * chi[..., 1] - chi[..., 2]
    return chi
