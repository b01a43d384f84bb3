"""The parts of a spectrum other than chi: energies of the scan, absorption of the atom, shape of the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from ..constants import KTOE
from ..errors import DataError
from ..records import Array, frozen_array

# Steps of a usual scan: (from, to, step) in eV from E0, then constant steps of k.
_PRE = ((-200.0, -30.0, 10.0), (-30.0, -15.0, 1.0), (-15.0, 20.0, 0.25), (20.0, 34.0, 0.5))
_K_STEP = 0.05
# Energies over which tabulated absorption is described by a power law, as fractions of the edge's energy.
_BELOW, _ABOVE = (0.85, 0.985), (1.015, 1.2)
# The edge profile is tabulated to this many widths on both sides; beyond, the Lorentzian alone is used.
_PROFILE_WIDTHS = 60.0
_PROFILE_POINTS = 100


@dataclass(frozen=True)
class Setup:
    """The sample and the beamline of a simulated spectrum.

    atomic: the table that gives the atom's absorption above the edge (xraydb), or "flat".
    core_hole: full width of the edge's Lorentzian, eV; None for the tabulated width, 0 for none. chi is not broadened
        by it: FEFF's mean free path includes the core hole.
    resolution: standard deviation of the monochromator's Gaussian, eV, over edge and chi.
    white_line: (height in edge steps, position from E0 in eV, full width in eV) of a peak, or None.
    offset, slope: other absorption, in edge steps and edge steps per eV from E0.
    relative_to: "step" adds chi times the edge step that `normalize` finds, so that the pipeline gives chi back;
        "atomic" has mu0 (1 + chi) with the falling mu0(E) of the atom (docs/decisions/simulated_chi.md).
    normalization: settings of `normalize` that finds that step (pre_range, norm_range, nnorm).
    onset: range of k in 1/A in which chi rises from zero: FEFF's sum of paths is not valid at lower k.
    glitches: number of random points that are off by 2 to 20 % of the edge step.
    drift: recorded energy less the true one, eV, () or (m,).
    """

    atomic: Literal["elam", "chantler", "flat"] = "elam"
    core_hole: float | None = None
    resolution: float = 0.0
    white_line: tuple[float, float, float] | None = None
    offset: float = 0.4
    slope: float = -2e-4
    relative_to: Literal["step", "atomic"] = "step"
    normalization: Mapping[str, Any] = field(default_factory=dict)
    onset: tuple[float, float] = (1.5, 2.5)
    glitches: int = 0
    drift: float | Array = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "normalization", MappingProxyType(dict(self.normalization)))
        object.__setattr__(self, "drift", frozen_array(self.drift))
        if self.atomic not in ("elam", "chantler", "flat"):
            raise DataError(f"atomic = {self.atomic!r} is not one of elam, chantler, flat")
        if self.relative_to not in ("step", "atomic"):
            raise DataError(f"relative_to = {self.relative_to!r} is not one of step, atomic")
        if not 0 < self.onset[0] < self.onset[1]:
            raise DataError(f"onset = {self.onset!r} of a simulation is not a range of k above 0")
        if self.resolution < 0 or (self.core_hole is not None and self.core_hole < 0) or self.glitches < 0:
            raise DataError("resolution, core_hole and glitches of a simulation cannot be negative")


def tabulated_edge(element: str, edge: str) -> tuple[float, float]:
    """Energy of an edge and width of its core hole, both in eV (xraydb). Raises DataError."""
    import xraydb

    try:
        found = xraydb.xray_edge(element, edge)
        width = xraydb.core_width(element, edge)
    except (ValueError, KeyError, AttributeError):
        found = None
    if found is None:
        raise DataError(f'no {edge} edge of {element!r} is tabulated; write element = "Co", edge = "K"')
    return float(found.energy), float(width)


def scan_grid(e0: float, kmax: float = 14.0) -> Array:
    """Energies of a usual scan: 10 eV steps before the edge, 0.25 to 0.5 eV across it, 0.05 1/A beyond.

    Parameters
    ----------
    e0 : float
        Edge energy, eV.
    kmax : float
        End of the scan, 1/A.

    Returns
    -------
    array, shape (n,)
        Energies in eV.

    Examples
    --------
    >>> energy = scan_grid(8979.0, kmax=12.0)
    >>> bool(energy[0] < 8979.0 < energy[-1])
    True
    """
    if not 3 < kmax <= 25:
        raise DataError(f"kmax = {kmax:g} 1/A of a simulated scan is not between 3 and 25")
    parts = [np.arange(a, b, step) for a, b, step in _PRE]
    # The first point of constant k steps beyond the last of the regions above.
    first = np.ceil(np.sqrt(_PRE[-1][1] / KTOE) / _K_STEP) * _K_STEP
    k = np.arange(first, kmax + _K_STEP / 2, _K_STEP)
    return e0 + np.concatenate([*parts, KTOE * k**2])


def background(
    energy: Array, e0: Array | float, element: str, edge: str, setup: Setup
) -> tuple[Array, Array]:
    """mu without chi and the atom's part alone, both (..., n) in units of the edge step, for e0 () or (m,).

    The atomic part is F(E) times the broadened step, F = 1 at the edge.
    """
    nominal, width = tabulated_edge(element, edge)
    x = energy - np.asarray(e0, float)[..., None]
    gamma = width if setup.core_hole is None else setup.core_hole
    factor = np.ones_like(x) if setup.atomic == "flat" else _atomic(element, edge, setup.atomic, x + nominal)
    atom = factor * edge_profile(x, gamma, setup.resolution)
    mu = setup.offset + setup.slope * x + atom
    if setup.white_line is not None:
        height, position, full_width = setup.white_line
        mu = mu + height * np.exp(-4 * np.log(2) * ((x - position) / full_width) ** 2)
    return mu, factor


def edge_profile(x: Array, full_width: float, sigma: float) -> Array:
    """The edge (..., n) at x eV from it: a step broadened by a Lorentzian (full width) and a Gaussian (sigma).

    Without a Gaussian 1/2 + arctan(2 x / width) / pi, without a Lorentzian the error function, with both the
    integral of a Voigt profile.
    """
    from scipy.special import ndtr

    half = full_width / 2
    if half == 0:
        return np.asarray(ndtr(x / sigma) if sigma > 0 else np.heaviside(x, 0.5))
    plain = 0.5 + np.arctan(x / half) / np.pi
    if sigma == 0:
        return np.asarray(plain)
    grid, table = _voigt_integral(half, sigma)
    inside = np.abs(x) < grid[-1]
    return np.where(inside, np.interp(x, grid, table), plain)


@lru_cache(maxsize=32)
def _voigt_integral(half: float, sigma: float) -> tuple[Array, Array]:
    from scipy.integrate import cumulative_simpson
    from scipy.special import voigt_profile

    reach = _PROFILE_WIDTHS * (half + sigma)
    n = int(2 * reach / (min(half, sigma) / _PROFILE_POINTS)) | 1
    grid = np.linspace(-reach, reach, n)
    area = cumulative_simpson(voigt_profile(grid, sigma, half), x=grid, initial=0.0)
    # Centred on 1/2, so that the tails cut off are shared.
    return grid, area + 0.5 - area[-1] / 2


def _atomic(element: str, edge: str, table: str, energy: Array) -> Array:
    """mu of the electrons of this edge over its value at the edge: power law of the table above it less that below."""
    below, above, e0 = _power_laws(element, edge, table)

    def own(e: Array | float) -> Array:
        log = np.log(e)
        return np.asarray(np.exp(np.polyval(above, log)) - np.exp(np.polyval(below, log)))

    return own(energy) / own(e0)


@lru_cache(maxsize=64)
def _power_laws(element: str, edge: str, table: str) -> tuple[Array, Array, float]:
    import xraydb

    e0, _ = tabulated_edge(element, edge)
    others = sorted(float(e.energy) for e in xraydb.xray_edges(element).values())
    # Up to the next edges at most: L3 ends where L2 begins.
    low = max([e * 1.01 for e in others if e < e0 - 1] + [e0 * _BELOW[0]])
    high = min([e * 0.99 for e in others if e > e0 + 1] + [e0 * _ABOVE[1]])
    ranges = ((min(low, 0.97 * e0), _BELOW[1] * e0), (_ABOVE[0] * e0, max(high, 1.02 * e0)))
    mu = xraydb.mu_elam if table == "elam" else xraydb.mu_chantler
    fits = []
    for start, stop in ranges:
        energy = np.linspace(start, stop, 40)
        values = mu(element, energy, kind="photo") if table == "elam" else mu(element, energy, photo=True)
        fits.append(np.polyfit(np.log(energy), np.log(values), 1))
    return fits[0], fits[1], e0
