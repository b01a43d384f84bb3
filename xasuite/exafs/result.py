"""What a fit gives: values with errors and their origin, statistics, curves; frozen like every record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..records import Array, Shown, Source, Step
from .model import Model

if TYPE_CHECKING:
    import pandas as pd

# |correlation| above which two parameters are said not to be told apart (the field's habit, Artemis prints 0.25 up)
STRONG_CORRELATION = 0.9


@dataclass(frozen=True)
class Value:
    """A value with its standard error (nan where there is none) and the parts that the error is made of.

    `stderr` is the total; `parts` are named standard errors that add in quadrature to it: "fit" for the fit's own
    (from its covariance), the name of an inherited parameter (a foil's "s02") for what that parameter's own error
    causes here, or the parts of an error budget. A part that could not be found is left out.
    """

    value: float
    stderr: float = math.nan
    parts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, value: float, parts: Mapping[str, float]) -> Value:
        """The value whose error is the quadrature sum of its parts (nan where no part is finite and positive)."""
        kept = {name: float(part) for name, part in parts.items() if part > 0}
        return cls(value, math.hypot(*kept.values()) if kept else math.nan, kept)

    @property
    def ufloat(self) -> Any:
        """The value as an uncertainties.ufloat (error nan where there is none)."""
        from uncertainties import ufloat

        return ufloat(self.value, self.stderr)

    def __str__(self) -> str:
        return paper(self.value, self.stderr)


@dataclass(frozen=True)
class FittedParameter:
    """One parameter after the fit; `state` is "" or what makes its error doubtful.

    states: "at min", "at max" (the error means nothing), "not moved" (the start was returned), "no error".
    `kind` is varied, fixed, inherited or expression.
    """

    name: str
    value: Value
    kind: str
    min: float = -math.inf
    max: float = math.inf
    expr: str = ""
    origin: str = ""
    state: str = ""


@dataclass(frozen=True)
class FittedPath:
    """One path after the fit: n, r (A), sigma2 (A^2), e0 (eV), s02, deltar, third, fourth as Values."""

    label: str
    data: str
    feff_index: int
    reff: float
    degen: float
    scatterers: tuple[str, ...]
    n: Value
    s02: Value
    r: Value
    deltar: Value
    sigma2: Value
    e0: Value
    third: Value
    fourth: Value
    fixed: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FittedData:
    """One data set of a fit: curves on k (nk,) in 1/A and its own statistics.

    `epsilon_k`, `epsilon_r` have one entry a k weight; `noise` says how they were made.
    """

    label: str
    k: Array
    data: Array
    fit: Array
    paths: Mapping[str, Array]
    epsilon_k: tuple[float, ...]
    epsilon_r: tuple[float, ...]
    noise: str
    rfactor: float
    n_idp: float
    element: str = ""
    edge: str = ""
    e0: float = math.nan
    edge_step: float = math.nan
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FitResult(Shown):
    """The result of one fit, of one data set or of several together."""

    label: str
    model: Model
    data: tuple[FittedData, ...]
    parameters: tuple[FittedParameter, ...]
    paths: tuple[FittedPath, ...]
    correlations: Mapping[tuple[str, str], float]
    n_idp: float
    n_varys: int
    n_data: int
    nfev: int
    chi2: float
    chi2_reduced: float
    rfactor: float
    success: bool
    message: str
    warnings: tuple[str, ...] = ()

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter as a ufloat."""
        return {p.name: p.value.ufloat for p in self.parameters}

    def parameter(self, name: str) -> FittedParameter:
        """The parameter of that name. Raises KeyError."""
        for p in self.parameters:
            if p.name == name:
                return p
        raise KeyError(name)

    def path(self, label: str, data: str = "") -> FittedPath:
        """The path of that label (and data set). Raises KeyError."""
        for p in self.paths:
            if p.label == label and (not data or p.data == data):
                return p
        raise KeyError(label)

    @property
    def status(self) -> str:
        """ "ok", or in one word what makes the result doubtful."""
        if not self.success:
            return "failed"
        states = {p.state for p in self.parameters if p.state}
        if "no error" in states:
            return "undetermined"
        if states & {"at min", "at max"}:
            return "at bound"
        return "ok"

    def table(self) -> pd.DataFrame:
        """The coordination table: a row a path; units in the column names."""
        import pandas as pd

        rows = []
        for p in self.paths:
            row: dict[str, Any] = {"sample": p.data or self.label, "path": p.label}
            for name, unit in (("n", ""), ("r", " (A)"), ("sigma2", " (A^2)"), ("e0", " (eV)"), ("s02", "")):
                value: Value = getattr(p, name)
                row[name + unit] = value.value
                row[name + "_err" + unit] = value.stderr
            row["rfactor"] = next(d.rfactor for d in self.data if d.label == p.data)
            rows.append(row)
        return pd.DataFrame(rows)


def paper(value: float, stderr: float) -> str:
    """A value with its error as papers print it, 2.495(6), 5.8(6); the bare value where there is no error."""
    if not math.isfinite(value):
        return "-"
    if not math.isfinite(stderr) or stderr <= 0:
        return f"{value:.4g}"
    from uncertainties import ufloat

    return f"{ufloat(value, stderr):.1uS}" if _leading(stderr) >= 3 else f"{ufloat(value, stderr):.2uS}"


def _leading(x: float) -> int:
    return int(f"{x:.1e}"[0])
