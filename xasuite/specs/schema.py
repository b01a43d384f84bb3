"""The spec of a fit: its tables and what each key may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from ..choices import (
    Align,
    Background,
    BackgroundKWeight,
    Edge,
    KWeight,
    Method,
    Potentials,
    Program,
    Units,
    Window,
)
from ..constants import independent_points
from ..expressions import parse
from .base import Listed, NotNegative, Pair, Positive, SpecTable, Table, Text, Texts, Value, merged
from .closure import Simulate, SimulateRow
from .meaning import names_mistakes
from .mistakes import Mistake, validation_mistakes

FORMAT = 2
# Keys of [reduce]: those that `reduce.normalize` takes, and those of `reduce.background` by its arguments
NORMALIZATION = ("method", "pre_range", "norm_range", "nnorm")
BACKGROUND = {
    "rbkg": "rbkg", "kweight": "bkg_kweight", "k": "bkg_k", "dk": "bkg_dk", "window": "bkg_window", "clamp": "clamp",
    "algorithm": "background",
}  # fmt: skip


class DeadTime(Table):
    """A fluorescence detector's dead time: the channels it counts, their input rates, and its model."""

    channels: tuple[str, ...] = Field(min_length=1)
    rates: tuple[str, ...] = Field(min_length=1)  # input count rate (1/s) of each channel, or one of all
    tau: Positive  # s
    model: Literal["paralysable", "nonparalysable"] = "paralysable"


class Elements(Table):
    """A fluorescence detector's elements, merged by weight over I0."""

    channels: tuple[str, ...] = Field(min_length=2)
    i0: str = "i0"
    weights: tuple[NotNegative, ...] = ()  # found from their noise


class Overabsorption(Table):
    """A sample in fluorescence that is not thin: its formula, and beam and detector against its surface."""

    formula: str
    angle_in: float = Field(45.0, gt=0, le=90)  # degrees
    angle_out: float = Field(45.0, gt=0, le=90)
    thickness: Positive | None = None  # um; left out, it lets no beam through
    density: Positive | None = None  # g/cm^3

    @model_validator(mode="after")
    def _both(self) -> Overabsorption:
        if (self.thickness is None) != (self.density is None):
            raise ValueError("a thin sample needs thickness (um) and density (g/cm^3), both")
        return self


