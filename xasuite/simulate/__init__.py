"""Spectra of known truth: mu(E) from FEFF paths with background, edge, resolution and noise.

The truth is in a record of its own (Simulated.truth), not in the spectrum: reduction and fit cannot read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import by_module, loader

if TYPE_CHECKING:
    from .atomic import Setup, scan_grid
    from .cluster import rest, shell
    from .make import Simulated, Truth, series, spectrum
    from .truth import TruthPath

_PUBLIC = by_module(
    atomic="Setup scan_grid",
    cluster="rest shell",
    make="Simulated Truth series spectrum",
    truth="TruthPath",
)

__all__ = ["Setup", "Simulated", "Truth", "TruthPath", "rest", "scan_grid", "series", "shell", "spectrum"]


__getattr__ = loader(__name__, _PUBLIC)
