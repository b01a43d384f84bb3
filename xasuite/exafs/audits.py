"""Comparison with Larch: single fits and a sample of the rows of a series are fitted again by Larch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..records import Chi, Series
from .engine.result import BatchFit
from .fit import fit_chi
from .model import Model

if TYPE_CHECKING:
    from .result import FitResult

# largest difference in standard errors that is accepted; with a tight tolerance 1e-4 is usual
ALLOWED = 0.01
Start = Mapping[str, float] | None


@dataclass(frozen=True)
class Difference:
    """The difference between a fit and Larch's fit of the same data.

    `difference` is the largest difference of a varied parameter, in its standard errors, and `parameter` the name of that
    parameter. `stderr` and `rfactor` are the relative differences of the standard errors and of the R factor.
    """

    difference: float
    parameter: str
    stderr: float
    rfactor: float


def compare(
    model: Model,
    chi: Chi | Series,
    fit: BatchFit,
    rows: NDArray[Any],
    *,
    start: Start = None,
    errors: bool = True,
) -> list[Difference]:
    """Chosen rows of a series, each fitted again by Larch, from `start` or else from the model's values.

    Without `errors` the unit of the differences is the engine's standard error, else Larch's.
    """
    record: Chi = chi.data if isinstance(chi, Series) else chi
    found = []
    for row in map(int, rows):
        one = record.take(row) if record.stacked else record
        one = replace(one, mu=None, bkg=None, epsilon_k=None, label=f"row {row}")
        epsilon = None if fit.epsilon_given is None else float(fit.epsilon_given[row])
        values = {n: (float(fit.values[n][row]), float(fit.stderr_fit[n][row])) for n in fit.names}
        chi2, rfactor = float(fit.chi2[row]), float(fit.rfactor[row])
        found.append(_against_larch(model, one, epsilon, values, chi2, rfactor, start, errors))
    return found


def audit_fit(fit: FitResult, chi: Chi | Sequence[Chi], *, epsilon_k: float | None = None) -> Difference:
    """A fit of one or several data sets repeated by Larch at tight tolerance.

    Parameters
    ----------
    fit : FitResult
        The result of fit_chi.
    chi, epsilon_k : the arguments of that fit.
    """
    varied = [p for p in fit.parameters if p.kind == "varied"]
    values = {p.name: (p.value.value, p.value.parts.get("fit", math.nan)) for p in varied}
    return _against_larch(fit.model, chi, epsilon_k, values, fit.chi2, fit.rfactor)


def _against_larch(
    model: Model, chi: Chi | Sequence[Chi], epsilon_k: float | None, values: Mapping[str, tuple[float, float]],
    chi2: float, rfactor: float, start: Start = None, errors: bool = True,
) -> Difference:  # fmt: skip
    larch = fit_chi(model, chi, epsilon_k=epsilon_k, start=start, engine="larch")
    found = _difference(values, rfactor, larch, errors)
    if found.difference > ALLOWED and larch.chi2 > chi2:
        # Larch stopped at a higher minimum: is the engine's minimum one of Larch's, too?
        start = {name: value for name, (value, _) in values.items()}
        larch = fit_chi(model, chi, epsilon_k=epsilon_k, start=start, engine="larch")
        found = _difference(values, rfactor, larch, errors)
    return found


def _difference(
    values: Mapping[str, tuple[float, float]], rfactor: float, larch: FitResult, theirs: bool
) -> Difference:
    worst, name_of, errors = 0.0, next(iter(values)), 0.0
    for name, (value, own) in values.items():
        other = larch.parameter(name).value
        unit = other.parts.get("fit", own) if theirs else own
        # both are at a bound: there is no standard error
        unit = unit if math.isfinite(unit) else max(abs(value), 1e-3)
        apart = abs(value - other.value) / unit
        if not apart <= worst:
            worst, name_of = apart, name
        if math.isfinite(own):
            errors = max(errors, abs(own / unit - 1))
    return Difference(worst, name_of, errors, abs(rfactor / larch.rfactor - 1))
