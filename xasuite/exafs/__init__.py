"""EXAFS: Fourier and wavelet transforms, models, fits; names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import by_module, loader

if TYPE_CHECKING:
    from .empirical import empirical_standard
    from .fourier_transform import back_fourier, fourier
    from .wavelet_transform import wavelet

_PUBLIC = by_module(
    empirical="empirical_standard", fourier_transform="fourier back_fourier", wavelet_transform="wavelet"
)

__all__ = ["back_fourier", "empirical_standard", "fourier", "wavelet"]


__getattr__ = loader(__name__, _PUBLIC)
