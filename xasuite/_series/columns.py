"""The columns of a series' table, each named once, in the table's order, as "group/name" with the group in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exafs.model import Model
from ..records import OK, Array, Series, spread
from .fitting import RowFit
from .marks import Marks, mark
from .plan import Plan

Columns = dict[str, NDArray[Any]]
NO_FIT = "not fitted"
SEEN, COMMON = "seen", "common"
PATH_COLUMNS = ("n", "r", "sigma2")
STATISTICS = ("chi2", "chi2_reduced", "rfactor", "n_idp", "epsilon_k", "usable_k", "kmax", "step")
GROUPS = ("log", "xanes", "parameters", "errors", "paths", "statistics", "status")
ORDER = dict(zip(GROUPS, (0, 0, 1, 1, 1, 1, 2), strict=True))


def row_columns(plan: Plan, norm: Series) -> Columns:
    """What is known of rows before they are fitted: name, time, noise, logs, edge step and edge energies."""
    from ..xanes.edge import crossing, slope_at

    m, data, ok = len(norm), norm.data, np.flatnonzero(norm.ok)
    out: Columns = {}
    for name in norm.table.columns:
        values = norm.table[name].to_numpy()
        group = "status" if name == "sha256" else "log"
        out[f"{group}/{name}"] = values.astype(float if values.dtype.kind in "fiub" else object)
    for name in ("edge_step", "e0"):
        out[f"xanes/{name}"] = np.broadcast_to(np.asarray(getattr(data, name, np.nan), float), m)
    for fraction in plan.series.edge_fraction:
        energy, error = np.empty(0), np.empty(0)
        if ok.size and hasattr(data, "norm"):
            curves = data.norm[ok]
            energy = crossing(data.energy, curves, fraction, start=plan.e0 - 60.0)
            with np.errstate(all="ignore"):
                error = norm.table["noise"].to_numpy()[ok] / slope_at(data.energy, curves, energy)
        out[f"xanes/E({fraction:g})"] = spread(energy, ok[: energy.size], m)
        out[f"xanes/E({fraction:g})_err"] = spread(error, ok[: error.size], m)
    return out


def parameter_columns(model: Model) -> dict[str, tuple[str, str]]:
    """The numbers that a fit gives of each row: the field of the fit (or of its marks) that has one, and its name there.

    NAME_err is the whole standard error of NAME; NAME_err_own is the row's own part, from its fit, and
    NAME_err_common that of held parameters (a foil's s02), which all rows share. The two add in quadrature.
    """
    out: dict[str, tuple[str, str]] = {}
    for n in (p.name for p in model.params):
        out[f"parameters/{n}"], out[f"errors/{n}_err"] = ("values", n), ("stderr", n)
        out[f"errors/{n}_err_own"], out[f"errors/{n}_err_common"] = ("stderr_fit", n), (COMMON, n)
    for label in (p.label for p in model.paths):
        for n in (f"{label}.{q}" for q in PATH_COLUMNS):
            out[f"paths/{n}"], out[f"paths/{n}_err"] = ("path_values", n), ("path_stderr", n)
        out[f"paths/{label}.seen"] = (SEEN, label)
    return out | {f"statistics/{n}": (n, "") for n in STATISTICS}


def _value(fit: RowFit, marks: Marks, held: str, name: str) -> Array:
    if held == SEEN:
        return marks.seen[name].astype(float)
    if held == COMMON:
        return common_part(fit.stderr[name], fit.stderr_fit[name])
    values = getattr(fit, held)
    return np.asarray(values[name] if name else values, float)


def common_part(total: Array, own: Array) -> Array:
    """What remains of a standard error (m,) without the row's own part; NaN where there is no error."""
    rest = np.sqrt(np.maximum(np.nan_to_num(total) ** 2 - np.nan_to_num(own) ** 2, 0.0))
    return np.where(np.isfinite(total), rest, np.nan)


def fitted_columns(plan: Plan, chi: Series, fit: RowFit | None, rows: NDArray[np.intp]) -> Columns:
    """What a fit gives of the rows `rows`, and each row's status; nothing where it was not fitted."""
    m = len(chi)
    status, reason = np.array(chi.status, object), np.array(chi.reason, object)
    fit_status, undetermined = np.full(m, NO_FIT, object), np.full(m, "", object)
    out: Columns = {}
    wanted = parameter_columns(plan.model)
    if fit is None:
        out |= {name: np.full(m, np.nan) for name in wanted}
    else:
        marks = mark(plan, fit)
        out |= {name: spread(_value(fit, marks, *held), rows, m) for name, held in wanted.items()}
        fit_status[rows] = fit.status
        undetermined[rows] = [", ".join(u) for u in marks.undetermined]
        bad = np.flatnonzero(np.array(marks.status, object) != OK)
        status[rows[bad]] = [marks.status[i] for i in bad]
        for i, why in zip(rows, marks.reason, strict=True):
            if why:
                reason[i] = f"{reason[i]}; {why}" if reason[i] else why
    words = {"status": status, "reason": reason, "fit_status": fit_status, "undetermined": undetermined}
    return out | {f"status/{name}": values for name, values in words.items()}


def in_order(columns: Columns) -> Columns:
    """The columns as the table has them: what is known of a row, what was fitted, how it went."""
    return dict(sorted(columns.items(), key=lambda c: ORDER[c[0].partition("/")[0]]))
