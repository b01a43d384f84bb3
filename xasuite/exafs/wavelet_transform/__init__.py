"""Wavelet transforms of EXAFS: the contributions to chi in k and R together."""

from .lobes import Lobe, Lobes, Ridge, find_lobes, ridge
from .transform import difference, iter_wavelet, wavelet, wavelets

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
