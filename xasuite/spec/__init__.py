"""The fit spec: schema, loading with every mistake explained, resolution to data and model, running."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Spec": "schema",
    "load": "load",
    "parse": "load",
    "check": "check",
    "Context": "resolve",
    "resolve": "resolve",
    "run": "run",
    "fit": "run",
    "SpecResult": "run",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value  # a function may bear its module's name: the function wins
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
