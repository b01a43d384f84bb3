"""Figures, tables and reports of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loader

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


__getattr__ = loader(__name__, _PUBLIC)
