"""The fit of a whole series at once: parameters shared or smooth along time, or kinetics (exafs.trends)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, SeriesError
from ..notices import warn
from ..records import Array, Chi, spread
from ..reduce.autobk_matrices import KSTEP

if TYPE_CHECKING:
    from .plan import Plan
    from .work import Part


def along_time(plan: Plan, parts: Iterable[Part]) -> dict[str, Any]:
    """Arrays (m,) of the fit along time: NAME and NAME_err of each parameter, `facts` as JSON; {} without one.

    chi(k) comes from the parts, so that a resumed run gives the same. Rows that could not be fitted hold NaN.
    """
    from ..exafs.trends.rows import keep
    from ..exafs.trends.timeline import Kinetics, fit_timeline

    wanted = plan.series.timeline
    if wanted is None:
        return {}
    good: list[NDArray[np.intp]] = []
    times: list[Array] = []
    kinetics = None
    if wanted.kinetics is not None:
        kinetics = Kinetics(
            wanted.param, wanted.kinetics, rate=wanted.rate, t0=wanted.t0, fit_t0=wanted.fit_t0
        )
    try:
        kept = keep(plan.model, _blocks(plan, parts, good, times), epsilon_k=plan.spec.fit.epsilon_k)
        rows, time = np.concatenate(good), np.concatenate(times)
        order = np.argsort(time, kind="stable")
        rows, time, kept = rows[order], time[order], kept.take(order)
        made = fit_timeline(
            plan.model,
            kept,
            time - time[0],
            shared=wanted.shared,
            smooth=dict(wanted.smooth),
            kinetics=kinetics,
        )
    except FitError as exc:
        raise SeriesError(f"{plan.name}: timeline: {exc}") from None
    if not made.converged:
        said = f"{plan.name}: the fit along time did not converge: do not use its trend and errors"
        warn(said)
    out: dict[str, Any] = {}
    for name in made.names:
        out[name] = spread(made.values[name], rows, len(plan))
        out[f"{name}_err"] = spread(made.stderr[name], rows, len(plan))
    facts = {
        "strength": dict(made.strength), "freedom": dict(made.freedom), "trend": dict(made.trend),
        "trend_stderr": dict(made.trend_stderr), "chi2_reduced": made.chi2_reduced, "rows": int(made.used.sum()),
        "converged": made.converged, "notes": list(made.notes),
    }  # fmt: skip
    return {**out, "facts": json.dumps(facts, sort_keys=True)}


def _blocks(
    plan: Plan, parts: Iterable[Part], good: list[NDArray[np.intp]], times: list[Array]
) -> Iterator[Chi]:
    """chi(k) of each part's rows that can be used, one part in memory at a time; their numbers and times are kept."""
    for part in parts:
        if "chi" not in part.curves:
            raise SeriesError('timeline needs chi(k) of the rows: leave "chi" in [series] keep')
        chi, time = part.curves["chi"].astype(float), part.columns["log/time"]
        rows = np.flatnonzero(np.isfinite(chi).all(axis=1) & np.isfinite(time))
        if not rows.size:
            continue
        good.append(part.start + rows)
        times.append(time[rows])
        k = np.asarray(KSTEP * np.arange(chi.shape[1]), float)
        flat = np.full(rows.size, plan.e0)
        variables = {n: np.asarray(part.columns[f"log/{n}"][rows], float) for n in plan.model.open_names}
        label = plan.loaded.path.stem
        yield Chi(k=k, chi=chi[rows], e0=flat, edge_step=np.ones(rows.size), label=label, variables=variables)
