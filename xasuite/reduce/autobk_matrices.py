"""AUTOBK on one energy grid with one E0, as matrices. They do not depend on mu: they are made once and kept.

Knots, window and ranges are chosen as Larch's autobk chooses them (docs/decisions/engine_reduction.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..choices import Background
from ..constants import ETOK
from ..cubic import interpolated, weights
from ..errors import ReductionError
from ..records import Array
from .window import ft_window

KSTEP, NFFT = 0.05, 2048
# Larch's clamp: its residual is weighted by 0.1 + 10 mean(out^2), out being chi(R) below rbkg
CLAMP_BASE, CLAMP_GAIN = 0.1, 10.0
_LEAST_KNOTS, _MOST_KNOTS = 5, 128
# passes of the clamp's fixed point, and the relative change that ends them
_PASSES, _SETTLED = 30, 1e-11
# k points interpolated together, and the weight below which a point does not count
_BLOCK, _NO_WEIGHT = 32, 1e-17


def at_or_below(energy: Array, value: float) -> int:
    """Index of the last point at or below a value; 0 where there is none."""
    return max(int(np.searchsorted(energy, value, side="right")) - 1, 0)


def nearest(energy: Array, value: float) -> int:
    """Index of the point nearest a value."""
    return int(np.argmin(np.abs(energy - value)))


@dataclass(frozen=True)
class Settings:
    """The settings of autobk, as `background` explains them; `k` is None until the data are known."""

    rbkg: float
    kweight: int
    k: tuple[float, float] | None
    dk: float
    window: str
    clamp: tuple[float, float]
    nclamp: int
    algorithm: Background = "autobk"


@dataclass(frozen=True, eq=False)
class SplineMatrices:
    """autobk on one grid with one E0: everything that does not depend on mu.

    `points` are the first point and the end of mu's points that the spline covers, np in number. `to_chi` interpolates them to k, in blocks (part
    of k, part of the points, weights between them). `low_r` (nk, 2 nR) gives chi(R) below rbkg from chi(k), `clamp_of` (nk, nc) the
    clamped points, and `seen` (np, 2 nR + nc) gives both directly from mu. The coefficients of the spline are rotated and scaled to
    coordinates y, in which chi(R) has orthonormal columns `inside` (2 nR, ns) and the clamp is diagonal: `stiff` (ns,) are its squared
    singular values, `clamp_rows` (nc, ns) the clamped points. `chi_of` (ns, nk) and `bkg_of` (ns, np) give chi(k) and the background of y.
    """

    k: Array
    points: tuple[int, int]
    to_chi: tuple[tuple[slice, slice, Array], ...]
    low_r: Array
    inside: Array
    stiff: Array
    clamp_rows: Array
    clamp_of: Array
    seen: Array
    chi_of: Array
    bkg_of: Array

    @cached_property
    def packed(self) -> tuple[Array, Array]:
        """`seen` (np, n + nc) and `inside` (n, ns) with n < 2 nR coordinates of chi(R), which has few independent values below rbkg.

        Directions below 3e-8 of the largest are left out: only their squares enter the strength of the clamp.
        """
        size2, axes = np.linalg.eigh(self.low_r.T @ self.low_r)
        kept = axes[:, size2 > 1e-15 * size2[-1]]
        n_r = len(kept)
        return np.hstack([self.seen[:, :n_r] @ kept, self.seen[:, n_r:]]), kept.T @ self.inside


def clamped(spline: SplineMatrices, a: Array, ends: Array, outside: Array, n: int) -> Array:
    """Spline coordinates y (m, ns) at the minimum of |chi(R)|^2 + s^2 |ends|^2, with s = 0.1 + 10 mean(out^2).

    Where the gradient is zero, (1 + lam D) y = a + lam b with lam = s^2 / (1 + 20 s |ends|^2 / n): one unknown
    per row. It is found by iteration, or by a search along lam where the iteration does not converge (strong clamps).
    """
    # the clamp acts on no more coordinates than there are clamped points; rows come last, so that numpy's loops are long
    moving = spline.stiff > 0
    free, stiff, rows = a.T[moving], spline.stiff[moving, None], spline.clamp_rows[:, moving]
    ends = np.ascontiguousarray(ends.T)
    b = rows.T @ ends

    def at(lam: Array) -> tuple[Array, Array, Array]:
        y = (free + lam * b) / (1 + lam * stiff)
        out2 = outside + np.square(free - y).sum(axis=0)
        clamp2 = np.square(ends - rows @ y).sum(axis=0)
        s = CLAMP_BASE + CLAMP_GAIN * out2 / n
        return y, s**2 / (1 + 2 * CLAMP_GAIN * s * clamp2 / n), out2 + s**2 * clamp2

    lam = np.full(len(a), CLAMP_BASE**2)
    for _ in range(_PASSES):
        _, new, _ = at(lam)
        change = np.abs(new - lam)
        lam = new
        if (change <= _SETTLED * lam).all():
            break
    restless = change > 1e-6 * lam
    if restless.any():
        lam[restless] = _searched(at, lam)[restless]
    y = a.copy()
    y[:, moving] = at(lam)[0].T
    return y


def _searched(at: Callable[[Array], tuple[Array, Array, Array]], lam: Array) -> Array:
    """The lam with the lowest objective: from a grid, then by golden-section search."""
    grid = np.geomspace(1e-6, 1e6, 241)
    values = np.stack([at(np.full_like(lam, g))[2] for g in grid])
    best = np.clip(values.argmin(axis=0), 1, len(grid) - 2)
    low, high = np.log(grid[best - 1]), np.log(grid[best + 1])
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        x1, x2 = high - golden * (high - low), low + golden * (high - low)
        down = at(np.exp(x1))[2] < at(np.exp(x2))[2]
        high, low = np.where(down, x2, high), np.where(down, low, x1)
    return np.exp((low + high) / 2)


@lru_cache(maxsize=64)
def spline_matrices(energy_bytes: bytes, e0: float, settings: Settings) -> SplineMatrices:
    """The matrices of one grid and E0. Knots, window and ranges are chosen as Larch's autobk chooses them."""
    assert settings.k is not None
    (kmin, kmax), nclamp = settings.k, settings.nclamp
    energy = np.frombuffer(energy_bytes)
    first = at_or_below(energy, e0)
    above = energy[first:] - e0
    kraw = np.sign(above) * np.sqrt(ETOK * np.abs(above))
    kmax = max(0.0, min(float(kraw[-1]), kmax))
    kout = KSTEP * np.arange(int(1.01 + kmax / KSTEP), dtype=float)
    last = min(energy.size, 2 + at_or_below(energy, e0 + kmax * kmax / ETOK)) - 1
    rstep = np.pi / (KSTEP * NFFT)
    rbkg = max(settings.rbkg, 2 * rstep)
    n_knots = 1 + int(2 * rbkg * (kmax - kmin) / np.pi)
    n_r = int(1 + (n_knots - 1) * np.pi / (2 * rstep * (kmax - kmin)))
    n_knots = max(_LEAST_KNOTS, min(_MOST_KNOTS, n_knots))
    places = np.array([kraw[nearest(kraw, q)] for q in np.linspace(kmin, kmax, n_knots)])
    if (np.diff(places) <= 0).any():
        raise ReductionError(
            f"the scan has too few points above E0 {e0:g} eV for a spline of {n_knots} knots; lower rbkg"
        )
    inside = kraw[: last - first + 1]
    # the splines that are 1 at one knot and 0 at the others span the same space as Larch's B-splines
    basis = interpolated(places, np.eye(n_knots), inside)
    to_chi = _to_k(inside.tobytes(), kout.size)
    taper = kout**settings.kweight * ft_window(kout, (kmin, kmax), dx=settings.dk, kind=settings.window)
    phase = np.exp(-2j * np.pi / NFFT * np.outer(np.arange(n_r), np.arange(kout.size)))
    transform = KSTEP / np.sqrt(np.pi) * phase * taper
    low_r = np.vstack([transform.real, transform.imag])
    chi_of = np.concatenate([weight.T @ basis[near] for _, near, weight in to_chi])
    left, size, right = np.linalg.svd(low_r @ chi_of, full_matrices=False)
    turn = right.T / size
    weight = np.repeat(np.abs(settings.clamp), nclamp)
    at = np.r_[np.arange(nclamp), np.arange(kout.size - nclamp, kout.size)].astype(np.intp)
    at, weight = at[weight > 0], weight[weight > 0]
    clamp_of = weight * np.eye(kout.size)[:, at]
    ends = clamp_of.T @ chi_of @ turn
    _, stiff, axes = np.linalg.svd(np.vstack([ends, np.zeros((n_knots, n_knots))]), full_matrices=False)
    turn = turn @ axes.T
    return SplineMatrices(
        k=kout,
        points=(first, last + 1),
        to_chi=to_chi,
        low_r=np.ascontiguousarray(low_r.T),
        seen=_from_mu(to_chi, inside.size, np.hstack([low_r.T, clamp_of])),
        inside=left @ axes.T,
        stiff=stiff**2,
        clamp_rows=clamp_of.T @ chi_of @ turn,
        clamp_of=clamp_of,
        chi_of=np.ascontiguousarray((chi_of @ turn).T),
        bkg_of=np.ascontiguousarray((basis @ turn).T),
    )


