"""Tabulated absorption edges (Elam, Ravel and Sieber 2002) and atomic masses, as xraydb holds them.

xraydb's own file is read with sqlite3: importing xraydb takes a second, this a few ms.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Edge:
    """A tabulated absorption edge, its energy in eV."""

    element: str
    edge: str
    energy: float


def _rows(query: str, *values: str) -> list[tuple[Any, ...]]:
    """Rows of xraydb's file."""
    spec = importlib.util.find_spec("xraydb")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "xraydb.sqlite"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


@lru_cache(maxsize=1)
def _masses() -> dict[str, float]:
    return {str(symbol): float(mass) for symbol, mass in _rows("select element, molar_mass from elements")}


def atomic_mass(symbol: str) -> float:
    """The atomic mass in u. Raises KeyError for no element."""
    return _masses()[symbol]


@lru_cache(maxsize=1)
def _by_number() -> dict[int, str]:
    return {int(z): str(symbol) for z, symbol in _rows("select atomic_number, element from elements")}


def element_of(number: int, otherwise: str = "") -> str:
    """The symbol of an atomic number; `otherwise` where there is none."""
    return _by_number().get(number, otherwise)


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


def edges_of(element: str) -> dict[str, float]:
    """Every tabulated edge of an element, from 100 eV up, by name, in eV; none for no element."""
    return {e.edge: e.energy for e in table() if e.element == element}


def core_width(element: str, edge: str) -> float | None:
    """The width of a core hole in eV (Keski-Rahkonen and Krause 1974, Krause and Oliver 1979), or None."""
    rows = _rows("select width from corelevel_widths where element = ? and edge = ?", element, edge)
    return float(rows[0][0]) if rows else None


def photoabsorption(element: str, energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Elam's photoabsorption cross section (n,) in cm^2/g at energies (n,) in eV."""
    query = "select log_energy, log_photoabsorption, log_photoabsorption_spline from photoabsorption where element = ?"
    x, y, bend = (np.array(json.loads(column)) for column in _rows(query, element)[0])
    at = np.log(energy)
    # the two energies around each, none of which may be the same edge
    low = np.clip(np.searchsorted(x, at, side="left") - 1, 0, x.size - 2)
    high = np.clip(np.searchsorted(x, at, side="right"), 1, x.size - 1)
    wide = x[high] - x[low]
    a, b = (x[high] - at) / wide, (at - x[low]) / wide
    log = a * y[low] + b * y[high] + wide**2 / 6 * ((a**3 - a) * bend[low] + (b**3 - b) * bend[high])
    return np.asarray(np.exp(log))
