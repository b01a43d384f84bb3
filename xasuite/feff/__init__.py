"""Structures and FEFF: crystal -> scattering paths, kept in a cache."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Crystal": "crystal",
    "Lattice": "crystal",
    "available": "crystal",
    "load_crystal": "crystal",
    "Cluster": "inp",
    "feff_inp": "inp",
    "make_cluster": "inp",
    "FeffPath": "paths",
    "parse_feff_dat": "paths",
    "read_feff_dat": "paths",
    "FeffRun": "run",
    "run_feff": "run",
    "Shell": "search",
    "find_paths": "search",
    "select": "search",
    "shells": "search",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
