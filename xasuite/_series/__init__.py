"""Series: thousands of spectra ingested, reduced, fitted, audited and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loader

if TYPE_CHECKING:
    from .record import SeriesRun, open_run
    from .run import run_series, series

_PUBLIC = {
    "SeriesRun": "record",
    "open_run": "record",
    "run_series": "run",
    "series": "run",
    "Watch": "live",
}

__all__ = ["SeriesRun", "open_run", "run_series", "series"]


__getattr__ = loader(__name__, _PUBLIC)
