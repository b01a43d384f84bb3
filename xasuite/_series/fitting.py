"""The fits of a chunk's rows by the batched engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..exafs.engine.result import MAPS, RowFits
from ..exafs.model import Model
from ..records import OK, Array, Chi, axes, concat
from .plan import Plan

if TYPE_CHECKING:
    from ..exafs.engine import BatchFit

TOO_SHORT = "too noisy"


@dataclass(frozen=True, eq=False)
class Batch:
    """One call of the engine: the rows (of the rows that were fitted) it had, what it took and gave."""

    rows: NDArray[np.intp]
    chi: Chi
    fit: BatchFit


@dataclass(frozen=True, eq=False, kw_only=True)
class RowFit(RowFits):
    """Fits of m rows, each up to its own kmax (m,): `epsilon_k`, `n_idp`, `usable_k` (m,), the fitted `chi` (m, nk).

    `step` (m,) certifies that a row is at a minimum: the length of the next Gauss-Newton step in standard errors.
    """

    n_idp: Array = field(metadata=axes("row"))
    usable_k: Array = field(metadata=axes("row"))
    kmax: Array = field(metadata=axes("row"))
    step: Array = field(metadata=axes("row"))
    reason: tuple[str, ...] = field(metadata=axes("row"))
    chi: Array = field(metadata=axes("row", "k"))
    batches: tuple[Batch, ...] = ()


def fit_rows(plan: Plan, chi: Chi, model: Model, *, threads: int = 1) -> RowFit:
    """Fit a stack of chi(k). Rows share a k range, or go up to their own usable k."""
    from ..reduce.noise import usable_k

    usable = np.asarray(usable_k(chi), float)
    kmax, short = row_kmax(plan, model, usable)
    out = _grouped(plan, chi, model, kmax, np.arange(usable.size), threads)
    out = _without_absent(plan, chi, model, kmax, out, threads)
    status, reason = list(out.status), list(out.reason)
    for i in np.flatnonzero(short):
        status[i] = TOO_SHORT if status[i] == OK else status[i]
        reason[i] = f"its signal ends at k = {usable[i]:.1f} 1/A, too soon for {len(model.varied)} variables"
    return replace(out, model=model, usable_k=usable, kmax=kmax, status=tuple(status), reason=tuple(reason))


def _grouped(
    plan: Plan, stack: Chi, model: Model, kmax: Array, rows: NDArray[np.intp], threads: int
) -> RowFit:
    """The fits of `rows`, in groups of one k range each."""
    parts, order = [], []
    for end in np.unique(kmax[rows]):
        at = rows[kmax[rows] == end]
        part = _fit(plan, stack.take(at), with_kmax(model, float(end)), threads)
        parts.append(replace(part, batches=tuple(replace(b, rows=at) for b in part.batches)))
        order.append(at)
    return _in_order(parts, order)


def _in_order(parts: list[RowFit], order: list[NDArray[np.intp]]) -> RowFit:
    """Fits of some rows each as one, in the order of the rows."""
    whole = (parts[0] if len(parts) == 1 else concat(parts)).take(np.argsort(np.concatenate(order)))
    return replace(whole, batches=tuple(b for p in parts for b in p.batches))


def _without_absent(plan: Plan, stack: Chi, model: Model, kmax: Array, fit: RowFit, threads: int) -> RowFit:
    """Rows in which a shell that may be absent is not seen, fitted again without it.

    Its amplitude then is 0 with the error that it had, an upper limit; everything else is of the fit without it.
    """
    names = [n for n in plan.series.optional if any(p.name == n for p in model.varied)]
    for name in names:
        value, error = np.array(fit.values[name]), np.array(fit.stderr_fit[name])
        with np.errstate(all="ignore"):
            absent = np.flatnonzero(~(value >= plan.series.seen * error))
        if not absent.size:
            continue
        total = np.array(fit.stderr[name])
        kept = np.setdiff1d(np.arange(len(value)), absent)
        still = tuple(_still(b, absent) for b in fit.batches if not np.isin(b.rows, absent).all())
        again = _grouped(plan, stack, fixed(model, {name: 0.0}), kmax, absent, threads)
        fit = _in_order([replace(fit.take(kept), batches=still), again], [kept, absent])
        for p in model.params:  # what the fit does without stands at its value all the same
            if p.expr is None and not p.vary:
                fit.values[p.name][absent], fit.stderr[p.name][absent] = p.value, p.stderr or np.nan
        for held, error_of in ((fit.stderr, total), (fit.stderr_fit, error)):
            held[name][absent] = error_of[absent]
        fit.values[name][absent] = 0.0
        for path in model.paths:
            if name in path.n.names:
                fit.path_values[f"{path.label}.n"][absent] = 0.0
                fit.path_stderr[f"{path.label}.n"][absent] = total[absent]
                fit.path_stderr_fit[f"{path.label}.n"][absent] = error[absent]
    return fit


def _still(batch: Batch, gone: NDArray[np.intp]) -> Batch:
    """A batch less the rows that were fitted again: they are not to be audited as part of it."""
    return replace(batch, rows=np.where(np.isin(batch.rows, gone), -1, batch.rows))


def with_kmax(model: Model, kmax: float) -> Model:
    """The model with another end of its k range."""
    return replace(model, range=replace(model.range, k=(model.range.k[0], kmax)))


def fixed(model: Model, fix: Mapping[str, float]) -> Model:
    """The model with some parameters held at given values, and without the paths whose N then is 0."""
    params = tuple(
        replace(p, value=fix[p.name], vary=False, min=-math.inf, max=math.inf) if p.name in fix else p
        for p in model.params
    )
    known = {p.name: p.value for p in params if not p.vary and p.expr is None}
    left = model.with_paths(p for p in model.paths if not (p.n.names <= known.keys() and p.n(known) == 0))
    used = frozenset().union(*(p.names for p in left.paths), *(r.that.names for r in left.restraints))
    used |= frozenset().union(*(p.expr.names for p in params if p.expr is not None and p.name in used))
    return replace(left, params=tuple(p for p in params if p.name in used))


def row_kmax(plan: Plan, model: Model, usable: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The end of k (m,) of each row, and which rows have no signal for the model.

    With kmax = "noise" a row goes up to its usable k in steps of kmax_step, never beyond [fit] k and never below
    what leaves one independent point more than there are variables.
    """
    low, high = model.range.k
    if plan.series.kmax == "fixed":
        return np.full(usable.shape, high), np.zeros(usable.shape, bool)
    step = plan.series.kmax_step
    width = len(model.varied) * np.pi / (2 * (model.range.r[1] - model.range.r[0]))
    least = min(high, low + step * np.ceil(width / step + 1e-9))
    wanted = np.minimum(np.floor(usable / step + 1e-9) * step, high)
    return np.maximum(wanted, least), wanted < least - 1e-9


def _fit(plan: Plan, chi: Chi, model: Model, threads: int) -> RowFit:
    from ..exafs import engine

    start = None if plan.series.start == "model" else plan.series.start
    one = 1 if start == "previous" else threads
    fit = engine.fit_stack(model, chi, epsilon_k=plan.spec.fit.epsilon_k, start=start, threads=one)
    m = len(fit)
    same = {f.name: getattr(fit, f.name) for f in fields(RowFits)}
    own: dict[str, Any] = {
        "n_idp": np.full(m, fit.n_idp), "epsilon_k": np.asarray(fit.epsilon_k, float).reshape(m, -1)[:, 0],
        "usable_k": np.full(m, np.nan), "kmax": np.full(m, model.range.k[1]), "step": fit.step, "reason": fit.reason,
        "chi": fit.chi(), "batches": (Batch(np.arange(m), chi, fit),),
    }  # fmt: skip
    return RowFit(**(same | {n: dict(same[n]) for n in MAPS} | own))
