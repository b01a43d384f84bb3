"""Asymmetric errors of a series' rows, as columns NAME_err_plus and NAME_err_minus (docs/decisions/profiles.md)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..exafs.stack_profiles import stack_ends
from ..records import Array
from .columns import Columns, Place, columns_of, fitted_names
from .fitting import Batch, RowFit
from .plan import Plan


def end_columns(plan: Plan, fit: RowFit | None, rows: NDArray[np.intp], m: int) -> Columns:
    """Errors upwards and downwards (m,) of what a row's fit gives, NaN where they are the standard error.

    Of varied parameters and of path quantities; `rows` are those that were fitted.
    """
    varied = {p.name for p in plan.model.varied}
    names = {n: place for n, place in fitted_names(plan.model).items() if n in varied or "." in n}
    out = {column: np.full(m, np.nan) for name, place in names.items() for column in ends_of(name, place)}
    for batch in fit.batches if fit is not None else ():
        kept = batch.rows >= 0
        at = rows[batch.rows[kept]]
        for name, ends in stack_ends(batch.fit, batch.chi, plan.spec.fit.epsilon_k).items():
            if name in names:
                others = _others(batch, name)
                for column, end in zip(ends_of(name, names[name]), ends, strict=True):
                    out[column][at] = np.hypot(end, others)[kept]
    return out


def ends_of(name: str, place: Place) -> tuple[str, str]:
    """The columns of a value's errors downwards and upwards."""
    return f"{place[1]}/{name}_err_minus", f"{place[1]}/{name}_err_plus"


def _others(batch: Batch, name: str) -> Array:
    """What a standard error (m,) holds besides the fit's own part."""
    fit = batch.fit
    whole, own = (
        (fit.stderr, fit.stderr_fit) if name in fit.stderr else (fit.path_stderr, fit.path_stderr_fit)
    )
    return np.sqrt(np.maximum(np.nan_to_num(whole[name]) ** 2 - np.nan_to_num(own[name]) ** 2, 0.0))


def with_common(column: Mapping[str, Array], name: str, place: Place, own: Array, common: Array) -> Columns:
    """The ends (m,) of a value whose error has the parts `own` and `common`: the first as asymmetric as the fit's own, the second not.

    `column` has the stated fit's; ends that no row has are left out. What is at a bound has no error of its own and keeps
    the ends of the fit.
    """
    _, before, stated_own, stated_common = (column[c] for c in columns_of(name, place))
    out = {}
    for end in ends_of(name, place):
        if end in column and np.isfinite(stated := column[end]).any():
            alone = np.sqrt(np.maximum(stated**2 - np.nan_to_num(stated_common) ** 2, 0.0))
            scaled = alone * np.where(np.isfinite(own) & (stated_own > 0), own / stated_own, 1.0)
            out[end] = np.hypot(scaled, np.where(np.isfinite(before), common, 0.0))
    return out
