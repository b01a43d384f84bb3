"""The fit of a whole series at once: parameters shared or smooth along time, or kinetics (exafs.engine.fit_timeline)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, SeriesError, XasuiteWarning
from ..records import Chi
from .plan import Plan
from .store import load_part


def along_time(plan: Plan, paths: Sequence[Path]) -> dict[str, Any] | None:
    """Arrays (m,) of the fit along time: NAME and NAME_err of each parameter, `facts` as JSON; None without one.

    chi(k) comes from the parts, so that a resumed run gives the same. Rows that could not be fitted hold NaN.
    """
    from ..exafs.trends.rows import keep
    from ..exafs.trends.timeline import fit_timeline
    from .schedule import one_blas_thread

    wanted = plan.series.timeline
    if wanted is None:
        return None
    time = np.concatenate([load_part(p, curves=()).columns["time"] for p in paths])
    good: list[NDArray[np.intp]] = []
    with one_blas_thread():
        try:
            kept = keep(plan.model, _blocks(plan, paths, good), epsilon_k=plan.spec.fit.epsilon_k)
            rows = np.concatenate(good)
            order = np.argsort(time[rows], kind="stable")
            rows, kept = rows[order], kept.take(order)
            made = fit_timeline(
                plan.model, kept, time[rows] - time[rows][0], shared=wanted.shared, smooth=dict(wanted.smooth),
                kinetics=_kinetics(plan),
            )  # fmt: skip
        except FitError as exc:
            raise SeriesError(f"{plan.loaded.path.name}: timeline: {exc}") from None
    if not made.converged:
        warnings.warn(
            f"{plan.loaded.path.name}: the fit along time did not converge: its trend and errors mean little",
            XasuiteWarning,
            stacklevel=2,
        )
    out: dict[str, Any] = {}
    for name in made.names:
        for key, values in ((name, made.values[name]), (f"{name}_err", made.stderr[name])):
            whole = np.full(len(time), np.nan)
            whole[rows] = values
            out[key] = whole
    facts = {
        "strength": dict(made.strength),
        "freedom": dict(made.freedom),
        "trend": dict(made.trend),
        "trend_stderr": dict(made.trend_stderr),
        "chi2_reduced": made.chi2_reduced,
        "rows": int(made.used.sum()),
        "converged": made.converged,
        "notes": list(made.notes),
    }
    return {**out, "facts": json.dumps(facts, sort_keys=True)}


def _blocks(plan: Plan, paths: Sequence[Path], good: list[NDArray[np.intp]]) -> Iterator[Chi]:
    """chi(k) of each part's rows that can be used, one part in memory at a time; their numbers are put into `good`."""
    for path in paths:
        part = load_part(path, curves=("chi",))
        if "chi" not in part.arrays:
            raise SeriesError('timeline needs chi(k) of the rows: leave "chi" in [series] keep')
        chi = part.arrays["chi"].astype(float)
        rows = np.flatnonzero(np.isfinite(chi).all(axis=1) & np.isfinite(part.columns["time"]))
        if not rows.size:
            continue
        good.append(part.start + rows)
        k = np.asarray(0.05 * np.arange(chi.shape[1]), float)
        yield Chi(
            k=k,
            chi=chi[rows],
            e0=np.full(rows.size, plan.e0),
            edge_step=np.ones(rows.size),
            label=plan.loaded.path.stem,
        )


def _kinetics(plan: Plan) -> Any:
    wanted = plan.series.timeline
    if wanted is None or wanted.kinetics is None:
        return None
    from ..exafs.trends.timeline import Kinetics

    return Kinetics(wanted.param, wanted.kinetics, rate=wanted.rate, t0=wanted.t0, fit_t0=wanted.fit_t0)
