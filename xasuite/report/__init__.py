"""Figures, tables and reports of the records."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .figures import figure as figure
    from .figures import save_figure as save_figure
    from .html import write_report as write_report
    from .plots.dispatch import plot as plot

_PUBLIC: dict[str, str] = {
    "figure": ".figures",
    "plot": ".plots.dispatch",
    "save_figure": ".figures",
    "write_report": ".html",
}

__all__ = ["figure", "plot", "save_figure", "write_report"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
