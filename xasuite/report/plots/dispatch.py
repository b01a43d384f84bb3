"""plot(record): the figure that goes with a record's type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import DataError

# A record's class (by name, so that nothing is imported to look it up) and the function that draws it. A class
# is looked for before its bases: Normalized before Spectrum.
KINDS: dict[str, str] = {
    "Scan": "reduction:plot_scan",
    "Spectrum": "reduction:plot_spectrum",
    "Normalized": "reduction:plot_normalized",
    "Chi": "reduction:plot_background",
    "Transform": "reduction:plot_transform",
    "Alignment": "reduction:plot_alignment",
    "Wavelet": "wavelet:plot_wavelet",
    "FitResult": "fit:plot_fit",
    "TheoryXanes": "theory:plot_theory",
    "Comparison": "theory:plot_comparison",
    "StructureStudy": "theory:plot_structures",
    "StructureFit": "theory:plot_structure_fit",
    "Calibration": "xanes:valence",
    "AtFraction": "xanes:valence",
    "Combination": "components:lcf",
    "PCA": "components:pca",
    "MCR": "components:mcr",
    "PeakFit": "components:peaks",
    "DBand": "components:dband",
    "SeriesRun": "series:plot_parameters",
}


def plot(record: Any, **options: Any) -> Any:
    """The figure of a record, as a matplotlib Figure.

    Parameters
    ----------
    record : any record of the package (Scan, Spectrum, Normalized, Chi, Transform, Wavelet, fit results, ...) or
        a Series of them.
    options : those of the kind's own function in `xasuite.report.plots`.

    Raises DataError for what has no figure. Save with `xasuite.report.plots.style.save`.
    """
    from ...records import Series

    if isinstance(record, Series):
        record = record.data
    figure = _function(record)(record, **options)
    _shown_once(figure)
    return figure


def _shown_once(figure: Any) -> None:
    """In a notebook a figure is shown as the cell's value; left open, matplotlib would show it a second time."""
    import matplotlib

    if "inline" in matplotlib.get_backend():
        import matplotlib.pyplot as plt

        plt.close(figure)


def _function(record: Any) -> Callable[..., Any]:
    import importlib

    for kind in type(record).__mro__:
        if kind.__name__ in KINDS and kind.__module__.startswith("xasuite."):
            module, _, name = KINDS[kind.__name__].partition(":")
            return getattr(importlib.import_module(f"{__package__}.{module}"), name)
    raise DataError(f"a {type(record).__name__} has no figure; there are figures of {', '.join(KINDS)}")
