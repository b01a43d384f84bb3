"""The tables of a spec that say how a closure spectrum is made."""

from __future__ import annotations

from pydantic import Field

from ..choices import Program, ShellQuantity
from .base import NotNegative, Positive, Table


class SimulateRow(Table):
    """A closure spectrum: made from a published row (see [simulate]) and fitted blind."""

    row: str
    noise: NotNegative = 3e-4  # epsilon_k, white in mu
    seed: int = 0
    counts: Positive | None = None  # Poisson from counts in place of white noise
    # true values that differ from the published row, by path: a test that the scoring notices them
    change: dict[str, dict[ShellQuantity, float]] = Field(default_factory=dict)


class TruthShell(Table):
    """A published shell of a closure spectrum: which path of which structure carries its N, R, sigma2."""

    path: str  # the published row's path
    crystal: str
    absorber: str | None = None
    site: int | None = None
    scatterer: str
    number: int = Field(1, ge=1)  # which of the structure's distances of that element comes first
    distances: int = Field(1, ge=1)  # how many of them share the N atoms, in proportion to the structure's


class TruthRest(Table):
    """The rest of the cluster: the paths of a structure that belong to no published shell."""

    crystal: str
    absorber: str | None = None
    site: int | None = None
    beyond: NotNegative = 0.0  # A: paths of reff above this
    scale: NotNegative = 1.0  # share of the sample that has this structure


class Simulate(Table):
    """How the closure spectra of a spec are made; the fit never reads it."""

    program: Program = "feff6l"
    scf: bool = False
    radius: float = Field(6.0, gt=2, le=8)
    temperature: Positive = 300.0
    s02: float | None = None
    e0_shift: float = 0.0
    kmax: float = Field(14.0, gt=5, le=20)
    edge_step: Positive = 1.0
    shell: tuple[TruthShell, ...]
    rest: TruthRest | None = None
