"""XANES: edge energies, valence, components, isosbestic points, peaks, and the d-band centre of XPS valence bands."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC: dict[str, str] = {
    "Calibration": "standards",
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
    "Prediction": "standards",
    "RangeSet": "ranges",
    "Standard": "standards",
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
    "predict": "prediction",
    "predict_series": "prediction",
    "range_set": "ranges",
    "rank_references": "lcf",
    "shirley": "dband",
    "target_test": "principal",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
