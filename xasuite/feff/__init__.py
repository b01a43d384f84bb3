"""Structures and FEFF: from a crystal to scattering paths, which are kept in a cache."""

from __future__ import annotations

from ..lazy import by_module, loader

_PUBLIC = by_module(
    crystal="Crystal Lattice available load_crystal",
    inp="Cluster feff_inp make_cluster",
    library="search_crystals shipped_crystals",
    paths="FeffPath parse_feff_dat read_feff_dat",
    run="FeffRun run_feff",
    search="Shell find_paths select shells",
    single="single_path",
)

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
