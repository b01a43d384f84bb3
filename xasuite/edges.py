"""Tabulated absorption edges (Elam, Ravel and Sieber 2002, as xraydb holds them).

xraydb's own file is read with sqlite3: importing xraydb takes a second, this a few ms.
"""

from __future__ import annotations

import importlib.util
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Edge:
    """A tabulated absorption edge, its energy in eV."""

    element: str
    edge: str
    energy: float


@lru_cache(maxsize=1)
def table() -> tuple[Edge, ...]:
    """All K, L and M edges of xraydb, from 100 eV up."""
    spec = importlib.util.find_spec("xraydb")
    path = Path(spec.origin).parent / "xraydb.sqlite" if spec and spec.origin else None
    if path is not None and path.is_file():
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute(
                "select element, iupac_symbol, absorption_edge from xray_levels"
            ).fetchall()
        finally:
            connection.close()
    else:
        import xraydb

        rows = [
            (symbol, name, level.energy)
            for symbol in map(xraydb.atomic_symbol, range(3, 96))
            for name, level in xraydb.xray_edges(symbol).items()
        ]
    return tuple(Edge(str(s), str(n), float(e)) for s, n, e in rows if e > 100)


@lru_cache(maxsize=1)
def symbols() -> frozenset[str]:
    """Elements with an edge above 100 eV."""
    return frozenset(e.element for e in table())


def is_element(symbol: str) -> bool:
    """Whether a symbol is an element with an edge above 100 eV."""
    return symbol in symbols()


def tabulated(element: str, edge: str) -> float | None:
    """The tabulated energy of an edge in eV, or None."""
    return next((e.energy for e in table() if e.element == element and e.edge == edge), None)
