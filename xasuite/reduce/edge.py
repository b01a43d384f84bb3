"""Where the edge is: E0, all significant inflections, and the tabulated energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import ReductionError
from ..model import Array, Spectrum
from .common import checked, each_row, leading, name_of, rows, takes_series

Which = Literal["auto", "maximum", "first"]

# Smoothing of the derivative (standard deviation of a Gaussian): E/30000, some seventh of the core hole's width.
# More draws Ru's first inflection towards the second, by 0.5 eV at E/20000.
SMOOTH_RATIO = 30000.0
SMOOTH_MIN = 0.5  # eV
# An inflection counts when the derivative there is this share of its maximum, and when it stands out by that
# share and by three standard deviations of the derivative
SIGNIFICANT = 0.6
PROMINENCE = 0.015
PROMINENCE_NOISE = 3.0
SEPARATE = 3.0  # eV; closer maxima are one, split by noise
# A metal's K edge: a second inflection so far above the first (Ru 8-10 eV, 3d metals 8-12 eV), the absorption
# rising between them (before a pre-edge peak it falls again), the first near the tabulated energy
DOUBLE = (5.0, 15.0)  # eV
RISING = -0.05  # of the largest derivative
NEAR_TABLE = 8.0  # eV; scales drift by 4-6 eV, an oxide's edge lies 10 eV higher
SAME = 1.0  # eV; within this Larch's choice and ours are the same inflection


@dataclass(frozen=True)
class Inflection:
    """A rise of mu(E): its energy (eV) and the derivative there as a share of the largest."""

    energy: float
    strength: float


def tabulated_e0(element: str, edge: str = "K") -> float:
    """The tabulated edge energy in eV (xraydb; Elam et al. 2002). Raises ReductionError for no such edge."""
    import xraydb

    try:
        found = xraydb.xray_edge(element, edge.upper())
    except ValueError:
        found = None
    if found is None:
        raise ReductionError(f"no tabulated energy for {element!r} {edge!r} edge; give tabulated in eV")
    return float(found.energy)


@takes_series
def find_e0(spectrum: Spectrum, *, which: Which = "auto") -> Array:
    """E0 (...) in eV of each spectrum.

    Parameters
    ----------
    spectrum : mu (..., n) on energy (n,) in eV.
    which : "maximum", the maximum of the smoothed derivative as Larch finds it; "first", the first significant
        inflection; "auto", the first for a metal (element known, two inflections 5-15 eV apart with mu rising
        between, the first within 8 eV of the tabulated energy), the maximum for all else.

    Raises DataError, ReductionError. Tabulated energies are first inflections (Kraft et al. 1996; Bearden and
    Burr 1967): docs/decisions/e0.md.
    """
    if which not in ("auto", "maximum", "first"):
        raise ReductionError(f"which = {which!r} is not one of auto, maximum, first")
    checked(spectrum)
    return each_row(spectrum, lambda s: _find_e0(s, which))


def inflections(
    spectrum: Spectrum, *, significant: float = 0.15, width: float | None = None
) -> tuple[Inflection, ...] | tuple[tuple[Inflection, ...], ...]:
    """Every significant inflection of the edge region, ascending; a tuple a row for a stack.

    Parameters
    ----------
    significant : smallest derivative that counts, as a share of the largest.
    width : standard deviation (eV) of the Gaussian that smooths; E0/30000 but at least 0.5 and the step.

    Raises DataError, ReductionError.
    """
    checked(spectrum)
    found = tuple(_inflections(s, _larch_e0(s), significant, width)[0] for s in rows(spectrum))
    return found if leading(spectrum) else found[0]


def _larch_e0(spectrum: Spectrum) -> float:
    from .._larch import reduction

    return reduction.find_e0(spectrum.energy, spectrum.mu, name_of(spectrum))


def _find_e0(spectrum: Spectrum, which: Which) -> float:
    maximum = _larch_e0(spectrum)
    if which == "maximum" or (which == "auto" and not spectrum.element):
        return maximum
    found, slope = _inflections(spectrum, maximum, SIGNIFICANT, None)
    if not found:
        return maximum
    first = found[0].energy
    if abs(first - maximum) <= SAME or (which == "auto" and not _metal(spectrum, found, slope)):
        return maximum
    return first


def _metal(spectrum: Spectrum, found: tuple[Inflection, ...], slope: tuple[Array, Array]) -> bool:
    """Whether the inflections are those of a metal foil's edge."""
    if len(found) < 2 or not spectrum.edge:
        return False
    one, two = found[0].energy, found[1].energy
    grid, derivative = slope
    between = derivative[(grid >= one) & (grid <= two)]
    return (
        DOUBLE[0] <= two - one <= DOUBLE[1]
        and bool(between.min() >= RISING)
        and abs(one - tabulated_e0(spectrum.element, spectrum.edge)) <= NEAR_TABLE
    )


def _inflections(
    spectrum: Spectrum, near: float, significant: float, width: float | None
) -> tuple[tuple[Inflection, ...], tuple[Array, Array]]:
    """Maxima of the smoothed derivative from 60 eV below to 80 eV above `near`, and that derivative."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    energy, mu = spectrum.energy, spectrum.mu
    inside = (energy > near - 20) & (energy < near + 20)
    step = float(np.median(np.diff(energy[inside]))) if np.count_nonzero(inside) > 2 else 1.0
    sigma = width or max(SMOOTH_MIN, near / SMOOTH_RATIO, step)
    fine = sigma / 10
    grid = np.arange(max(energy[0], near - 60), min(energy[-1], near + 80), fine)
    derivative = gaussian_filter1d(np.interp(grid, energy, mu), sigma / fine, order=1, mode="nearest") / fine
    top = derivative.max()
    if top <= 0:
        raise ReductionError(f"{name_of(spectrum)}: mu never rises near {near:g} eV; is it upside down?")
    derivative = derivative / top
    stands_out = max(PROMINENCE, PROMINENCE_NOISE * _slope_noise(mu, step, sigma) / top)
    at, _ = find_peaks(
        derivative, height=significant, prominence=stands_out, distance=max(1, round(SEPARATE / fine))
    )
    found = tuple(Inflection(*_vertex(grid, derivative, i)) for i in at)
    return found, (grid, derivative)


def _slope_noise(mu: Array, step: float, sigma: float) -> float:
    """Standard deviation of the smoothed derivative, from that of mu.

    The noise of mu is the median of its third differences (their variance is 20 times that of white noise, a
    parabola gives none); a Gaussian's derivative passes sigma_mu^2 step / (4 sqrt(pi) sigma^3) of it.
    """
    third = np.diff(mu, 3)
    noise = 1.4826 * np.median(np.abs(third)) / np.sqrt(20)
    return float(noise * np.sqrt(step / (4 * np.sqrt(np.pi) * sigma**3)))


def _vertex(grid: Array, y: Array, i: int) -> tuple[float, float]:
    """Top of the parabola through three points: finer than the grid."""
    below, here, above = y[i - 1 : i + 2]
    bend = below - 2 * here + above
    offset = 0.0 if bend == 0 else 0.5 * (below - above) / bend
    return float(grid[i] + offset * (grid[1] - grid[0])), float(here - 0.25 * (below - above) * offset)
