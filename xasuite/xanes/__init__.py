"""XANES: edge energies, valence, components, isosbestic points, peaks, and the d-band centre of XPS valence bands."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC: dict[str, str] = {
    "Calibration": "valence",
    "Combination": "lcf",
    "DBand": "dband",
    "EdgeEnergy": "edge",
    "EdgeStep": "peaks",
    "FermiEdge": "dband",
    "Isosbestic": "isosbestic",
    "MCR": "mcr",
    "PCA": "principal",
    "Peak": "peaks",
    "PeakFit": "peaks",
    "PeakFits": "peaks",
    "Prediction": "valence",
    "RangeSet": "edge",
    "Standard": "valence",
    "Target": "principal",
    "calibrate_valence": "valence",
    "d_band_centre": "dband",
    "edge_energy": "edge",
    "fermi_level": "dband",
    "fit_peaks": "peaks",
    "isosbestic_points": "isosbestic",
    "linear_combination": "lcf",
    "match": "mcr",
    "mcr_als": "mcr",
    "pca": "principal",
    "predict": "valence",
    "predict_series": "valence",
    "range_set": "edge",
    "rank_references": "lcf",
    "shirley": "dband",
    "target_test": "principal",
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
