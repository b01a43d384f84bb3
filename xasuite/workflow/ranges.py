"""The choices of a first spec: which shells are fitted, k range from the noise, R range from the paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CrystalError, DataError
from ..exafs.equation import path_chi
from ..feff.paths import FeffPath
from ..feff.search import Shell, shells
from ..records import Array, Chi, Transform
from ..specs.load import load_spec

# Shells no farther than this beyond the nearest one overlap with it in |chi(R)| (A): they are fitted together.
OVERLAP = 0.6
# A shell below this share of the strongest path's amplitude is lost in the noise of the others (%).
WEAK = 10.0
KMIN = 3.0  # 1/A; at lower k the edge itself and multiple scattering disturb
KMAX = 14.0  # 1/A; a first shell contributes little beyond
MARGIN = 0.5  # 1/A kept off the end of the data, where the background's spline is loose
SHORTEST = 4.0  # 1/A of k, below which no fit of a shell is possible
FADED = 0.1  # of the peak of |chi(R)|, where a shell's range ends
ROOM = 0.1  # A left on either side: the sample's bonds and E0 are not the crystal's
DK = 1.0
LEAST_R = 0.8  # A; a narrower range cuts a peak


@dataclass(frozen=True, eq=False)
class Measured:
    """What the ranges depend on: the last k of a row, the last k at which its signal exceeds the noise (1/A), and its noise.

    `stop` names the edge of another element where that, and not the scan, ends the row.
    """

    label: str
    end: float
    usable: float
    epsilon: float
    stop: str = ""


def shells_to_fit(
    paths: Sequence[FeffPath], rmax: float | None = None, number: int | None = None
) -> tuple[Shell, ...]:
    """The shells to fit: the nearest `number`, or all whose peaks overlap with the first's or lie within `rmax`; none weak."""
    elements = dict.fromkeys(p.scatterers[0].strip() for p in paths if p.nleg == 2)
    found = sorted((s for e in elements for s in shells(paths, e)), key=lambda s: s.reff)
    if not found:
        raise CrystalError("no single-scattering path within the radius; take a larger radius")
    if number is not None:
        if not 1 <= number <= len(found):
            raise CrystalError(
                f"shells = {number}: there are {len(found)} within the radius; take fewer, or a larger radius"
            )
        return tuple(found[:number])
    end = rmax if rmax is not None else found[0].reff + OVERLAP
    chosen = tuple(s for s in found if s.reff <= end and max(p.relative_amplitude for p in s.paths) >= WEAK)
    if not chosen:
        raise CrystalError(f"no shell within {end:g} A; the nearest lies at {found[0].reff:.2f} A")
    return chosen


def k_range(rows: Sequence[Measured], foil: Path | None) -> tuple[tuple[float, float], int, str]:
    """k range (1/A), k weight and the reason: from the noise, or as in the foil's fit where the noise allows it."""
    noise = min(r.usable for r in rows)
    shortest = min(rows, key=lambda r: r.end)
    end = min(noise, shortest.end - MARGIN)
    kmax = math.floor(2 * min(end, KMAX)) / 2
    if kmax - KMIN < SHORTEST:
        raise DataError(
            f"{rows[0].label}: chi(k) can be used to k = {end:.1f} 1/A only, too short for a fit; "
            "measure longer, merge more scans, or use the XANES alone"
        )
    why = (
        f"{shortest.stop} ends it"
        if shortest.stop
        else f"the data end at {shortest.end:.1f} 1/A, above the noise throughout"
    )
    if noise < shortest.end - MARGIN:
        why = f"the signal stands above the noise to {noise:.1f} 1/A"
    if foil is None:
        return (KMIN, kmax), 2, why
    other = load_spec(foil).spec.fit
    if other.k[1] <= end:
        return other.k, other.kweight[-1], f"as {foil.name} has it: an S02 belongs to its range ({why})"
    why += f"; {foil.name} goes farther, lower its k to this and fit it again"
    return (KMIN, kmax), other.kweight[-1], why


def r_range(
    chosen: Sequence[Shell], paths: Sequence[FeffPath], k: tuple[float, float], kweight: int
) -> tuple[tuple[float, float], str]:
    """R range (A, not corrected for phase) and the reason.

    There |chi(R)| of the chosen shells, computed by FEFF, is above a tenth of its maximum and above that of all other paths.
    """
    used = {p.index for s in chosen for p in s.paths}
    wanted = _magnitude([p for p in paths if p.index in used], k, kweight)
    rest = _magnitude([p for p in paths if p.index not in used], k, kweight)
    r, height = wanted.r, wanted.magnitude
    near, far = (_peak(chosen[i], k, kweight) for i in (0, -1))
    above = height >= FADED * height.max()
    start = int(np.argmin(np.abs(r - near)))
    while start > 0 and above[start - 1] and height[start - 1] <= height[start] + 1e-12:
        start -= 1
    stop = int(np.argmin(np.abs(r - far)))
    beaten = rest.magnitude > height
    while stop < r.size - 1 and above[stop] and not beaten[stop]:
        stop += 1
    others = "farther shells begin at its end" if beaten[stop] else "where these shells stand out"
    low = max(1.0, math.floor(20 * (r[start] - ROOM)) / 20)
    end = float(r[stop]) if beaten[stop] else float(r[stop]) + ROOM
    return (low, max(math.ceil(20 * end - 1e-9) / 20, low + LEAST_R)), others


def _peak(shell: Shell, k: tuple[float, float], kweight: int) -> float:
    one = _magnitude(shell.paths, k, kweight)
    return float(one.r[int(np.argmax(one.magnitude))])


def _magnitude(paths: Sequence[FeffPath], k: tuple[float, float], kweight: int) -> Transform:
    """chi(R) of FEFF's paths, with a sigma2 that grows with distance, as large as usual at room temperature."""
    from ..exafs.fourier_transform import fourier

    axis = np.arange(0, k[1] + 2.0, 0.05)
    chi: Array = np.zeros(axis.size)
    for p in paths:
        chi = chi + path_chi(p, axis, n=p.degen, sigma2=0.002 * p.reff).imag
    return fourier(Chi(k=axis, chi=chi, e0=0.0, edge_step=1.0), k=k, kweight=kweight, dk=DK)
