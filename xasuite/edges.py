"""Tabulated absorption edges (Elam, Ravel and Sieber 2002) and atomic masses, as xraydb holds them.

xraydb's own file is read with sqlite3: importing xraydb takes a second, this a few ms.
"""

from __future__ import annotations

import importlib.util
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Edge:
    """A tabulated absorption edge, its energy in eV."""

    element: str
    edge: str
    energy: float


def _rows(query: str) -> list[tuple[Any, ...]]:
    """Rows of xraydb's file."""
    spec = importlib.util.find_spec("xraydb")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "xraydb.sqlite"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


@lru_cache(maxsize=1)
def _masses() -> dict[str, float]:
    return {str(symbol): float(mass) for symbol, mass in _rows("select element, molar_mass from elements")}


def atomic_mass(symbol: str) -> float:
    """The atomic mass in u. Raises KeyError for no element."""
    return _masses()[symbol]


@lru_cache(maxsize=1)
def table() -> tuple[Edge, ...]:
    """All K, L and M edges of xraydb, from 100 eV up."""
    rows = _rows("select element, iupac_symbol, absorption_edge from xray_levels")
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
