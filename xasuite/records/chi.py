"""EXAFS: chi(k) and its background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .base import Array, Record, axes
from .source import Source, Step


@dataclass(frozen=True, eq=False)
class Chi(Record):
    """EXAFS chi (..., nk) on k (nk,) in 1/A from 0 in equal steps; `bkg` (..., n) on energy (n,).

    `epsilon_k` (...) is the standard deviation of chi(k) if it was estimated, `chi_err` (..., nk) that of each point
    if it is known. e0 and edge_step (...) were used to make chi. `variables` are numbers (...), one per row, that the
    expressions of a fit may use, such as the temperature T.
    """

    k: Array = field(metadata=axes("k"))
    chi: Array = field(metadata=axes("row", "k"))
    e0: Array | float = field(metadata=axes("row"))
    edge_step: Array | float = field(metadata=axes("row"))
    element: str = ""
    edge: str = ""
    label: str = ""
    energy: Array | None = field(default=None, metadata=axes("energy"))
    mu: Array | None = field(default=None, metadata=axes("row", "energy"))
    bkg: Array | None = field(default=None, metadata=axes("row", "energy"))
    epsilon_k: Array | None = field(default=None, metadata=axes("row"))
    chi_err: Array | None = field(default=None, metadata=axes("row", "k"))
    variables: Mapping[str, Array | float] = field(default_factory=dict, metadata=axes("row"))
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()
