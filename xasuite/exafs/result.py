"""The result of a fit: values with errors and their parts, statistics, curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records import Array, Source, Step
from ..records.quantities import as_printed, with_ends
from ..records.table import Entry, Presented, Table, finite, plain
from .model import Model

if TYPE_CHECKING:
    import pandas as pd
    from uncertainties.core import Variable

    from .budget.record import Budget

# |correlation| above which a pair of parameters is named in a warning (Artemis prints 0.25 and more)
STRONG_CORRELATION = 0.9
PATH_COLUMNS = ("n", "r", "sigma2", "s02", "e0")
SELDOM = ("third", "fourth", "ei", "dphase")  # in a table where one of them is not 0


@dataclass(frozen=True)
class Value:
    """A value with its standard error (nan if there is none) and the parts of that error.

    `stderr` is the total. `parts` are named standard errors that add in quadrature to it: "fit" is the error from the
    covariance of the fit, the name of an inherited parameter ("s02" of a foil) the contribution of that parameter's
    error; with an error budget they are its parts. An unknown part is left out. `plus` and `minus` are the
    errors upwards and downwards if they differ from `stderr` (exafs.profiles), else nan.
    """

    value: float
    stderr: float = math.nan
    parts: Mapping[str, float] = field(default_factory=dict)
    plus: float = math.nan
    minus: float = math.nan

    @classmethod
    def of(cls, value: float, parts: Mapping[str, float]) -> Value:
        """The value with an error that is the quadrature sum of its parts (nan if no part is positive)."""
        kept = {name: float(part) for name, part in parts.items() if part > 0}
        return cls(value, math.hypot(*kept.values()) if kept else math.nan, kept)

    @property
    def ufloat(self) -> Variable:
        """The value as an uncertainties.ufloat (with error nan if there is none)."""
        from uncertainties import ufloat

        return ufloat(self.value, self.stderr)

    def to_dict(self) -> dict[str, Any]:
        """Value, standard error (None if there is none), and the parts of the error."""
        return self.entry().to_dict()

    def entry(self, held: bool = False, state: str = "") -> Entry:
        """The value as a cell of a table."""
        of, plus, minus = self.parts, self.plus, self.minus
        return Entry(self.value, self.stderr, held, state, parts=of, plus=plus, minus=minus)

    def __str__(self) -> str:
        if math.isfinite(self.plus):
            return with_ends(self.value, self.plus, self.minus)
        return as_printed(self.value, self.stderr)


@dataclass(frozen=True)
class FittedParameter:
    """One parameter after the fit; `state` is "" or says why its error is doubtful.

    States are "at min" and "at max" (there is no error), "not moved" (the value is still the start) and "no error".
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

    @property
    def entry(self) -> Entry:
        """The parameter as a cell of a table."""
        return self.value.entry(self.kind in ("fixed", "inherited"), self.state)

    def to_dict(self) -> dict[str, Any]:
        """Value, error, kind, state and bounds."""
        return self.value.to_dict() | {
            "vary": self.kind == "varied", "kind": self.kind, "state": self.state, "min": finite(self.min),
            "max": finite(self.max), "expr": self.expr, "origin": self.origin,
        }  # fmt: skip


@dataclass(frozen=True)
class FittedPath:
    """One path after the fit: n, r (A), sigma2 (A^2), e0 (eV), s02, deltar, third, fourth, ei (eV), dphase (rad) as Values."""

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
    ei: Value
    dphase: Value
    fixed: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)

    def entry(self, quantity: str) -> Entry:
        """One of its quantities as a cell of a table."""
        value: Value = getattr(self, quantity)
        return value.entry(quantity in self.fixed, self.states.get(quantity, ""))


