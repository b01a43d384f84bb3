"""Edges of other elements within a scan: the jump of an impurity would be analysed as EXAFS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..constants import ELEMENTS, ETOK
from ..edges import tabulated
from ..records import Normalized
from ..scatter import CURVES, HEAVIER, SHIFTS, WITHIN, jump_at

# Least size of a jump, as a share of the edge step and in its standard errors. In 130 scans of elements from Al to Au only
# true edges pass (iron in manganese oxides, chromium above vanadium)
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
    """K edges of the next heavier elements in a normalised spectrum (n,) of a K edge, by energy; () for other edges.

    At each tabulated energy a cubic is fitted with and without an arctangent.

    Parameters
    ----------
    data : Normalized
        A single normalised spectrum with its element.

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
        inside = float(data.e0) + 2 * WITHIN <= energy <= data.energy[-1] - WITHIN / 2
        if not inside or near.sum() < 4 * CURVES:
            continue
        jumps = (jump_at(data.energy[near] - energy - s, data.flat[near]) for s in SHIFTS)
        jump, sure, _ = max(jumps, key=lambda j: j[1])
        if jump > LEAST and sure > SURE:
            found.append(OtherEdge(element, energy, jump, float(np.sqrt(ETOK * (energy - float(data.e0))))))
    return tuple(found)