def _label(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; results are named by it")
    return value


Label = Annotated[str, AfterValidator(_label)]


class Data(Table):
    """One row: a measured file, or a simulated spectrum."""

    label: Label
    file: str | None = None
    files: Texts = ()  # scans of one sample, globs too: aligned and merged
    align: Align = "auto"  # of `files`, to the first of them
    simulate: SimulateRow | None = None
    mu: str | None = None
    reference: str | None = None
    i0: str | None = None  # columns that cannot be found by their names: `xasuite show FILE` lists them
    energy: str | None = None
    units: Units | None = None
    e0: float | None = None  # overrides [reduce] e0 for this row
    element: str | None = None  # overrides [sample] for this row: two edges of one bond fitted together
    edge: Edge | None = None
    published: str | None = None  # the published row it is scored against; the label where left out
    kind: Literal["mu", "chi"] = "mu"  # what the file holds
    chi: str | None = None  # of a chi(k) file: its columns of chi and of its standard deviation
    chi_err: str | None = None
    chi_kweight: int = Field(0, ge=0, le=4)
    # numbers that expressions may name, such as T; text is the field of the file's header that begins with one
    variables: dict[str, float | str] = Field(default_factory=dict)
    source: str = ""  # citation of the data, printed in the output
    licence: str = ""  # SPDX identifier or address: CC-BY-4.0, CC0-1.0
    example: str | None = None  # package data of an installed package: "PyMca5:EXAFS_Cu.dat"
    deadtime: DeadTime | None = None
    elements: Elements | None = None

    @property
    def published_row(self) -> str:
        """The published row that it is scored against."""
        return self.published or (self.simulate.row if self.simulate else self.label)

    @model_validator(mode="after")
    def _one_origin(self) -> Data:
        self.one_of("file", "files", "simulate", "example")
        if self.elements is not None and self.mu is not None:
            raise ValueError("elements are mu: leave mu out")
        if self.kind == "chi":
            of_mu = ["files", "simulate", "mu", "reference", "i0", "energy", "units", "e0"]
            of_mu += ["deadtime", "elements"]
            if wrong := [n for n in of_mu if getattr(self, n) not in (None, ())]:
                raise ValueError(f'kind = "chi" is chi(k) itself and takes no {", ".join(wrong)}')
        elif self.chi is not None or self.chi_err is not None or self.chi_kweight:
            raise ValueError(
                'chi, chi_err and chi_kweight belong to a chi(k) file: write kind = "chi" as well'
            )
        return self


class Sample(Table):
    """Element and edge of the measured absorber."""

    element: str
    edge: Edge = "K"


class Reduce(Table):
    """From mu(E) to chi(k); docs/decisions/ says why the defaults are what they are."""

    e0: float | None = None
    pre_range: Pair | None = None
    norm_range: Pair | None = None
    nnorm: int | None = Field(None, ge=0, le=3)
    method: Method | None = None  # found: docs/decisions/edge_step.md
    rbkg: float = Field(0.8, gt=0, lt=3)
    bkg_kweight: BackgroundKWeight = 3
    bkg_k: Pair | None = None
    bkg_dk: NotNegative = 0.1
    bkg_window: Window = "hanning"
    clamp: tuple[int, int] = (0, 1)
    background: Background = "autobk"
    deglitch: tuple[float, ...] = ()
    rebin: bool = False
    overabsorption: Overabsorption | None = None

    def normalization(self) -> dict[str, Any]:
        """The arguments of `reduce.normalize`, E0 apart."""
        return {name: getattr(self, name) for name in NORMALIZATION}

    def of_background(self) -> dict[str, Any]:
        """The arguments of `reduce.background`."""
        return {name: getattr(self, key) for name, key in BACKGROUND.items()}

    @model_validator(mode="after")
    def _taper(self) -> Reduce:
        _tapered("bkg_window", self.bkg_window, "bkg_dk", self.bkg_dk)
        return self


class Fit(Table):
    """Ranges of the fit: k in 1/A, R in A (not corrected for phase)."""

    space: Literal["r", "k", "q"] = "r"
    k: Pair
    kweight: Annotated[tuple[KWeight, ...], Listed, Field(min_length=1)] = (2,)
    window: Window = "hanning"
    dk: NotNegative = 1.0
    dk2: NotNegative | None = None
    r: Pair
    dr: NotNegative = 0.0
    rwindow: Window = "hanning"
    background: bool = False  # a spline for what lies below r[0] is refined with the fit
    together: bool = False
    epsilon_k: Positive | None = None
    engine: Literal["xasuite", "larch"] = "xasuite"

    @model_validator(mode="after")
    def _taper(self) -> Fit:
        _tapered("window", self.window, "dk", self.dk)
        if self.space == "q":
            _tapered("rwindow", self.rwindow, "dr", self.dr)
        if self.background and self.space != "r":
            raise ValueError('background = true needs space = "r"')
        if self.background and round(2 * self.r[0] * (self.k[1] - self.k[0]) / math.pi) < 3:
            raise ValueError(
                f"background = true: below r = {self.r[0]:g} A a spline of 4 coefficients does not fit in; raise r or widen k"
            )
        return self


def _tapered(key: str, window: Window, width: str, taper: float) -> None:
    """Refuses a Kaiser window without a taper: it is zero everywhere."""
    if window == "kaiser" and taper == 0:
        raise ValueError(f'{key} = "kaiser" needs {width} above 0')


class Errors(Table):
    """What goes into the errors besides the data's noise (docs/decisions/error_budget.md)."""

    shells: bool = True  # the crystal's farther paths, in and out
    # relative error of E - E0; left out, that of beamlines
    energy_scale: float | None = Field(None, ge=0, lt=0.1)
    # the estimate is the mean over these; left out, the paths' own
    potentials: Annotated[tuple[Potentials, ...], Listed] = ()


class Param(Table):
    """A parameter: guess (varied), value (fixed), expr, or from another spec's result."""

    guess: Value | None = None  # an expression is evaluated once, at the start
    value: float | None = None
    expr: Text | None = None
    from_: str | None = Field(None, alias="from")
    param: str | None = None
    row: str | None = None
    force: bool = False  # take it over although that fit is not good
    stderr: NotNegative = 0.0
    min: float = Field(-math.inf, allow_inf_nan=True)
    max: float = Field(math.inf, allow_inf_nan=True)
    each: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Param:
        self.one_of("guess", "value", "expr", "from_")
        if self.from_ is not None and self.param is None:
            raise ValueError('from = "..." needs param = "..." as well, the name in that spec')
        if not self.min < self.max:
            raise ValueError(f"min = {self.min:g} is not below max = {self.max:g}")
        if self.guess is not None and (start := parse(self.guess)).is_constant:
            self.inside(float(start({})))
        return self

    def inside(self, start: float) -> float:
        """The start, where it lies between min and max. Raises ValueError."""
        if not self.min <= start <= self.max:
            said = f"{start:g}" if isinstance(self.guess, float) else f"{self.guess}, which is {start:g},"
            raise ValueError(f"guess = {said} lies outside min = {self.min:g}, max = {self.max:g}")
        return start


class Structure(Table):
    """Where scattering paths come from, and what each of their values is."""

    label: Label
    crystal: str | None = None
    cluster: str | None = None
    amcsd: int | None = None
    absorber: str | None = None
    site: int | None = Field(None, ge=1)
    radius: float = Field(6.0, gt=1, le=12)
    program: Program = "feff8l"
    scf: bool = False
    # direction of the electric field, Cartesian axes of the crystal
    polarization: tuple[float, ...] = Field((), max_length=3)
    data: str = ""
    n: Value | None = None
    s02: Value = 1.0
    e0: Value = 0.0
    deltar: Value = 0.0
    sigma2: Value = 0.0
    third: Value = 0.0
    fourth: Value = 0.0
    ei: Value = 0.0
    dphase: Value = 0.0

    @model_validator(mode="after")
    def _direction(self) -> Structure:
        if self.polarization and (len(self.polarization) != 3 or not any(self.polarization)):
            raise ValueError(
                f"polarization = {list(self.polarization)} is no direction: three numbers, not all 0"
            )
        return self


class Path(Structure):
    """One scattering path."""

    feff: str | None = None
    scatterer: str | None = None
    legs: tuple[str, ...] = ()
    shell: int | None = Field(None, ge=1)
    path: int | None = Field(None, ge=1)
    distance: Positive | None = None  # A: single scattering by one atom there, whatever the structure has

    @property
    def made_up(self) -> bool:
        """Whether no structure is named: a file of FEFF, or rock salt of absorber and scatterer."""
        return self.crystal is None and self.cluster is None and self.amcsd is None

    @model_validator(mode="after")
    def _one_structure(self) -> Path:
        self.one_of("crystal", "cluster", "amcsd", "feff", least=int(self.distance is None))
        if self.distance is not None:
            if self.scatterer is None or self.feff or self.legs or self.shell or self.path:
                raise ValueError(
                    'distance goes with scatterer = "..." and, where it is known, a crystal; take the others out'
                )
        elif self.feff is None:
            named = [k for k in ("scatterer", "legs", "path") if getattr(self, k) not in (None, ())]
            if len(named) != 1:
                raise ValueError(
                    'needs scatterer = "..." (its nearest shell), legs = ["...", "..."] (the atoms that it passes) or '
                    "path = FEFF's own number"
                )
        if self.polarization and self.scatterer is not None:
            raise ValueError(
                "with polarization the atoms of one distance differ by their angle to the field: name each path by FEFF's number, "
                "or take [[shells]]"
            )
        return self


class Shells(Structure):
    """All paths of a structure to a distance, single and multiple scattering, with common expressions."""

    label: str = ""
    upto: float = Field(gt=1, le=10)
    amplitude: NotNegative = 2.5  # % of the strongest path
    nleg: int = Field(4, ge=2, le=4)
    alpha: Value = 0.0  # linear expansion: deltar = alpha * reff + deltar
    without: tuple[int, ...] = ()  # FEFF's numbers of paths that are left out

    @model_validator(mode="after")
    def _one_structure(self) -> Shells:
        self.one_of("crystal", "cluster", "amcsd")
        return self

    def path(self, number: int, label: str) -> Path:
        """The [[path]] of one of the paths, by FEFF's number."""
        own = {"upto", "amplitude", "nleg", "alpha", "without", "label", "deltar", "radius"}
        values = self.model_dump(exclude=own, exclude_unset=True)
        moved = f"({self.alpha})*reff + ({self.deltar})" if self.alpha else self.deltar
        return Path(label=label, path=number, deltar=moved, radius=max(self.radius, self.upto), **values)


class Restraint(Table):
    """Something known besides the data: an expression of parameters and values of paths, its value and standard deviation."""

    that: Text
    is_: float = Field(alias="is")
    within: Positive

    @model_validator(mode="after")
    def _says_something(self) -> Restraint:
        if not parse(self.that).names:
            raise ValueError(f'that = "{self.that}" names no parameter and no value of a path')
        return self


class Variant(Table):
    """The same data fitted another way, shown with the main fit and never mixed with it."""

    label: Label
    note: str = ""
    reduce: dict[str, Any] = Field(default_factory=dict)
    fit: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Param] = Field(default_factory=dict)
    expects: dict[str, float] = Field(default_factory=dict)  # what is printed for a parameter, or for rfactor


