"""Conversion and sorting of the energy axis, and rows without signal; every change is a sentence in `notes`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadError
from ..records import Array

HC = 12398.419843320026  # eV A, CODATA 2018 exact
# A scan in eV that stays below this has never been measured for XAFS: it is in keV.
KEV_BELOW = 150.0
# what an axis may hold; "" where it is not known
KINDS = ("", "eV", "keV", "angle", "millidegree", "radian", "milliradian", "steps")
# degrees of one of each
_DEGREES = {
    "angle": 1.0,
    "millidegree": 1e-3,
    "radian": float(np.degrees(1.0)),
    "milliradian": float(np.degrees(1e-3)),
}
DEAD_FRACTION = 1e-3
SAME_ENERGY = 1e-5  # eV


def to_ev(values: Array, kind: str, d_spacing: float, steps: float, notes: list[str], where: str) -> Array:
    """Energies in eV from the axis as the file holds it.

    Bragg: E = h c / (2 d sin(theta)). `kind` is one of KINDS; an "angle" is in degrees.
    Raises ReadError when the axis is an angle and no d-spacing is known.
    """
    if kind in {*_DEGREES, "steps"}:
        if not d_spacing:
            raise ReadError(
                f"{where}: the axis is a monochromator {kind} and the header gives no d-spacing: write it there as "
                "# Mono.d_spacing: 3.1356, or name an energy column with energy="
            )
        scale = _DEGREES.get(kind, 1.0 / steps if steps else np.nan)
        if not np.isfinite(scale):
            raise ReadError(
                f"{where}: the axis is in monochromator steps and the header gives no steps per degree"
            )
        with np.errstate(all="ignore"):
            sine = np.sin(np.radians(values * scale))
            energy = np.where(sine > 0, HC / (2 * d_spacing * sine), np.nan)
        unit = {"angle": "degrees", "steps": f"steps ({steps:g} per degree)"}.get(kind, f"{kind}s")
        notes.append(f"energy from the monochromator's {unit} with d = {d_spacing:g} A")
        return energy
    finite = values[np.isfinite(values)]
    if kind == "keV" or (kind != "eV" and finite.size and 0.1 < np.median(finite) < KEV_BELOW):
        notes.append("energy converted from keV to eV")
        return values * 1000.0
    return values


def dead_rows(intensities: list[Array]) -> NDArray[np.bool_]:
    """Rows at the two ends of a scan where an ionisation chamber shows nothing (below 0.1 % of its median)."""
    n = intensities[0].size if intensities else 0
    dead = np.zeros(n, bool)
    for values in intensities:
        finite = np.abs(values[np.isfinite(values)])
        if finite.size == 0 or np.median(finite) == 0:
            continue
        dark = ~np.isfinite(values) | (np.abs(values) <= DEAD_FRACTION * np.median(finite))
        alive = np.flatnonzero(~dark)
        if alive.size:
            dead[: alive[0]] = True
            dead[alive[-1] + 1 :] = True
    return dead


def order(energy: Array, columns: Array, notes: list[str]) -> tuple[Array, Array]:
    """Energies ascending and each once: sorted, repeated ones averaged with their rows of `columns` (c, n)."""
    steps = np.diff(energy)
    if energy.size > 1 and (steps < 0).any():
        if (steps <= 0).all():
            energy, columns = energy[::-1], columns[:, ::-1]
            notes.append("energy descends in the file; reversed")
        else:
            backward = int(np.count_nonzero(steps < 0))
            forward = int(np.count_nonzero(steps > 0))
            by = np.argsort(energy, kind="stable")
            energy, columns = energy[by], columns[:, by]
            often = "once" if backward == 1 else f"{backward} times"
            down = f"descends in the file, with {forward} steps forward"
            notes.append(f"energy {down if backward > forward else 'steps back ' + often}; sorted")
    first = np.concatenate([[True], np.diff(energy) > SAME_ENERGY])
    if first.all():
        return energy, columns
    starts = np.flatnonzero(first)
    counts = np.diff(np.append(starts, energy.size))
    notes.append(
        f"{energy.size - starts.size} repeated energies averaged "
        f"({np.count_nonzero(counts > 1)} energies measured more than once)"
    )
    columns = np.add.reduceat(columns, starts, axis=1) / counts
    return energy[starts], columns
