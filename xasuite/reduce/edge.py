"""The position of the edge: E0, all significant inflections, and the tabulated energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..edges import core_width, tabulated
from ..errors import ReductionError
from ..notices import warn
from ..records import Array, Spectrum, name_of
from ..scatter import point_noise
from .main_rise import coarse, off_the_rise
from .stacks import checked, takes_series
from .steepest import steepest

Which = Literal["auto", "maximum", "first"]

# Smoothing of the derivative (standard deviation of a Gaussian): E/30000, about a seventh of the core-hole width.
# Stronger smoothing shifts the first inflection of Ru towards the second, by 0.5 eV at E/20000.
SMOOTH_RATIO = 30000.0
SMOOTH_MIN = 0.5  # eV
# An inflection counts if its derivative is at least SIGNIFICANT of the largest one, and if its prominence is at least PROMINENCE of the
# largest derivative and PROMINENCE_NOISE standard deviations of the derivative
SIGNIFICANT = 0.6
PROMINENCE = 0.015
PROMINENCE_NOISE = 3.0
SEPARATE = 3.0  # eV; closer maxima are one, split by noise
# The K edge of a metal has a second inflection this far above the first (Ru 8-10 eV, 3d metals 8-12 eV); the absorption rises
# between them (after a pre-edge peak it would fall), and the first lies near the tabulated energy
DOUBLE = (5.0, 15.0)  # eV
RISING = -0.05  # of the largest derivative
NEAR_TABLE = 8.0  # eV; energy scales are off by up to 4-6 eV, the edge of an oxide lies 10 eV higher
_WIDTH_RATIO = 4300.0  # edge energy over core-hole width, for an unknown element
_ROWS = 256  # rows whose derivatives are in memory at once
SAME = 1.0  # eV; two choices closer than this are the same inflection


@dataclass(frozen=True)
class Inflection:
    """A rise of mu(E): its energy (eV) and the derivative there as a share of the largest."""

    energy: float
    strength: float


def tabulated_e0(element: str, edge: str = "K") -> float:
    """The tabulated edge energy in eV (xraydb; Elam et al. 2002).

    Parameters
    ----------
    element : str
        Symbol of the element.
    edge : str
        The edge, as "K" or "L3".

    Returns
    -------
    float
        Edge energy in eV.

    Raises
    ------
    ReductionError
        The table has no such edge.

    Examples
    --------
    >>> from xasuite.reduce import tabulated_e0
    >>> tabulated_e0("Cu")
    8979.0
    """
    found = tabulated(element, edge.upper())
    if found is None:
        raise ReductionError(f"no tabulated energy for {element!r} {edge!r} edge; give tabulated in eV")
    return found


@takes_series
def find_e0(spectrum: Spectrum, *, which: Which = "auto") -> Array:
    """E0 (...) in eV of each spectrum.

    The tabulated energies are those of first inflections (Kraft et al. 1996; Bearden and Burr 1967): docs/decisions/e0.md.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n) on energy (n,) in eV.
    which : str
        "maximum": the maximum of the smoothed derivative, as Larch finds it. "first": the first significant
        inflection. "auto": the first inflection for a metal (known element, two inflections 5-15 eV apart, mu rising
        between them, the first within 8 eV of the tabulated energy), else the maximum.

    Returns
    -------
    array
        Shape (...), one E0 per row of a stack; never NaN.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    ReductionError
        No edge, or mu upside down.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> round(float(xs.find_e0(spectrum)))
    8979
    """
    if which not in ("auto", "maximum", "first"):
        raise ReductionError(f"which = {which!r} is not one of auto, maximum, first")
    checked(spectrum)
    lead = spectrum.lead
    maxima = _maxima(spectrum)
    if which == "maximum" or (which == "auto" and not spectrum.element):
        return maxima.reshape(lead)
    mu, out = np.reshape(spectrum.mu, (-1, spectrum.energy.size)), maxima.copy()
    for maximum in np.unique(maxima):
        at = np.flatnonzero(maxima == maximum)
        for i in range(0, at.size, _ROWS):
            some = at[i : i + _ROWS]
            names = [_row_name(spectrum, int(r)) for r in some]
            slopes = _slopes(spectrum.energy, mu[some], float(maximum), None, names)
            out[some] = [_chosen(spectrum, float(maximum), slopes, j, which) for j in range(some.size)]
    return out.reshape(lead)


def inflections(
    spectrum: Spectrum, *, significant: float = 0.15, width: float | None = None
) -> tuple[Inflection, ...] | tuple[tuple[Inflection, ...], ...]:
    """Every significant inflection of the edge region, ascending; for a stack one tuple per row.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n) on energy (n,) in eV.
    significant : float
        Smallest derivative that counts, as a share of the largest.
    width : float, optional
        Standard deviation in eV of the Gaussian that smooths the derivative; by default E0/30000, but at least
        0.5 eV and at least the step of the scan.

    Returns
    -------
    tuple of Inflection or tuple of tuple of Inflection
        Each with its energy in eV and its derivative as a share of the largest.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    ReductionError
        No edge, or mu upside down.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> from xasuite.reduce import inflections
    >>> round(inflections(spectrum)[0].energy)
    8979
    """
    energy, mu = checked(spectrum)
    rows = mu.reshape(-1, energy.size)
    found = []
    for i, maximum in enumerate(_maxima(spectrum)):
        slopes = _slopes(energy, rows[i : i + 1], float(maximum), width, [_row_name(spectrum, i)])
        found.append(_inflections(slopes, 0, significant))
    return tuple(found) if spectrum.lead else found[0]


def _maxima(spectrum: Spectrum) -> Array:
    """The maximum of the smoothed derivative of every row (m,), eV."""
    energy, mu = spectrum.energy, spectrum.mu.reshape(-1, spectrum.energy.size)
    chosen = np.asarray(energy[steepest(energy, mu, name_of(spectrum))])
    out = chosen.copy()
    for e0 in np.unique(chosen):
        width = (core_width(spectrum.element, spectrum.edge) or e0 / _WIDTH_RATIO) / 2
        if not coarse(energy, e0, width):
            continue
        at = np.flatnonzero(chosen == e0)
        for i in range(0, at.size, _ROWS):
            some = at[i : i + _ROWS]
            found = off_the_rise(energy, mu[some], float(e0), width)
            out[some] = np.where(_nearer(spectrum, found, float(e0)), found, e0)
    if (moved := np.flatnonzero(out != chosen)).size:
        warn(_coarse_edge(spectrum, int(moved[0]), chosen, out, moved.size))
    return out


def _nearer(spectrum: Spectrum, found: Array, e0: float) -> NDArray[np.bool_]:
    """Which of the energies found (m,) are as near to the tabulated energy as `e0` or nearer; all, where none is tabulated."""
    known = tabulated(spectrum.element, spectrum.edge) if spectrum.element and spectrum.edge else None
    return np.asarray(np.abs(found - known) <= abs(e0 - known)) if known else np.ones(found.size, bool)


def _coarse_edge(spectrum: Spectrum, first: int, chosen: Array, out: Array, count: int) -> str:
    energy = spectrum.energy
    step = float(np.diff(energy)[np.clip(np.searchsorted(energy, out[first]) - 1, 0, energy.size - 2)])
    rows = f" (and {count - 1} other rows)" if count > 1 else ""
    return (
        f"{_row_name(spectrum, first)}{rows}: the points across the edge are {step:.3g} eV apart; the steepest one, at "
        f"{chosen[first]:.1f} eV, is not on the main rise, so E0 = {out[first]:.1f} eV is used, known to half a step; give e0"
    )


def _row_name(spectrum: Spectrum, i: int) -> str:
    """The name of row i in messages: label and index for a stack, the spectrum's own name otherwise."""
    lead = spectrum.lead
    if not lead:
        return name_of(spectrum)
    at = ", ".join(str(j) for j in np.unravel_index(i, lead))
    return f"{spectrum.label or 'row'}[{at}]"


