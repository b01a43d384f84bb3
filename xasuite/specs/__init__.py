"""Specs as data: their schemas, loading with every mistake explained, and writing. Nothing here runs anything."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {
    "Spec": "schema",
    "SeriesSpec": "series",
    "ValenceSpec": "valence",
    "Loaded": "load",
    "load_spec": "load",
    "parse_spec": "load",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
