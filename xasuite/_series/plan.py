"""Everything that is decided before the first row is worked on; a worker process gets it whole."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..constants import ETOK
from ..errors import ReadError, SeriesError, SpecError, XasuiteError, XasuiteWarning
from ..exafs.model import Model
from ..io.sources import STACK, Entry, find_scans, natural, read_scans, read_stack
from ..records import Array, Normalized, Scan, Spectrum
from ..spec.load import LoadedSpec
from ..spec.series import Log, SeriesSpec, SeriesTable
from ..version import __version__
from ..workflow.resolve import Context, resolve_model
from . import quality
from .clock import read_log, scan_time

if TYPE_CHECKING:
    from ..xanes.valence import Calibration

KSTEP = 0.05
# eV that the grid stays inside the template's ends: other scans start and end a little elsewhere
MARGIN = 3.0
TRIED = 200  # entries looked at for a first good scan


@dataclass(frozen=True, eq=False)
class Plan:
    """A series ready to run: spec, scans, grid, model, chunks. Equal plans give equal results.

    `members` has the scans of each row (several where rows are averages), `chunks` the rows (first, end) of each
    unit of work; `logs` are (time, columns) of the log files; `hold` names the parameters held and what at.
    """

    loaded: LoadedSpec
    entries: tuple[Entry, ...]
    members: tuple[tuple[int, ...], ...]
    chunks: tuple[tuple[int, int], ...]
    energy: Array
    e0: float
    kmax: float
    model: Model
    template: Spectrum | None = None
    logs: tuple[tuple[Log, Array, dict[str, Array]], ...] = ()
    shifts: Array | None = None
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    feff: dict[str, str] = field(default_factory=dict)
    spectra: Array | None = None  # closure series: the simulated mu (m, n) on `energy`
    truth: dict[str, Array] = field(default_factory=dict)
    calibration: Calibration | None = None  # of [series.valence]
    references: tuple[Normalized, ...] = ()  # of [series.components]

    @property
    def series(self) -> SeriesTable:
        """The [series] table."""
        return self.spec.series

    @property
    def spec(self) -> SeriesSpec:
        """The spec."""
        assert isinstance(self.loaded.spec, SeriesSpec)
        return self.loaded.spec

    def __len__(self) -> int:
        return len(self.members)


def make_plan(loaded: LoadedSpec, context: Context | None = None) -> Plan:
    """Find the scans, the grid and the model of a series spec.

    Raises SpecError, ReadError, SeriesError; what is wrong with a single scan is left to its row.
    """
    context = context or Context()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XasuiteWarning)
        plan = completed(_plan(loaded, context), context)
    said = tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, XasuiteWarning)))
    plan = replace(plan, warnings=said)
    return replace(plan, fingerprint=fingerprint(plan))


def completed(plan: Plan, context: Context) -> Plan:
    """The plan with its held parameters, and with the calibration and references that are compared with.

    Raises SpecError, ReadError, SeriesError.
    """
    from .beside import find_calibration, find_references

    if plan.series.hold:
        from .hold import hold

        plan = hold(plan)
    calibration, references = find_calibration(plan.loaded, context), find_references(plan.loaded, context)
    return replace(plan, calibration=calibration, references=references)


def check_series(loaded: LoadedSpec, context: Context | None = None) -> list[str]:
    """What would mislead the reader of a series spec, its scans and structures looked at; absent data is a warning.

    Raises SpecError with the mistakes.
    """
    from ..workflow.check import biases

    try:
        plan = make_plan(loaded, context)
    except ReadError as exc:
        return [str(exc), *biases(loaded)]
    except SeriesError as exc:
        raise SpecError(f"{loaded.path.name}: {exc}") from None
    return [*plan.warnings, *biases(loaded)]


def _plan(loaded: LoadedSpec, context: Context) -> Plan:
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    if spec.series.simulate is not None:
        from .closure import simulated_plan

        return simulated_plan(loaded, context)
    places = [loaded.path.parent, *context.roots, Path.cwd()]
    entries = find_scans(spec.series.files, places)
    entries = in_order(entries, spec.series)
    return plan_of(loaded, context, entries, places)


def plan_of(loaded: LoadedSpec, context: Context, entries: tuple[Entry, ...], places: Sequence[Path]) -> Plan:
    """The plan of given scans."""
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    series = spec.series
    template = find_template(entries, spec)
    energy = make_grid(template, spec)
    e0 = spec.reduce.e0
    if e0 is None:
        from ..reduce import find_e0

        e0 = float(find_e0(template))
    kmax = k_end(loaded, energy, e0)
    logs = tuple((log, *read_log(log, places)) for log in series.log)
    model = resolve_model(loaded, context)
    members = averaged(len(entries), series)
    plan = Plan(
        loaded=loaded,
        entries=entries,
        members=members,
        chunks=cut(len(members), series.chunk),
        energy=energy,
        e0=e0,
        kmax=kmax,
        model=model,
        template=template if series.align else None,
        logs=logs,
        feff={p.label: p.feff.sha256 for p in model.paths},
    )
    if series.align is not None and series.align.smooth:
        from .ingest import smoothed_shifts

        plan = replace(plan, shifts=smoothed_shifts(plan))
    return plan


def in_order(entries: tuple[Entry, ...], series: SeriesTable) -> tuple[Entry, ...]:
    """Entries sorted by time where the spec says so; each scan is read for its header then."""
    if series.order != "time":
        return entries

    def when(pair: tuple[int, Entry]) -> tuple[int, float, tuple[object, ...]]:
        index, entry = pair
        scan = read_scans([entry])[0]
        if isinstance(scan, XasuiteError):
            return (1, 0.0, natural(entry.label))
        return (0, scan_time(series.time, entry, index, scan.meta), natural(entry.label))

    return tuple(e for _, e in sorted(enumerate(entries), key=when))


def averaged(n: int, series: SeriesTable) -> tuple[tuple[int, ...], ...]:
    """Which scans make each row: one, a block of n, or a running window of n."""
    if series.average is None:
        return tuple((i,) for i in range(n))
    width = series.average.n
    if width > n:
        raise SeriesError(f"average = {{ n = {width} }}: the series has {n} scans only")
    starts = range(0, n - width + 1, width if series.average.kind == "block" else 1)
    return tuple(tuple(range(i, i + width)) for i in starts)


def scans_for(rows: int, series: SeriesTable) -> int:
    """How many scans so many rows take."""
    if series.average is None:
        return rows
    width = series.average.n
    return rows * width if series.average.kind == "block" else rows + width - 1


def cut(rows: int, chunk: int) -> tuple[tuple[int, int], ...]:
    """Rows in chunks of the spec's size."""
    return tuple((i, min(i + chunk, rows)) for i in range(0, rows, chunk))