def _chosen(spectrum: Spectrum, maximum: float, slopes: _Slopes, i: int, which: Which) -> float:
    """E0 of row i: the first inflection if `which` is "first" or the edge is that of a metal, else the maximum."""
    found = _inflections(slopes, i, SIGNIFICANT)
    if not found:
        return maximum
    first = found[0].energy
    if abs(first - maximum) <= SAME or (
        which == "auto" and not _metal(spectrum, found, slopes.grid, slopes.derivative[i])
    ):
        return maximum
    return first


def _metal(spectrum: Spectrum, found: tuple[Inflection, ...], grid: Array, derivative: Array) -> bool:
    """Whether the inflections are those of a metal foil's edge."""
    if len(found) < 2 or not spectrum.edge:
        return False
    one, two = found[0].energy, found[1].energy
    between = derivative[(grid >= one) & (grid <= two)]
    return (
        DOUBLE[0] <= two - one <= DOUBLE[1]
        and bool(between.min() >= RISING)
        and abs(one - tabulated_e0(spectrum.element, spectrum.edge)) <= NEAR_TABLE
    )


@dataclass(frozen=True, eq=False)
class _Slopes:
    """The smoothed derivative (m, n) of rows on a fine grid (n,) in eV, scaled so that its largest value is 1.

    `prominence` (m,) is the smallest prominence of a maximum that counts, `fine` the step of the grid in eV.
    """

    grid: Array
    derivative: Array
    prominence: Array
    fine: float


