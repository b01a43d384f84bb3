"""Specs as data: their schemas, loading with every mistake explained, and writing. Nothing here runs anything."""

from __future__ import annotations

from ..lazy import by_module, loader

_PUBLIC = by_module(
    schema="Spec", series="SeriesSpec", valence="ValenceSpec", load="Loaded load_spec parse_spec"
)

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
