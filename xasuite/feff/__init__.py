"""Structures and FEFF: crystal -> scattering paths, kept in a cache."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {
    "Crystal": "crystal",
    "Lattice": "crystal",
    "available": "crystal",
    "load_crystal": "crystal",
    "Cluster": "inp",
    "feff_inp": "inp",
    "make_cluster": "inp",
    "search_crystals": "library",
    "shipped_crystals": "library",
    "FeffPath": "paths",
    "parse_feff_dat": "paths",
    "read_feff_dat": "paths",
    "FeffRun": "run",
    "run_feff": "run",
    "Shell": "search",
    "find_paths": "search",
    "select": "search",
    "shells": "search",
    "single_path": "single",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