def _slopes(energy: Array, mu: Array, near: float, width: float | None, names: list[str]) -> _Slopes:
    """The derivative of rows mu (m, n) from 60 eV below to 80 eV above `near`; `names` are those of the rows."""
    inside = (energy > near - 20) & (energy < near + 20)
    step = float(np.median(np.diff(energy[inside]))) if np.count_nonzero(inside) > 2 else 1.0
    sigma = width or max(SMOOTH_MIN, near / SMOOTH_RATIO, step)
    fine = sigma / 10
    grid = np.arange(max(energy[0], near - 60), min(energy[-1], near + 80), fine)
    even = np.stack([np.interp(grid, energy, m) for m in mu])
    derivative = _gaussian_slope(even, sigma / fine) / fine
    top = derivative.max(axis=1)
    if not (top > 0).all():
        first = names[int(np.argmin(top > 0))]
        raise ReductionError(f"{first}: mu never rises near {near:g} eV; is it upside down?")
    noise = PROMINENCE_NOISE * _slope_noise(mu, step, sigma) / top
    return _Slopes(grid, derivative / top[:, None], np.maximum(PROMINENCE, noise), fine)


def _inflections(slopes: _Slopes, i: int, significant: float) -> tuple[Inflection, ...]:
    """The maxima of the derivative of row i that are high and prominent enough, ascending."""
    derivative = slopes.derivative[i]
    rises = np.diff(derivative) > 0
    tops = np.flatnonzero(rises[:-1] & ~rises[1:]) + 1
    apart = max(1, round(SEPARATE / slopes.fine))
    kept: list[int] = []
    for j in sorted(tops[derivative[tops] >= significant].tolist(), key=lambda j: -derivative[j]):
        if all(abs(j - other) >= apart for other in kept):
            kept.append(j)
    return tuple(
        Inflection(*_vertex(slopes.grid, derivative, j))
        for j in sorted(kept)
        if _prominence(derivative, j) >= slopes.prominence[i]
    )


def _prominence(y: Array, i: int) -> float:
    """The prominence of the maximum at i: how far y falls before it reaches a higher value, on the side where that is less."""
    higher = np.flatnonzero(y > y[i])
    before, after = higher[higher < i], higher[higher > i]
    low = y[(before[-1] if before.size else 0) : i + 1].min()
    high = y[i : (after[0] if after.size else y.size)].min()
    return float(y[i] - max(low, high))


def _gaussian_slope(y: Array, sigma: float) -> Array:
    """The derivative by the index of rows y (m, n) convolved with a Gaussian; beyond the ends y is constant."""
    reach = int(4 * sigma + 0.5)
    x = np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (x / sigma) ** 2)
    weight *= x / (sigma**2 * weight.sum())
    padded = np.pad(y, ((0, 0), (reach, reach)), mode="edge")
    return np.stack([np.correlate(row, weight, mode="valid") for row in padded])


def _slope_noise(mu: Array, step: float, sigma: float) -> Array:
    """Standard deviation (m,) of the smoothed derivative, from that of mu (m, n).

    Convolution with a Gaussian's derivative gives the variance sigma_mu^2 step / (4 sqrt(pi) sigma^3).
    """
    return np.asarray(point_noise(mu) * np.sqrt(step / (4 * np.sqrt(np.pi) * sigma**3)))


def _vertex(grid: Array, y: Array, i: int) -> tuple[float, float]:
    """Top of the parabola through three points: finer than the grid."""
    below, here, above = y[i - 1 : i + 2]
    bend = below - 2 * here + above
    offset = 0.0 if bend == 0 else 0.5 * (below - above) / bend
    return float(grid[i] + offset * (grid[1] - grid[0])), float(here - 0.25 * (below - above) * offset)
