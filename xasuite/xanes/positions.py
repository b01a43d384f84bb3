"""Where an edge lies: kernels on arrays norm (..., n) at a fraction, inflection, white line, or by the integral."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..records import Array, Spectrum

INFLECTION = 0.6  # least slope of an inflection of the edge over the steepest slope; pre-edge peaks lie below
WHITE_LINE_SPAN = 40.0  # eV above E(0.5) in which the white line's maximum is looked for
INTEGRAL_LEVELS = (0.15, 1.0)  # of the jump: Dau, Liebisch & Haumann, Anal. Bioanal. Chem. 376 (2003) 562
BELOW = 60.0  # eV below e0 from which a crossing of the fraction is looked for


def crossing(energy: Array, norm: Array, fraction: float, *, start: Array | float | None = None) -> Array:
    """Energy (...) where norm (..., n) first rises through `fraction`, by linear interpolation; NaN if never.

    `start` (...) in eV leaves out what lies below it.
    """
    before, after = norm[..., :-1], norm[..., 1:]
    rising = (before < fraction) & (after >= fraction)
    if start is not None:
        rising &= energy[1:] >= np.asarray(start, float)[..., None]
    i = np.argmax(rising, axis=-1)
    low = np.take_along_axis(before, i[..., None], -1)[..., 0]
    high = np.take_along_axis(after, i[..., None], -1)[..., 0]
    with np.errstate(all="ignore"):
        found = energy[i] + (fraction - low) / (high - low) * (energy[i + 1] - energy[i])
    return np.where(rising.any(-1), found, np.nan)


def slope_at(energy: Array, norm: Array, at: Array) -> Array:
    """Slope (...) in 1/eV of norm (..., n) over 1 eV around energies `at` (...)."""
    flat = norm.reshape(-1, energy.size)
    centre = np.ravel(np.broadcast_to(at, norm.shape[:-1]))
    i = np.clip(np.searchsorted(energy, centre), 1, energy.size - 1)
    step = np.maximum(1.0, energy[i] - energy[i - 1])
    return ((_read(energy, flat, centre + step / 2) - _read(energy, flat, centre - step / 2)) / step).reshape(
        norm.shape[:-1]
    )


def _read(energy: Array, rows: Array, at: Array) -> Array:
    """Each of the rows (m, n) at its own energy (m,), by linear interpolation; the end values beyond the ends."""
    i = np.clip(np.searchsorted(energy, at) - 1, 0, energy.size - 2)
    share = np.clip((at - energy[i]) / (energy[i + 1] - energy[i]), 0, 1)
    row = np.arange(len(rows))
    return (1 - share) * rows[row, i] + share * rows[row, i + 1]


def noise_of(energy: Array, values: Array, below: Array | float) -> Array:
    """Standard deviation (...) of a point of `values` (..., n), from the pre-edge below an energy (...).

    1.4826 times the median distance of a point from the line through its neighbours, which single glitches do not
    change. The whole scan is used where fewer than eight points lie below.
    """
    e = np.asarray(energy, float)
    share = (e[1:-1] - e[:-2]) / (e[2:] - e[:-2])
    left = values[..., 1:-1] - (1 - share) * values[..., :-2] - share * values[..., 2:]
    left = left / np.sqrt(1 + share**2 + (1 - share) ** 2)
    inside = e[1:-1] < np.asarray(below, float)[..., None]
    inside = np.where(inside.sum(-1, keepdims=True) >= 8, inside, True)
    return 1.4826 * np.nanmedian(np.where(inside, np.abs(left), np.nan), axis=-1)


def first_inflection(energy: Array, norm: Array, e0: Array) -> Array:
    """First significant inflection (...) of the edge in eV, between the points, by `reduce.inflections`."""
    from ..reduce import inflections

    rows: Any = inflections(Spectrum(energy=energy, mu=norm.reshape(-1, energy.size)), significant=INFLECTION)
    return np.reshape([found[0].energy if found else np.nan for found in rows], norm.shape[:-1])


def white_line(energy: Array, norm: Array, e0: Array) -> Array:
    """Energy (...) of the largest norm within 40 eV above E(0.5), from a parabola through three points."""
    shape = norm.shape[:-1]
    flat = norm.reshape(-1, energy.size)
    half = crossing(energy, flat, 0.5, start=np.broadcast_to(e0, shape).reshape(-1) - BELOW)
    out = np.full(len(flat), np.nan)
    for row, (y, start) in enumerate(zip(flat, half, strict=True)):
        inside = np.flatnonzero((energy >= start) & (energy <= start + WHITE_LINE_SPAN))
        if inside.size > 2:
            top = int(inside[np.argmax(y[inside])])
            if inside[0] < top < inside[-1]:
                out[row] = _vertex(energy, y, top)
    return out.reshape(shape)


def _vertex(x: Array, y: Array, i: int) -> float:
    """Vertex of the parabola through three neighbouring points, which need not be evenly spaced."""
    a, b, _ = np.polyfit(x[i - 1 : i + 2] - x[i], y[i - 1 : i + 2], 2)
    return float(x[i] - b / (2 * a)) if a < 0 else float(x[i])


def integral(energy: Array, norm: Array, e0: Array) -> Array:
    """Edge energy (...) by integral: the mean of E(f) for f from 0.15 to 1.0 of the jump (Dau et al. 2003)."""
    levels = np.linspace(*INTEGRAL_LEVELS, 35)
    each = np.array([crossing(energy, norm, f, start=np.asarray(e0) - BELOW) for f in levels])
    return np.trapezoid(each, levels, axis=0) / (levels[-1] - levels[0])


def estimator(method: str, fraction: float) -> Callable[[Array, Array, Array], Array]:
    """The function (energy, norm, e0) -> edge energies (...) of a method of `edge_energy`."""
    if method == "fraction":
        return lambda e, y, e0: crossing(e, y, fraction, start=np.asarray(e0) - BELOW)
    return {"inflection": first_inflection, "whiteline": white_line, "integral": integral}[method]
