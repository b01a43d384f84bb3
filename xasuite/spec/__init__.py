"""The fit spec as data: its schema, and loading with every mistake explained. Nothing here runs anything."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {"Spec": "schema", "load_spec": "load", "parse_spec": "load"}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
