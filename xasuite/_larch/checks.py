"""Checks that Larch does not make: whether arrays form a spectrum, and whether ranges lie within it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, RangeError
from ..records import Array

MIN_POINTS = 10
# The K edge of boron lies at 188 eV: an energy axis that ends below KEV_BELOW is in keV.
KEV_BELOW = 150.0


def spectrum_arrays(energy: ArrayLike, mu: ArrayLike, what: str = "spectrum") -> tuple[Array, Array]:
    """Energy (n,) and mu (..., n) as float arrays, checked.

    Raises DataError for wrong shapes, too few points, NaN or inf, keV, and energies that are not strictly ascending.
    """
    e, m = axis(energy, "energy", what), np.asarray(mu, float)
    if m.shape[-1:] != e.shape:
        raise DataError(f"{what}: mu has {m.shape[-1:] or 0} points along its last axis, energy {e.size}")
    if e[-1] < KEV_BELOW:
        raise DataError(f"{what}: energy ends at {e[-1]:g}, which is keV and not eV; multiply it by 1000")
    finite(m, "mu", what)
    return e, m


def axis(values: ArrayLike, name: str, what: str) -> Array:
    """A sampled axis (n,): one-dimensional, finite, strictly ascending. Raises DataError."""
    x = np.asarray(values, float)
    if x.ndim != 1:
        raise DataError(f"{what}: {name} has {x.ndim} axes; it must have one, shared by all spectra")
    if x.size < MIN_POINTS:
        raise DataError(f"{what}: {x.size} points are too few for a spectrum; at least {MIN_POINTS}")
    finite(x, name, what)
    step = np.diff(x)
    if (step < 0).any():
        if (step <= 0).all():
            raise DataError(f"{what}: {name} descends; reverse the arrays")
        at = int(np.argmax(step < 0))
        raise DataError(f"{what}: {name} goes back after point {at} ({x[at]:g}); sort the arrays")
    if (step == 0).any():
        at = int(np.argmax(step == 0))
        raise DataError(
            f"{what}: {name} {x[at]:g} occurs twice ({np.count_nonzero(step == 0)} repeats in all); "
            "average them with reduce.average_repeats"
        )
    return x


def finite(values: Array, name: str, what: str) -> None:
    """Raises DataError when an array holds NaN or inf; the message says how many and where the first is."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(values.sum()):  # one pass, and nothing written
            return
    bad = ~np.isfinite(values)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{what}: {name} is not finite at {np.count_nonzero(bad)} points, the first at index "
            f"{at[0] if len(at) == 1 else at}; drop them (Scan.mu does) or deglitch"
        )


def inside(value: Any, low: float, high: float, name: str, what: str, unit: str) -> None:
    """Raises RangeError when any of `value` lies outside low..high or is not a number."""
    v = np.asarray(value, float)
    if not np.all((v >= low) & (v <= high)):
        shown = f"{v.min():g}" if v.min() == v.max() else f"{v.min():g} to {v.max():g}"
        raise RangeError(f"{what}: {name} {shown} {unit} is outside the data, {low:g} to {high:g} {unit}")


def ordered(pair: tuple[float, float], name: str, what: str, unit: str) -> tuple[float, float]:
    """A range as (low, high). Raises RangeError when it is empty, reversed or not two numbers."""
    try:
        low, high = (float(v) for v in pair)
    except (TypeError, ValueError):
        raise RangeError(f"{what}: {name} = {pair!r} is not a range; give two numbers in {unit}") from None
    if not low < high:
        raise RangeError(f"{what}: {name} = ({low:g}, {high:g}) {unit} is empty; the lower end comes first")
    return low, high
