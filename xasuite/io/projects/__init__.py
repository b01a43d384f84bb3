"""Projects of other programs as data: nothing in them is executed, nothing is unpickled."""

from __future__ import annotations

from ...lazy import loader

_PUBLIC = {
    "Project": "records",
    "ProjectData": "records",
    "ProjectFit": "records",
    "ProjectParameter": "records",
    "ProjectPath": "records",
    "read_project": "reader",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
