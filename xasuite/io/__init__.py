"""Reading and writing: any file of a beamline -> Scan, and records -> Athena, NXxas, CSV, XDI."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {
    "read": ".several",
    "read_all": ".reader",
    "read_chi": ".chi",
    "groups": ".reader",
    "write": ".writer",
    "expanded": ".several",
}
__all__ = ["expanded", "groups", "read", "read_all", "read_chi", "write"]


__getattr__ = loader(__name__, _PUBLIC)
