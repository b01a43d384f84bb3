"""`Table`, what every format's parser returns: named columns as in the file; and helpers for names and numbers."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..expressions import CONSTANTS
from ..records import Array

MAX_LABEL = 60


@dataclass
class Table:
    """One group of a file: `columns` (ncol, n) named by `names`, and what the header says about them.

    `trusted` marks a file that xasuite wrote: its statements are taken as they are.
    `axis` names the column of energies and `axis_kind` says what it holds: "eV", "keV", "angle" (degrees),
    "millidegree", "steps", or "" where it is not known. `hints` is header text in which an element
    may be named, `e0` an edge energy in eV that the header states.
    """

    names: list[str]
    columns: Array
    label: str = ""
    group: str = ""
    format: str = "columns"
    units: dict[str, str] = field(default_factory=dict)
    axis: str = ""
    axis_kind: str = ""
    d_spacing: float = 0.0
    steps_per_degree: float = 0.0
    element: str = ""
    edge: str = ""
    e0: float = 0.0
    mu_expr: str = ""
    reference_expr: str = ""
    hints: str = ""
    notes: list[str] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""
    trusted: bool = False

    @classmethod
    def refused(cls, group: str, why: str) -> Table:
        """A group that cannot be XAFS, and why."""
        return cls([], np.empty((0, 0)), group=group, refusal=why)

    def column(self, name: str) -> Array:
        """The values (n,) of a column."""
        return self.columns[self.names.index(name)]


def clean_names(labels: Sequence[str]) -> list[str]:
    """Labels as names that expressions can use: letters, digits and underscores, each one once.

    A leading column number that all labels share ("4_i0", "12) I0") is dropped; an empty label becomes
    col1, col2, ... by position.
    """
    texts = [str(label).strip() for label in labels]
    if len(texts) > 1 and all(re.match(r"\d+[_)]\s*\S", t) for t in texts):
        texts = [re.sub(r"^\d+[_)]\s*", "", t) for t in texts]
    if len(texts) > 1 and all(re.search(r"\S_c\d+$", t) for t in texts):
        texts = [re.sub(r"_c\d+$", "", t) for t in texts]
    out: dict[str, None] = {}
    for i, text in enumerate(texts):
        name = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")[:MAX_LABEL] or f"col{i + 1}"
        if name[0].isdigit():
            name = f"c{name}"
        if keyword.iskeyword(name) or name in CONSTANTS:
            name = "ifluor" if name == "if" else f"{name}_"
        out[unique(name, out)] = None
    return list(out)


def unique(name: str, taken: Iterable[str], separator: str = "_") -> str:
    """`name`, or `name` with a number that makes it unique: the first free one, unless a hundred are taken."""
    used = taken if isinstance(taken, (set, dict)) else set(taken)
    candidate, number = name, 2
    while candidate in used:
        # beyond a hundred, trying every number would take a time that grows with the square of their count
        candidate, number = f"{name}{separator}{number}", number + (1 if number < 100 else len(used))
    return candidate


def as_text(label: str) -> str:
    """A label that can be written as UTF-8: bytes of a file's name, or JSON escapes, that are no character are escaped."""
    return label.encode("utf-8", "backslashreplace").decode()


def generic_names(count: int) -> list[str]:
    """col1, col2, ... as the XDI specification names unnamed columns."""
    return [f"col{i + 1}" for i in range(count)]


def lines_of(text: str) -> list[str]:
    """The lines of a text by the three ends of line that files have; a Latin-1 0x85 is none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def number(value: Any, default: float | None = None) -> float | None:
    """The finite number that a project wrote, in quotes or not; `default` for anything else."""
    try:
        out = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return out if np.isfinite(out) else default


def leading_number(text: Any) -> float:
    """The number a text begins with, or 0."""
    found = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", str(text))
    return float(found.group(1)) if found else 0.0
