"""Studies over specs: reproduction cell by cell, bias by closure, claims."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Cell": "score",
    "Reproduction": "reproduce",
    "reproduce_specs": "reproduce",
    "score_result": "score",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
