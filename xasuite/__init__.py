"""xasuite: XANES and EXAFS from raw scans to a coordination table that can be defended.

Everything public is a function from one record to the next; names load on first use, so that
``import xasuite`` costs nothing. See docs/architecture.md.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import hooks
from .version import __version__

_PUBLIC: dict[str, str] = {
    # records
    "Scan": "xasuite.records",
    "Spectrum": "xasuite.records",
    "Normalized": "xasuite.records",
    "Chi": "xasuite.records",
    "Transform": "xasuite.records",
    "Wavelet": "xasuite.records",
    "Series": "xasuite.records",
    # reading and writing
    "read": "xasuite.io",
    "read_all": "xasuite.io",
    "write": "xasuite.io",
    # reduction
    "find_e0": "xasuite.reduce",
    "calibrate": "xasuite.reduce",
    "shift": "xasuite.reduce",
    "align": "xasuite.reduce",
    "deglitch": "xasuite.reduce",
    "rebin": "xasuite.reduce",
    "merge": "xasuite.reduce",
    "normalize": "xasuite.reduce",
    "background": "xasuite.reduce",
    "block_average": "xasuite.reduce",
    "running_average": "xasuite.reduce",
    "phase_sensitive": "xasuite.reduce",
    # EXAFS
    "empirical_standard": "xasuite.exafs",
    "fourier": "xasuite.exafs",
    "back_fourier": "xasuite.exafs",
    "wavelet": "xasuite.exafs",
    "find_lobes": "xasuite.exafs.wavelet_transform",
    # structures
    "load_crystal": "xasuite.feff",
    "find_paths": "xasuite.feff",
    # specs: one file is one analysis
    "spec": "xasuite.workflow.new:make_spec",
    "load_spec": "xasuite.specs",
    "save_spec": "xasuite.workflow.save",
    "fit": "xasuite.workflow",
    "reproduce": "xasuite.workflow:reproduce_specs",
    "bundle": "xasuite.deposit",
    "valence": "xasuite.workflow.valence:run_valence",
    "series": "xasuite._series",
    "open_series": "xasuite._series:open_run",
    # the interactive page
    "explore": "xasuite.explorer.notebook",
    # figures
    "plot": "xasuite.report",
}

# Rooms whose functions are called by their full name: xs.simulate.spectrum, xs.xanes.edge_energy.
_ROOMS = (
    "deposit",
    "exafs",
    "feff",
    "io",
    "reduce",
    "report",
    "simulate",
    "specs",
    "theory",
    "workflow",
    "xanes",
)

__all__ = ["__version__", *_PUBLIC, *_ROOMS]


def _mimebundle(record: Any) -> dict[str, str]:
    """What Jupyter shows for a record; see xasuite.report.display."""
    from .report.display import html, text

    return {"text/html": html(record), "text/plain": text(record)}


def _plot(record: Any, **options: Any) -> Any:
    """The figure of a record; see xasuite.report.plot."""
    from .report import plot

    return plot(record, **options)


hooks.provide(mimebundle=_mimebundle, plot=_plot)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, other = _PUBLIC[name].partition(":")
        value = getattr(importlib.import_module(module), other or name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"xasuite.{name}")
    raise AttributeError(f"module 'xasuite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
