"""plot(record): the figure that goes with a record's type."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    "TheoryTable": "theory:plot_standards",
    "Calibration": "xanes:valence",
    "AtFraction": "xanes:valence",
    "Combination": "components:lcf",
    "PCA": "components:pca",
    "MCR": "components:mcr",
    "PeakFit": "components:peaks",
    "DBand": "components:dband",
    "Modulation": "modulation:plot_modulation",
    "SeriesRun": "series:plot_parameters",
}
# What is drawn of a record that holds others
WITHIN: dict[str, Callable[[Any], Any]] = {
    "Series": lambda x: x.data,
    "Simulated": lambda x: x.spectrum,
    "SpecResult": lambda x: next(iter(x.rows), None),
    "Reproduction": lambda x: next((r for of in x.results for r in of.rows), None),
    "ValenceResult": lambda x: next((r for r in x.results if r.calibration is not None), None),
}


def plot(record: Any, *, kind: str | None = None, ax: Axes | None = None, **options: Any) -> Figure:
    """The figure of a record, or one curve of each of several records on one pair of axes.

    Parameters
    ----------
    record : record, Series or list of records
        Any record of the package (Scan, Spectrum, Normalized, Chi, Transform, Wavelet, fit results, ...), a Series of them, or
        a list of records to be overlaid.
    kind : str, optional
        Of an overlay: "mu", "norm", "flat", "derivative", "chi" or "chir"; left out, the records' usual curve.
    ax : matplotlib axes, optional
        Axes that an overlay is drawn on; left out, a new figure.
    **options
        Those of the kind's own function in `xasuite.report.plots`; of an overlay kweight, offset, xlim.

    Returns
    -------
    matplotlib Figure
        Save it with `xasuite.report.save_figure`.

    Raises
    ------
    DataError
        For what has no figure, or no such curve.

    Examples
    --------
    >>> import numpy as np
    >>> import xasuite as xs
    >>> energy = np.arange(8800.0, 9800.0, 2.0)
    >>> spectrum = xs.Spectrum(energy=energy, mu=np.arctan((energy - 8979) / 2), element="Cu", edge="K", label="a")
    >>> figure = xs.plot([spectrum, spectrum], kind="mu", offset=0.5)
    >>> len(figure.axes[0].lines)
    2
    """
    if isinstance(record, list | tuple) or kind is not None or ax is not None:
        from .overlay import plot_overlay

        records = record if isinstance(record, list | tuple) else [record]
        figure = plot_overlay([_drawn(r) for r in records], kind=kind, ax=ax, **options)
        if ax is None:
            _shown_once(figure)
        return figure
    record = _drawn(record)
    figure = _function(record)(record, **options)
    _shown_once(figure)
    return figure


def _shown_once(figure: Figure) -> None:
    """In a notebook a figure is shown as the cell's value; left open, matplotlib would show it a second time."""
    import matplotlib

    if "inline" in matplotlib.get_backend():
        import matplotlib.pyplot as plt

        plt.close(figure)


def has_figure(record: Any) -> bool:
    """Whether `plot` draws records of this kind."""
    return _name(_drawn(record)) != ""


def _drawn(record: Any) -> Any:
    return WITHIN[type(record).__name__](record) if type(record).__name__ in WITHIN else record


def _name(record: Any) -> str:
    """The entry of KINDS of a record's class or of the first of its bases that has one."""
    names = (k.__name__ for k in type(record).__mro__ if k.__module__.startswith("xasuite."))
    return next((n for n in names if n in KINDS), "")


def _function(record: Any) -> Callable[..., Any]:
    import importlib

    name = _name(record)
    if not name:
        raise DataError(f"a {type(record).__name__} has no figure; there are figures of {', '.join(KINDS)}")
    module, _, function = KINDS[name].partition(":")
    return getattr(importlib.import_module(f"{__package__}.{module}"), function)  # type: ignore[no-any-return]
