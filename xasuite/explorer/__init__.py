"""The interactive page, in a browser and in a notebook, on the same records and functions; what is done there is a spec.

Bokeh draws and serves it: one Python code serves both places, it needs no network beyond this machine, and of the kept
libraries it was the quickest from a moved slider to new curves (docs/decisions/explore.md).
"""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {"explore": "notebook", "inputs": "notebook", "page_maker": "notebook"}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
