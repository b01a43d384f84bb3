"""Fourier and wavelet transforms of chi(k)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .base import Array, ComplexArray, Record, axes
from .source import Source, Step


@dataclass(frozen=True, eq=False)
class Transform(Record):
    """Fourier transform chir (..., nr), complex, on r (nr,) in A (not corrected for phase).

    |chi(R)| has the unit A^-(kweight + 1). `window` (nk,) is the window in k, `chik` (..., nk) the k-weighted chi.
    """

    r: Array = field(metadata=axes("r"))
    chir: ComplexArray = field(metadata=axes("row", "r", dtype=complex))
    kweight: float
    k: Array = field(metadata=axes("k"))
    window: Array = field(metadata=axes("k"))
    chik: Array = field(metadata=axes("row", "k"))
    label: str = ""
    element: str = ""
    edge: str = ""
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    @property
    def magnitude(self) -> Array:
        """|chi(R)|, shape (..., nr)."""
        return np.abs(self.chir)


@dataclass(frozen=True, eq=False)
class Wavelet(Record):
    """Wavelet transform wt (..., nr, nk), complex, on r (nr,) in A and k (nk,) in 1/A; `chik` (..., nk) is the weighted, windowed chi."""

    k: Array = field(metadata=axes("k"))
    r: Array = field(metadata=axes("r"))
    wt: ComplexArray = field(metadata=axes("row", "r", "k", dtype=complex))
    kind: str
    kweight: float
    chik: Array = field(metadata=axes("row", "k"))
    label: str = ""
    element: str = ""
    edge: str = ""
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    @property
    def magnitude(self) -> Array:
        """|wt|, shape (..., nr, nk)."""
        return np.abs(self.wt)
