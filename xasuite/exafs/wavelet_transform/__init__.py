"""Wavelet transforms of EXAFS: where in k and where in R a contribution lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import loader

if TYPE_CHECKING:
    from .lobes import Lobe, Lobes, Ridge, find_lobes, ridge
    from .transform import difference, iter_wavelet, wavelet, wavelets

_PUBLIC: dict[str, str] = {
    "wavelet": ".transform",
    "iter_wavelet": ".transform",
    "wavelets": ".transform",
    "difference": ".transform",
    "find_lobes": ".lobes",
    "ridge": ".lobes",
    "Lobe": ".lobes",
    "Lobes": ".lobes",
    "Ridge": ".lobes",
}

__all__ = [
    "Lobe",
    "Lobes",
    "Ridge",
    "difference",
    "find_lobes",
    "iter_wavelet",
    "ridge",
    "wavelet",
    "wavelets",
]


__getattr__ = loader(__name__, _PUBLIC)
