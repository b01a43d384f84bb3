"""The batched engine: fits of thousands of chi(k) that share a k grid and a model; names load on first use.

Minimises the objective of Larch's feffit (docs/decisions/engine.md), and is audited against it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .audits import Audit, audit
    from .program import UnsupportedError
    from .result import BatchFit
    from .stack import fit_stack
    from .timeline import Kinetics, Timeline, fit_timeline

_PUBLIC: dict[str, str] = {
    "Audit": "audits",
    "audit": "audits",
    "BatchFit": "result",
    "Kinetics": "timeline",
    "Timeline": "timeline",
    "UnsupportedError": "program",
    "fit_stack": "stack",
    "fit_timeline": "timeline",
}

__all__ = [
    "Audit",
    "BatchFit",
    "Kinetics",
    "Timeline",
    "UnsupportedError",
    "audit",
    "fit_stack",
    "fit_timeline",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
