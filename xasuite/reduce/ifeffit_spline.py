"""The background of Ifeffit's `spline` command, which differs from Larch's autobk.

The differences (figures in docs/guide/coming_from.md): the spline is a function of energy with knots in equal steps of k and free
ends; data that are denser than the k grid are averaged; the taper of the window is not cut at k = 0; the clamps act on points of the
data, each with a weight of one percent of chi(R). Sources: Newville et al. 1993, Phys. Rev. B 47, 14126, and the published source of
Ifeffit 1.2.11, whose numbers are reproduced (tests/reduce/test_ifeffit_spline.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..constants import ETOK
from ..errors import ReductionError
from ..records import Array
from .autobk_matrices import KSTEP, NFFT, Settings, nearest
from .window import ft_window, window_name

ORDER = 4  # of the B-splines: cubic
_END = 1e-4  # eV between the knots at either end
_LEAST_KNOTS, _MOST_KNOTS = 5, 123
_BEYOND = 20  # k points transformed beyond the spline's end
_TAPER_EPS = 5e-7  # 1/A by which a taper is narrower than asked
_PASSES = 30


@dataclass(frozen=True, eq=False)
class IfeffitMatrices:
    """Ifeffit's spline on one grid with one E0, as matrices.

    `inside` (n,) are the points of the spline; `low_r` (2 nR, n) gives chi(R) below rbkg; `basis` (n, ns) the B-splines;
    `ends` the clamped points with `weights`; `to_k` (nk, n) puts a function of energy on `k` (nk,).
    """

    k: Array
    inside: NDArray[np.bool_]
    low_r: Array
    basis: Array
    ends: NDArray[np.intp]
    weights: Array
    to_k: Array


def remove_ifeffit(
    energy: Array, mu: Array, e0s: Array, scale: Array, settings: Settings
) -> tuple[Array, Array, Array]:
    """k (nk,), chi (m, nk) in units of mu / scale, and the background (m, n) of mu (m, n) with E0 and edge step (m,)."""
    bkg, chi, k = mu.copy(), np.empty(0), np.empty(0)
    for row, (e0, step) in enumerate(zip(e0s, scale, strict=True)):
        made = ifeffit_matrices(energy.tobytes(), float(e0), settings)
        if not chi.size:
            k, chi = made.k, np.empty((len(mu), made.k.size))
        bkg[row, made.inside] = _background(made, mu[row], float(step))[made.inside]
        chi[row] = made.to_k @ ((mu[row] - bkg[row]) / step)
    return k, chi, bkg


def _background(made: IfeffitMatrices, mu: Array, step: float) -> Array:
    """The spline (n,) with the smallest |chi(R)|^2 below rbkg and clamps; their strength grows in steps with the rest of chi(R)."""
    wanted, have = made.low_r @ np.where(made.inside, mu, 0.0) / step, made.low_r @ made.basis / step
    ends, rows = made.basis[made.ends] * made.weights[:, None] / step, mu[made.ends] * made.weights / step
    strength = 1
    for _ in range(_PASSES):
        system = np.vstack([have, strength * ends])
        a = np.linalg.lstsq(system, np.concatenate([wanted, strength * rows]), rcond=None)[0]
        left = float(((wanted - have @ a) ** 2).sum())
        found = 1 + int(100 * left) // len(wanted)
        if found == strength:
            break
        strength = found
    spline: Array = made.basis @ a
    return spline


@lru_cache(maxsize=64)
def ifeffit_matrices(energy_bytes: bytes, e0: float, settings: Settings) -> IfeffitMatrices:
    """The matrices of one grid and E0. Raises ReductionError for too few points, DataError for an unknown window."""
    assert settings.k is not None
    energy = np.frombuffer(energy_bytes)
    first = nearest(energy, e0 + settings.k[0] ** 2 / ETOK)
    last = nearest(energy, e0 + settings.k[1] ** 2 / ETOK)
    low = max(e0, float(energy[first]))
    high = max(low, float(energy[last]))
    kmin, kmax = float(np.sqrt(ETOK * (low - e0))), float(np.sqrt(ETOK * (high - e0)))
    n_knots = max(_LEAST_KNOTS, min(_MOST_KNOTS, 2 * int(settings.rbkg * (kmax - kmin) / np.pi) + 1))
    inside = (energy >= low) & (energy <= high)
    if np.count_nonzero(inside) < 2 * n_knots:
        raise ReductionError(
            f"the scan has too few points above E0 {e0:g} eV for a spline of {n_knots} knots; lower rbkg"
        )
    basis = _basis(energy, _knots(energy, e0, low, kmin, kmax, n_knots), n_knots)
    basis[~inside] = 0.0
    signed = np.sign(energy - e0) * np.sqrt(ETOK * np.abs(energy - e0))
    k = KSTEP * np.arange(int(kmax / KSTEP) + _BEYOND, dtype=float)
    n_r = int(0.01 + settings.rbkg * KSTEP * NFFT / np.pi) + 1
    phase = np.exp(-2j * np.pi / NFFT * np.outer(np.arange(n_r), np.arange(k.size)))
    taper = k**settings.kweight * _window(k, kmin, kmax, settings)
    transform = KSTEP / np.sqrt(np.pi) * (phase * taper) @ gridded(signed, k.size)
    above = np.flatnonzero(energy >= e0)
    kout = KSTEP * np.arange(int(1.01 + settings.k[1] / KSTEP), dtype=float)
    to_k = np.zeros((kout.size, energy.size))
    to_k[:, above] = gridded(signed[above], kout.size)
    n = settings.nclamp
    first, last = nearest(energy, low), nearest(energy, high)
    return IfeffitMatrices(
        k=kout,
        inside=inside,
        low_r=np.vstack([transform.real, transform.imag]),
        basis=basis,
        ends=np.r_[first : first + n, last - n + 1 : last + 1].astype(np.intp),
        weights=np.repeat(np.asarray(settings.clamp, float), n) / max(n, 1),
        to_k=to_k,
    )


def _knots(energy: Array, e0: float, low: float, kmin: float, kmax: float, n_knots: int) -> Array:
    """The knots in eV, in equal steps of k; at both ends four knots nearly coincide."""
    low_e = float(energy[nearest(energy, e0 + kmin**2 / ETOK)])
    high_e = float(energy[nearest(energy, e0 + kmax**2 / ETOK)]) + 1.0
    start, stop = np.sqrt(ETOK * max(low_e - e0, 0.0)), np.sqrt(ETOK * (high_e - e0))
    start = 0.0 if e0 < low_e else start
    steps = np.arange(1, n_knots - ORDER + 1) * (stop - start) / (n_knots - ORDER + 1)
    ends = _END * np.arange(1, ORDER + 1)
    return np.concatenate([low_e + ends - 3 * _END, low_e + steps**2 / ETOK, high_e + ends])


def _basis(energy: Array, knots: Array, n_knots: int) -> Array:
    """The B-splines (n, ns), each on its own knots only: near the ends their sum is less than one, as in Ifeffit."""
    from scipy.interpolate import BSpline

    more = np.arange(1, ORDER)
    padded = np.concatenate([knots[0] - more[::-1], knots, knots[-1] + more])
    unit = np.eye(n_knots + 2 * (ORDER - 1))[:, ORDER - 1 : ORDER - 1 + n_knots]
    return np.nan_to_num(BSpline(padded, unit, ORDER - 1, extrapolate=False)(energy))


def _window(k: Array, low: float, high: float, settings: Settings) -> Array:
    """Ifeffit's window: the tapers end exactly where they are set, also between points of k and below k = 0."""
    half, kind = settings.dk / 2, window_name(settings.window)[:3]
    if half == 0:
        return ((k >= low) & (k <= high)).astype(float)
    if kind not in ("han", "par", "wel"):
        grid = KSTEP * np.arange(-400, k.size + 400)  # far beyond the tapers
        return ft_window(
            grid - grid[0], (low - grid[0], high - grid[0]), dx=settings.dk, kind=settings.window
        )[400 : 400 + k.size]
    shape = {
        "han": lambda t: np.sin(np.pi / 2 * t) ** 2,
        "par": lambda t: t,
        "wel": lambda t: 1 - (1 - t) ** 2,
    }[kind]
    rise = np.clip((k - low + half) / (2 * half + _TAPER_EPS), 0.0, 1.0)
    fall = np.clip((high + half - k) / (2 * half + _TAPER_EPS), 0.0, 1.0)
    return np.asarray(shape(rise) * shape(fall))


