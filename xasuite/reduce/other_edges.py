"""Edges of other elements within a scan: an impurity's jump looks like EXAFS to all that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..constants import ELEMENTS, ETOK
from ..edges import tabulated
from ..records import Array, Normalized

HEAVIER = 3  # K edges of the next elements: what occurs with a metal, and what its scan reaches
WITHIN = 60.0  # eV on either side
SHIFTS = (-6.0, -3.0, 0.0, 3.0, 6.0)  # eV; oxidation states and scales
WIDTH = 3.0  # eV
CURVES = 4  # coefficients of the cubic that EXAFS and background are there
# A jump is one above this share of the edge step and so many standard errors. On 130 scans of elements from Al to Au
# only true ones pass (iron in manganese oxides, chromium beyond vanadium)
LEAST, SURE = 0.004, 10.0


@dataclass(frozen=True)
class OtherEdge:
    """A K edge of another element: energy (eV), jump as a share of the edge step, and where it lies in k (1/A)."""

    element: str
    energy: float
    jump: float
    k: float

    def __str__(self) -> str:
        return f"a K edge of {self.element} at {self.energy:.0f} eV, {self.jump:.1%} of the edge step, at k = {self.k:.1f} 1/A"


def other_edges(data: Normalized) -> tuple[OtherEdge, ...]:
    """K edges of the next heavier elements that a normalised spectrum (n,) shows, by energy; none where its own is not K.

    At each tabulated energy a cubic is fitted with and without an arctangent.

    Parameters
    ----------
    data : Normalized
        A record whose history is looked at.

    Returns
    -------
    tuple of OtherEdge
        Each with element, energy in eV, jump as a share of the edge step, and k in 1/A.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> from xasuite.reduce import other_edges
    >>> other_edges(xs.normalize(spectrum))
    ()
    """
    if not data.element or (data.edge or "K") != "K" or data.norm.ndim > 1:
        return ()
    first, found = ELEMENTS.index(data.element) + 1, []
    for element in ELEMENTS[first : first + HEAVIER]:
        energy = tabulated(element, "K") or 0.0
        near = np.abs(data.energy - energy) < WITHIN
        if (
            energy < float(data.e0) + 2 * WITHIN
            or energy > data.energy[-1] - WITHIN / 2
            or near.sum() < 4 * CURVES
        ):
            continue
        jump, sure = max(
            (_jump(data.energy[near] - energy - s, data.flat[near]) for s in SHIFTS), key=lambda j: j[1]
        )
        if jump > LEAST and sure > SURE:
            found.append(OtherEdge(element, energy, jump, float(np.sqrt(ETOK * (energy - float(data.e0))))))
    return tuple(found)


def _jump(x: Array, values: Array) -> tuple[float, float]:
    """The jump at x = 0 (eV) of values (n,), and it over its standard error."""
    basis = np.vstack([*np.vander(x / WITHIN, CURVES).T, 0.5 + np.arctan(x / WIDTH) / np.pi]).T
    inverse = np.linalg.pinv(basis)
    found = inverse @ values
    noise2 = ((values - basis @ found) ** 2).sum() / (x.size - CURVES - 1)
    error = float(np.sqrt(noise2 * (inverse[-1] ** 2).sum()))
    return float(found[-1]), float(found[-1]) / max(error, 1e-12)
