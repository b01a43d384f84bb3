"""The wavelet transform of a stack of spectra, by one short FFT and one small matrix product per R.

    W(k, R) = N(R) (1 / P) sum_j filter(omega_j / 2R) F(omega_j) exp(i omega_j k),   omega_j = 2 pi j / P

This is an inverse FFT, if the period P is so long that nothing wraps around. A single FFT would need one P for all R,
long enough for the smallest R, and would compute frequencies at which the filter is zero. Here each R has the
shortest period that its wavelet allows, and only the frequencies within the band of its filter: 15 to 60 instead of
4096. Both sums agree within about 1e-10 of the largest value (tests compare with an FFT and with Larch).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...records import Array, ComplexArray
from .cauchy import Cauchy
from .kernel import SCALINGS
from .morlet import Morlet

Kernel = Cauchy | Morlet
# Longest period in points, the same as in Larch: below R = 0.3 A the wavelet is longer than the period and wraps around,
# here as in Larch. No result is taken from there.
LONGEST = 4096
# Periods come from a list in which each is longer than the previous one by at least this factor, so that rows share FFTs.
_SPARSE = 1.06
# If the waves of a bank need more bytes than this they are not kept but computed for each chunk; 40 MB is usual.
_KEPT = 2**27


@dataclass(frozen=True, eq=False)
class Row:
    """One R: length of its FFT, numbers j (nj,) of its frequencies, and the filter at these (nj,)."""

    points: int
    j: NDArray[np.int_]
    weights: Array

    def waves(self, nk: int) -> ComplexArray:
        """exp(i omega_j k), shape (nj, nk)."""
        return _roots(self.points)[np.outer(self.j, np.arange(nk)) % self.points]

    def band(self, spectrum: ComplexArray) -> ComplexArray:
        """The filtered frequencies (m, nj), from the half spectrum (m, points / 2 + 1) of a real signal."""
        if self.j[0] >= 0:
            return np.multiply(spectrum[:, self.j[0] : self.j[-1] + 1], self.weights)
        part = spectrum[:, np.abs(self.j)]
        return np.multiply(np.where(self.j < 0, np.conj(part), part), self.weights)


@dataclass(frozen=True, eq=False)
class Bank:
    """The rows of all R, for chi with `nk` points; `waves` are their waves, or None if they need too much memory."""

    rows: tuple[Row, ...]
    nk: int
    waves: tuple[ComplexArray, ...] | None

    def __call__(self, chik: Array) -> ComplexArray:
        """W (m, nr, nk) of weighted, windowed chi (m, nk).

        It is a view of an array in the order (nr, m, nk), because each R is computed for all m.
        """
        out = np.empty((len(self.rows), chik.shape[0], self.nk), complex)
        points, spectrum = 0, np.empty(0, complex)
        for i, row in enumerate(self.rows):
            if row.points != points:
                points, spectrum = row.points, np.fft.rfft(chik, row.points, axis=-1)
            waves = row.waves(self.nk) if self.waves is None else self.waves[i]
            np.matmul(row.band(spectrum), waves, out=out[i])
        return out.transpose(1, 0, 2)


def scales(kernel: Kernel, scaling: str, r: Array) -> Array:
    """N(R) (nr,) of a named normalisation, docs/decisions/wavelet.md. Raises DataError for another name."""
    if scaling == "amplitude":
        return np.full(r.shape, 2.0)
    if scaling == "larch":
        return np.full(r.shape, kernel.larch_factor())
    if scaling == "energy":
        away = np.where(r > 0, r, 1.0)
        return np.where(r > 0, np.sqrt(1 / (kernel.admissibility() * away)), 0.0)
    raise DataError(f"no scaling {scaling!r}; choose one of {', '.join(SCALINGS)}")


def build(kernel: Kernel, kstep: float, nk: int, r: Array, scaling: str) -> Bank:
    """The bank for a k grid from 0 with `nk` points and the given R; the last four are kept."""
    return _build(kernel, kstep, nk, r.tobytes(), scaling)


@lru_cache(maxsize=4)
def _build(kernel: Kernel, kstep: float, nk: int, r_bytes: bytes, scaling: str) -> Bank:
    r = np.frombuffer(r_bytes)
    low, high = kernel.band()
    reach = kernel.reach()
    rows = []
    for scale, at in zip(scales(kernel, scaling, r), r, strict=True):
        points = _points(float(at), reach, kstep, nk)
        spacing = 2 * math.pi / (points * kstep)
        nyquist = (points - 1) // 2
        first = max(math.ceil(low * 2 * at / spacing), -nyquist)
        last = max(min(math.floor(high * 2 * at / spacing), nyquist), first)
        j = np.arange(first, last + 1)
        # F = dk sum f exp(-i omega k), and the inverse has 1 / (points dk)
        weights = scale / points * kernel.filter(j * spacing / (2 * at)) if at > 0 else np.zeros(j.size)
        rows.append(Row(points, j, weights))
    fits = sum(row.j.size for row in rows) * nk * 16 <= _KEPT
    return Bank(tuple(rows), nk, tuple(row.waves(nk) for row in rows) if fits else None)


@lru_cache(maxsize=64)
def _roots(points: int) -> ComplexArray:
    """The roots of unity (points,), of which every wave of that period consists."""
    return np.asarray(np.exp(2j * np.pi / points * np.arange(points)))


def _points(r: float, reach: float, kstep: float, nk: int) -> int:
    """The period of one R in points: the length of the data plus the reach of the wavelet, at most LONGEST."""
    needed = LONGEST if r <= 0 else max(nk, min(LONGEST, nk + math.ceil(reach / (2 * r * kstep))))
    if needed >= LONGEST:
        return max(LONGEST, nk)
    return next(p for p in _periods() if p >= needed)


@lru_cache(maxsize=1)
def _periods() -> tuple[int, ...]:
    """Even products of 2, 3 and 5 up to LONGEST, for which FFTs are fast, in steps of at least 6 %."""
    powers = (2**a * 3**b * 5**c for a in range(1, 13) for b in range(8) for c in range(6))
    kept = [LONGEST]
    for p in sorted((p for p in powers if p < LONGEST), reverse=True):
        if p * _SPARSE <= kept[-1]:
            kept.append(p)
    return tuple(reversed(kept))
