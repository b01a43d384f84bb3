"""The spec's schema and nothing else; loading is in load.py, meaning in resolve.py."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

FORMAT = 1


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Pair = Annotated[tuple[float, float], Field(description="[low, high]")]
Number = int | float
Value = str | float


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, populate_by_name=True)

    @field_validator("*", mode="after")
    @classmethod
    def _ascending(cls, value: Any) -> Any:
        if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, float) for v in value):
            if not all(math.isfinite(v) for v in value):
                raise ValueError("both ends must be numbers")
            if value[0] >= value[1]:
                raise ValueError(f"[{value[0]:g}, {value[1]:g}] runs backwards; write the lower end first")
        return value


class SimulateRow(_Table):
    """A closure spectrum: made from a published row (see [simulate]) and fitted blind."""

    row: str
    noise: float = Field(3e-4, ge=0)  # epsilon_k, white in mu
    seed: int = 0
    counts: float | None = Field(None, gt=0)  # Poisson from counts in place of white noise
    # a truth moved away from the published row, path by path, to see that the scoring notices
    change: dict[str, dict[Literal["n", "r", "sigma2"], float]] = Field(default_factory=dict)


class Data(_Table):
    """One row: a measured file, or a simulated spectrum."""

    label: str
    file: str | None = None
    simulate: SimulateRow | None = None
    mu: str | None = None
    reference: str | None = None
    e0: float | None = None  # overrides [reduce] e0 for this row
    element: str | None = None  # overrides [sample] for this row: two edges of one bond fitted together
    edge: Literal["K", "L1", "L2", "L3"] | None = None
    published: str | None = None  # the published row it is scored against; the label where left out
    source: str = ""  # citation and licence of the data, printed in the output
    example: str | None = None  # package data of an installed package: "PyMca5:EXAFS_Cu.dat"

    @model_validator(mode="after")
    def _one_origin(self) -> Data:
        given = [n for n in ("file", "simulate", "example") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"needs exactly one of file, simulate, example; found {', '.join(given) or 'none'}"
            )
        return self


class Sample(_Table):
    """Element and edge of the measured absorber."""

    element: str
    edge: Literal["K", "L1", "L2", "L3"] = "K"


class Reduce(_Table):
    """From mu(E) to chi(k); docs/decisions/ says why the defaults are what they are."""

    e0: float | None = None
    pre: Pair | None = None
    norm: Pair | None = None
    nnorm: int | None = Field(None, ge=0, le=3)
    method: Literal["polynomial", "atomic", "mback"] = "polynomial"
    rbkg: float = Field(0.8, gt=0, lt=3)
    bkg_kweight: int = Field(3, ge=0, le=4)
    bkg_k: Pair | None = None
    bkg_dk: float = Field(0.1, ge=0)
    bkg_window: str = "hanning"
    clamp: tuple[int, int] = (0, 1)
    deglitch: tuple[float, ...] = ()
    rebin: bool = False


class Fit(_Table):
    """Ranges of the fit: k in 1/A, R in A (not corrected for phase)."""

    space: Literal["r", "k", "q"] = "r"
    k: Pair
    kweight: Annotated[tuple[Annotated[int, Field(ge=0, le=4)], ...], BeforeValidator(_as_list)] = (2,)
    window: Literal["hanning", "parzen", "welch", "gaussian", "sine", "kaiser", "bessel"] = "hanning"
    dk: float = Field(1.0, ge=0)
    dk2: float | None = Field(None, ge=0)
    r: Pair
    dr: float = Field(0.0, ge=0)
    rwindow: Literal["hanning", "parzen", "welch", "gaussian", "sine", "kaiser", "bessel"] = "hanning"
    together: bool = False
    epsilon_k: float | None = Field(None, gt=0)


class Param(_Table):
    """A parameter: guess (varied), value (fixed), expr, or from another spec's result."""

    guess: float | None = None
    value: float | None = None
    expr: str | None = None
    from_: str | None = Field(None, alias="from")
    param: str | None = None
    row: str | None = None
    stderr: float = Field(0.0, ge=0)
    min: float = -math.inf
    max: float = math.inf
    each: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Param:
        kinds = [n for n in ("guess", "value", "expr", "from_") if getattr(self, n) is not None]
        if len(kinds) != 1:
            found = ", ".join(k.rstrip("_") for k in kinds) or "none"
            raise ValueError(f"needs exactly one of guess, value, expr, from; found {found}")
        if self.from_ is not None and self.param is None:
            raise ValueError('from = "..." needs param = "..." as well, the name in that spec')
        if self.min >= self.max:
            raise ValueError(f"min = {self.min:g} is not below max = {self.max:g}")
        if self.guess is not None and not self.min <= self.guess <= self.max:
            raise ValueError(f"guess = {self.guess:g} lies outside min = {self.min:g}, max = {self.max:g}")
        return self