def _from_mu(to_chi: tuple[tuple[slice, slice, Array], ...], n: int, taken: Array) -> Array:
    """The product of chi(k) with the matrix `taken` (nk, j), as a matrix (n, j) that acts on the `n` points of mu."""
    out = np.zeros((n, taken.shape[1]))
    for k_part, points, weight in to_chi:
        out[points] += weight @ taken[k_part]
    return out


@lru_cache(maxsize=4)
def _to_k(inside: bytes, size: int) -> tuple[tuple[slice, slice, Array], ...]:
    """The interpolation of points to k in steps of `KSTEP`: blocks of rows, transposed, each with the points that it needs.

    It does not depend on rbkg, window or clamp.
    """
    points = np.frombuffer(inside)
    first, weight = weights(points, KSTEP * np.arange(size, dtype=float))
    out, wide = [], weight.shape[1]
    for i in range(0, size, _BLOCK):
        rows = slice(i, min(i + _BLOCK, size))
        begin, end = first[rows].min(), first[rows].max() + wide
        block = np.zeros((rows.stop - i, end - begin))
        np.put_along_axis(block, (first[rows] - begin)[:, None] + np.arange(wide), weight[rows], axis=1)
        seen = begin + np.flatnonzero(np.abs(block).max(axis=0) > _NO_WEIGHT)
        near = slice(int(seen[0]), int(seen[-1]) + 1)
        out.append((rows, near, np.ascontiguousarray(block[:, near.start - begin : near.stop - begin].T)))
    return tuple(out)
