"""XANES from a structure: full multiple scattering in muffin tins, compared and fitted. Label: theory."""

from __future__ import annotations

from ..lazy import loader

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
    "measured_apart": "comparison",
    "rank": "comparison",
    "read_fdmnes": "external",
    "read_xmu": "external",
    "theory_xanes": "xanes",
    "write_fdmnes": "external",
    "write_feff": "external",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
