"""Which fitted values are determined by the data (docs/decisions/series_status.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exafs.equation import VALUES
from ..exafs.model import PathModel
from ..records import OK, Array
from ..records.quantities import as_printed
from ..workflow.verdict import NOT_A_FIT, rows_not_fits
from .fitting import RowFit
from .plan import Plan

UNDETERMINED = "undetermined"
# a distance known worse than this says nothing of a shell (neighbouring shells lie 0.1-0.5 A apart)
R_LIMIT = 0.1


@dataclass(frozen=True, eq=False)
class Marks:
    """Per path whether it is seen (m,); per row the parameters that are not determined, status and reason."""

    seen: Mapping[str, NDArray[np.bool_]]
    undetermined: tuple[tuple[str, ...], ...]
    status: tuple[str, ...]
    reason: tuple[str, ...]


def mark(plan: Plan, fit: RowFit) -> Marks:
    """Paths whose N is compatible with zero, and what rests on them alone.

    A path is seen when its N lies at least [series] seen standard errors above zero. The R, sigma2 and cumulants
    of a path that is not seen have no meaning, whatever error the fit prints: a parameter that only such paths use
    for them is undetermined, and so is one without a standard error, and a distance known worse than 0.1 A. A row whose R
    factor, distances or S02 are no fit's (docs/decisions/verdict.md) is "not a fit".
    """
    model, m = plan.model, len(fit.status)
    depends = {p.name for p in model.params if p.vary or p.expr is not None}
    varied = [p.name for p in model.varied]
    seen: dict[str, NDArray[np.bool_]] = {}
    for path in model.paths:
        n, err = fit.path_values[f"{path.label}.n"], own_error(fit, path)
        with np.errstate(all="ignore"):
            found = np.isfinite(err) & (n >= plan.series.seen * err)
        seen[path.label] = found if path.n.names & depends else np.ones(m, bool)
    vague = {
        p.label: fit.path_stderr[f"{p.label}.r"] > R_LIMIT for p in model.paths if p.deltar.names & {*varied}
    }
    doubtful = ~np.all([*seen.values(), *(np.isfinite(fit.stderr_fit[n]) for n in varied)], axis=0)
    doubtful |= np.any([np.zeros(m, bool), *vague.values()], axis=0)
    undetermined: list[tuple[str, ...]] = [()] * m
    status, reason = list(fit.status), list(fit.reason)
    for i in np.flatnonzero(doubtful):
        names, why = _row(plan, fit, seen, varied, int(i))
        undetermined[i] = tuple(names)
        if status[i] == OK and names:
            status[i] = UNDETERMINED
        reason[i] = "; ".join(w for w in (reason[i], *why) if w)
    for row, why_not in rows_not_fits(fit, seen).items():
        if status[row] in (OK, UNDETERMINED):
            status[row] = NOT_A_FIT
        reason[row] = "; ".join(w for w in (reason[row], why_not) if w)
    return Marks(seen, tuple(undetermined), tuple(status), tuple(reason))


def own_error(fit: RowFit, path: PathModel) -> Array:
    """The fit's own standard error (m,) of a path's N: an inherited scale makes no path appear or vanish."""
    own, total = (held[f"{path.label}.n"] for held in (fit.path_stderr_fit, fit.path_stderr))
    return np.where(np.isfinite(own), own, total)


def _row(
    plan: Plan, fit: RowFit, seen: Mapping[str, NDArray[np.bool_]], varied: list[str], i: int
) -> tuple[list[str], list[str]]:
    """The parameters of row i that are not determined, and why."""
    names: list[str] = []
    why: list[str] = []
    shown = frozenset().union(*(_shape(p) for p in plan.model.paths if seen[p.label][i]))
    for path in plan.model.paths:
        if seen[path.label][i]:
            continue
        lost = sorted((_shape(path) - shown) & {*varied})
        n = as_printed(float(fit.path_values[f"{path.label}.n"][i]), float(own_error(fit, path)[i]))
        rest = f", so {', '.join(lost)} cannot be determined" if lost else ""
        why.append(f"{path.label} is not seen (N = {n}){rest}")
        names += [x for x in lost if x not in names]
    for path in plan.model.paths:
        err = fit.path_stderr[f"{path.label}.r"][i]
        for name in sorted(path.deltar.names & {*varied} - {*names}):
            if err > R_LIMIT:
                names.append(name)
                why.append(f"R of {path.label} is known to {err:.2f} A only")
    names += [n for n in varied if n not in names and not np.isfinite(fit.stderr_fit[n][i])]
    return names, why


def _shape(path: PathModel) -> frozenset[str]:
    """Parameters of what a path has besides its N and E0."""
    return frozenset().union(*(getattr(path, q).names for q in VALUES[2:])) - path.n.names
