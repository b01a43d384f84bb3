"""A series through a function of one stack: rows that cannot be analysed are marked, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ..errors import ReductionError, XasuiteError
from ..records import Series

FAILED = "failed"
# Axes that all rows share; every other array of a record has the rows first
SHARED = ("energy", "k", "r", "window")
# Arrays whose last axis is sampled: stacked only when they have another one before it
SAMPLED = ("mu", "mu_err", "reference", "pre_edge", "post_edge", "norm", "flat", "chi", "bkg")
PROBES = 5


def over_series(
    series: Series, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """function(data, ...) of the series' ok rows, spread over all rows again; a Series, or an array (m, ...).

    Rows that raise are marked "failed" with the sentence as their reason and hold NaN, as do rows that were not ok
    before. Arguments with one value a row are cut along. Raises what the function raises when no row works.
    """
    m, ok = len(series), np.flatnonzero(series.ok)
    if not ok.size:
        raise ReductionError(f"{series.label or 'series'}: none of its {m} rows is ok")

    def cut(value: Any, at: Any) -> Any:
        return value[at] if isinstance(value, np.ndarray) and value.ndim and value.shape[0] == m else value

    def run(at: Any) -> Any:
        named = {name: cut(value, at) for name, value in kwargs.items()}
        return function(take(series.data, at), *(cut(a, at) for a in args), **named)

    failed: dict[int, XasuiteError] = {}
    try:
        made, good = run(ok), ok
    except XasuiteError as exc:
        failed = _isolate(run, ok, exc)
        good = np.setdiff1d(ok, np.fromiter(failed, int))
        made = run(good)
    if isinstance(made, np.ndarray):
        return spread(made, good, m)
    status, reason = list(series.status), list(series.reason)
    for i, why in failed.items():
        status[i], reason[i] = FAILED, str(why)
    return replace(series, data=spread_record(made, good, m), status=tuple(status), reason=tuple(reason))


def _isolate(run: Callable[[Any], Any], ok: Any, error: XasuiteError) -> dict[int, XasuiteError]:
    """Which rows raise, and what; by halving, so that one bad row of m costs log m runs."""
    failed: dict[int, XasuiteError] = {}

    def search(at: Any) -> None:
        try:
            run(at)
        except XasuiteError as exc:
            if at.size == 1:
                failed[int(at[0])] = exc
            else:
                search(at[: at.size // 2])
                search(at[at.size // 2 :])

    # a wrong setting fails everywhere: no need to try every row to find that out
    probes = ok[np.unique(np.linspace(0, ok.size - 1, PROBES).astype(int))]
    for i in probes:
        search(np.array([i]))
    if len(failed) == probes.size:
        raise error
    failed.clear()
    search(ok)
    return failed


def take(record: Any, at: Any) -> Any:
    """A stacked record with the rows `at` only."""
    changed = {}
    for f in fields(record):
        value = getattr(record, f.name)
        if _stacked(f.name, value):
            changed[f.name] = value[at]
    return replace(record, **changed)


def spread_record(record: Any, at: Any, m: int) -> Any:
    """The record with m rows: its own at `at`, NaN elsewhere."""
    if at.size == m:
        return record
    changed = {}
    for f in fields(record):
        value = getattr(record, f.name)
        if _stacked(f.name, value):
            changed[f.name] = spread(value, at, m)
    return replace(record, **changed)


def spread(values: Any, at: Any, m: int) -> Any:
    """An array (m, ...) with `values` at rows `at` and NaN elsewhere."""
    if at.size == m:
        return values
    out = np.full((m, *values.shape[1:]), np.nan)
    out[at] = values
    return out


def _stacked(name: str, value: Any) -> bool:
    if not isinstance(value, np.ndarray) or name in SHARED:
        return False
    return value.ndim > 1 if name in SAMPLED else value.ndim > 0
