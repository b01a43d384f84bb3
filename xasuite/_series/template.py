"""The scan that gives a series its grid, and that grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..constants import ETOK
from ..errors import SeriesError, SpecError, XasuiteError
from ..io.axis import Asked
from ..io.sources import STACK, Entry, Scans, read_scans, read_stack
from ..notices import warn
from ..records import Array, Scan, Spectrum
from ..reduce.autobk_matrices import KSTEP
from . import quality

if TYPE_CHECKING:
    from ..specs.load import LoadedSpec
    from ..specs.series import SeriesSpec, SeriesTable
    from ..workflow.resolve import Context

# eV that the grid stays inside the template's ends: other scans start and end a little elsewhere
MARGIN = 3.0
TRIED = 200  # scans looked at for a first good one
ROOM = 15.0  # eV that E0 of a row may lie above the template's where each row finds its own


def places_of(loaded: LoadedSpec, context: Context) -> list[Path]:
    """Where data files of a spec are looked for, in this order."""
    return [loaded.path.parent, *context.roots, Path.cwd()]


def asked_of(series: SeriesTable) -> Asked:
    """What the spec says of the files, for their reader."""
    said = {key: getattr(series, key) or "" for key in ("mu", "reference", "i0", "energy", "units")}
    return Asked(**said, pixels=series.pixels)


def find_template(scans: Scans, spec: SeriesSpec) -> Spectrum:
    """The first good scan (from align.to on): it gives the grid, and the energy scale where scans are aligned.

    Raises SeriesError with what is wrong with the first scans when none is good.
    """
    first = spec.series.align.to - 1 if spec.series.align else 0
    if first >= len(scans):
        raise SeriesError(f"align: to = {first + 1}, but the series has {len(scans)} scans")
    said = ""
    for i in [*range(first, len(scans)), *range(first)][:TRIED]:
        found = _usable(scans[i], spec)
        if isinstance(found, Spectrum):
            if said:
                taken = f"grid and energy scale are taken from {scans[i].label}: {said}"
                warn(taken)
            return found
        said = said or f"{scans[i].label}: {found}"
    raise SeriesError(f"no scan of the series can be used; {said}")


def _usable(entry: Entry, spec: SeriesSpec) -> Spectrum | str:
    """The scan's spectrum, or why it cannot be the template."""
    series, sample = spec.series, spec.sample
    try:
        scan = first_scan(entry, series)
        if entry.kind != STACK:
            whole = scan.energy[[0, -1]] + np.array([MARGIN, -MARGIN])
            fault = quality.scan_fault(scan, series.checks, sample.element, sample.edge, whole)
            if fault is not None:
                return fault[1]
        spectrum = replace(scan.mu(), element=sample.element, edge=sample.edge, label=entry.label)
        e0 = e0_of(spectrum, spec)
    except XasuiteError as exc:
        return str(exc)
    if series.align is not None and series.align.use == "reference" and spectrum.reference is None:
        return (
            "it has no reference channel to align by; name it with reference = "
            '"...", or align by the sample with align = { use = "mu" }'
        )
    end = float(np.sqrt(ETOK * max(spectrum.energy[-1] - e0, 0.0)))
    if end < spec.fit.k[1]:
        return f"it ends at k = {end:.1f} 1/A and [fit] k goes to {spec.fit.k[1]:g}; lower that if all scans end there"
    faults, _, _ = quality.grid_faults(spectrum.energy, spectrum.mu[None], e0, series.checks)
    # a raw scan is noisier than the grid it goes to: only what no grid mends counts here
    if faults and faults[0][0] not in (quality.NOISY, quality.GLITCH):
        return faults[0][1]
    return spectrum


def first_scan(entry: Entry, series: SeriesTable) -> Scan:
    """One scan by itself, of a stacked array too. Raises what reading raises."""
    if entry.kind != STACK:
        found = read_scans([entry], asked_of(series))[0]
        if isinstance(found, XasuiteError):
            raise found
        return found
    rows = read_stack(entry, np.array([entry.row]))
    channels = {name: values[0] for name, values in rows.channels.items()}
    meta = {name: float(values[0]) for name, values in rows.scalars.items()}
    expr = series.mu or mu_of_stack(list(channels), entry, series.i0 or "")
    return Scan(rows.energy, channels, mu_expr=expr, reference_expr=series.reference or "", label=entry.label, meta=meta)  # fmt: skip


def mu_of_stack(names: Sequence[str], stack: Entry, i0: str = "") -> str:
    """How a stacked array's channels give mu where the spec does not say. Raises SeriesError."""
    from ..io.names import mu_candidates

    if "mu" in names:
        return "mu"
    found = mu_candidates(list(names), i0=i0)
    if not found and len(names) == 1:
        return names[0]
    if not found:
        raise SeriesError(f'{stack.path}: which of {", ".join(names)} is mu? say mu = "..." in [series]')
    return str(found[0])


def e0_of(spectrum: Spectrum, spec: SeriesSpec) -> float:
    """E0 in eV: the spec's, or the spectrum's own."""
    if spec.reduce.e0 is not None:
        return spec.reduce.e0
    from ..reduce import find_e0

    return float(find_e0(spectrum))


def make_grid(template: Spectrum, spec: SeriesSpec) -> Array:
    """The energies that all rows share: the template's own, or those of [series] bin, cut by a margin."""
    series, energy = spec.series, template.energy
    if series.bin is None and series.align is None:
        return energy
    margin = MARGIN if series.align is None else max(MARGIN, series.align.max_shift)
    low, high = energy[0] + margin, energy[-1] - margin
    if series.bin is None:
        return energy[(energy >= low) & (energy <= high)]
    if series.bin.energy_range is not None:
        low, high = max(low, series.bin.energy_range[0]), min(high, series.bin.energy_range[1])
    from ..reduce.clean import xafs_grid

    e0, b = e0_of(template, spec), series.bin
    step = b.xanes_step or 0.05 * max(1, int(e0 / 1250))
    return xafs_grid(np.array([low, high]), e0, b.pre_step, b.xanes_range, step, b.kstep, template.label)


def k_end(loaded: LoadedSpec, spec: SeriesSpec, energy: Array, e0: float) -> float:
    """The end of k that every row has, in whole steps. Raises SpecError when the fit goes beyond it."""
    room = 0.0 if spec.series.e0 == "shared" else ROOM
    end = float(np.sqrt(ETOK * max(energy[-1] - e0 - room, 0.0)))
    if spec.reduce.bkg_k is not None:
        end = min(end, spec.reduce.bkg_k[1])
    end = KSTEP * int(end / KSTEP + 1e-9)
    if spec.fit.k[1] > end + KSTEP + 1e-9:
        raise SpecError(
            f"{loaded.at('fit', 'k')}: [fit]: k = [{spec.fit.k[0]:g}, {spec.fit.k[1]:g}] goes beyond the data, "
            f"which end at {end:.2f} 1/A; set kmax to {int(end * 10) / 10:g} or less"
        )
    return end
