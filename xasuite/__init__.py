"""xasuite: XANES and EXAFS from raw scans to a coordination table that can be defended.

Everything public is a function from one record to the next; names load on first use, so that
``import xasuite`` costs nothing. See docs/architecture.md.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC: dict[str, str] = {
    # records
    "Scan": "xasuite.model",
    "Spectrum": "xasuite.model",
    "Normalized": "xasuite.model",
    "Chi": "xasuite.model",
    "Transform": "xasuite.model",
    "Wavelet": "xasuite.model",
    "Series": "xasuite.model",
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
    # EXAFS
    "fourier": "xasuite.exafs",
    "back_fourier": "xasuite.exafs",
    "wavelet": "xasuite.exafs",
    # series
    "series": "xasuite.series",
    # figures
    "plot": "xasuite.report",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'xasuite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
