"""The result of a fit with the errors of its budget."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ...choices import PATH_VALUES
from ..result import FitResult, FittedParameter, FittedPath, Value
from .record import Budget


def with_budget(fit: FitResult, budget: Budget, note: str = "") -> FitResult:
    """The fit with values, errors and covariance of the budget; a parameter at a bound keeps those of the fit.

    A `note` is added to the notes of its data sets.
    """
    parameters = tuple(_parameter(p, budget) for p in fit.parameters)
    covar = budget.covariance([p.name for p in parameters])
    lost = np.array([not np.isfinite(p.value.stderr) for p in parameters])
    covar[lost], covar[:, lost] = 0.0, 0.0
    return replace(
        fit,
        parameters=parameters,
        paths=tuple(_path(p, budget, f"{p.data}/" if len(fit.data) > 1 else "") for p in fit.paths),
        covar=covar,
        data=tuple(replace(d, notes=(*d.notes, note)) for d in fit.data) if note else fit.data,
        budget=budget,
        stated=fit,
    )


def _parameter(p: FittedParameter, budget: Budget) -> FittedParameter:
    return replace(p, value=_value(p.value, budget, p.name, bool(p.state) or p.kind == "fixed"))


def _path(p: FittedPath, budget: Budget, data: str) -> FittedPath:
    changed: dict[str, Any] = {
        q: _value(getattr(p, q), budget, f"{data}{p.label}.{q}", q in p.states) for q in (*PATH_VALUES, "r")
    }
    return replace(p, **changed)


def _value(own: Value, budget: Budget, key: str, keep: bool) -> Value:
    if keep:
        return own
    total = budget.value(key)
    noise, fit = total.parts.get("noise", 0.0), own.parts.get("fit", 0.0)
    if not math.isfinite(own.plus) or not fit > 0:
        return total
    # the part of the fit is as asymmetric as its profile; the other parts of the budget are symmetric
    rest = math.sqrt(max(total.stderr**2 - noise**2, 0.0))
    shares = own.stderr**2 - fit**2
    plus, minus = (
        math.hypot(rest, noise * math.sqrt(max(e**2 - shares, 0.0)) / fit) for e in (own.plus, own.minus)
    )
    return replace(total, plus=plus, minus=minus)
