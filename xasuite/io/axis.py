"""Which column holds the energies, and the energies in eV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ChannelError, ReadError
from ..records import Array
from . import clean, names
from .table import Table

MIN_POINTS = 10
LOWEST, HIGHEST = 30.0, 200_000.0

# In order of preference: the measured energy before the setpoint.
_ENERGY = (
    r"(achieved|measured|encoder|real|mono)?energy(achieved|readback|rbv|feedback|fbk|enc(oder)?)",
    r"(achieved|measured|enc(oder)?)energy",
    r"energysetpointx", r"ebraggenergy", r"zapenergy", r"energy", r"energyev", r"e", r"en", r"ev", r"xenergy", r"energie", r"energia",
    r"monoenergy(alt)?", r"bragg_?energy", r"energy\w*", r"\w*energy", r"mononrg", r"enkev",
)  # fmt: skip
_ANGLE = (r"angleo\w*", r"angle\w*", r"theta", r"monoangle", r"bragg")
# also without a d-spacing: 12 degrees are not 12 keV
_NAMED_ANGLE = re.compile(r"angle|theta|bragg(?!.*en(ergy)?)", re.I)


@dataclass(frozen=True)
class Asked:
    """What the user states about a file, "" for what is not stated; `read` explains each field.

    `pixels` are the coefficients, the constant first, of the polynomial from pixel number to energy (eV).
    """

    element: str = ""
    edge: str = ""
    mu: str = ""
    reference: str = ""
    i0: str = ""
    energy: str = ""
    units: str = ""
    pixels: tuple[float, ...] = ()

    @classmethod
    def of(cls, **said: Any) -> Asked:
        """From `read`'s arguments by name; None counts as not stated."""
        given: dict[str, Any] = {name: value or "" for name, value in said.items()}
        return cls(**given)

    @property
    def named(self) -> dict[str, str]:
        """What is stated, by the names of `read`'s arguments."""
        return {k: v for k, v in vars(self).items() if isinstance(v, str) and v}


def energies(table: Table, asked: Asked, notes: list[str], where: str) -> tuple[int, Array]:
    """The number of the column of energies, and the energies in eV. Raises ReadError, ChannelError."""
    if asked.energy:
        axis = names.resolve(asked.energy, table.names)
        if not axis:
            raise ChannelError(
                f"{where}: there is no column {asked.energy!r}; there are {', '.join(table.names[:20])}"
            )
    else:
        axis = table.names[0] if asked.pixels else table.axis or find_axis(table)
    if asked.pixels:
        index = table.names.index(axis)
        return index, np.polynomial.polynomial.polyval(table.columns[index], asked.pixels)
    if not axis:
        raise ReadError(
            f"{where}: not XAFS: no column of energies between {LOWEST:g} eV and {HIGHEST / 1000:g} keV "
            f"among {', '.join(table.names[:12])}{_other_axis(table)}"
        )
    said = table.axis_kind if axis == table.axis else ""
    kind = asked.units or said or _kind(axis, table.units.get(axis, ""))
    if kind not in clean.KINDS:
        raise ReadError(f"{where}: units = {kind!r} is not one of {', '.join(k for k in clean.KINDS if k)}")
    index = table.names.index(axis)
    if not table.trusted and not asked.energy:
        _refuse_unsure(table, axis, kind, where)
    values = table.columns[index]
    return index, clean.to_ev(values, kind, table.d_spacing, table.steps_per_degree, notes, where)


def _refuse_unsure(table: Table, axis: str, kind: str, where: str) -> None:
    """Raises ReadError for numbers that only their size makes keV: degrees and angstroms are as large.

    A name or a unit has to state that the column holds energies.
    """
    finite = table.column(axis)[np.isfinite(table.column(axis))]
    named = names.first([axis], _ENERGY)
    if not kind and not named and finite.size and np.median(finite) < clean.KEV_BELOW:
        raise ReadError(
            f"{where}: {axis}, {finite.min():.4g} to {finite.max():.4g}, may be keV, the degrees of a monochromator or a wavelength, "
            'and neither name nor unit says which: give units = "keV" (--units keV), or "angle" with # Mono.d_spacing: in the header'
        )


