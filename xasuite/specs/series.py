"""The spec of a series: a fit spec with a [series] table in place of [[data]], loaded with every mistake at once.

```toml
[series]
files = ["raw/*.txt"]                       # globs, HDF5 (groups or a stacked array), .prj; "x.prj::^NiO" for some groups
time = { header = "This Scan Create Date", format = "%m/%d/%Y %I:%M:%S %p" }
align = { to = 1 }                          # by the reference channel
bin = {}                                    # QEXAFS onto one grid
hold = { enot = { rows = [1, 10] } }        # fitted on those rows, then held with its error

[[series.log]]
file = "furnace.txt"
time = "Date and Time"
format = "%m/%d/%Y %H:%M:%S"
columns = { T = "TR1 T [°C]" }
units = { T = "°C" }
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ..choices import Units
from ..errors import nearest
from .base import NotNegative, Pair, Positive, Table, Texts
from .mistakes import Mistake
from .schema import Data, Spec

Unit = Literal["s", "min", "h"]
SECONDS: dict[str, float] = {"s": 1.0, "min": 60.0, "h": 3600.0}
DEFAULT_CHUNK = 2000
_STACK = re.compile(r"\.(h5|hdf5?|nxs)\b|^https?://", re.I)


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as exc:
        raise ValueError(f"{value!r} is no regular expression: {exc}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class Time(Table):
    """Where the time of a scan comes from; exactly one of header, name, dataset, every."""

    header: str | None = None
    name: Pattern | None = None
    dataset: str | None = None
    every: Positive | None = None
    format: str = ""
    unit: Unit = "s"

    @model_validator(mode="after")
    def _one_origin(self) -> Time:
        self.one_of("header", "name", "dataset", "every")
        if self.name is not None and "(?P<time>" not in self.name:
            raise ValueError("name needs a group (?P<time>...) in its regular expression")
        return self


class Log(Table):
    """A log file joined by time: values at a scan's time by linear interpolation."""

    file: str
    time: str
    columns: dict[str, str] = Field(min_length=1)
    units: dict[str, str] = Field(default_factory=dict)  # of the columns, for tables and figures
    format: str = ""
    start: str = ""  # moment that a relative time (seconds, or h:m:s) counts from, in `start_format`
    start_format: str = "%m/%d/%Y %I:%M:%S %p"
    max_gap: Positive = 600.0  # s between neighbouring records: a longer hole gives no value
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _units_of_columns(self) -> Log:
        for name in self.units.keys() - self.columns.keys():
            raise ValueError(f"units: {name} is no column of this log{nearest(name, self.columns)}")
        return self


class Align(Table):
    """Alignment of every scan to one of them."""

    to: int = Field(1, ge=1)
    use: Literal["reference", "mu"] = "reference"
    # rows over which shifts are smoothed along time (running median); 0 for none
    smooth: int = Field(0, ge=0)
    max_shift: Positive = 10.0
    fit_range: Pair = (-30.0, 60.0)


class Bin(Table):
    """One grid for all scans: pre-edge, XANES, EXAFS in equal steps of k."""

    pre_step: Positive = 2.0
    xanes_range: Pair = (-30.0, 15.0)
    xanes_step: Positive | None = None
    kstep: Positive = 0.05
    energy_range: Pair | None = None  # absolute eV; left out, what the first scan covers less a margin


class Average(Table):
    """Rows made of several scans."""

    kind: Literal["block", "running"] = "block"
    n: int = Field(ge=2)


class Checks(Table):
    """When a scan is passed over; see docs/decisions/series_status.md."""

    glitch: Literal["mark", "repair", "ignore"] = "mark"
    threshold: Positive = 12.0
    beam: float = Field(0.2, ge=0, lt=1)  # share of the median I0 below which the beam is lost
    saturated: int = Field(6, ge=3)  # points in a row at one and the same highest value
    noise: Positive = 0.05  # of the edge step, a point of normalised mu


class Hold(Table):
    """A parameter fitted on some rows, then held at their weighted mean with its error.

    `fix` holds other parameters in that fit alone: those of a phase that is not there yet.
    """

    rows: tuple[int, int]
    fix: dict[str, float] = Field(default_factory=dict)

    @field_validator("rows")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1]:
            raise ValueError(f"rows = [{value[0]}, {value[1]}]: rows count from 1, first to last")
        return value


