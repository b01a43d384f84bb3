"""XANES from a structure: full multiple scattering in muffin tins, compared and fitted. Label: theory."""

from __future__ import annotations

from ..lazy import by_module, loader

_PUBLIC = by_module(
    broadening="broaden",
    comparison="Comparison Difference Ranked compare difference measured_apart rank",
    external="read_fdmnes read_xmu write_fdmnes write_feff",
    fit="StructureFit StructureGrid compute_grid fit_structure",
    xanes="Convergence LIMITS TheoryXanes converge theory_xanes",
)

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
