"""The records of a valence calibration: standards, the line through them, predictions, leave-one-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import CalibrationError
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table
from .calibration import Line, fit_line

PROVEN, STATED, UNPROVEN = "proven", "stated", "unproven"
LEVEL = 0.95
MIN_DOF = 2  # least residual degrees of freedom for which an interval is given


@dataclass(frozen=True)
class Standard:
    """A compound of known formal valence, with its edge energy (eV) and the total error of that energy.

    `scale` says how its energy scale is known: "proven" by its own reference foil, "stated", or "unproven";
    `evidence` gives the reason in a sentence. A standard that is not `used` is not fitted, with the `reason`. For one
    that is used, `reason` is a remark that is repeated when it is an outlier.
    """

    name: str
    valence: float
    energy: float
    energy_err: float
    valence_err: float = 0.0
    element: str = ""
    scale: str = UNPROVEN
    evidence: str = ""
    used: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Prediction:
    """A valence from the line with its standard error and interval; `useless` says why there is no interval.

    `method` names how the interval was made; low and high are NaN where it is useless.
    """

    name: str
    energy: float
    energy_err: float
    value: float
    stderr: float
    low: float
    high: float
    method: str
    dof: int
    level: float = LEVEL
    extrapolated: bool = False
    useless: str = ""
    scale: str = UNPROVEN
    evidence: str = ""

    @property
    def text(self) -> str:
        """The value as in a paper: 2.67(8), 95 % 2.48 to 2.86."""
        from uncertainties import ufloat

        value = f"{ufloat(self.value, self.stderr):.1uS}" if np.isfinite(self.stderr) else f"{self.value:.2f}"
        if self.useless:
            return f"{value}, no interval: {self.useless}"
        return f"{value}, {self.level:.0%} {self.low:.2f} to {self.high:.2f}"


@dataclass(frozen=True)
class LeftOut:
    """A standard predicted from all others, and its `distance` in eV from their line.

    `t` is the distance over its standard deviation; `inside` whether its valence lies in the interval, None without one.
    """

    standard: Standard
    prediction: Prediction
    distance: float
    t: float
    inside: bool | None


@dataclass(frozen=True)
class Calibration(Presented):
    """The calibration: standards, line, leave-one-out of each, outliers named with a reason, warnings."""

    standards: tuple[Standard, ...]
    line: Line
    fraction: float
    element: str
    left_out: tuple[LeftOut, ...] = ()
    outliers: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = field(default_factory=tuple)

    @property
    def used(self) -> tuple[Standard, ...]:
        """The standards that the line was fitted to."""
        return tuple(s for s in self.standards if s.used)

    @property
    def valence_range(self) -> tuple[float, float]:
        """Lowest and highest formal valence fitted."""
        values = [s.valence for s in self.used]
        return min(values), max(values)

    def summary(self) -> Table:
        """One row per standard: energy, energy scale, distance from the line, valence predicted from the others."""
        left = {x.standard.name: x for x in self.left_out}
        rows = []
        for s in self.standards:
            x = left.get(s.name)
            inside = "" if x is None else {None: "useless", True: "yes", False: "no"}[x.inside]
            off = s.energy - float(self.line.energy(s.valence))
            predicted = (x.prediction.value, x.prediction.low, x.prediction.high) if x else (None,) * 3
            remark = s.reason or (x.prediction.useless if x else "")
            rows.append(
                (s.name, s.valence, Entry(s.energy, s.energy_err), s.scale, off, *predicted, inside, remark)
            )
        columns = (
            "standard", Quantity("formal", "Formal valence", form="g"), Quantity(f"E({self.fraction:g})", unit="eV"), "scale",
            Quantity("off_line", "Off the line", "eV", form="+.2f"), Quantity("valence", "From the others", form=".2f"),
            "low", "high", Quantity("inside", "Inside"), Quantity("remark", "Remark"),
        )  # fmt: skip
        title = f"{self.element} standards at {self.fraction:g} of the edge jump"
        return Table.of(title, columns, rows, notes=self.remarks)


def fit_standards(standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None) -> Line:
    """The line through the standards in use. Raises CalibrationError when there is none."""
    used = [s for s in standards if s.used]
    if not used:
        raise CalibrationError("no standard is used; a calibration needs at least two of different valence")
    columns = np.array([(s.valence, s.energy, s.energy_err, s.valence_err) for s in used]).T
    return fit_line(*columns, degree=degree, slope=slope)
