"""The interactive page in a browser or a notebook, made of the same records and functions; its settings are a spec.

Bokeh draws and serves it: one Python code for browser and notebook, no network beyond this machine, and the shortest
time from a moved slider to new curves among maintained libraries (docs/decisions/explore.md).
"""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {"explore": "notebook", "inputs": "notebook", "page_maker": "notebook"}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
