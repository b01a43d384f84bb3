"""Fourier transforms chi(k) -> chi(R) -> chi(q), in the convention of Ifeffit and Larch.

    chi(R) = (dk / sqrt(pi)) sum_j k_j^n W(k_j) chi(k_j) exp(2 i k_j R)^*

The sum is an FFT of `NFFT` points, so that R comes in steps of pi / (NFFT dk) = 0.0307 A for dk = 0.05 1/A.
Conventions, and where they differ from other programs: docs/decisions/fourier.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import overload

import numpy as np

from ..errors import DataError, RangeError
from ..records import Array, Chi, ComplexArray, Series, Transform, sealed
from ..records.source import after
from ..reduce.window import ft_window, window_name

NFFT = 2048
# Rows that are transformed back together: this limits the additional memory of a long series to about 70 MB.
_CHUNK = 4096
# Number of rows from which a matrix product is used instead of the FFT, and rows that are multiplied together.
_MANY, _ROWS = 16, 512
# Number of rows from which the matrix is factorised, and the smallest singular value that is kept, relative to the largest.
_VERY_MANY, _RANK = 2000, 1e-15
# The end of a range may exceed the last point by this part of a step (k grids have rounding errors).
_SLACK = 1e-3


def check_k(chi: Chi, k: tuple[float, float]) -> float:
    """The step of the k grid, after checks of the grid and of the range `k`.

    Raises DataError if the grid does not run from 0 in equal steps or a single chi is not finite,
    RangeError if `k` is empty or exceeds the data.
    """
    grid, name = chi.k, chi.label or str(chi.source) or "chi"
    if grid.ndim != 1 or grid.size < 4 or chi.chi.shape[-1] != grid.size:
        raise DataError(
            f"{name}: chi has shape {chi.chi.shape} and k {grid.shape}; the last axis of chi is k's"
        )
    step = float(grid[1] - grid[0])
    if step <= 0 or abs(grid[0]) > 1e-6 or np.abs(np.diff(grid) - step).max() > 1e-6:
        raise DataError(
            f"{name}: k must run from 0 in equal steps, it starts at {grid[0]:g} with a step of {step:g}; "
            "interpolate chi first"
        )
    if chi.chi.ndim == 1 and not np.isfinite(chi.chi).all():
        raise DataError(f"{name}: chi is not finite at k = {grid[~np.isfinite(chi.chi)][0]:g} 1/A")
    lower, upper = float(k[0]), float(k[1])
    if not 0 <= lower < upper:
        raise RangeError(
            f"{name}: the k range {lower:g} to {upper:g} 1/A is empty or below 0; give (lower, upper)"
        )
    if upper > grid[-1] + _SLACK * step:
        raise RangeError(
            f"{name}: kmax = {upper:g} 1/A lies beyond the data, which end at k = {grid[-1]:.6g} 1/A; lower kmax"
        )
    return step


def k_window(
    grid: Array, k: tuple[float, float], *, dk: float = 1.0, dk2: float | None = None, window: str = "hanning"
) -> Array:
    """The window (nk,) on a k grid from 0; a taper that exceeds the last point is cut there."""
    step = float(grid[1] - grid[0])
    top = max(float(grid[-1]), k[1] + (dk if dk2 is None else dk2))
    longer = step * np.arange(int(1.01 + top / step), dtype=float)
    return ft_window(longer, k, dx=dk, dx2=dk2, kind=window)[: grid.size]


def forward(
    chik: Array, kstep: float, *, nfft: int = NFFT, nr: int | None = None, window: Array | None = None
) -> ComplexArray:
    """chi(R) (..., nr) of weighted chi (..., nk) times the window (nk,), by the sum at the top of this module.

    Only the first `nr` points are kept (at most nfft // 2). Without a window, chi must already be windowed.
    """
    flat = chik.reshape(-1, chik.shape[-1])
    if window is None:
        window = np.where(flat.any(axis=0), 1.0, 0.0)
    out = _weighted(flat, kstep, nfft, nr, window)[1]
    return out.reshape(*chik.shape[:-1], out.shape[1])


def _weighted(
    flat: Array, kstep: float, nfft: int, nr: int | None, window: Array, weight: Array | None = None
) -> tuple[Array, ComplexArray]:
    """chi (m, nk) times `weight` (nk,), if given, and the transform of that by `forward`."""
    m, nr = len(flat), nfft // 2 if nr is None else min(nr, nfft // 2)
    out, chik = np.empty((m, nr), complex), flat if weight is None else np.empty_like(flat)
    used, scale = np.flatnonzero(window), kstep / np.sqrt(np.pi)
    first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
    # if only few points of the FFT are needed, a matrix product is faster
    product = m >= _MANY and nr <= nfft // 4
    if product:
        factors = _turns(first, last, nfft, nr, m >= _VERY_MANY)
        factors = (scale * window[first:last, None] * factors[0], *factors[1:])
    ones = np.ones(flat.shape[1])
    for i in range(0, m, _ROWS):
        rows = slice(i, i + _ROWS)
        if weight is not None:
            np.multiply(flat[rows], weight, out=chik[rows])
        if not product:
            out[rows] = np.fft.rfft(chik[rows] * (scale * window), nfft, axis=-1)[:, :nr]
            continue
        part = chik[rows, first:last]
        for factor in factors[:-1]:
            part = part @ factor
        np.matmul(part, factors[-1], out=out[rows].view(float))
        out[rows][~np.isfinite(chik[rows] @ ones)] = np.nan  # also where the window is 0
    return chik, out


@lru_cache(maxsize=8)
def _turns(first: int, last: int, nfft: int, nr: int, narrow: bool) -> tuple[Array, ...]:
    """Real and imaginary parts (nk, 2 nr), side by side, of exp(-2 pi i j l / nfft), for j from `first` to below `last`.

    With `narrow` it is given as two matrices whose product it is, to rounding: chi(R) up to rmax has no more than about
    2 dk rmax / pi independent values.
    """
    circle = np.exp(-2j * np.pi / nfft * np.arange(nfft))
    turns = circle[np.outer(np.arange(first, last), np.arange(nr)) % nfft].view(float)
    if not narrow or not turns.size:
        return (turns,)
    left, size, right = np.linalg.svd(turns, full_matrices=False)
    kept = size > _RANK * size[0]
    return np.ascontiguousarray(left[:, kept] * size[kept]), np.ascontiguousarray(right[kept])


def backward(chir: ComplexArray, kstep: float, *, nfft: int = NFFT, nk: int | None = None) -> ComplexArray:
    """Complex chi(q) (..., nk) of windowed chi(R) (..., nr); its real part is k^n chi(k), filtered."""
    nk = nfft // 2 if nk is None else min(nk, nfft // 2)
    flat = chir.reshape(-1, chir.shape[-1])
    out = np.empty((flat.shape[0], nk), complex)
    for i in range(0, flat.shape[0], _CHUNK):
        out[i : i + _CHUNK] = np.fft.ifft(flat[i : i + _CHUNK], nfft, axis=-1)[:, :nk]
    # chi(R) has only positive R: twice this half of the spectrum, times the inverse of the factor in `forward`
    out *= 2 * np.sqrt(np.pi) / kstep
    return out.reshape(*chir.shape[:-1], nk)


@overload
def fourier(chi: Chi, *, k: tuple[float, float] = ..., kweight: float = ..., window: str = ...,
            dk: float = ..., dk2: float | None = ..., rmax: float = ..., nfft: int = ...) -> Transform: ...  # fmt: skip
@overload
def fourier(chi: Series, *, k: tuple[float, float] = ..., kweight: float = ..., window: str = ...,
            dk: float = ..., dk2: float | None = ..., rmax: float = ..., nfft: int = ...) -> Series: ...  # fmt: skip
def fourier(
    chi: Chi | Series,
    *,
    k: tuple[float, float] = (3.0, 12.0),
    kweight: float = 2,
    window: str = "hanning",
    dk: float = 1.0,
    dk2: float | None = None,
    rmax: float = 10.0,
    nfft: int = NFFT,
) -> Transform | Series:
    """The Fourier transform chi(R) of chi(k).

    Parameters
    ----------
    chi : Chi or Series
        Chi with chi (..., nk) on k from 0 in equal steps, or a Series of it.
    k : tuple of float
        Range in 1/A: the middles of the tapers of the window.
    kweight : float
        Power of k by which chi is multiplied.
    window : str
        Kind of window: hanning, kaiser, parzen, welch, gaussian or sine.
    dk : float
        Width in 1/A of the taper at the lower end. For "kaiser" it is the parameter of the Bessel function, for
        "gaussian" the standard deviation.
    dk2 : float, optional
        Width in 1/A of the taper at the upper end; by default `dk`.
    rmax : float
        Largest R that is kept, A.
    nfft : int
        Number of points of the FFT; it sets the step in R, not the resolution.

    Returns
    -------
    Transform or Series
        Transform with chir (..., nr) in A^-(kweight + 1), or a Series of it. Rows with NaN give NaN.

    Raises
    ------
    RangeError
        `k` is empty or exceeds the data.
    DataError
        k does not run from 0 in equal steps, or chi has more points than the FFT.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> ft = xs.fourier(chi, k=(3, 14), kweight=2)
    >>> round(float(ft.r[np.argmax(ft.magnitude)]), 1)
    2.5
    """
    if isinstance(chi, Series):
        made = fourier(chi.data, k=k, kweight=kweight, window=window, dk=dk, dk2=dk2, rmax=rmax, nfft=nfft)
        return replace(chi, data=made)
    kstep = check_k(chi, k)
    if chi.k.size > nfft:
        raise DataError(f"{chi.label}: chi has {chi.k.size} points and the FFT {nfft}; raise nfft")
    if not rmax > 0:
        raise RangeError(f"rmax = {rmax:g} A leaves no R; give a positive one")
    win = k_window(chi.k, k, dk=dk, dk2=dk2, window=window)
    rstep, lead = np.pi / (kstep * nfft), chi.chi.shape[:-1]
    nr = int(min(nfft / 2, 1.01 + rmax / rstep))
    chik, chir = _weighted(chi.chi.reshape(-1, chi.k.size), kstep, nfft, nr, win, chi.k**kweight)
    settings = {
        "k": (float(k[0]), float(k[1])), "kweight": kweight, "window": window_name(window), "dk": dk,
        "dk2": dk if dk2 is None else dk2, "rmax": rmax, "nfft": nfft,
    }  # fmt: skip
    # the record takes what is read-only without a copy
    chir, chik = sealed(chir.reshape(*lead, nr)), sealed(chik.reshape(*lead, chi.k.size))
    axis, facts = rstep * np.arange(nr, dtype=float), after(chi, "fourier", settings)
    return Transform(r=axis, chir=chir, kweight=kweight, k=chi.k, window=win, chik=chik, **facts)


def r_window(
    transform: Transform, r: tuple[float, float], *, dr: float = 0.0, window: str = "hanning"
) -> Array:
    """The window (nr,) on the R axis of a transform. Raises RangeError if `r` is empty or exceeds that axis."""
    if not 0 <= r[0] < r[1]:
        raise RangeError(f"the R range {r[0]:g} to {r[1]:g} A is empty or below 0; give (lower, upper)")
    rstep = float(transform.r[1] - transform.r[0])
    if r[1] > transform.r[-1] + rstep:
        raise RangeError(
            f"{transform.label}: the R range ends at {r[1]:g} A, the transform at {transform.r[-1]:.4g} A; "
            "raise rmax of the forward transform"
        )
    longer = rstep * np.arange(_nfft(transform), dtype=float)
    return ft_window(longer, r, dx=dr, kind=window)[: transform.r.size]


def _nfft(transform: Transform) -> int:
    """The length of the FFT, from the two steps: dR dk = pi / nfft."""
    steps = (transform.r[1] - transform.r[0]) * (transform.k[1] - transform.k[0])
    return int(np.rint(np.pi / steps))


def filtered(
    transform: Transform, *, r: tuple[float, float], dr: float = 0.0, window: str = "hanning"
) -> ComplexArray:
    """Complex chi(q) (..., nk) on the k grid of the transform, from chi(R) within `r`.

    It is Larch's ``chiq``; its real part corresponds to the k-weighted, windowed chi(k). Raises RangeError.
    """
    kstep = float(transform.k[1] - transform.k[0])
    win = r_window(transform, r, dr=dr, window=window)
    return backward(transform.chir * win, kstep, nfft=_nfft(transform), nk=transform.k.size)


@overload
def back_fourier(
    transform: Transform, *, r: tuple[float, float], dr: float = ..., window: str = ...
) -> Chi: ...
@overload
def back_fourier(
    transform: Series, *, r: tuple[float, float], dr: float = ..., window: str = ...
) -> Series: ...
def back_fourier(
    transform: Transform | Series, *, r: tuple[float, float], dr: float = 0.0, window: str = "hanning"
) -> Chi | Series:
    """The Fourier-filtered chi(k): the part of chi(k) that comes from chi(R) within `r`.

    Parameters
    ----------
    transform : Transform or Series
        Transform, or a Series of it.
    r : tuple of float
        Range in A (not corrected for phase): the middles of the tapers of the window.
    dr : float
        Width of the tapers in A.
    window : str
        Kind of window, as for `fourier`.

    Returns
    -------
    Chi or Series
        Chi on the k grid of the transform. The k weight is divided out (chi(0) is 0), the window in k is not:
        `k**kweight * chi` is the real part of Larch's ``chiq``. `meta["kweight"]` is the weight. e0 and
        edge_step are NaN, because a Transform does not have them.

    Raises
    ------
    RangeError
        `r` is empty or exceeds rmax of the transform.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> filtered = xs.back_fourier(xs.fourier(chi), r=(1.5, 3.5))
    >>> filtered.chi.shape == filtered.k.shape
    True
    """
    if isinstance(transform, Series):
        return replace(transform, data=back_fourier(transform.data, r=r, dr=dr, window=window))
    weighted = filtered(transform, r=r, dr=dr, window=window).real
    k = transform.k
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = np.where(k > 0, weighted / k**transform.kweight, 0.0)
    unknown = np.full(chi.shape[:-1], np.nan)
    settings = {"r": (float(r[0]), float(r[1])), "dr": dr, "window": window_name(window)}
    facts = after(transform, "back_fourier", settings) | {"meta": {"kweight": transform.kweight}}
    return Chi(k=k, chi=chi, e0=unknown, edge_step=unknown, **facts)
