"""XANES from a structure: full multiple scattering in muffin tins, compared and fitted. Label: theory."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Comparison": "comparison",
    "Convergence": "xanes",
    "Difference": "comparison",
    "LIMITS": "xanes",
    "Ranked": "comparison",
    "StructureFit": "fit",
    "StructureGrid": "fit",
    "TheoryXanes": "xanes",
    "broaden": "broadening",
    "compare": "comparison",
    "compute_grid": "fit",
    "converge": "xanes",
    "difference": "comparison",
    "fit_structure": "fit",
    "rank": "comparison",
    "read_fdmnes": "external",
    "read_xmu": "external",
    "theory_xanes": "xanes",
    "write_fdmnes": "external",
    "write_feff": "external",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
