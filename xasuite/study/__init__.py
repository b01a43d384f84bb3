"""Studies over specs: reproduction cell by cell, bias by closure, claims."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {
    "Cell": "score",
    "Reproduction": "reproduce",
    "reproduce_specs": "reproduce",
    "score_result": "score",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
