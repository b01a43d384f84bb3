"""The batched engine: fits of thousands of chi(k) that share a k grid and a model; names load on first use.

Minimises the objective of Larch's feffit (docs/decisions/engine.md), and is audited against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import loader

if TYPE_CHECKING:
    from .result import BatchFit
    from .stack import fit_stack

_PUBLIC: dict[str, str] = {"BatchFit": "result", "fit_stack": "stack"}

__all__ = ["BatchFit", "fit_stack"]


__getattr__ = loader(__name__, _PUBLIC)
