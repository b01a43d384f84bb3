"""Parameters fitted on some rows and held for the rest, their error carried along."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import SeriesError
from ..exafs.model import Parameter
from ..specs.series import Hold
from .fitting import fit_rows, fixed
from .plan import Plan
from .reduction import reduced


def hold(plan: Plan) -> Plan:
    """The plan with the parameters of [series] hold fixed at their weighted mean over the rows named.

    Holds with the same rows and `fix` are fitted together, in the spec's order, each with the earlier ones held.
    The mean's weights are 1/stderr^2; its standard error is that of the weights, widened by the rows' own scatter
    where that is larger (Birge's ratio). Raises SeriesError when no such row can be fitted.
    """
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, table in plan.series.hold.items():
        groups.setdefault((table.rows, *sorted(table.fix.items())), []).append(name)
    for names in groups.values():
        table = plan.series.hold[names[0]]
        if table.rows[0] > len(plan):
            raise SeriesError(
                f"hold: {names[0]}: rows = {list(table.rows)}, but the series has {len(plan)} rows"
            )
        held = _fitted(plan, names, table)
        params = tuple(held.get(p.name, p) for p in plan.model.params)
        plan = replace(plan, model=replace(plan.model, params=params))
    return plan


def _fitted(plan: Plan, names: list[str], table: Hold) -> dict[str, Parameter]:
    start, end = table.rows[0] - 1, min(table.rows[1], len(plan))
    where = f"rows {start + 1}-{end}"
    series = reduced(plan, start, end)
    ok = np.flatnonzero(series.ok)
    if not ok.size:
        why = next((r for r in series.reason if r), "no row is ok")
        raise SeriesError(f"hold: {names[0]}: {where} cannot be used: {why}")
    fit = fit_rows(plan, series.data.take(ok), fixed(plan.model, table.fix))
    out = {}
    for name in names:
        values, errors = fit.values[name], fit.stderr_fit[name]
        good = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
        if not good.any():
            raise SeriesError(
                f"hold: {name} has no standard error in {where} ({fit.status[0]}); name other rows, or fix = what "
                "these rows cannot determine"
            )
        value, stderr = weighted_mean(values[good], errors[good])
        origin = f"weighted mean of {good.sum()} fits, {where}"
        out[name] = Parameter(name, value, vary=False, stderr=stderr, origin=origin)
    return out


def weighted_mean(values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Weighted mean and its standard error, the latter times Birge's ratio where that exceeds 1."""
    weight = 1 / errors**2
    mean = float(np.sum(weight * values) / np.sum(weight))
    stderr = 1 / math.sqrt(float(np.sum(weight)))
    if values.size > 1:
        stderr *= max(1.0, math.sqrt(float(np.sum(weight * (values - mean) ** 2)) / (values.size - 1)))
    return mean, stderr
