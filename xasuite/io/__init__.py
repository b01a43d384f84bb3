"""Reading and writing: any file of a beamline -> Scan, and records -> Athena, NXxas, CSV, XDI."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "read": ".reader",
    "read_all": ".reader",
    "groups": ".reader",
    "write": ".writer",
}
__all__ = ["groups", "read", "read_all", "write"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