def find_template(entries: tuple[Entry, ...], spec: SeriesSpec) -> Spectrum:
    """The first good scan (from align.to on): it gives the grid, and the energy scale where scans are aligned.

    Raises SeriesError with what is wrong with the first scans when none is good.
    """
    series = spec.series
    first = series.align.to - 1 if series.align else 0
    if first >= len(entries):
        raise SeriesError(f"align: to = {first + 1}, but the series has {len(entries)} scans")
    reasons: list[str] = []
    for i in [*range(first, len(entries)), *range(first)][:TRIED]:
        found = _usable(entries[i], spec)
        if isinstance(found, Spectrum):
            if reasons:
                warnings.warn(
                    f"grid and energy scale are taken from {entries[i].label}: {reasons[0]}",
                    XasuiteWarning,
                    stacklevel=2,
                )
            return found
        reasons.append(f"{entries[i].label}: {found}")
    raise SeriesError(f"no scan of the series can be used; {reasons[0]}")


def _usable(entry: Entry, spec: SeriesSpec) -> Spectrum | str:
    series, sample = spec.series, spec.sample
    try:
        if entry.kind == STACK:
            scan = stack_scan(entry, series)
        else:
            found = read_scans([entry], series.mu, series.reference)[0]
            if isinstance(found, XasuiteError):
                return str(found)
            scan = found
        if entry.kind != STACK:
            whole = scan.energy[[0, -1]] + np.array([MARGIN, -MARGIN])
            fault = quality.scan_fault(scan, series.checks, sample.element, sample.edge, whole)
            if fault is not None:
                return fault[1]
        spectrum = replace(scan.mu(), element=sample.element, edge=sample.edge, label=entry.label)
    except XasuiteError as exc:
        return str(exc)
    if series.align is not None and series.align.use == "reference" and spectrum.reference is None:
        return (
            "it has no reference channel to align by; name it with reference = "
            '"...", or align by the sample with align = { use = "mu" }'
        )
    e0 = spec.reduce.e0 if spec.reduce.e0 is not None else _first_e0(spectrum)
    end = float(np.sqrt(ETOK * max(spectrum.energy[-1] - e0, 0.0)))
    if end < spec.fit.k[1]:
        return f"it ends at k = {end:.1f} 1/A and [fit] k goes to {spec.fit.k[1]:g}; lower that if all scans end there"
    faults, _, _ = quality.stack_faults(spectrum.energy, spectrum.mu[None], e0, series.checks)
    # a raw scan is noisier than the grid it goes to: only what no grid mends counts here
    if faults[0] is not None and faults[0][0] not in (quality.NOISY, quality.GLITCH):
        return faults[0][1]
    return spectrum