@dataclass(frozen=True)
class FittedRestraint:
    """A restraint after the fit: the expression, its known value and standard deviation, and the value of the fit.

    `note` names the bond-valence parameters that were used. `chi2` is its contribution to chi-square.
    """

    that: str
    wanted: float
    within: float
    value: Value
    note: str = ""

    @property
    def chi2(self) -> float:
        """((found - wanted) / within)^2."""
        return ((self.value.value - self.wanted) / self.within) ** 2

    def __str__(self) -> str:
        known = f"{self.that} = {self.value}, known as {self.wanted:g} ± {self.within:g}: adds {self.chi2:.2g} to χ²"
        return known + (f" [{self.note}]" if self.note else "")

    def to_dict(self) -> dict[str, Any]:
        """The restraint as plain data."""
        return {
            "that": self.that, "is": self.wanted, "within": self.within, "value": finite(self.value.value),
            "stderr": finite(self.value.stderr), "chi2": finite(self.chi2), "note": self.note,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class FittedData:
    """One data set of a fit: curves on k (nk,) in 1/A and statistics of this set.

    `epsilon_k` and `epsilon_r` have one entry per k weight; `noise` says where they come from. `background` (nk,) is the one
    refined in the fit, if any; it is included in `fit`.
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
    background: Array | None = None
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Statistics, noise, and every step of the reduction with its settings."""
        return {
            "label": self.label, "rfactor": finite(self.rfactor), "n_idp": finite(self.n_idp),
            "epsilon_k": [finite(e) for e in self.epsilon_k], "epsilon_r": [finite(e) for e in self.epsilon_r],
            "noise": self.noise, "e0": finite(self.e0), "edge_step": finite(self.edge_step), "notes": list(self.notes),
            "history": [{"step": s.name, **plain(s.settings)} for s in self.history],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class FitResult(Presented):
    """The result of a fit of one data set or of several together.

    `covar` (n, n) is the covariance of all n `parameters` in their order, including inherited errors. `step` shows that it is a
    minimum: the length of the Gauss-Newton step there, in standard errors. `engine` is "xasuite" or "larch". With a
    `budget`, values, errors and `covar` are those of the budget; `stated` is then the fit with the stated settings, to which curves
    and statistics belong.
    """

    label: str
    model: Model
    data: tuple[FittedData, ...]
    parameters: tuple[FittedParameter, ...]
    paths: tuple[FittedPath, ...]
    covar: Array
    correlations: Mapping[tuple[str, str], float]
    n_idp: float
    n_varys: int
    nfev: int
    chi2: float
    chi2_reduced: float
    rfactor: float
    step: float
    engine: str
    success: bool
    message: str
    warnings: tuple[str, ...] = ()
    restraints: tuple[FittedRestraint, ...] = ()
    budget: Budget | None = None
    stated: FitResult | None = None

    @cached_property
    def params(self) -> dict[str, Any]:
        """Every parameter as a correlated ufloat, so that a quantity computed from several of them has the right error.

        A fixed parameter is exact; a parameter without an error (at a bound, undetermined) has nan.
        """
        from uncertainties import correlated_values, ufloat

        known = np.flatnonzero(np.diag(self.covar) > 0)
        values = [self.parameters[i].value.value for i in known]
        made = correlated_values(values, self.covar[np.ix_(known, known)]) if values else ()
        out = {p.name: p.value.ufloat for p in self.parameters}
        exact = 0 * ufloat(0.0, 1.0)
        out |= {p.name: p.value.value + exact for p in self.parameters if p.kind == "fixed"}
        return out | {self.parameters[i].name: value for i, value in zip(known, made, strict=True)}

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
        """ "ok", or the reason why the result is doubtful: "failed", "undetermined" or "at bound"."""
        if not self.success:
            return "failed"
        states = {p.state for p in self.parameters if p.state}
        if "no error" in states:
            return "undetermined"
        if states & {"at min", "at max"}:
            return "at bound"
        return "ok"

    def table(self) -> pd.DataFrame:
        """The coordination table as data: one row per path, ``r`` and ``r_err``, units in ``attrs["units"]``."""
        return self.summary().to_dataframe()

    def summary(self) -> Table:
        """The coordination table of the fit: one row per path, statistics above and warnings below."""
        rows = []
        for p in self.paths:
            rfactor = next(d.rfactor for d in self.data if d.label == p.data)
            rows.append((p.data or self.label, p.label, *(p.entry(q) for q in PATH_COLUMNS), rfactor))
        facts = (
            ("R factor", f"{self.rfactor:.4f}"),
            ("Reduced χ²", f"{self.chi2_reduced:.4g}"),
            ("Variables", f"{self.n_varys} against {self.n_idp:.1f} independent points"),
            ("Status", self.status),
            *(("Restraint", str(r)) for r in self.restraints),
        )
        columns = ("sample", "path", *PATH_COLUMNS, "rfactor")
        return Table.of(f"{self.label}, fit", columns, rows, notes=self.warnings, facts=facts)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the curves as plain data (docs/guide/json.md): values, correlations, noise, history."""
        return {
            "label": self.label,
            "status": self.status,
            "params": {p.name: p.to_dict() for p in self.parameters},
            "paths": [
                {"label": p.label, "data": p.data, "feff": p.feff_index, "reff": p.reff, "degen": p.degen}
                | {q: getattr(p, q).to_dict() for q in (*PATH_COLUMNS, "deltar", *SELDOM)}
                for p in self.paths
            ],
            "stated": {p.name: p.value.to_dict() for p in self.stated.parameters} if self.stated else {},
            "rfactor": finite(self.rfactor),
            "chi2": finite(self.chi2),
            "chi2_reduced": finite(self.chi2_reduced),
            "n_idp": finite(self.n_idp),
            "n_varys": self.n_varys,
            "engine": self.engine,
            "step": finite(self.step),
            "warnings": list(self.warnings),
            "restraints": [r.to_dict() for r in self.restraints],
            "correlations": [{"a": a, "b": b, "value": finite(c)} for (a, b), c in self.correlations.items()],
            "data": [d.to_dict() for d in self.data],
        }
