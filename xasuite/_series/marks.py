"""Which fitted values still mean something (docs/decisions/series_status.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exafs.model import PathModel
from ..records import OK, Array
from ..records.quantities import as_printed
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
    """Paths whose N cannot be told from zero, and what rests on them alone.

    A path is seen when its N lies at least [series] seen standard errors above zero. The R, sigma2 and cumulants
    of a path that is not seen have no meaning, whatever error the fit prints: a parameter that only such paths use
    for them is undetermined, and so is one without a standard error, and a distance known worse than 0.1 A.
    """
    model, m = plan.model, len(fit.status)
    varied = {p.name for p in model.params if p.vary or p.expr is not None}
    seen: dict[str, NDArray[np.bool_]] = {}
    for path in model.paths:
        if not path.n.names & varied:
            seen[path.label] = np.ones(m, bool)
            continue
        n, err = fit.path_values[f"{path.label}.n"], own_error(fit, path)
        with np.errstate(all="ignore"):
            seen[path.label] = np.isfinite(err) & (n >= plan.series.seen * err)
    undetermined, status, reason = [], [], []
    for i in range(m):
        names, why = _row(plan, fit, seen, i)
        undetermined.append(tuple(names))
        was = fit.status[i]
        status.append(was if was != OK else UNDETERMINED if names else OK)
        reason.append("; ".join(w for w in (fit.reason[i], *why) if w))
    return Marks(seen, tuple(undetermined), tuple(status), tuple(reason))


def own_error(fit: RowFit, path: PathModel) -> Array:
    """The fit's own standard error (m,) of a path's N: an inherited scale makes no path appear or vanish."""
    total = fit.path_stderr[f"{path.label}.n"]
    ratios = [fit.stderr_fit[n] / fit.stderr[n] for n in path.n.names if np.isfinite(fit.stderr_fit[n]).any()]
    return total * np.max(ratios, axis=0) if ratios else total


def _row(
    plan: Plan, fit: RowFit, seen: Mapping[str, NDArray[np.bool_]], i: int
) -> tuple[list[str], list[str]]:
    model = plan.model
    names: list[str] = []
    why: list[str] = []
    hidden = [p for p in model.paths if not seen[p.label][i]]
    shown = frozenset().union(*(_shape(p) for p in model.paths if seen[p.label][i]))
    for path in hidden:
        lost = sorted(n for n in _shape(path) - shown if _is_varied(plan, n))
        n = as_printed(float(fit.path_values[f"{path.label}.n"][i]), float(own_error(fit, path)[i]))
        rest = f", so {', '.join(lost)} mean nothing" if lost else ""
        why.append(f"{path.label} is not seen (N = {n}){rest}")
        names += [x for x in lost if x not in names]
    for path in model.paths:
        err = fit.path_stderr[f"{path.label}.r"][i]
        for name in sorted(path.deltar.names):
            if _is_varied(plan, name) and name not in names and err > R_LIMIT:
                names.append(name)
                why.append(f"R of {path.label} is known to {err:.2f} A only")
    for p in model.varied:
        if p.name not in names and not np.isfinite(fit.stderr_fit[p.name][i]):
            names.append(p.name)
    return names, why


def _shape(path: PathModel) -> frozenset[str]:
    """Parameters of what a path has beside its N and E0."""
    return (
        frozenset().union(*(getattr(path, q).names for q in ("deltar", "sigma2", "third", "fourth")))
        - path.n.names
    )


def _is_varied(plan: Plan, name: str) -> bool:
    return any(p.name == name and p.vary and p.expr is None for p in plan.model.params)
