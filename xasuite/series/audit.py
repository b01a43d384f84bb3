"""The audit of a chunk: rows refitted with Larch, and the largest difference in standard errors."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import OK, Series
from .fitting import LARCH, RowFit, with_kmax
from .plan import Plan

LEAST_ROWS = 5
LIMIT = 0.01  # standard errors between the engine and Larch
TOLERANCE = 1e-10  # at its default Larch stops up to 5e-4 standard errors early


def audited_rows(plan: Plan, good: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of a chunk's good rows are refitted: so many that the run has max(5, the spec's share) of them."""
    share = max(math.ceil(plan.series.audit * len(plan)), LEAST_ROWS) / len(plan)
    longest = max(end - start for start, end in plan.chunks)
    count = min(good.size, math.ceil(share * longest))
    if plan.series.audit == 0 or not count:
        return good[:0]
    return good[np.unique(np.linspace(0, good.size - 1, count).round().astype(int))]


def audit_rows(plan: Plan, chi: Series, ok: NDArray[np.intp], fit: RowFit, first: int) -> dict[str, Any]:
    """Refit some rows with Larch at tight tolerance; {"rows": [{row, difference, parameter}]}, rows from 0 of the whole
    series, whose row `first` is the chunk's own row 0.
    """
    from dataclasses import replace

    from ..exafs.fit import fit_chi

    if fit.by == LARCH:
        return {"rows": [], "note": "all rows were fitted by Larch itself"}
    good = np.flatnonzero([s == OK for s in fit.status])
    rows = []
    # Larch's own correlations divide by errors of 0
    warnings.filterwarnings("ignore", message="Using UFloat objects with std_dev==0")
    for i in audited_rows(plan, good):
        at = ok[i]
        one = replace(
            chi.data, chi=chi.data.chi[at], e0=chi.data.e0[at], edge_step=chi.data.edge_step[at],
            label=f"row {first + at}", epsilon_k=None, bkg=None, mu=None, energy=None,
        )  # fmt: skip
        begin = {p.name: float(fit.values[p.name][i]) for p in plan.model.varied}
        model = with_kmax(plan.model, float(fit.kmax[i]))
        found = fit_chi(
            model, one, epsilon_k=plan.spec.fit.epsilon_k, start=begin, tolerance=TOLERANCE, propagate=False
        )
        worst, name = 0.0, ""
        for p in plan.model.varied:
            away = abs(found.parameter(p.name).value.value - begin[p.name]) / float(fit.stderr_fit[p.name][i])
            if away > worst:
                worst, name = away, p.name
        rows.append({"row": int(first + at), "difference": worst, "parameter": name})
    return {"rows": rows}
