"""Absorption against energy, as measured and normalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .base import Array, Record, axes
from .source import Source, Step


@dataclass(frozen=True, eq=False)
class Spectrum(Record):
    """Absorption mu (..., n) on energy (n,) in eV; `reference` is mu of a reference foil, if it was measured.

    `mu_err` (..., n) is the standard deviation of mu where it is known (merged scans, simulated noise).
    """

    energy: Array = field(metadata=axes("energy"))
    mu: Array = field(metadata=axes("row", "energy"))
    element: str = ""
    edge: str = ""
    label: str = ""
    mu_err: Array | None = field(default=None, metadata=axes("row", "energy"))
    reference: Array | None = field(default=None, metadata=axes("row", "energy"))
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()


@dataclass(frozen=True, eq=False)
class Normalized(Spectrum):
    """A Spectrum with its edge: e0, edge_step (...) and pre_edge, post_edge, norm, flat (..., n)."""

    e0: Array = field(default_factory=lambda: np.array(np.nan), metadata=axes("row"))
    edge_step: Array = field(default_factory=lambda: np.array(np.nan), metadata=axes("row"))
    pre_edge: Array | None = field(default=None, metadata=axes("row", "energy"))
    post_edge: Array | None = field(default=None, metadata=axes("row", "energy"))
    norm: Array = field(default_factory=lambda: np.empty(0), metadata=axes("row", "energy"))
    flat: Array = field(default_factory=lambda: np.empty(0), metadata=axes("row", "energy"))
