"""Studies of computed XANES as data: the [study.NAME] tables of references/published."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from .base import Table


class MeasuredStandard(Table):
    """A measured standard: its structure, its file below the data root, and the structures that it must be distinguished from.

    `nohole`: metals screen the core hole, oxides do not (docs/decisions/xanes_theory.md). `wanted` is a correlation
    that must be reached. Without a file it serves as a wrong structure only.
    """

    name: str
    structure: str
    absorber: str
    file: str = ""
    nohole: bool = False
    wrong: tuple[str, ...] = ()
    wanted: float | None = None
    radius: float = 6.5


class StandardsStudy(Table):
    """Measured standards compared with their own structures and with wrong ones."""

    kind: Literal["standards"]
    standard: tuple[MeasuredStandard, ...]
    sigma2: float
    scf_radius: float = 4.0


class Bond(Table, allow_inf_nan=True):
    """A distance (A) that a fit may change: from the absorber to its `scatterer` atoms nearer than `within`."""

    scatterer: str
    values: tuple[float, ...]
    within: float = math.inf


class Grid(Table):
    """A candidate of a structure fit: a cluster and the distances that are varied."""

    label: str
    structure: str
    bond: dict[str, Bond]


class StructuresStudy(Table):
    """Structures against the first of them; `structures` maps a name to its label, `theory_error` is R between theory and measured spectra."""

    kind: Literal["structures"]
    absorber: str
    structures: dict[str, str]
    theory_error: float
    radius: float = 5.0
    scf_radius: float = 4.0
    grid: tuple[Grid, ...] = ()


Study = Annotated[StandardsStudy | StructuresStudy, Field(discriminator="kind")]