def _first_e0(spectrum: Spectrum) -> float:
    from ..reduce import find_e0

    return float(find_e0(spectrum))


def stack_scan(entry: Entry, series: SeriesTable) -> Scan:
    """One row of a stacked array as a Scan."""
    rows = read_stack([entry])
    channels = {name: values[0] for name, values in rows.channels.items()}
    expr = series.mu or stack_mu(list(channels), entry)
    return Scan(rows.energy, channels, mu_expr=expr, reference_expr=series.reference or "", label=entry.label)


def stack_mu(names: list[str], entry: Entry) -> str:
    """How a stacked array's channels give mu where the spec does not say. Raises SeriesError."""
    from ..io.names import mu_candidates

    if "mu" in names:
        return "mu"
    found = mu_candidates(names)
    if not found and len(names) == 1:
        return names[0]
    if not found:
        raise SeriesError(f'{entry.path}: which of {", ".join(names)} is mu? say mu = "..." in [series]')
    return str(found[0])


def make_grid(template: Spectrum, spec: SeriesSpec) -> Array:
    """The energies that all rows share: the template's own, or those of [series] bin, cut by a margin."""
    series, energy = spec.series, template.energy
    if series.bin is None and series.align is None:
        return energy
    low, high = energy[0], energy[-1]
    margin = MARGIN if series.align is None else max(MARGIN, series.align.max_shift)
    low, high = low + margin, high - margin
    if series.bin is None:
        return energy[(energy >= low) & (energy <= high)]
    if series.bin.range is not None:
        low, high = max(low, series.bin.range[0]), min(high, series.bin.range[1])
    from ..reduce.clean import xafs_grid

    e0 = spec.reduce.e0 if spec.reduce.e0 is not None else _first_e0(template)
    b = series.bin
    step = b.xanes_step or 0.05 * max(1, int(e0 / 1250))
    return xafs_grid(np.array([low, high]), e0, b.pre_step, b.xanes, step, b.kstep, template.label)


def k_end(loaded: LoadedSpec, energy: Array, e0: float) -> float:
    """The end of k that every row has, in whole steps. Raises SpecError when the fit goes beyond it."""
    spec = loaded.spec
    assert isinstance(spec, SeriesSpec)
    room = 0.0 if spec.series.e0 == "shared" else 15.0  # eV that E0 of a row may lie above the template's
    end = float(np.sqrt(ETOK * max(energy[-1] - e0 - room, 0.0)))
    if spec.reduce.bkg_k is not None:
        end = min(end, spec.reduce.bkg_k[1])
    end = KSTEP * int(end / KSTEP + 1e-9)
    if spec.fit.k[1] > end + 1e-9:
        raise SpecError(
            f"{loaded.at('fit', 'k')}: [fit]: k = [{spec.fit.k[0]:g}, {spec.fit.k[1]:g}] goes beyond the data, "
            f"which end at {end:.2f} 1/A; set kmax to {int(end * 10) / 10:g} or less"
        )
    return end


def fingerprint(plan: Plan) -> str:
    """Hash of everything a result depends on: spec, scans (name and size), grid, model, program version."""
    digest = hashlib.sha256()
    digest.update(f"{__version__}\n{plan.loaded.sha256}\n".encode())
    for entry in plan.entries:
        digest.update(entry.key.encode())
    digest.update(plan.energy.tobytes())
    for p in plan.model.params:
        digest.update(f"{p.name} {p.value!r} {p.vary} {p.min} {p.max} {p.stderr!r} {p.expr}".encode())
    for path in plan.model.paths:
        digest.update(path.feff.sha256.encode())
    for array in (plan.shifts, plan.spectra):
        if array is not None:
            digest.update(array.tobytes())
    if plan.calibration is not None:
        digest.update(repr([plan.calibration.fraction, *plan.calibration.standards]).encode())
    for reference in plan.references:
        digest.update(reference.energy.tobytes() + reference.norm.tobytes())
    for _, times, columns in plan.logs:
        digest.update(times.tobytes() + b"".join(v.tobytes() for v in columns.values()))
    return digest.hexdigest()
