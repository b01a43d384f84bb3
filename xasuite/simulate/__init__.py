"""Spectra of known truth: mu(E) from FEFF paths, with everything that stands between it and the fit.

The truth is kept beside the spectrum (Simulated.truth) and never on it: nothing that reduces or fits can read it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .atomic import Setup, scan_grid
    from .cluster import rest, shell
    from .make import Simulated, Truth, series, spectrum
    from .truth import TruthPath

_PUBLIC = {
    "Setup": "atomic",
    "scan_grid": "atomic",
    "rest": "cluster",
    "shell": "cluster",
    "Simulated": "make",
    "Truth": "make",
    "series": "make",
    "spectrum": "make",
    "TruthPath": "truth",
}

__all__ = ["Setup", "Simulated", "Truth", "TruthPath", "rest", "scan_grid", "series", "shell", "spectrum"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
