"""Wavelet transforms of EXAFS: where in k and where in R a contribution lies."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
