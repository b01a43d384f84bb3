"""EXAFS: Fourier and wavelet transforms, models, fits; names load on first use."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..lazy import loader

if TYPE_CHECKING:
    from .fourier import back_fourier, fourier
    from .wavelet import wavelet

_PUBLIC: dict[str, str] = {
    "fourier": ".fourier",
    "back_fourier": ".fourier",
    "wavelet": ".wavelet",
}

__all__ = ["back_fourier", "fourier", "wavelet"]


class _Room(ModuleType):
    """This package as a module whose functions win over the modules that are named like them.

    Loading ``xasuite.exafs.fourier`` makes Python bind the module to the name that the function has.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _PUBLIC and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room


__getattr__ = loader(__name__, _PUBLIC)
