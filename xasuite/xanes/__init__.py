"""XANES: edge energies, valence, components, isosbestic points, peaks, and the d-band centre of XPS valence bands."""

from __future__ import annotations

from ..lazy import by_module, loader

_PUBLIC = by_module(
    dband="DBand FermiEdge d_band_centre fermi_level shirley",
    edge="EdgeEnergy edge_energy",
    isosbestic="Isosbestic isosbestic_points",
    lcf="Combination linear_combination rank_references",
    mcr="MCR match mcr_als",
    peaks="EdgeStep Peak PeakFit PeakFits fit_peaks",
    prediction="predict predict_series",
    principal="PCA Target pca target_test",
    ranges="RangeSet range_set",
    standards="Calibration Prediction Standard",
    valence="calibrate_valence",
)

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