class Spec(SpecTable):
    """A whole spec."""

    reproduces: str = ""
    notes: str = ""
    data: tuple[Data, ...] = Field(min_length=1)
    sample: Sample
    reduce: Reduce = Reduce()
    fit: Fit
    errors: Errors | Literal["fit"] = Errors()  # "fit": the fit's own, scaled by its misfit
    params: dict[str, Param] = Field(default_factory=dict)
    path: tuple[Path, ...] = ()
    shells: tuple[Shells, ...] = ()
    restraint: tuple[Restraint, ...] = ()
    simulate: Simulate | None = None
    variant: tuple[Variant, ...] = ()

    @property
    def taken_over(self) -> dict[str, Param]:
        """The parameters that come from another spec's fit."""
        return {name: p for name, p in self.params.items() if p.from_ is not None}

    @property
    def structures(self) -> tuple[Structure, ...]:
        """Every [[path]] and [[shells]]."""
        return (*self.path, *self.shells)

    @property
    def simulated(self) -> tuple[int, ...]:
        """Which data rows are simulated, by their number from 0."""
        return tuple(i for i, d in enumerate(self.data) if d.simulate is not None)

    def absorber(self, index: int) -> tuple[str, str]:
        """Element and edge of a data row: its own, else [sample]'s."""
        entry = self.data[index] if index < len(self.data) else None
        own = (entry.element, entry.edge) if entry is not None else (None, None)
        return own[0] or self.sample.element, own[1] or self.sample.edge

    def absorber_of(self, label: str) -> tuple[str, str]:
        """Element and edge of the data row with that label; [sample]'s for any other."""
        return self.absorber(next((i for i, d in enumerate(self.data) if d.label == label), len(self.data)))

    def with_variant(self, variant: Variant) -> Spec:
        """The spec as a variant has it. Raises pydantic.ValidationError."""
        reduce = Reduce.model_validate(merged(self.reduce.tables(), variant.reduce))
        fit = Fit.model_validate(merged(self.fit.tables(), variant.fit))
        params = self.params | variant.params
        return self.model_copy(update={"params": params, "reduce": reduce, "fit": fit})

    @classmethod
    def names_mistakes(cls, tables: Mapping[str, Any]) -> list[Mistake]:
        """Labels used twice, names of no parameter, parameters that depend on each other in a circle."""
        return names_mistakes(tables)

    def mistakes(self) -> list[Mistake]:
        """Contradictions between valid tables: too many variables, closure without [simulate], variants."""
        found: list[Mistake] = []
        if not self.structures:
            found.append((("path",), "no [[path]] and no [[shells]]: write one, to say what is fitted"))
        points, rows = independent_points(self.fit.k, self.fit.r), len(self.data) if self.fit.together else 1
        count = sum((rows if p.each else 1) for p in self.params.values() if p.guess is not None)
        known = len(self.restraint)
        if count >= points * rows + known:
            counted = f", and {known} restraints" if known else ""
            sentence = (
                f"[fit]: {count} variables against {points * rows:.1f} independent points (1 + 2 dk dR / pi a data row{counted}); "
                "fix some parameters or widen k or r"
            )
            found.append((("fit", "k"), sentence))
        if self.simulated:
            lacks = {
                "simulates a row, but there is no [simulate] table to say how": self.simulate is None,
                'simulates a published row, but reproduces = "paper/table" is missing': not self.reproduces,
            }
            found += [(("data", 0), f"[[data]] {said}") for said, wrong in lacks.items() if wrong]
        for i, variant in enumerate(self.variant):
            for name, kind in (("reduce", Reduce), ("fit", Fit)):
                tables = merged(getattr(self, name).tables(), getattr(variant, name))
                try:
                    kind.model_validate(tables)
                except ValidationError as exc:
                    what = f'variant "{variant.label}": {name}'
                    for key, said in validation_mistakes(exc, tables, kind):
                        found.append((("variant", i, name, *key), f"{what}: {said}"))
        return found
