"""Series: thousands of spectra ingested, reduced, fitted, audited and kept; calling the package runs a spec.

``xs.series("fits/sno2/tpr.toml")`` is `run.series`; the module itself is callable, because loading any part of this
package gives its name to the module.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

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


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from .run import series

        return series(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable


__getattr__ = loader(__name__, _PUBLIC)