def gridded(x: Array, count: int) -> Array:
    """The matrix (count, n) that brings a function of x (n,) to the grid 0, 0.05, ...

    Where a step of the grid holds two or more points it takes their mean, else the mean of the two parabolas through the three nearest
    points on either side.
    """
    out, upper = np.zeros((count, x.size)), -2
    for i in range(count):
        at = KSTEP * i
        lower = upper + 1 if upper >= -1 else _below(x, at - KSTEP / 2)
        upper = _below(x, at + KSTEP * (0.5 - 1e-9))
        if upper > lower:
            out[i, lower : upper + 1] = 1 / (upper - lower + 1)
        else:
            _parabolas(out[i], x, at)
    return out


def _below(x: Array, value: float) -> int:
    return int(np.clip(np.searchsorted(x, value, side="right") - 1, 0, x.size - 2))


def _parabolas(row: Array, x: Array, at: float) -> None:
    """Fill a row with the weights of an interpolation at `at`; it is linear near the ends of x."""
    p = _below(x, at)
    if not 3 <= p - 1 <= x.size - 7:
        t = (at - x[p]) / (x[p + 1] - x[p])
        row[p : p + 2] += 1 - t, t
        return
    b, i, j, a = x[p - 1 : p + 3]
    span = a - b
    above = np.array([(at - j) * (at - a) / ((i - j) * (i - a)), (at - i) * (at - a) / ((j - i) * (j - a)),
                      (at - i) * (at - j) / ((a - i) * (a - j))])  # fmt: skip
    below = np.array([(at - j) * (at - b) / ((i - j) * (i - b)), (at - i) * (at - b) / ((j - i) * (j - b)),
                      (at - i) * (at - j) / ((b - i) * (b - j))])  # fmt: skip
    row[[p, p + 1, p + 2]] += above * (at - b) / span
    row[[p, p + 1, p - 1]] -= below * (at - a) / span
