"""Averages of the rows of a series: over blocks of n rows, or running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ReductionError
from ..records import OK, Array, Chi, Normalized, Series, Spectrum, Step, name_of
from ..records.base import declared

EMPTY = "failed"
Stack = TypeVar("Stack", Series, Spectrum, Normalized, Chi)


def block_average(series: Stack, n: int) -> Stack:
    """The means of successive blocks of n rows; rows left over at the end are not used.

    Parameters
    ----------
    series : Series or Spectrum or Chi
        A Series or a stack (m, ...) of Spectrum, Normalized or Chi. In a Series only the ok rows of each block are
        averaged, together with the numbers of its table; a block without an ok row is marked as failed.
    n : int
        Rows per block, 2 or more.

    Returns
    -------
    Series or Spectrum or Chi
        The same type as given, with m // n rows. Errors (mu_err, chi_err, epsilon_k, columns NAME_err) are propagated for
        independent rows: the root of the sum of squares over the number of rows averaged. Where mu_err or chi_err is not known,
        it is the scatter of the rows over the root of their number, which includes real changes within a block.

    Raises
    ------
    DataError
        No stack of rows.
    ReductionError
        Fewer than n rows, or n below 2.

    Examples
    --------
    >>> energy = np.arange(8960.0, 9040.0, 1.0)
    >>> stack = xs.Spectrum(energy, np.ones((10, 80)), "Cu", "K", mu_err=np.full((10, 80), 0.02))
    >>> means = xs.block_average(stack, 4)
    >>> means.mu.shape, float(means.mu_err[0, 0])
    ((2, 80), 0.01)
    """
    return _averaged(series, n, n, "block_average")


def running_average(series: Stack, n: int) -> Stack:
    """The running mean over n neighbouring rows. Neighbouring means share rows and are not independent.

    Parameters
    ----------
    series : Series or Spectrum or Chi
        As for `block_average`.
    n : int
        Rows per mean, 2 or more.

    Returns
    -------
    Series or Spectrum or Chi
        The same type as given, with m - n + 1 rows; errors as in `block_average`.

    Raises
    ------
    DataError
        No stack of rows.
    ReductionError
        Fewer than n rows, or n below 2.

    Examples
    --------
    >>> energy = np.arange(8960.0, 9040.0, 1.0)
    >>> stack = xs.Spectrum(energy, np.arange(10.0)[:, None] * np.ones(80), "Cu", "K")
    >>> xs.running_average(stack, 3).mu[:, 0]
    array([1., 2., 3., 4., 5., 6., 7., 8.])
    """
    return _averaged(series, n, 1, "running_average")


def _averaged(series: Any, n: int, step: int, word: str) -> Any:
    data = series.data if isinstance(series, Series) else series
    if not isinstance(data, Spectrum | Chi):
        raise DataError(f"{word} takes a Series or a stack of Spectrum or Chi, not {type(data).__name__}")
    if len(data.lead) != 1:
        raise DataError(f"{word}: {name_of(data)} is not a stack of rows (m, n)")
    m = data.lead[0]
    if not 2 <= n <= m:
        raise ReductionError(
            f"{word}: n = {n} rows per mean is not possible; {name_of(data)} has {m} rows, give n from 2 to {m}"
        )
    good = series.ok if isinstance(series, Series) else np.ones(m, bool)
    made = replace(data, **_fields(data, good, n, step), history=(*data.history, Step(word, {"n": n})))
    return _series(series, made, good, n, step) if isinstance(series, Series) else made


def _fields(data: Any, good: NDArray[np.bool_], n: int, step: int) -> dict[str, Any]:
    """The averaged arrays of a record, errors too."""
    out: dict[str, Any] = {}
    for name, dims in declared(type(data)).items():
        value = getattr(data, name)
        if isinstance(value, Mapping):
            out[name] = {
                k: _mean(np.asarray(v), good, n, step) if np.ndim(v) else v for k, v in value.items()
            }
        elif isinstance(value, np.ndarray) and dims[:1] == ("row",) and value.ndim == len(dims):
            error = name.endswith("_err") or name == "epsilon_k"
            out[name] = _mean(value, good, n, step, error)
    kind = "chi" if isinstance(data, Chi) else "mu"
    if getattr(data, f"{kind}_err") is None:
        out[f"{kind}_err"] = _scatter(getattr(data, kind), good, n, step)
    return out


def _sum(values: Array, n: int, step: int) -> Array:
    """Sums over n rows in front, every `step` rows."""
    windows = np.lib.stride_tricks.sliding_window_view(values, n, axis=0)[::step]
    return np.asarray(windows.sum(axis=-1))


def _mean(values: Array, good: NDArray[np.bool_], n: int, step: int, error: bool = False) -> Array:
    """Means (m', ...) over the good rows of each window, NaN where there is none; with `error` the errors of the means."""
    shape = (-1,) + (1,) * (values.ndim - 1)
    used = np.where(good.reshape(shape), values, 0.0)
    count = _sum(good.astype(float), n, step).reshape(shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(_sum(used**2, n, step)) / count if error else _sum(used, n, step) / count)


def _scatter(values: Array, good: NDArray[np.bool_], n: int, step: int) -> Array:
    """The standard error of each mean from the scatter of its rows, NaN where one row is left."""
    centre = values[good].mean(axis=0) if good.any() else 0.0  # keeps digits in the difference of squares
    count = _sum(good.astype(float), n, step)[:, None]
    square, mean = (_mean((values - centre) ** i, good, n, step) for i in (2, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.maximum(square - mean**2, 0.0) / (count - 1)))


def _series(series: Series, made: Any, good: NDArray[np.bool_], n: int, step: int) -> Series:
    """The Series of the means. In its table numbers are averaged, text is that of the first row, labels name first and last row."""
    import pandas as pd

    first = np.arange(0, len(series) - n + 1, step)
    columns: dict[str, Any] = {}
    for name in map(str, series.table):
        values = series.table[name].to_numpy()
        if values.dtype.kind in "fiub":
            columns[name] = _mean(values.astype(float), good, n, step, name.endswith("_err"))
        else:
            columns[name] = values[first]
    if "label" in series.table:
        labels = series.table["label"].astype(str).to_numpy()
        columns["label"] = [f"{labels[i]} to {labels[i + n - 1]}" for i in first]
    count = _sum(good.astype(float), n, step)
    columns["averaged"] = count
    status = tuple(OK if c else EMPTY for c in count)
    reason = tuple("" if c else f"none of {n} rows can be used: {series.reason[i]}" for i, c in zip(first, count, strict=True))  # fmt: skip
    return Series(made, pd.DataFrame(columns), status, reason, series.label)
