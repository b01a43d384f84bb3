"""CSV as `write` makes it: a first line of JSON behind '#', the names of the columns, exact numbers."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ...errors import ReadError
from ..table import Table


def is_own(text: str) -> bool:
    """Whether a text begins as `write` begins a CSV."""
    return bool(re.match(r'# \{"xasuite": \d', text[:40]))


def parse_own(text: str, name: str) -> list[Table]:
    """The scans of such a CSV, several for a stack. Raises ReadError when it is damaged."""
    first, _, rest = text.partition("\n")
    labels, _, body = rest.partition("\n")
    if not text.endswith("\n"):
        raise ReadError(f"{name} is a damaged CSV of xasuite: it ends in the middle of a line")
    try:
        head = json.loads(first[2:])
        names = labels.strip().split(",")
        rows = [[float(v) for v in line.split(",")] for line in body.split("\n") if line.strip()]
        if not rows or any(len(row) != len(names) for row in rows):
            raise ValueError("its rows are not as wide as its line of names")
        columns = np.array(rows).T
        stack = head.get("stack")
        if not stack:
            return [_table(head, names, columns, "")]
        if len(stack) != len(names) - 1:
            raise ValueError("its first line describes another number of columns")
        return [
            _table({**one, "mu": "mu", "reference": ""}, [names[0], "mu"], columns[[0, i]], names[i])
            for i, one in enumerate(stack, start=1)
        ]
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise ReadError(f"{name} is a damaged CSV of xasuite: {exc}") from None


def _table(head: dict[str, Any], names: list[str], columns: Any, group: str) -> Table:
    table = Table(names=names, columns=columns, format="csv", group=group, axis_kind="eV", trusted=True)
    if names[0] != "energy":
        table.refusal = f"the file holds {' and '.join(names[:2])}, not mu(E)"
        return table
    table.axis = "energy"
    table.label = str(head.get("label", ""))
    table.element, table.edge = str(head.get("element", "")), str(head.get("edge", ""))
    table.mu_expr, table.reference_expr = str(head.get("mu", "mu")), str(head.get("reference", ""))
    table.notes = [str(n) for n in head.get("notes") or []]
    table.meta = dict(head.get("meta") or {})
    table.meta |= {k: head[k] for k in ("source", "sha256", "e0", "edge_step", "history") if head.get(k)}
    return table
