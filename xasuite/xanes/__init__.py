"""XANES: edge energies, valence, components, isosbestic points, peaks, and the d-band centre of XPS valence bands."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC: dict[str, str] = {
    "Calibration": "valence",
    "EdgeEnergy": "edge",
    "Prediction": "valence",
    "RangeSet": "edge",
    "Standard": "valence",
    "calibrate_valence": "valence",
    "edge_energy": "edge",
    "predict": "valence",
    "range_set": "edge",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
