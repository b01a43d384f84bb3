"""Parameters fitted on some rows and held for the rest, their error carried along."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import SeriesError
from ..exafs.model import Model, Parameter
from ..model import OK
from .plan import Plan


def hold(plan: Plan) -> Plan:
    """The plan with the parameters of [series] hold fixed at their weighted mean over the rows named.

    The mean's weights are 1/stderr^2; its standard error is that of the weights, widened by the rows' own scatter
    where that is larger (Birge's ratio). Raises SeriesError when no such row can be fitted.
    """
    held: dict[str, Parameter] = {}
    for name, table in plan.series.hold.items():
        first, last = table.rows
        if first > len(plan):
            raise SeriesError(f"hold: {name}: rows = [{first}, {last}], but the series has {len(plan)} rows")
        values, errors = _values(plan, name, first - 1, min(last, len(plan)))
        value, stderr = weighted_mean(values, errors)
        held[name] = Parameter(
            name,
            value,
            vary=False,
            stderr=stderr,
            origin=f"rows {first}-{last}, weighted mean of {len(values)}",
        )
    params = tuple(held.get(p.name, p) for p in plan.model.params)
    return replace(plan, model=Model(params, plan.model.paths, plan.model.range))


def _values(plan: Plan, name: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    from .fitting import fit_rows
    from .work import reduced

    series = reduced(plan, start, end)
    ok = np.flatnonzero(series.ok)
    if not ok.size:
        why = next((r for r in series.reason if r), "no row is ok")
        raise SeriesError(f"hold: {name}: rows {start + 1}-{end} cannot be used: {why}")
    fit = fit_rows(plan, series, ok, plan.model)
    values, errors = fit.values[name], fit.stderr_fit[name]
    good = np.isfinite(values) & np.isfinite(errors) & np.array([s == OK for s in fit.status])
    if not good.any():
        raise SeriesError(
            f"hold: {name} has no standard error in rows {start + 1}-{end} ({fit.status[0]}); name other rows"
        )
    return values[good], errors[good]


def weighted_mean(values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Weighted mean and its standard error, the latter times Birge's ratio where that exceeds 1."""
    weight = 1 / errors**2
    mean = float(np.sum(weight * values) / np.sum(weight))
    stderr = 1 / math.sqrt(float(np.sum(weight)))
    if values.size > 1:
        stderr *= max(1.0, math.sqrt(float(np.sum(weight * (values - mean) ** 2)) / (values.size - 1)))
    return mean, stderr