class SimulatedSeries(Table):
    """A closure series: published rows at their times, values between them by linear interpolation."""

    rows: tuple[tuple[str, float], ...] = Field(min_length=2)  # published row, its time
    n: int = Field(20, ge=2)
    noise: NotNegative = 3e-4
    seed: int = 0
    unit: Unit = "min"


def _strength(value: object) -> object:
    if value == "auto" or (isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0):
        return value
    raise ValueError(f'found {value!r}; needs a strength above 0, or "auto" for cross-validation')


Strength = Annotated[Any, BeforeValidator(_strength)]


class Timeline(Table):
    """Parameters tied along time in one fit of the whole series (the engine's fit_timeline)."""

    shared: Texts = ()
    smooth: dict[str, Strength] = Field(default_factory=dict)
    kinetics: Literal["linear", "first-order"] | None = None
    param: Texts = ()  # the parameters that run between two end members
    rate: Positive | None = None  # 1/s, where first-order kinetics starts from
    t0: float | None = None  # s
    fit_t0: bool = False


class Valence(Table):
    """Valence read off E(f) of every row, by the calibration of a valence spec."""

    spec: str
    fraction: float | None = None  # of the jump; left out, the first of edge_fraction
    shift: float = 0.0  # eV added to the series' energies, onto the standards' scale
    shift_err: NotNegative = 0.0


class Components(Table):
    """Components of the rows' XANES: found by MCR-ALS, or given, as rows of the series or as files."""

    n: int | None = Field(None, ge=2, le=8)
    rows: tuple[Annotated[int, Field(ge=1)], ...] = ()
    references: Texts = ()
    fit_range: Pair = (-20.0, 60.0)  # eV from E0

    @model_validator(mode="after")
    def _one_kind(self) -> Components:
        self.one_of("n", "rows", "references")
        return self


class PixelCalibration(Table):
    """Energies of a dispersive series: a foil measured on the same pixels, and the same foil on energies."""

    # the foil on pixels; its first column, or the one called `energy` in a layout, counts them
    file: str | None = None
    reference: str | None = None  # the foil on energies
    mu: str | None = None  # arithmetic over the columns of `file`; left out, that of [series]
    degree: int = Field(2, ge=1, le=4)
    # E = c0 + c1 p + c2 p^2 ..., in eV, where it is known: no foil is read
    coefficients: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _foil_or_polynomial(self) -> PixelCalibration:
        if bool(self.coefficients) == bool(self.file or self.reference):
            raise ValueError("needs file and reference (a foil on pixels, and on energies), or coefficients")
        if not self.coefficients and not (self.file and self.reference):
            raise ValueError(
                "file and reference go together: a foil on pixels, and the same foil on energies"
            )
        if self.coefficients and len(self.coefficients) < 2:
            raise ValueError("coefficients = [c0, c1, ...] needs two at least")
        return self


