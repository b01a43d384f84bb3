"""The fit spec: schema, loading with every mistake explained, resolution to data and model, running."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {  # no function bears its module's name: importing the module would hide it
    "Spec": "schema",
    "load_spec": "load",
    "parse_spec": "load",
    "check_spec": "check",
    "Context": "resolve",
    "resolve_spec": "resolve",
    "run_spec": "run",
    "fit": "run",
    "SpecResult": "run",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
