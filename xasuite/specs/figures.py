"""A paper's figures as data: the [figure.NAME] tables of references/published."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .base import Table


class SimulatedInput(Table):
    """A spectrum simulated from a structure, or one for each of `times`; e0 (eV) then moves by `drift` per unit of time."""

    structure: str
    absorber: str
    s02: float
    site: str | None = None
    label: str = ""
    noise: float = 3e-4
    e0: float | None = None
    white_line: tuple[float, float, float] | None = None
    times: tuple[float, ...] = ()
    drift: float = 0.0


class DrawnLines(Table):
    """An edge drawn from lines of stated height, width 1.2 eV: `lines` are [energy (eV), share of the step]."""

    element: str
    edge: str
    label: str
    energy: tuple[float, float]
    lines: tuple[tuple[float, float], ...]
    height: float
    shift: float = 0.0


class Figure(Table):
    """A figure of a paper: a kind that `xasuite figure` lists, its inputs, and its options."""

    kind: str
    text: str
    inputs: tuple[str | SimulatedInput | DrawnLines, ...]
    options: dict[str, Any] = Field(default_factory=dict)
