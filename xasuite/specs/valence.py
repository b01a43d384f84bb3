"""The spec of a valence calibration: schema, and loading with every mistake at once.

```toml
xasuite = 2
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

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..choices import Edge
from .base import Listed, NotNegative, Pair, Positive, SpecTable, Table, Texts
from .mistakes import Mistake

Fraction = Annotated[float, Field(gt=0, lt=1.5)]


class CalibrationTable(Table):
    """What is calibrated, at which fraction(s) of the jump, and how."""

    element: str
    edge: Edge = "K"
    fraction: Annotated[tuple[Fraction, ...], Listed, Field(min_length=1)] = (0.5,)
    degree: Literal[1, 2] = 1
    level: float = Field(0.95, gt=0.5, lt=1)
    outliers: Literal["name", "leave out"] = "name"
    slope: tuple[float, float] | None = None  # stated dE/dv in eV and its error
    slope_source: str = ""
    max_spread: Positive = 3.0  # eV that normalisation ranges may move an edge energy by
    pre_range: Pair | None = None
    norm_range: Pair | None = None
    nnorm: int | None = Field(None, ge=0, le=5)

    @model_validator(mode="after")
    def _stated(self) -> CalibrationTable:
        if self.slope is not None and (self.slope[1] <= 0 or not self.slope_source):
            raise ValueError(
                "slope = [value, error] needs an error above zero and slope_source = where it is from"
            )
        return self


class SimulateEdge(Table):
    """A closure edge of known position: eV from `e0`, the size of its white line, noise of a point."""

    e0: Positive
    shift: float
    white_line: NotNegative = 0.3
    noise: NotNegative = 1e-3
    seed: int = 0


class Measured(Table):
    """A compound measured in one or several scans, or simulated, and what its energy scale rests on."""

    label: str
    files: Texts = ()
    simulate: SimulateEdge | None = None
    mu: str | None = None
    reference: str | None = None  # channel expression of its own reference foil's mu
    foil: str | None = None  # a foil scanned by itself in the same session
    offset: float | None = None  # eV added to its energies, stated
    offset_err: NotNegative = 0.0
    offset_source: str = ""
    pre_range: Pair | None = None
    norm_range: Pair | None = None
    nnorm: int | None = Field(None, ge=0, le=5)
    use: bool = True
    why: str = ""
    source: str = ""
    licence: str = ""  # of the scans: SPDX identifier or address

    @model_validator(mode="after")
    def _one_scale(self) -> Measured:
        self.one_of("files", "simulate")
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
    valence_err: NotNegative = 0.0


class ValenceSpec(SpecTable):
    """A whole valence spec."""

    calibration: CalibrationTable
    standard: Annotated[tuple[StandardTable, ...], Field(min_length=1)]
    unknown: tuple[Measured, ...] = ()

    def mistakes(self) -> list[Mistake]:
        """Labels used twice, and too few different valences."""
        found: list[Mistake] = []
        seen: set[str] = set()
        for table, items in (("standard", self.standard), ("unknown", self.unknown)):
            for i, item in enumerate(items):
                if item.label in seen:
                    found.append(((table, i, "label"), f'{table} "{item.label}" stands twice; rename one'))
                seen.add(item.label)
        c = self.calibration
        valences = sorted({s.valence for s in self.standard if s.use})
        needed = c.degree + 1 - (c.slope is not None)
        if len(valences) < needed:
            sentence = (
                f"the standards in use have {len(valences)} different valence(s) "
                f"({', '.join(f'{v:g}' for v in valences) or 'none'}); degree {c.degree} needs {needed}"
            )
            found.append((("standard", 0), sentence))
        return found
