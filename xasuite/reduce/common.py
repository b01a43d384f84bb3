"""What the reduction functions share: a Series in, a Series out; names for messages; rows of a stack."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

import numpy as np

from .._larch import checks
from ..errors import DataError, ReductionError, XasuiteWarning
from ..records import Array, Normalized, Series, Spectrum
from .rows import SAMPLED, over_series

F = TypeVar("F", bound=Callable[..., Any])

# Fields with one number a row
SCALARS = ("e0", "edge_step")


def takes_series(function: F) -> F:
    """Let a function of one spectrum take a Series too: its ok rows go through, its table and status stay.

    A row that fails is marked and does not stop the others (`rows.over_series`).
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


def name_of(record: Any) -> str:
    """What messages call a record: its label, its file, or the kind of thing it is."""
    return record.label or str(record.source) or type(record).__name__.lower()


def checked(spectrum: Spectrum) -> tuple[Array, Array]:
    """Energy (n,) and mu (..., n) of a spectrum that an analysis can use. Raises DataError."""
    return checks.spectrum_arrays(spectrum.energy, spectrum.mu, name_of(spectrum))


def interpolable(spectrum: Spectrum) -> dict[str, Array]:
    """mu, mu_err and reference, those that are there and finite; a broken reference is left out with a warning."""
    out = {"mu": spectrum.mu}
    if spectrum.mu_err is not None:
        out["mu_err"] = spectrum.mu_err
    if spectrum.reference is not None:
        if np.isfinite(spectrum.reference).all():
            out["reference"] = spectrum.reference
        else:
            warnings.warn(
                f"{name_of(spectrum)}: the reference is not finite everywhere and is left out; align or calibrate "
                "before, which use its finite points",
                XasuiteWarning,
                stacklevel=4,
            )
    return out


def leading(spectrum: Spectrum) -> tuple[int, ...]:
    """The shape of the axes before the sampled one; () for a single spectrum."""
    return spectrum.mu.shape[:-1]


def row(spectrum: Spectrum, at: tuple[int, ...]) -> Spectrum:
    """One spectrum of a stack, its arrays without the leading axes."""
    lead = len(at)
    changed: dict[str, Any] = {}
    for f in fields(spectrum):
        value = getattr(spectrum, f.name)
        sampled = f.name in SAMPLED and value is not None and value.ndim > lead
        if sampled or (f.name in SCALARS and value.ndim >= lead):
            changed[f.name] = value[at]
    base = spectrum.label or "row"
    return replace(spectrum, **changed, label=f"{base}[{', '.join(map(str, at))}]")


def rows(spectrum: Spectrum) -> list[Spectrum]:
    """Every spectrum of a stack in C order; the spectrum itself when there is no leading axis."""
    lead = leading(spectrum)
    return [row(spectrum, at) for at in np.ndindex(lead)] if lead else [spectrum]


def each_row(spectrum: Spectrum, function: Callable[[Spectrum], float | Array]) -> Array:
    """function(row) for every row, with the leading axes in front of what it gives.

    Raises ReductionError or DataError of the first row that fails, naming the row.
    """
    lead = leading(spectrum)
    if not lead:
        return np.asarray(function(spectrum), float)
    values = [np.asarray(function(r), float) for r in rows(spectrum)]
    if len({v.shape for v in values}) != 1:
        raise ReductionError(f"{name_of(spectrum)}: rows gave arrays of different lengths")
    return np.stack(values).reshape(lead + values[0].shape)


def per_row(value: Any, lead: tuple[int, ...], name: str, what: str) -> Array:
    """A number or an array of one number a row, as an array of the leading shape. Raises DataError."""
    v = np.asarray(value, float)
    try:
        return np.broadcast_to(v, lead)
    except ValueError:
        raise DataError(
            f"{what}: {name} has shape {v.shape}, the spectra {lead}; give one number, or one a row"
        ) from None


def as_normalized(spectrum: Spectrum, **values: Any) -> Normalized:
    """A Normalized from a Spectrum's fields and the new ones."""
    kept = {f.name: getattr(spectrum, f.name) for f in fields(Spectrum)}
    return Normalized(**(kept | values))


def as_spectrum(spectrum: Spectrum, **values: Any) -> Spectrum:
    """A plain Spectrum: what a Normalized becomes when its energy or mu changes."""
    kept = {f.name: getattr(spectrum, f.name) for f in fields(Spectrum)}
    return Spectrum(**(kept | values))
