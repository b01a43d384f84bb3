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
```
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ..errors import SpecError
from .lines import line_of
from .load import LoadedSpec, meaning_mistakes, nearest, parse_toml, read_text, validated
from .schema import Data, Pair, Spec, _as_list, _Table

Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Unit = Literal["s", "min", "h"]
SECONDS: dict[str, float] = {"s": 1.0, "min": 60.0, "h": 3600.0}
DEFAULT_CHUNK = 2000


def _pattern(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        re.compile(value)
    except re.error as exc:
        raise ValueError(f"{value!r} is no regular expression: {exc}") from None
    return value


class Time(_Table):
    """Where the time of a scan comes from; exactly one of header, name, dataset, every."""

    header: str | None = None
    name: str | None = None
    dataset: str | None = None
    every: float | None = Field(None, gt=0)
    format: str = ""
    unit: Unit = "s"

    @model_validator(mode="after")
    def _one_origin(self) -> Time:
        given = [n for n in ("header", "name", "dataset", "every") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"needs exactly one of header, name, dataset, every; found {', '.join(given) or 'none'}"
            )
        if _pattern(self.name) is not None and "(?P<time>" not in str(self.name):
            raise ValueError("name needs a group (?P<time>...) in its regular expression")
        return self


class Log(_Table):
    """A log file joined by time: values at a scan's time by linear interpolation."""

    file: str
    time: str
    columns: dict[str, str] = Field(min_length=1)
    format: str = ""
    start: str = ""  # moment that a relative time (seconds, or h:m:s) counts from, in `start_format`
    start_format: str = "%m/%d/%Y %I:%M:%S %p"
    max_gap: float = Field(600.0, gt=0)  # s between neighbouring records: a longer hole gives no value
    encoding: str = "utf-8"


class Align(_Table):
    """Alignment of every scan to one of them."""

    to: int = Field(1, ge=1)
    use: Literal["reference", "mu"] = "reference"
    smooth: int = Field(
        0, ge=0
    )  # rows over which shifts are smoothed along time (running median); 0 for none
    max_shift: float = Field(10.0, gt=0)
    window: Pair = (-30.0, 60.0)


class Bin(_Table):
    """One grid for all scans: pre-edge, XANES, EXAFS in equal steps of k."""

    pre_step: float = Field(2.0, gt=0)
    xanes: Pair = (-30.0, 15.0)
    xanes_step: float | None = Field(None, gt=0)
    kstep: float = Field(0.05, gt=0)
    range: Pair | None = None  # eV; left out, what the first scan covers less a margin


class Average(_Table):
    """Rows made of several scans."""

    kind: Literal["block", "running"] = "block"
    n: int = Field(ge=2)


class Checks(_Table):
    """When a scan is passed over; see docs/decisions/series_status.md."""

    glitch: Literal["mark", "repair", "ignore"] = "mark"
    threshold: float = Field(12.0, gt=0)
    beam: float = Field(0.2, ge=0, lt=1)  # share of the median I0 below which the beam is lost
    saturated: int = Field(6, ge=3)  # points in a row at one and the same highest value
    noise: float = Field(0.05, gt=0)  # of the edge step, a point of normalised mu


class Hold(_Table):
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


class SimulatedSeries(_Table):
    """A closure series: published rows at their times, values between them by linear interpolation."""

    rows: tuple[tuple[str, float], ...] = Field(min_length=2)  # published row, its time
    n: int = Field(20, ge=2)
    noise: float = Field(3e-4, ge=0)
    seed: int = 0
    unit: Unit = "min"


def _strength(value: object) -> object:
    if value == "auto" or (isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0):
        return value
    raise ValueError(f'found {value!r}; needs a strength above 0, or "auto" for cross-validation')


Strength = Annotated[Any, BeforeValidator(_strength)]


class Timeline(_Table):
    """Parameters tied along time in one fit of the whole series (the engine's fit_timeline)."""

    shared: Texts = ()
    smooth: dict[str, Strength] = Field(default_factory=dict)
    kinetics: Literal["linear", "first-order"] | None = None
    param: Texts = ()  # the parameters that run between two end members
    rate: float | None = Field(None, gt=0)  # 1/s, where first-order kinetics starts from
    t0: float | None = None  # s
    fit_t0: bool = False


class Valence(_Table):
    """Valence read off E(f) of every row, by the calibration of a valence spec."""

    spec: str
    fraction: float | None = None  # of the jump; left out, the first of edge_fraction
    shift: float = 0.0  # eV added to the series' energies, onto the standards' scale
    shift_err: float = Field(0.0, ge=0)


class Components(_Table):
    """Components of the rows' XANES: found by MCR-ALS, or given, as rows of the series or as files."""

    n: int | None = Field(None, ge=2, le=8)
    rows: tuple[Annotated[int, Field(ge=1)], ...] = ()
    references: Texts = ()
    span: Pair = (-20.0, 60.0)  # eV from E0

    @model_validator(mode="after")
    def _one_kind(self) -> Components:
        if (self.n is not None) + bool(self.rows) + bool(self.references) != 1:
            raise ValueError("needs exactly one of n (MCR-ALS), rows, references (linear combination)")
        return self


class SeriesTable(_Table):
    """Everything of a series that a single fit does not have."""

    files: Texts = ()
    simulate: SimulatedSeries | None = None
    order: Literal["natural", "time"] = "natural"
    mu: str | None = None
    reference: str | None = None
    source: str = ""
    time: Time | None = None
    time_unit: Unit = "s"  # of the table and the figures
    names: str | None = None  # regular expression whose named groups become columns
    log: tuple[Log, ...] = ()
    align: Align | None = None
    bin: Bin | None = None
    average: Average | None = None
    checks: Checks = Checks()
    e0: Literal["shared", "each"] = "shared"
    edge_fraction: tuple[float, ...] = (0.5,)
    chunk: int = Field(DEFAULT_CHUNK, ge=1, le=100_000)
    start: Literal["model", "mean", "previous"] = "model"
    kmax: Literal["fixed", "noise"] = (
        "fixed"  # "noise": each row up to its own usable k, in steps of kmax_step
    )
    kmax_step: float = Field(1.0, gt=0)
    seen: float = Field(2.0, ge=0)  # standard errors that N must lie from zero for a path to count as seen
    optional: Texts = ()  # amplitudes of shells that may be absent: where one is not seen the fit does without it
    audit: bool = True  # an acceptance sample of the rows fitted again by Larch
    hold: dict[str, Hold] = Field(default_factory=dict)
    timeline: Timeline | None = None
    valence: Valence | None = None
    components: Components | None = None
    keep: tuple[Literal["norm", "chi", "fit"], ...] = ("norm", "chi", "fit")
    csv: bool | None = None  # the table as CSV besides Parquet; left out, up to 100 000 rows

    @field_validator("names")
    @classmethod
    def _regex(cls, value: str | None) -> str | None:
        return _pattern(value)

    @model_validator(mode="after")
    def _one_origin(self) -> SeriesTable:
        if bool(self.files) == (self.simulate is not None):
            raise ValueError("needs exactly one of files, simulate")
        if self.order == "time" and self.time is None:
            raise ValueError('order = "time" needs time = {...} to say where the time comes from')
        if self.log and self.time is None and self.simulate is None:
            raise ValueError("[[series.log]] is joined by time: needs time = {...}")
        return self


class SeriesSpec(Spec):
    """A fit spec whose data are a series."""

    data: tuple[Data, ...] = ()
    series: SeriesTable


def holds_series(path: str | Path) -> bool:
    """Whether a file is the spec of a series; False too for what cannot be read, which its loader explains."""
    try:
        return "series" in tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def load_series_spec(path: str | Path) -> LoadedSpec:
    """Read and check a series spec; its `spec` is a SeriesSpec. Raises SpecError with every mistake."""
    return parse_series_spec(read_text(path), path)


def parse_series_spec(text: str, path: str | Path = "series.toml") -> LoadedSpec:
    """Check a series spec given as text. Raises SpecError with every mistake."""
    path = Path(path)
    raw = parse_toml(text, path)
    if "series" not in raw:
        hint = "; it holds [[data]]: run it with xasuite fit" if "data" in raw else ""
        raise SpecError(f"{path.name}:1: [series] is missing, so this is no spec of a series{hint}")
    spec, lines = validated(SeriesSpec, raw, text, path)
    loaded = LoadedSpec(spec, path, text, lines)
    mistakes = meaning_mistakes(loaded) + series_mistakes(loaded)
    if mistakes:
        raise SpecError(mistakes)
    return loaded


def series_mistakes(loaded: LoadedSpec) -> list[str]:
    """What the schema cannot see: names of parameters, choices that exclude each other."""
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    series, found = spec.series, []

    def say(key: tuple[str | int, ...], sentence: str) -> None:
        number = line_of(key, dict(loaded.lines))
        found.append((number, f"{loaded.path.name}:{number}: {sentence}"))

    varied = [n for n, p in spec.params.items() if p.guess is not None]
    if spec.data:
        say(("data", 0), "[[data]] and [series] exclude each other; remove [[data]]")
    if spec.variant:
        say(("variant", 0), "a series has no [[variant]]; give the other choice a spec of its own")
    if spec.fit.together:
        say(("fit", "together"), "[fit]: together is for [[data]]; a series ties rows with [series] timeline")
    if spec.fit.epsilon_k is not None and series.kmax == "noise":
        say(("fit", "epsilon_k"), '[fit]: epsilon_k and [series] kmax = "noise" exclude each other')
    if series.simulate is not None and (spec.simulate is None or not spec.reproduces):
        say(
            ("series", "simulate"),
            '[series]: simulate needs a [simulate] table and reproduces = "paper/table"',
        )
    if series.components is not None and "norm" not in series.keep:
        say(("series", "components"), '[series]: components are found in the spectra: leave "norm" in keep')
    at = series.valence.fraction if series.valence is not None else None
    if at is not None and at not in series.edge_fraction:
        say(
            ("series", "valence"),
            f"[series]: valence: fraction = {at:g} is none of edge_fraction = {list(series.edge_fraction)}; add it there",
        )
    line = series.timeline
    for where, names in (
        ("hold", series.hold),
        ("optional", series.optional),
        ("hold: fix", dict.fromkeys(n for h in series.hold.values() for n in h.fix)),
        ("timeline: shared", line.shared if line else ()),
        ("timeline: smooth", line.smooth if line else ()),
        ("timeline: param", line.param if line else ()),
    ):
        for name in names:
            if name not in varied:
                say(
                    ("series", where.split(":")[0]),
                    f"[series]: {where}: {name} is no varied parameter{nearest(name, varied)}",
                )
    return [m for _, m in sorted(dict.fromkeys(found))]
