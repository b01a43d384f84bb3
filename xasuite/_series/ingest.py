"""Scans of a chunk to a Series on one grid: mu, alignment, binning, averaging, status."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import SeriesError, XasuiteError, XasuiteWarning
from ..io.sources import STACK, Entry, read_scans, read_stack
from ..records import OK, Array, Scan, Series, Spectrum, Step
from . import quality
from .clock import join_log, name_columns, scan_time
from .plan import Plan, stack_mu


@dataclass(frozen=True, eq=False)
class Taken:
    """One scan on the grid: mu (n,) (NaN where it cannot be used), its time in s, and what is known of it."""

    mu: Array
    status: str = OK
    reason: str = ""
    time: float = np.nan
    noise: float = np.nan
    shift: float = np.nan
    shift_err: float = np.nan
    sha256: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)


def ingest(plan: Plan, start: int, end: int) -> Series:
    """Rows start to end of a series as spectra on its grid; rows that cannot be used are marked.

    The table has label, time (s, from the series' origin where it is a date: see `store`), scans, noise, shift,
    what names and logs say. Raises SeriesError only for what is wrong with the spec.
    """
    members = plan.members[start:end]
    needed = sorted({i for m in members for i in m})
    taken = dict(zip(needed, take(plan, needed), strict=True))
    rows = [_row(plan, [taken[i] for i in m], m) for m in members]
    table = _table(plan, rows, members)
    data = Spectrum(
        energy=plan.energy,
        mu=np.stack([r.mu for r in rows]),
        element=plan.spec.sample.element,
        edge=plan.spec.sample.edge,
        label=plan.loaded.path.stem,
        history=(Step("ingest", {"rows": (start, end)}),),
    )
    return Series(data, table, tuple(r.status for r in rows), tuple(r.reason for r in rows), data.label)


def take(plan: Plan, indices: Sequence[int]) -> list[Taken]:
    """The scans of these indices on the grid, each with its faults."""
    if plan.spectra is not None:
        taken = [Taken(plan.spectra[i], time=float(plan.truth["time"][i])) for i in indices]
    elif plan.entries[indices[0]].kind == STACK:
        taken = _take_stack(plan, indices)
    else:
        entries = [plan.entries[i] for i in indices]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", XasuiteWarning)  # what is wrong goes into the row's reason
            scans = read_scans(entries, plan.series.mu, plan.series.reference)
        taken = [_take_scan(plan, i, e, s) for i, e, s in zip(indices, entries, scans, strict=True)]
    return _checked(plan, taken)


def _take_scan(plan: Plan, index: int, entry: Entry, scan: Scan | XasuiteError) -> Taken:
    nothing = np.full(plan.energy.size, np.nan)
    columns = name_columns(plan.series.names, entry)
    if isinstance(scan, XasuiteError):
        time = _time_or_nan(plan, entry, index, {})
        return Taken(nothing, quality.UNREADABLE, str(scan), time=time, columns=columns)
    known: dict[str, Any] = {
        "time": scan_time(plan.series.time, entry, index, scan.meta),
        "sha256": scan.source.sha256,
        "columns": columns,
    }
    sample = plan.spec.sample
    fault = quality.scan_fault(scan, plan.series.checks, sample.element, sample.edge, plan.energy)
    if fault is not None:
        return Taken(nothing, *fault, **known)
    try:
        spectrum = replace(scan.mu(), element=sample.element, edge=sample.edge, label=entry.label)
    except XasuiteError as exc:
        return Taken(nothing, quality.NOT_FINITE, str(exc), **known)
    lost = 1 - spectrum.energy.size / scan.energy.size
    if lost > quality.NOT_FINITE_SHARE:
        reason = f"{scan.mu_expr} is not finite at {lost:.0%} of the points"
        return Taken(nothing, quality.NOT_FINITE, reason, **known)
    try:
        by, stderr = shift_of(plan, spectrum, index)
    except XasuiteError as exc:
        return Taken(nothing, quality.MISALIGNED, str(exc), **known)
    if np.isfinite(by) and by:
        spectrum = replace(spectrum, energy=spectrum.energy + by)
    try:
        mu = on_grid(spectrum, plan)
    except XasuiteError as exc:
        return Taken(nothing, quality.SHORT, str(exc), **known)
    return Taken(mu, shift=by, shift_err=stderr, **known)


def _time_or_nan(plan: Plan, entry: Entry, index: int, meta: Mapping[str, Any]) -> float:
    """The time of a scan that cannot be read, where name or order give it."""
    time = plan.series.time
    if time is not None and (time.header is not None or time.dataset is not None):
        return np.nan
    return scan_time(time, entry, index, meta)


def shift_of(plan: Plan, spectrum: Spectrum, index: int) -> tuple[float, float]:
    """The shift in eV onto the template's scale and its standard error; NaN without alignment."""
    align = plan.series.align
    if align is None or plan.template is None:
        return np.nan, np.nan
    if plan.shifts is not None:
        return float(plan.shifts[index, 0]), float(plan.shifts[index, 1])
    from ..reduce import align as align_to

    found = align_to(spectrum, plan.template, use=align.use, window=align.window, max_shift=align.max_shift)
    return float(found.shift), float(found.stderr)


def smoothed_shifts(plan: Plan) -> Array:
    """Shifts and errors (m, 2) of all scans, the shifts smoothed by a running median along the series.

    A scan whose own shift cannot be found takes its neighbours'.
    """
    from scipy.ndimage import median_filter

    align = plan.series.align
    assert align is not None
    found = np.full((len(plan.entries), 2), np.nan)
    for i, entry in enumerate(plan.entries):
        scan = read_scans([entry], plan.series.mu, plan.series.reference)[0]
        if isinstance(scan, XasuiteError):
            continue
        try:
            found[i] = shift_of(plan, scan.mu(), i)
        except XasuiteError as exc:
            warnings.warn(f"{entry.label}: {exc}", XasuiteWarning, stacklevel=2)
    good = np.isfinite(found[:, 0])
    if not good.any():
        raise SeriesError("no scan of the series could be aligned; look at the reference channel")
    filled = np.interp(np.arange(len(found)), np.flatnonzero(good), found[good, 0])
    return np.column_stack([median_filter(filled, size=align.smooth, mode="nearest"), found[:, 1]])


def on_grid(spectrum: Spectrum, plan: Plan) -> Array:
    """mu (n,) on the series' grid: bins where the spec bins, a cubic spline otherwise."""
    from scipy.interpolate import make_interp_spline

    from ..reduce import rebin

    if np.array_equal(spectrum.energy, plan.energy):
        return spectrum.mu
    if plan.series.bin is not None:
        return rebin(replace(spectrum, reference=None), energy=plan.energy).mu
    if spectrum.energy[0] > plan.energy[0] or spectrum.energy[-1] < plan.energy[-1]:
        raise SeriesError(
            f"{spectrum.label} spans {spectrum.energy[0]:.1f}-{spectrum.energy[-1]:.1f} eV after alignment, the "
            f"series needs {plan.energy[0]:.1f}-{plan.energy[-1]:.1f} eV"
        )
    return make_interp_spline(spectrum.energy, spectrum.mu, k=3)(plan.energy)


def _take_stack(plan: Plan, indices: Sequence[int]) -> list[Taken]:
    """Rows of a stacked array: one read, one expression for all of them."""
    from ..expressions import parse

    entries = [plan.entries[i] for i in indices]
    rows = read_stack(entries)
    expr = plan.series.mu or stack_mu(list(rows.channels), entries[0])
    with np.errstate(all="ignore"):
        mu = np.asarray(parse(expr)({**rows.channels, "energy": rows.energy}), float)
    out = []
    same = np.array_equal(rows.energy, plan.energy)
    for at, (index, entry) in enumerate(zip(indices, entries, strict=True)):
        meta = {name: float(values[at]) for name, values in rows.scalars.items()}
        channels = {name: values[at] for name, values in rows.channels.items()}
        scan = Scan(
            rows.energy,
            channels,
            plan.spec.sample.element,
            plan.spec.sample.edge,
            entry.label,
            expr,
            plan.series.reference or "",
            meta=meta,
        )
        if same and plan.template is None and np.isfinite(mu[at]).all():
            known: dict[str, Any] = {"time": scan_time(plan.series.time, entry, index, meta), "columns": meta}
            fault = quality.beam_fault(scan, plan.series.checks) or quality.saturated_fault(
                scan, plan.series.checks
            )
            out.append(Taken(mu[at], **known) if fault is None else Taken(mu[at] * np.nan, *fault, **known))
        else:
            made = _take_scan(plan, index, entry, scan)
            out.append(replace(made, columns={**meta, **made.columns}))
    return out


def _checked(plan: Plan, taken: list[Taken]) -> list[Taken]:
    """Faults that show on the grid, and glitches repaired where the spec says so."""
    ok = [i for i, t in enumerate(taken) if t.status == OK]
    if not ok:
        return taken
    checks = plan.series.checks
    mu = np.stack([taken[i].mu for i in ok])
    faults, noise, glitches = quality.stack_faults(plan.energy, mu, plan.e0, checks)
    for row, i in enumerate(ok):
        fault = faults[row]
        made = replace(taken[i], noise=float(noise[row]))
        if fault is not None:
            made = replace(made, mu=np.full(plan.energy.size, np.nan), status=fault[0], reason=fault[1])
        elif checks.glitch == "repair" and glitches[row].any():
            made = _repaired(plan, made)
        taken[i] = made
    return taken


def _repaired(plan: Plan, taken: Taken) -> Taken:
    """The scan with its glitches replaced, or marked when they cannot be told apart from noise."""
    from ..reduce import deglitch

    spectrum = Spectrum(plan.energy, taken.mu, plan.spec.sample.element, plan.spec.sample.edge)
    try:
        fixed = deglitch(spectrum)
    except XasuiteError as exc:
        return replace(taken, mu=np.full(plan.energy.size, np.nan), status=quality.GLITCH, reason=str(exc))
    return replace(taken, mu=fixed.mu, reason="; ".join(fixed.notes))


def _row(plan: Plan, taken: list[Taken], members: tuple[int, ...]) -> Taken:
    """One row: a scan, or the mean of the usable ones with the noise that follows."""
    if len(taken) == 1:
        return taken[0]
    good = [t for t in taken if t.status == OK]
    times = [t.time for t in good] or [t.time for t in taken]
    time = float(np.nanmean(times)) if np.isfinite(times).any() else np.nan
    if not good:
        return replace(taken[0], time=time, reason=f"none of {len(taken)} scans is usable: {taken[0].reason}")
    noise = float(np.sqrt(np.sum([t.noise**2 for t in good])) / len(good))
    left_out = [plan.entries[i].label for i, t in zip(members, taken, strict=True) if t.status != OK]
    shifts = [t.shift for t in good]
    return replace(
        good[0],
        mu=np.mean([t.mu for t in good], axis=0),
        time=time,
        noise=noise,
        shift=float(np.mean(shifts)),
        reason=f"without {', '.join(left_out)}" if left_out else "",
        sha256="",
        columns={**good[0].columns, "averaged": float(len(good))},
    )


def _table(plan: Plan, rows: list[Taken], members: tuple[tuple[int, ...], ...]) -> Any:
    import pandas as pd

    times = np.array([r.time for r in rows])
    columns: dict[str, Any] = {
        "label": [_label(plan, m) for m in members],
        "time": times,
        "noise": [r.noise for r in rows],
    }
    if plan.series.align is not None:
        columns["shift"] = [r.shift for r in rows]
        columns["shift_err"] = [r.shift_err for r in rows]
    for name in dict.fromkeys(n for r in rows for n in r.columns):
        columns.setdefault(name, [r.columns.get(name, np.nan) for r in rows])
    for log, log_times, values in plan.logs:
        for name, column in values.items():
            columns[name] = join_log(times, log_times, column, log.max_gap)
    columns["sha256"] = [r.sha256 for r in rows]
    return pd.DataFrame(columns)


def _label(plan: Plan, members: tuple[int, ...]) -> str:
    if plan.spectra is not None:
        return f"{plan.truth['time'][members[0]] / 60:.4g} min"
    first, last = plan.entries[members[0]].label, plan.entries[members[-1]].label
    return first if len(members) == 1 else f"{first} to {last}"
