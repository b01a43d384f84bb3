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


# by group in the file: the fields of a fit (or of its marks) that hold values, whole errors and the row's own
_FIELDS = {
    "parameters": ("values", "stderr", "stderr_fit"),
    "paths": ("path_values", "path_stderr", "path_stderr_fit"),
}
Place = tuple[str, str]  # the group of a value's column, and the group of its errors'
PARAMETER, PATH = ("parameters", "errors"), ("paths", "paths")


def fitted_names(model: Model) -> dict[str, Place]:
    """The values that a fit gives of each row, every parameter's and the paths' n, r, sigma2, with the groups of their columns.

    NAME_err is the whole standard error of NAME; NAME_err_own is the row's own part, NAME_err_common what all rows share. The
    two add in quadrature. Without a budget the own part is the fit's, the common that of held parameters (a foil's s02).
    """
    own = {p.name: PARAMETER for p in model.params}
    return own | {f"{p.label}.{q}": PATH for p in model.paths for q in PATH_COLUMNS}


def fit_columns(model: Model) -> list[str]:
    """The names of all columns that a fit gives."""
    names = [c for name, place in fitted_names(model).items() for c in columns_of(name, place)]
    return names + [f"paths/{p.label}.seen" for p in model.paths] + [f"statistics/{n}" for n in STATISTICS]


def columns_of(name: str, place: Place) -> tuple[str, str, str, str]:
    """The columns of a value, its error, the row's own part of it and the common one."""
    group, errors = place
    return f"{group}/{name}", *(f"{errors}/{name}_err{end}" for end in ("", "_own", "_common"))  # type: ignore[return-value]


def common_part(total: Array, own: Array) -> Array:
    """What remains of a standard error (m,) without the row's own part; NaN where there is no error."""
    rest = np.sqrt(np.maximum(np.nan_to_num(total) ** 2 - np.nan_to_num(own) ** 2, 0.0))
    return np.where(np.isfinite(total), rest, np.nan)


def _values(fit: RowFit, marks: Marks) -> Columns:
    """The columns (m,) of a fit's rows."""
    out: Columns = {}
    for name, place in fitted_names(fit.model).items():
        value, total, own = (np.asarray(getattr(fit, held)[name], float) for held in _FIELDS[place[0]])
        out |= dict(zip(columns_of(name, place), (value, total, own, common_part(total, own)), strict=True))
    out |= {f"paths/{p.label}.seen": marks.seen[p.label].astype(float) for p in fit.model.paths}
    return out | {f"statistics/{n}": np.asarray(getattr(fit, n), float) for n in STATISTICS}


def fitted_columns(plan: Plan, chi: Series, fit: RowFit | None, rows: NDArray[np.intp]) -> Columns:
    """What a fit gives of the rows `rows`, and each row's status; nothing where it was not fitted."""
    m = len(chi)
    status, reason = np.array(chi.status, object), np.array(chi.reason, object)
    fit_status, undetermined = np.full(m, NO_FIT, object), np.full(m, "", object)
    out: Columns = {}
    if fit is None:
        out |= {name: np.full(m, np.nan) for name in fit_columns(plan.model)}
    else:
        marks = mark(plan, fit)
        out |= {name: spread(values, rows, m) for name, values in _values(fit, marks).items()}
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
