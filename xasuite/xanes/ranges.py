"""The choices of normalisation range that an edge energy is varied over (docs/decisions/edge_energy.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import RangeError, ReductionError
from ..notices import collected, silenced
from ..records import Array, Normalized, Spectrum

MIN_PRE_END = 10.0  # eV; every pre-edge range ends at least this far below e0
MIN_WIDTH = 12.0  # eV, least width of a post-edge range
SHORT = 150.0  # eV; a scan that ends closer to the edge holds XANES only
SHORT_STARTS = (40.0, 30.0, 20.0, 15.0)  # eV above e0, usual starts of the post-edge range in XANES scans
BENDS = 50.0  # eV, least width of a range for a parabola in a XANES scan
CONVENTIONS = (
    "pre-edge from 1 or 0.7 of what is measured (at most 200 eV) to 0.5 or 0.33 of it; post-edge from three "
    "starts to the end of the scan or 0.75 of it, of the degree usual for its width and one less; for scans "
    "that end less than 150 eV above the edge from 15, 20, 30 or 40 eV to the end, of degree 0, 1, and 2 "
    "where 50 eV are left"
)


@dataclass(frozen=True)
class RangeSet:
    """One choice of normalisation: pre-edge and post-edge range in eV from e0, degree of the post-edge."""

    pre_range: tuple[float, float]
    norm_range: tuple[float, float]
    nnorm: int


def range_set(energy: Array, e0: Array | float) -> tuple[RangeSet, ...]:
    """The stated set of normalisation choices for a scan, up to 48 of them (docs/decisions/edge_energy.md).

    Parameters
    ----------
    energy : array, shape (n,)
        Energies of the scan, eV.
    e0 : float or array, shape (m,)
        Edge energy or energies, eV.

    Returns
    -------
    tuple of RangeSet
        Pre-edge and post-edge ranges in eV from E0, and the degree of the post-edge.

    Raises
    ------
    RangeError
        The scan holds no pre-edge or no post-edge.

    Examples
    --------
    >>> len(range_set(np.arange(6900.0, 7900.0, 1.0), 7112.0)) > 10
    True
    """
    before = min(float(np.max(e0)) - energy[0], 200.0)
    after = energy[-1] - float(np.max(e0))
    if before < MIN_PRE_END or after < MIN_WIDTH + 25:
        raise RangeError(
            f"the scan runs from {before:.0f} eV before to {after:.0f} eV after its edge; a normalisation needs "
            f"{MIN_PRE_END:.0f} eV before and {MIN_WIDTH + 25:.0f} eV after"
        )
    ends = dict.fromkeys(max(share * before, MIN_PRE_END) for share in (0.5, 0.33))
    pres = [(-a * before, -b) for a, b in product((1.0, 0.7), ends) if a * before - b >= MIN_PRE_END / 2]
    choices = product(pres or [(-before, -before / 3)], _posts(after))
    return tuple(dict.fromkeys(RangeSet(pre, norm, nnorm) for pre, (norm, nnorm) in choices))


def _posts(after: float) -> list[tuple[tuple[float, float], int]]:
    """Post-edge ranges with their degrees, for a scan that ends `after` eV above the edge."""
    if after < SHORT:
        ranges = [(start, after) for start in SHORT_STARTS if after - start >= MIN_WIDTH]
        return [(r, n) for r in ranges for n in (0, 1, 2) if n < 2 or r[1] - r[0] >= BENDS]
    found = []
    starts = (150.0, 100.0, 50.0) if after > 300 else (75.0, 50.0, 35.0)
    for start, share in product(starts, (1.0, 0.75)):
        width = share * after - start
        if width >= MIN_WIDTH:
            degree = 2 if width >= 350 else 1 if width >= 50 else 0
            found += [((start, share * after), n) for n in {degree, max(degree - 1, 0)}]
    return found


def varied(
    data: Normalized, ranges: tuple[RangeSet, ...], estimate: Callable[[Array, Array, Array], Array]
) -> tuple[Array, Array]:
    """Standard deviation and whole spread (...) of the estimate over the normalisation ranges."""
    from ..reduce import normalize

    # a single spectrum is normalised as a stack of one row
    stack = np.atleast_2d(data.mu)
    e0 = np.broadcast_to(np.asarray(data.e0, float), stack.shape[:-1])
    plain = Spectrum(energy=data.energy, mu=stack, element=data.element, edge=data.edge, label=data.label)
    values = []
    with collected():
        for r in ranges:
            try:
                again = normalize(plain, e0=e0, pre_range=r.pre_range, norm_range=r.norm_range, nnorm=r.nnorm)
            except (RangeError, ReductionError):
                continue
            values.append(estimate(data.energy, again.norm, e0).reshape(data.norm.shape[:-1]))
    if len(values) < 2:
        nothing = np.full(data.norm.shape[:-1], np.nan)
        return nothing, nothing
    stack = np.array(values)
    with silenced():
        return np.nanstd(stack, axis=0), np.nanmax(stack, axis=0) - np.nanmin(stack, axis=0)
