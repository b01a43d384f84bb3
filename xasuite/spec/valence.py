"""The spec of a valence calibration: schema, and loading with every mistake at once.

```toml
xasuite = 1
[calibration]
element = "Fe"
fraction = 0.5                 # of the edge jump, or a list of them
[[standard]]
label = "FeO"
valence = 2
files = ["standards/Fe_xdi/FeO_rt_01.xdi"]      # several scans of one compound: their spread enters
offset = 0.0                   # eV, stated; or reference = "ln(it/iref)", its own foil; or neither: unproven
```
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ..errors import ReadError, SpecError
from .lines import line_of
from .load import checked, parse_toml, read_text


def _as_tuple(value: object) -> object:
    return value if isinstance(value, (list, tuple)) else [value]


Fraction = Annotated[float, Field(gt=0, lt=1.5)]
Pair = tuple[float, float]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("pre", "norm", check_fields=False)
    @classmethod
    def _ascending(cls, value: Pair | None) -> Pair | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(f"[{value[0]:g}, {value[1]:g}] runs backwards; write the lower end first")
        return value


class CalibrationTable(_Table):
    """What is calibrated, at which fraction(s) of the jump, and how."""

    element: str
    edge: Literal["K", "L1", "L2", "L3"] = "K"
    fraction: Annotated[tuple[Fraction, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = (0.5,)
    degree: Literal[1, 2] = 1
    level: float = Field(0.95, gt=0.5, lt=1)
    outliers: Literal["name", "leave out"] = "name"
    slope: tuple[float, float] | None = None  # stated dE/dv in eV and its error
    slope_source: str = ""
    max_spread: float = Field(3.0, gt=0)  # eV that normalisation ranges may move an edge energy by
    pre: Pair | None = None
    norm: Pair | None = None
    nnorm: int | None = Field(None, ge=0, le=5)

    @model_validator(mode="after")
    def _stated(self) -> CalibrationTable:
        if self.slope is not None and (self.slope[1] <= 0 or not self.slope_source):
            raise ValueError(
                "slope = [value, error] needs an error above zero and slope_source = where it is from"
            )
        return self


class SimulateEdge(_Table):
    """A closure edge of known position: eV from `e0`, the size of its white line, noise of a point."""

    e0: float = Field(gt=0)
    shift: float
    white_line: float = Field(0.3, ge=0)
    noise: float = Field(1e-3, ge=0)
    seed: int = 0


class Measured(_Table):
    """A compound measured in one or several scans, or simulated, and what its energy scale rests on."""

    label: str
    files: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    simulate: SimulateEdge | None = None
    mu: str | None = None
    reference: str | None = None  # channel expression of its own reference foil's mu
    foil: str | None = None  # a foil scanned by itself in the same session
    offset: float | None = None  # eV added to its energies, stated
    offset_err: float = Field(0.0, ge=0)
    offset_source: str = ""
    pre: Pair | None = None
    norm: Pair | None = None
    nnorm: int | None = Field(None, ge=0, le=5)
    use: bool = True
    why: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _one_scale(self) -> Measured:
        if bool(self.files) == (self.simulate is not None):
            raise ValueError("needs files = ... (measured) or simulate = {...} (closure), one of the two")
        given = [n for n in ("reference", "foil", "offset") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"its energy scale is given by {' and by '.join(given)}; keep one of them")
        if self.offset is not None and not self.offset_source:
            raise ValueError("offset needs offset_source = who says so")
        if not self.use and not self.why:
            raise ValueError("use = false needs why = the reason it is shown but not fitted")
        return self


class StandardTable(Measured):
    """A standard: a compound of known formal valence."""

    valence: float = Field(ge=-4, le=9)
    valence_err: float = Field(0.0, ge=0)


class ValenceSpec(_Table):
    """A whole valence spec."""

    xasuite: Literal[1]
    title: str
    calibration: CalibrationTable
    standard: Annotated[tuple[StandardTable, ...], Field(min_length=1)]
    unknown: tuple[Measured, ...] = ()


@dataclass(frozen=True)
class LoadedValence:
    """A valence spec with its file, text and the line of every key."""

    spec: ValenceSpec
    path: Path
    text: str
    lines: Mapping[tuple[str | int, ...], int]

    def at(self, *key: str | int) -> str:
        """ "file:line" of a key."""
        return f"{self.path.name}:{line_of(key, dict(self.lines))}"

    def find(self, name: str, data_root: Path | None, *key: str | int) -> str:
        """A data file's path: beside the spec, then in `data_root`, then in XASUITE_DATA. Raises ReadError."""
        file, _, group = name.partition("::")
        roots = [self.path.parent]
        roots += [Path(p) for p in (data_root, os.environ.get("XASUITE_DATA")) if p]
        for root in roots:
            if (root / file).is_file():
                return f"{root / file}::{group}" if group else str(root / file)
        hint = (
            "" if len(roots) > 1 else "; name the folder of measured spectra with --data-root or XASUITE_DATA"
        )
        raise ReadError(f"{self.at(*key)}: {file} is not in {' nor in '.join(map(str, roots))}{hint}")


def load_valence(path: str | Path) -> LoadedValence:
    """Read and check a valence spec. Raises SpecError with every mistake, one line each (file:line: key)."""
    return parse_valence(read_text(path), path)


def parse_valence(text: str, path: str | Path = "valence.toml") -> LoadedValence:
    """Check a valence spec given as text. Raises SpecError with every mistake."""
    given = parse_toml(text, Path(path))
    if "fit" in given and "calibration" not in given:
        raise SpecError(
            [f"{Path(path).name} is the spec of a fit and has no [calibration]: run it with xasuite fit"]
        )
    return checked(ValenceSpec, LoadedValence, _meaning, text, Path(path))


def _meaning(loaded: LoadedValence) -> list[str]:
    """What the schema cannot see: labels twice, and too few different valences."""
    spec, found = loaded.spec, []
    seen: set[str] = set()
    for table, items in (("standard", spec.standard), ("unknown", spec.unknown)):
        for i, item in enumerate(items):
            if item.label in seen:
                found.append(
                    f'{loaded.at(table, i, "label")}: {table} "{item.label}" stands twice; rename one'
                )
            seen.add(item.label)
    c = spec.calibration
    valences = {s.valence for s in spec.standard if s.use}
    needed = c.degree + 1 - (c.slope is not None)
    if len(valences) < needed:
        found.append(
            f"{loaded.at('standard', 0)}: the standards in use have {len(valences)} different valence(s) "
            f"({', '.join(f'{v:g}' for v in sorted(valences)) or 'none'}); degree {c.degree} needs {needed}"
        )
    return found
