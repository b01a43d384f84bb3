"""Application of a function of one stack to a Series, and helpers of the reduction functions.

Rows of a Series that cannot be analysed are marked; the other rows are reduced.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from .._larch import checks
from ..errors import DataError, ReductionError, XasuiteError
from ..notices import warn
from ..records import Array, Series, Spectrum, Step, name_of, spread

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=Spectrum)

FAILED = "failed"
PROBES = 5


def takes_series(function: F) -> F:
    """Decorator: a function of a Spectrum then also takes a Series, whose ok rows it is applied to.

    A row that fails is marked and does not stop the others (`over_series`).
    """

    @functools.wraps(function)
    def wrapped(record: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(record, Series):
            return over_series(record, function, args, kwargs)
        if not isinstance(record, Spectrum):
            raise DataError(
                f"{function.__name__} takes a Spectrum or a Series of them, not {type(record).__name__}"
                f"{'; give scan.mu()' if type(record).__name__ == 'Scan' else ''}"
            )
        return function(record, *args, **kwargs)

    return cast(F, wrapped)


def over_series(
    series: Series, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """function(data, ...) applied to the ok rows of a series; a Series, or an array (m, ...), of all its rows.

    Rows for which the function raises are marked "failed", with the message as their reason, and hold NaN; so do rows that were
    not ok before. Arguments with one value per row are cut to the same rows. If no row works, the function's exception is raised.
    """
    m, ok = len(series), np.flatnonzero(series.ok)
    if not ok.size:
        raise ReductionError(f"{series.label or 'series'}: none of its {m} rows is ok")

    def cut(value: Any, at: Any) -> Any:
        return value[at] if isinstance(value, np.ndarray) and value.ndim and value.shape[0] == m else value

    def run(at: NDArray[np.intp]) -> Any:
        named = {name: cut(value, at) for name, value in kwargs.items()}
        data = series.data if at.size == m else series.data.take(at)
        return function(data, *(cut(a, at) for a in args), **named)

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
    return replace(series, data=made.spread(good, m), status=tuple(status), reason=tuple(reason))


def _isolate(
    run: Callable[[NDArray[np.intp]], Any], ok: NDArray[np.intp], error: XasuiteError
) -> dict[int, XasuiteError]:
    """The rows that raise, with their exceptions; found by bisection, so that one bad row of m costs log m runs."""
    failed: dict[int, XasuiteError] = {}

    def search(at: NDArray[np.intp]) -> None:
        try:
            run(at)
        except XasuiteError as exc:
            if at.size == 1:
                failed[int(at[0])] = exc
            else:
                search(at[: at.size // 2])
                search(at[at.size // 2 :])

    # a wrong setting fails for every row: a few rows are enough to find that out
    probes = ok[np.unique(np.linspace(0, ok.size - 1, PROBES).astype(int))]
    for i in probes:
        search(np.array([i]))
    if len(failed) == probes.size:
        raise error
    failed.clear()
    search(ok)
    return failed


def checked(spectrum: Spectrum) -> tuple[Array, Array]:
    """Energy (n,) and mu (..., n) of a spectrum that an analysis can use. Raises DataError."""
    return checks.spectrum_arrays(spectrum.energy, spectrum.mu, name_of(spectrum))


def interpolable(spectrum: Spectrum) -> dict[str, Array]:
    """The arrays mu, mu_err and reference that exist; a reference that is not finite is left out with a warning."""
    out = {"mu": spectrum.mu}
    if spectrum.mu_err is not None:
        out["mu_err"] = spectrum.mu_err
    if spectrum.reference is not None:
        if np.isfinite(spectrum.reference).all():
            out["reference"] = spectrum.reference
        else:
            warn(
                f"{name_of(spectrum)}: the reference is not finite everywhere and is left out; align or calibrate "
                "before, which use its finite points",
            )
    return out


def per_row(value: Any, lead: tuple[int, ...], name: str, what: str) -> Array:
    """A number or an array of one number per row, as an array of the leading shape. Raises DataError."""
    v = np.asarray(value, float)
    try:
        return np.broadcast_to(v, lead)
    except ValueError:
        raise DataError(
            f"{what}: {name} has shape {v.shape}, the spectra {lead}; give one number, or one per row"
        ) from None


def plain(value: Any) -> Any:
    """Numbers for the settings of a Step: one float if all are equal, else a tuple."""
    v = np.ravel(np.asarray(value, float))
    return float(v[0]) if v.size == 1 or np.ptp(v) == 0 else tuple(float(x) for x in v)


def changed(spectrum: Spectrum, step: Step, note: str = "", **values: Any) -> Spectrum:
    """The Spectrum with new fields, the step in its history, and the note (if there is one)."""
    notes = (*spectrum.notes, note) if note else spectrum.notes
    return recast(Spectrum, spectrum, **values, notes=notes, history=(*spectrum.history, step))


def recast(kind: type[S], spectrum: Spectrum, **values: Any) -> S:
    """A record of `kind` from a Spectrum's fields and new ones: a Normalized becomes a Spectrum when mu changes."""
    kept = {f.name: getattr(spectrum, f.name) for f in fields(Spectrum)}
    return kind(**(kept | values))
