"""Text formats that are more than labelled columns."""

from __future__ import annotations

from .table import Table


def parse(text: str, name: str) -> list[Table] | None:
    """The tables of a text in one of the formats known here, or None when it is none of them."""
    return None