class SeriesTable(Table):
    """Everything of a series that a single fit does not have."""

    files: Texts = ()
    simulate: SimulatedSeries | None = None
    order: Literal["natural", "time"] = "natural"
    mu: str | None = None
    reference: str | None = None
    i0: str | None = None  # columns that cannot be found by their names: `xasuite show FILE` lists them
    energy: str | None = None
    units: Units | None = None
    source: str = ""
    licence: str = ""  # of the scans: SPDX identifier or address
    time: Time | None = None
    time_unit: Unit = "s"  # of the table and the figures
    against: str = "time"  # the column that figures draw parameters against
    names: Pattern | None = None  # regular expression whose named groups become columns
    log: tuple[Log, ...] = ()
    calibration: PixelCalibration | None = None
    align: Align | None = None
    bin: Bin | None = None
    average: Average | None = None
    checks: Checks = Checks()
    e0: Literal["shared", "each"] = "shared"
    edge_fraction: tuple[float, ...] = (0.5,)
    chunk: int = Field(DEFAULT_CHUNK, ge=1, le=100_000)
    start: Literal["model", "mean", "previous"] = "model"
    # "noise": each row up to its own usable k, in steps of kmax_step
    kmax: Literal["fixed", "noise"] = "fixed"
    kmax_step: Positive = 1.0
    seen: NotNegative = 2.0  # standard errors that N must lie from zero for a path to count as seen
    optional: Texts = ()  # amplitudes of shells that may be absent: where one is not seen the fit does without it
    audit: bool = True  # an acceptance sample of the rows fitted again by Larch
    hold: dict[str, Hold] = Field(default_factory=dict)
    timeline: Timeline | None = None
    valence: Valence | None = None
    components: Components | None = None
    keep: tuple[Literal["norm", "chi", "fit"], ...] = ("norm", "chi", "fit")
    csv: bool | None = None  # the table as CSV besides Parquet; left out, up to 100 000 rows

    def mistaken_column(self, known: Iterable[str]) -> str:
        """What is wrong with `against` where the rows have the columns `known` besides their time; "" for nothing."""
        known = ["time", *known]
        why = f"against = {self.against!r} is no column that logs or names give{nearest(self.against, known)}"
        return "" if self.against in known else why

    @property
    def named_columns(self) -> list[str]:
        """The columns that logs and file names give."""
        named = re.compile(self.names).groupindex if self.names else ()
        return [*(name for log in self.log for name in log.columns), *named]

    @property
    def pixels(self) -> tuple[float, ...]:
        """The polynomial that makes energies of pixels, () where the scans have energies."""
        return self.calibration.coefficients if self.calibration else ()

    @model_validator(mode="after")
    def _one_origin(self) -> SeriesTable:
        self.one_of("files", "simulate")
        if self.order == "time" and self.time is None:
            raise ValueError('order = "time" needs time = {...} to say where the time comes from')
        if self.log and self.time is None and self.simulate is None:
            raise ValueError("[[series.log]] is joined by time: needs time = {...}")
        return self


class SeriesSpec(Spec):
    """A fit spec whose data are a series."""

    data: tuple[Data, ...] = ()
    series: SeriesTable

    def mistakes(self) -> list[Mistake]:
        """Choices that exclude each other, and names that are no varied parameter."""
        series, found = self.series, super().mistakes()
        at = series.valence.fraction if series.valence is not None else None
        wrong: tuple[tuple[bool, tuple[str, ...], str], ...] = (
            (bool(self.data), ("data",), "[[data]] and [series] exclude each other; remove [[data]]"),
            (bool(self.variant), ("variant",), "a series has no [[variant]]; give the other choice a spec of its own"),
            (
                self.fit.background, ("fit", "background"),
                "[fit]: background is for [[data]]; rows of a series are fitted after their background was removed",
            ),
            (
                self.fit.together, ("fit", "together"),
                "[fit]: together is for [[data]]; a series ties rows with [series] timeline",
            ),
            (
                self.fit.epsilon_k is not None and series.kmax == "noise", ("fit", "epsilon_k"),
                '[fit]: epsilon_k and [series] kmax = "noise" exclude each other',
            ),
            (
                series.simulate is not None and (self.simulate is None or not self.reproduces), ("series", "simulate"),
                '[series]: simulate needs a [simulate] table and reproduces = "paper/table"',
            ),
            (
                series.components is not None and "norm" not in series.keep, ("series", "components"),
                '[series]: components are found in the spectra: leave "norm" in keep',
            ),
            (
                # a stacked array may bring more columns: those are known when it is opened
                bool(why := series.mistaken_column(series.named_columns)) and not any(map(_STACK.search, series.files)),
                ("series", "against"), f"[series]: {why}",
            ),
            (
                at is not None and at not in series.edge_fraction, ("series", "valence"),
                f"[series]: valence: fraction = {at} is none of edge_fraction = {list(series.edge_fraction)}; add it there",
            ),
        )  # fmt: skip
        found += [(key, sentence) for is_wrong, key, sentence in wrong if is_wrong]
        varied = [n for n, p in self.params.items() if p.guess is not None]
        line = series.timeline or Timeline()
        named = {
            "hold": series.hold, "optional": series.optional, "hold: fix": [n for h in series.hold.values() for n in h.fix],
            "timeline: shared": line.shared, "timeline: smooth": line.smooth, "timeline: param": line.param,
        }  # fmt: skip
        return found + [
            (("series", where.split(":")[0]), f"[series]: {where}: {name} is no varied parameter{nearest(name, varied)}")
            for where, names in named.items() for name in names if name not in varied
        ]  # fmt: skip
