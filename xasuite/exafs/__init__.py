"""EXAFS: Fourier and wavelet transforms, models, fits; names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loader

if TYPE_CHECKING:
    from .empirical import empirical_standard
    from .fourier_transform import back_fourier, fourier
    from .wavelet_transform import wavelet

_PUBLIC: dict[str, str] = {
    "empirical_standard": ".empirical",
    "fourier": ".fourier_transform",
    "back_fourier": ".fourier_transform",
    "wavelet": ".wavelet_transform",
}

__all__ = ["back_fourier", "empirical_standard", "fourier", "wavelet"]


__getattr__ = loader(__name__, _PUBLIC)
