"""xasuite: XANES and EXAFS from raw scans to a coordination table that can be defended.

Everything public is a function from one record to the next; names load on first use, so that
``import xasuite`` costs nothing. See docs/architecture.md.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import hooks
from .lazy import by_module, loader
from .version import __version__

# the public names by the room that they are in; behind a colon stands what one is called there
_PLACES = {
    "records": "Scan Spectrum Normalized Chi Transform Wavelet Series",
    "io": "read read_all write",
    "reduce": "find_e0 calibrate shift align deglitch rebin merge normalize background "
    "block_average running_average phase_sensitive",
    "exafs": "empirical_standard fourier back_fourier wavelet",
    "exafs.wavelet_transform": "find_lobes",
    "feff": "load_crystal find_paths",
    # specs: one file is one analysis
    "workflow.new:make_spec": "spec",
    "specs": "load_spec",
    "workflow.save": "save_spec",
    "workflow": "fit",
    "workflow:reproduce_specs": "reproduce",
    "deposit": "bundle",
    "workflow.valence:run_valence": "valence",
    "_series": "series",
    "_series:open_run": "open_series",
    "explorer.notebook": "explore",
    "report": "plot",
}
_PUBLIC = by_module(**_PLACES)

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


_load = loader(__name__, _PUBLIC)


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"xasuite.{name}") if name in _ROOMS else _load(name)


def __dir__() -> list[str]:
    return sorted(__all__)