def find_axis(table: Table) -> str:
    """The column of energies (or angles), by name and unit, else the first that can be one; "" if none."""
    for name in table.names:
        unit = table.units.get(name, "").lower().split()
        if unit and unit[0] in {"ev", "kev"} and plausible(table.column(name)):
            return name
    named = [n for n in table.names if names.first([n], _ENERGY) and plausible(table.column(n))]
    found = names.first(named, _ENERGY) or (names.first(table.names, _ANGLE) if table.d_spacing else "")
    if found:
        return found
    generic = all(re.fullmatch(r"col\d+", n) for n in table.names)
    if any(_NAMED_ANGLE.match(n) for n in table.names[:1]):
        return table.names[0]
    if table.names and re.fullmatch(r"y|z|time|k|r|q", names.plain(table.names[0])):
        return ""
    for name in table.names[: 4 if generic else 3]:
        if table.units.get(name):  # millimetres, say: energies were looked for above
            continue
        values = table.column(name)
        if plausible(values) and np.nanmin(values) > 1 and _monotonic(values):
            return name
    return ""


def _other_axis(table: Table) -> str:
    """What the first column holds in place of energies (pixels, k), as the end of a sentence; "" where that is not known."""
    first = table.columns[0] if table.names else np.empty(0)
    steps = np.diff(first)
    if first.size < MIN_POINTS or not np.isfinite(first).all():
        return ""
    even = np.allclose(steps, steps[0], rtol=1e-3, atol=1e-6)
    if even and abs(steps[0]) == 1:
        return (
            "; the first column counts pixels or points: a dispersive series is calibrated against a foil by "
            "[series.calibration], other data need a column of energies"
        )
    if 0 <= first[0] < 5 < first[-1] < 35 and (steps > 0).all() and steps.max() <= 0.2:
        return (
            f"; it looks like chi(k), k from {first[0]:g} to {first[-1]:g} 1/A: xs.io.read_chi reads it, and "
            'kind = "chi" in [[data]] fits it'
        )
    return ""


def plausible(values: Array) -> bool:
    """Whether values can be energies of an XAFS scan, in eV or keV."""
    finite = values[np.isfinite(values)]
    if finite.size < 2:
        return False
    low, high = np.percentile(finite, [2, 98])
    return bool(low > 0.03 and high < HIGHEST and high > low and high - low < 0.8 * high)


def _monotonic(values: Array) -> bool:
    steps = np.diff(values[np.isfinite(values)])
    return bool(steps.size and max((steps > 0).mean(), (steps < 0).mean()) > 0.9)


def _kind(name: str, unit: str) -> str:
    word = unit.lower().split()[0] if unit.split() else ""
    if word in {"ev", "kev"}:
        return "keV" if word == "kev" else "eV"
    if word.startswith("mrad") or re.search(r"_mrad$", name, re.I):
        return "milliradian"
    if word.startswith("rad"):
        return "radian"
    if word.startswith("deg") or _NAMED_ANGLE.match(name):
        return "angle"
    if re.search(r"kev", name, re.I):
        return "keV"
    return ""


def usable(energy: Array, columns: Array, notes: list[str], where: str) -> tuple[Array, Array]:
    """Energies (n,) and columns (c, n) at the points with an energy that XAFS can have. Raises ReadError for too few."""
    good = np.isfinite(energy) & (energy > LOWEST) & (energy < HIGHEST)
    if not good.all():
        inside = np.flatnonzero(good)
        lost = int(np.count_nonzero(~good))
        ends = inside.size and lost == energy.size - (inside[-1] - inside[0] + 1)
        place = "at an end of the scan " if ends else ""
        notes.append(f"{lost} points {place}without an energy dropped")
        energy, columns = energy[good], columns[:, good]
    if energy.size < MIN_POINTS:
        raise ReadError(
            f"{where}: only {energy.size} points with an energy; a scan needs at least {MIN_POINTS}"
        )
    return energy, columns
