"""Depositions: a result with everything it was made of in one archive, and such an archive run again."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {
    "Bundle": "pack",
    "bundle": "pack",
    "Remade": "again",
    "reproduce_bundle": "again",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