class Path(_Table):
    """One scattering path: where it comes from and what each of its values is."""

    label: str
    crystal: str | None = None
    cluster: str | None = None
    amcsd: int | None = None
    feff: str | None = None
    absorber: str | None = None
    site: int | None = Field(None, ge=1)
    scatterer: str | None = None
    shell: int | None = Field(None, ge=1)
    path: int | None = Field(None, ge=1)
    radius: float = Field(6.0, gt=1, le=12)
    program: Literal["feff8l", "feff6l"] = "feff8l"
    scf: bool = False
    data: str = ""
    n: Value | None = None
    s02: Value = 1.0
    e0: Value = 0.0
    deltar: Value = 0.0
    sigma2: Value = 0.0
    third: Value = 0.0
    fourth: Value = 0.0

    @model_validator(mode="after")
    def _one_structure(self) -> Path:
        given = [n for n in ("crystal", "cluster", "amcsd", "feff") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"needs exactly one of crystal, cluster, amcsd, feff; found {', '.join(given) or 'none'}"
            )
        if self.feff is None and (self.scatterer is None) == (self.path is None):
            raise ValueError('needs scatterer = "..." (its nearest shell) or path = FEFF\'s own number')
        return self


class TruthShell(_Table):
    """A published shell of a closure spectrum: which path of which structure carries its N, R, sigma2."""

    path: str  # the published row's path
    crystal: str
    absorber: str | None = None
    site: int | None = None
    scatterer: str
    number: int = Field(1, ge=1)  # which of the structure's distances of that element comes first
    distances: int = Field(1, ge=1)  # how many of them share the N atoms, in proportion to the structure's


class TruthRest(_Table):
    """Everything else of the cluster: the paths of a structure that no published shell stands for."""

    crystal: str
    absorber: str | None = None
    site: int | None = None
    beyond: float = Field(0.0, ge=0)  # A: paths of reff above this
    scale: float = Field(1.0, ge=0)  # share of the sample that has this structure


class Simulate(_Table):
    """How the closure spectra of a spec are made; the fit never reads it."""

    program: Literal["feff8l", "feff6l"] = "feff6l"
    scf: bool = False
    radius: float = Field(6.0, gt=2, le=8)
    temperature: float = Field(300.0, gt=0)
    s02: float | None = None
    e0_shift: float = 0.0
    kmax: float = Field(14.0, gt=5, le=20)
    edge_step: float = Field(1.0, gt=0)
    shell: tuple[TruthShell, ...]
    rest: TruthRest | None = None


class Variant(_Table):
    """The same data fitted another way, shown beside the main fit and never mixed with it."""

    label: str
    note: str = ""
    reduce: dict[str, Any] = Field(default_factory=dict)
    fit: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Param] = Field(default_factory=dict)
    expects: dict[str, float] = Field(default_factory=dict)  # what is printed for a parameter, or for rfactor


class Spec(_Table):
    """A whole spec."""

    xasuite: Literal[1]
    title: str
    reproduces: str = ""
    notes: str = ""
    data: tuple[Data, ...] = Field(min_length=1)
    sample: Sample
    reduce: Reduce = Reduce()
    fit: Fit
    params: dict[str, Param] = Field(default_factory=dict)
    path: tuple[Path, ...] = Field(min_length=1)
    simulate: Simulate | None = None
    variant: tuple[Variant, ...] = ()

    def absorber(self, index: int) -> tuple[str, str]:
        """Element and edge of a data row: its own, else [sample]'s."""
        entry = self.data[index] if index < len(self.data) else None
        own = (entry.element, entry.edge) if entry is not None else (None, None)
        return own[0] or self.sample.element, own[1] or self.sample.edge

    def absorber_of(self, label: str) -> tuple[str, str]:
        """Element and edge of the data row with that label; [sample]'s for any other."""
        for i, entry in enumerate(self.data):
            if entry.label == label:
                return self.absorber(i)
        return self.sample.element, self.sample.edge
