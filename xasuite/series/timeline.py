"""The fit of a whole series at once: parameters shared or smooth along time, or kinetics (exafs.batch.fit_timeline)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FitError, SeriesError, XasuiteWarning
from ..model import Chi
from .plan import Plan


def along_time(plan: Plan, paths: Sequence[Path]) -> dict[str, Any] | None:
    """Arrays (m,) of the fit along time: NAME and NAME_err of each parameter, `facts` as JSON; None without one.

    chi(k) comes from the parts, so that a resumed run gives the same. Rows that could not be fitted hold NaN.
    """
    from ..exafs.batch import fit_timeline
    from .schedule import one_blas_thread
    from .store import load_part

    wanted = plan.series.timeline
    if wanted is None:
        return None
    parts = [load_part(p) for p in paths]
    if any("chi" not in p.arrays for p in parts):
        raise SeriesError('timeline needs chi(k) of the rows: leave "chi" in [series] keep')
    chi = np.concatenate([p.arrays["chi"] for p in parts]).astype(float)
    time = np.concatenate([p.columns["time"] for p in parts])
    good = np.isfinite(chi).all(axis=1) & np.isfinite(time)
    rows = np.flatnonzero(good)
    rows = rows[np.argsort(time[rows], kind="stable")]
    record = Chi(
        k=np.asarray(0.05 * np.arange(chi.shape[1]), float), chi=chi[rows], e0=np.full(rows.size, plan.e0), edge_step=np.ones(rows.size),
        label=plan.loaded.path.stem,
    )  # fmt: skip
    seconds = time[rows] - time[rows][0]
    with one_blas_thread():
        try:
            made = fit_timeline(
                plan.model, record, seconds, shared=wanted.shared, smooth=dict(wanted.smooth), kinetics=_kinetics(plan),
                epsilon_k=plan.spec.fit.epsilon_k,
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
            whole = np.full(len(chi), np.nan)
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


def _kinetics(plan: Plan) -> Any:
    wanted = plan.series.timeline
    if wanted is None or wanted.kinetics is None:
        return None
    from ..exafs.batch.timeline import Kinetics

    return Kinetics(wanted.param, wanted.kinetics, rate=wanted.rate, t0=wanted.t0, fit_t0=wanted.fit_t0)
