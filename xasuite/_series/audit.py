"""Which rows of a chunk are audited, and what the engine's audit says of them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records import OK
from .fitting import ENGINE, RowFit
from .plan import Plan

LEAST_ROWS = 5
LIMIT = 0.01  # standard errors between the engine and Larch


def audited_rows(plan: Plan, good: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of a chunk's good rows are refitted: so many that the run has max(5, the spec's share) of them.

    Evenly spread, and by the plan alone: an interrupted run audits the same rows again.
    """
    share = max(math.ceil(plan.series.audit * len(plan)), LEAST_ROWS) / len(plan)
    longest = max(end - start for start, end in plan.chunks)
    count = min(good.size, math.ceil(share * longest))
    if plan.series.audit == 0 or not count:
        return good[:0]
    return good[np.unique(np.linspace(0, good.size - 1, count).round().astype(int))]


def audit_rows(plan: Plan, ok: NDArray[np.intp], fit: RowFit, first: int) -> dict[str, Any]:
    """{"rows": [{row, difference, parameter}]}, rows from 0 of the whole series.

    `ok` are the chunk's rows that were fitted, `first` the row of the series that the chunk begins with.
    """
    from ..exafs.audits import compare

    if fit.by != ENGINE:
        return {"rows": [], "by": fit.by}
    chosen = audited_rows(plan, np.flatnonzero([s == OK for s in fit.status]))
    rows = []
    # Larch's own correlations divide by errors of 0
    warnings.filterwarnings("ignore", message="Using UFloat objects with std_dev==0")
    for batch in fit.batches:
        own = np.flatnonzero(np.isin(batch.rows, chosen))
        if not own.size:
            continue
        found = compare(batch.fit.model, batch.chi, batch.fit, own)
        for at, away, name in zip(own, found.difference, found.parameter, strict=True):
            row = int(first + ok[batch.rows[at]])
            rows.append({"row": row, "difference": float(away), "parameter": name})
    return {"rows": sorted(rows, key=lambda r: r["row"])}
