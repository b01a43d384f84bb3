"""Fits repeated by Larch, single ones and a sample of a batch's rows, and how far apart the two are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..records import Array, Chi, Series
from .engine.result import BatchFit
from .fit import Minimum, Problem, by_larch, make_problem
from .model import Model

if TYPE_CHECKING:
    from .result import FitResult

# largest difference in standard errors that passes; at tight tolerance 1e-4 is usual
ALLOWED = 0.01
Start = Mapping[str, float] | None


@dataclass(frozen=True)
class Difference:
    """How far a fit lies from Larch's of the same data.

    `difference` is the largest of a varied parameter in its standard errors, `parameter` its name; `stderr` (of the
    errors) and `rfactor` are relative. `elsewhere`: Larch, from the model's start, stopped at a higher minimum, and was
    started again from the fit's.
    """

    difference: float
    parameter: str
    stderr: float
    rfactor: float
    elsewhere: bool = False


@dataclass(frozen=True, eq=False)
class Audit:
    """Rows `rows` (n,) fitted again by Larch.

    `difference` (n,) is the largest difference of a varied parameter in its standard errors, `parameter` its name;
    `stderr_difference`, `rfactor_difference` (n,) are relative. `elsewhere` marks rows where Larch, from the model's
    start, stopped at a higher minimum, and was started again from the engine's.
    """

    rows: NDArray[np.int64]
    difference: Array
    parameter: tuple[str, ...]
    stderr_difference: Array
    rfactor_difference: Array
    elsewhere: NDArray[np.bool_]

    @property
    def worst(self) -> float:
        """The largest difference in standard errors (0 when no row could be audited)."""
        return float(np.max(self.difference, initial=0.0))

    @property
    def passed(self) -> bool:
        """Whether every audited row agrees."""
        return bool((self.difference <= ALLOWED).all())


def compare(
    model: Model,
    chi: Chi | Series,
    fit: BatchFit,
    rows: NDArray[Any],
    *,
    start: Start = None,
    errors: bool = True,
) -> Audit:
    """The audit of chosen rows. Larch begins at `start`, else at the model's values; without `errors` the unit is the engine's."""
    record: Chi = chi.data if isinstance(chi, Series) else chi
    found = []
    for row in map(int, rows):
        one = record.take(row) if record.stacked else record
        one = replace(one, mu=None, bkg=None, epsilon_k=None, label=f"row {row}")
        epsilon = None if fit.epsilon_given is None else float(fit.epsilon_given[row])
        values = {n: (float(fit.values[n][row]), float(fit.stderr_fit[n][row])) for n in fit.names}
        chi2, rfactor = float(fit.chi2[row]), float(fit.rfactor[row])
        found.append(_against_larch(model, one, epsilon, values, chi2, rfactor, start, errors))
    return Audit(
        rows=np.asarray(rows, np.int64),
        difference=np.array([f.difference for f in found]),
        parameter=tuple(f.parameter for f in found),
        stderr_difference=np.array([f.stderr for f in found]),
        rfactor_difference=np.array([f.rfactor for f in found]),
        elsewhere=np.array([f.elsewhere for f in found], bool),
    )


def audit_fit(fit: FitResult, chi: Chi | Sequence[Chi], *, epsilon_k: float | None = None) -> Difference:
    """A fit of one or several data sets repeated by Larch at tight tolerance.

    Parameters
    ----------
    fit : FitResult
        What fit_chi gave.
    chi, epsilon_k : what it took.
    """
    varied = [p for p in fit.parameters if p.kind == "varied"]
    values = {p.name: (p.value.value, p.value.parts.get("fit", math.nan)) for p in varied}
    return _against_larch(fit.model, chi, epsilon_k, values, fit.chi2, fit.rfactor)


def _against_larch(
    model: Model, chi: Chi | Sequence[Chi], epsilon_k: float | None, values: Mapping[str, tuple[float, float]],
    chi2: float, rfactor: float, start: Start = None, errors: bool = True,
) -> Difference:  # fmt: skip
    problem = make_problem(model, [chi] if isinstance(chi, Chi) else list(chi), epsilon_k)
    larch = by_larch(problem, start)
    found = _difference(values, rfactor, problem, larch, errors)
    if found.difference > ALLOWED and larch.chi2 > chi2:
        # Larch's own minimum lies higher: is the engine's one of Larch's too?
        larch = by_larch(problem, {name: value for name, (value, _) in values.items()})
        found = replace(_difference(values, rfactor, problem, larch, errors), elsewhere=True)
    return found


def _difference(
    values: Mapping[str, tuple[float, float]], rfactor: float, problem: Problem, larch: Minimum, theirs: bool
) -> Difference:
    others = dict(
        zip(problem.program.names, zip(larch.x, np.sqrt(np.diag(larch.covar)), strict=True), strict=False)
    )
    worst, name_of, errors = 0.0, next(iter(values)), 0.0
    for name, (value, own) in values.items():
        other, its = map(float, others[name])
        unit = its if theirs and its > 0 else own
        # held at a bound by both: there is no error to measure in
        unit = unit if math.isfinite(unit) else max(abs(value), 1e-3)
        apart = abs(value - other) / unit
        if not apart <= worst:
            worst, name_of = apart, name
        if math.isfinite(own):
            errors = max(errors, abs(own / unit - 1))
    return Difference(worst, name_of, errors, abs(rfactor / larch.rfactor - 1))
