"""Scans of some rows to a Series on one grid: mu, alignment, binning, averaging, status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SeriesError, XasuiteError
from ..io.logs import join_log, seconds_of
from ..io.sources import Entry, StackRows, joined, read_scans, read_stack, scan_content
from ..notices import collected
from ..records import OK, Array, Scan, Series, Source, Spectrum, Step
from ..specs.series import SECONDS
from . import quality
from .quality import Fault
from .template import asked_of, mu_of_stack

if TYPE_CHECKING:
    from ..specs.series import Time
    from .plan import Plan


@dataclass(eq=False)
class Taken:
    """m scans on the grid, filled in as they are read: mu (m, n), NaN where a scan cannot be used, and what is known of each."""

    mu: Array
    status: list[str]
    reason: list[str]
    time: Array
    noise: Array
    shift: Array
    shift_err: Array
    sha256: list[str]
    noted: dict[str, list[Any]]
    content: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, m: int, plan: Plan) -> Taken:
        """Nothing known yet."""
        noted: dict[str, list[Any]] = {
            n: [np.nan if k == "number" else ""] * m for n, k in plan.noted.items()
        }
        time, noise, shift, shift_err = (np.full(m, np.nan) for _ in range(4))
        mu = np.full((m, plan.energy.size), np.nan)
        return cls(mu, [OK] * m, [""] * m, time, noise, shift, shift_err, [""] * m, noted)

    def fail(self, i: int, fault: Fault) -> None:
        """Mark scan i."""
        self.mu[i] = np.nan
        self.status[i], self.reason[i] = fault

    def note(self, i: int, values: Mapping[str, Any]) -> None:
        """What the name or the file says of scan i."""
        for name in values.keys() & self.noted.keys():
            self.noted[name][i] = values[name]

    @property
    def ok(self) -> NDArray[np.intp]:
        """The scans that can be used."""
        return np.array([i for i, s in enumerate(self.status) if s == OK], np.intp)


def ingest(plan: Plan, rows: NDArray[np.intp], scans: Taken | None = None) -> Series:
    """Ascending rows of a series as spectra on its grid; rows that cannot be used are marked. `scans` are theirs, taken before.

    The table has label, time (s, absolute where it is a date), noise, shift, what names and logs say; the record's
    source has the hash of all that was read. Raises SeriesError for what is wrong with the spec, or when a file
    was changed or removed since the run began.
    """
    import pandas as pd

    indices = plan.scans_of(rows)
    scans = take(plan, indices) if scans is None else scans
    taken = scans if plan.width == 1 else _averaged(plan, scans, indices, rows)
    data = Spectrum(
        energy=plan.energy, mu=taken.mu, element=plan.spec.sample.element, edge=plan.spec.sample.edge,
        label=plan.loaded.path.stem, source=Source(plan.name, sha256=joined(scans.content)),
        history=(Step("ingest", {"rows": (int(rows[0]), int(rows[-1]) + 1)}),),
    )  # fmt: skip
    columns: dict[str, Any] = {"label": _labels(plan, rows), "time": taken.time, "noise": taken.noise}
    if plan.series.align is not None:
        columns |= {"shift": taken.shift, "shift_err": taken.shift_err}
    columns |= {n: np.array(v, float if plan.noted.get(n) != "text" else str) for n, v in taken.noted.items()}
    for log, times, values in plan.logs:
        columns |= {name: join_log(taken.time, times, v, log.max_gap) for name, v in values.items()}
    table = pd.DataFrame({**columns, "sha256": taken.sha256})
    return Series(data, table, tuple(taken.status), tuple(taken.reason), data.label)


def take(plan: Plan, indices: NDArray[np.intp]) -> Taken:
    """The scans of these indices on the grid, each with its faults."""
    out = Taken.empty(len(indices), plan)
    if plan.spectra is not None:
        out.mu[:], out.time[:] = plan.spectra[indices], plan.truth["time"][indices]
    for stack, at, rows in plan.scans.by_stack(indices):
        stack.check()
        _take_stack(plan, out, stack, at, indices[at], read_stack(stack, rows))
    if plan.spectra is None:
        single = plan.scans.single(indices)
        for entry in {e.path: e for _, e in single}.values():
            entry.check()
        with collected():  # what is wrong goes into the row's reason
            scans = read_scans([e for _, e in single], asked_of(plan.series))
        for (i, entry), scan in zip(single, scans, strict=True):
            out.content.append(scan_content(entry, scan))
            _take_scan(plan, out, i, int(indices[i]), entry, scan)
    _check_grid(plan, out)
    return out


def _take_scan(plan: Plan, out: Taken, i: int, index: int, entry: Entry, scan: Scan | XasuiteError) -> None:
    """One scan into place i of `out`."""
    out.note(i, name_columns(plan.series.names, entry))
    if isinstance(scan, XasuiteError):
        out.time[i] = _time_or_nan(plan.series.time, entry, index)
        return out.fail(i, (quality.UNREADABLE, str(scan)))
    out.time[i], out.sha256[i] = scan_time(plan.series.time, entry, index, scan.meta), scan.source.sha256
    sample = plan.spec.sample
    fault = quality.scan_fault(scan, plan.series.checks, sample.element, sample.edge, plan.energy)
    if fault is not None:
        return out.fail(i, fault)
    word = quality.NOT_FINITE
    try:
        spectrum = replace(scan.mu(), element=sample.element, edge=sample.edge, label=entry.label)
        lost = 1 - spectrum.energy.size / scan.energy.size
        if lost > quality.NOT_FINITE_SHARE:
            return out.fail(i, (word, f"{scan.mu_expr} is not finite at {lost:.0%} of the points"))
        word = quality.MISALIGNED
        out.shift[i], out.shift_err[i] = shift_of(plan, spectrum, index)
        if np.isfinite(out.shift[i]) and out.shift[i]:
            spectrum = replace(spectrum, energy=spectrum.energy + out.shift[i])
        word = quality.SHORT
        out.mu[i] = on_grid(spectrum, plan)
    except XasuiteError as exc:
        out.fail(i, (word, str(exc)))


def _take_stack(
    plan: Plan, out: Taken, stack: Entry, at: NDArray[np.intp], indices: NDArray[np.intp], rows: StackRows
) -> None:
    """Rows of a stacked array into the places `at`: all at once those that are on the grid as they are."""
    from ..expressions import parse

    series, sample = plan.series, plan.spec.sample
    expr = series.mu or mu_of_stack(list(rows.channels), stack, series.i0 or "")
    with np.errstate(all="ignore"):
        mu = np.asarray(parse(expr)({**rows.channels, "energy": rows.energy}), float)
    on = np.array_equal(rows.energy, plan.energy) and plan.template is None
    whole = np.isfinite(mu).all(axis=1) if on else np.zeros(len(at), bool)
    out.content.append(rows.content)
    for name, values in rows.scalars.items():
        for i, value in zip(at, values.tolist(), strict=True):
            out.noted[name][i] = value
    by_row = series.time is not None and (series.time.name or series.time.header)
    if not by_row:
        out.time[at] = scan_time(series.time, stack, indices, rows.scalars)
    entries = {j: replace(stack, row=int(n)) for j, n in enumerate(rows.numbers)} if by_row or series.names or not whole.all() else {}  # fmt: skip
    for j, entry in entries.items():
        meta = {name: float(values[j]) for name, values in rows.scalars.items()}
        if whole[j]:
            out.note(at[j], name_columns(series.names, entry))
            out.time[at[j]] = scan_time(series.time, entry, indices[j], meta)
            continue
        channels = {name: values[j] for name, values in rows.channels.items()}
        scan = Scan(
            rows.energy,
            channels,
            sample.element,
            sample.edge,
            entry.label,
            expr,
            series.reference or "",
            meta=meta,
        )
        _take_scan(plan, out, at[j], int(indices[j]), entry, scan)
    out.mu[at[whole]] = mu[whole]
    kept = {name: values[whole] for name, values in rows.channels.items()}
    for j, fault in quality.channel_faults(rows.energy, kept, expr, series.checks).items():
        out.fail(int(at[whole][j]), fault)


def _check_grid(plan: Plan, out: Taken) -> None:
    """Faults that show on the grid, and glitches repaired where the spec says so."""
    ok, checks = out.ok, plan.series.checks
    if not ok.size:
        return
    faults, out.noise[ok], glitches = quality.grid_faults(plan.energy, out.mu[ok], plan.e0, checks)
    for row, fault in faults.items():
        out.fail(int(ok[row]), fault)
    if checks.glitch == "repair":
        for row in map(int, np.flatnonzero(glitches.any(axis=1))):
            if row not in faults:
                _repair(plan, out, int(ok[row]))


def _repair(plan: Plan, out: Taken, i: int) -> None:
    """Glitches of a scan replaced, or the scan marked where they cannot be distinguished from noise."""
    from ..reduce import deglitch

    sample = plan.spec.sample
    try:
        fixed = deglitch(Spectrum(plan.energy, out.mu[i], sample.element, sample.edge))
    except XasuiteError as exc:
        return out.fail(i, (quality.GLITCH, str(exc)))
    out.mu[i], out.reason[i] = fixed.mu, "; ".join(fixed.notes)


def _averaged(plan: Plan, scans: Taken, indices: NDArray[np.intp], rows: NDArray[np.intp]) -> Taken:
    """Rows as means of the scans that can be used, with the noise that follows."""
    out = Taken.empty(rows.size, plan)
    out.noted["averaged"] = [np.nan] * rows.size
    for row, first_scan in enumerate(np.searchsorted(indices, rows * plan.step)):
        members = first_scan + np.arange(plan.width)
        good = np.array([i for i in members if scans.status[i] == OK], np.intp)
        first = int(good[0]) if good.size else int(members[0])
        times = scans.time[good if good.size else members]
        out.time[row] = np.nanmean(times) if np.isfinite(times).any() else np.nan
        out.note(row, {name: values[first] for name, values in scans.noted.items()})
        if not good.size:
            why = f"none of {plan.width} scans is usable: {scans.reason[first]}"
            out.fail(row, (scans.status[first], why))
            continue
        out.mu[row] = scans.mu[good].mean(axis=0)
        out.noise[row] = np.sqrt((scans.noise[good] ** 2).sum()) / good.size
        out.shift[row], out.shift_err[row] = scans.shift[good].mean(), scans.shift_err[first]
        out.noted["averaged"][row] = float(good.size)
        left_out = plan.scans.labels(indices[np.setdiff1d(members, good)])
        out.reason[row] = f"without {', '.join(left_out)}" if left_out else ""
    return out


def _labels(plan: Plan, rows: NDArray[np.intp]) -> list[str]:
    if plan.spectra is not None:
        return [f"{t / 60:.4g} min" for t in plan.truth["time"][rows * plan.step]]
    first = plan.scans.labels(rows * plan.step)
    if plan.width == 1:
        return first
    last = plan.scans.labels(rows * plan.step + plan.width - 1)
    return [f"{a} to {b}" for a, b in zip(first, last, strict=True)]


def scan_time(time: Time | None, entry: Entry, index: Any, meta: Mapping[str, Any]) -> Any:
    """The time of a scan in s (absolute where it is a date). Raises SeriesError naming what is missing.

    `index` and the values of `meta` may be arrays, those of several rows of a stacked array.
    """
    if time is None:
        return index
    factor = SECONDS[time.unit] if not time.format else 1.0
    if time.every is not None:
        return index * (time.every * factor)
    if time.dataset is not None:
        if time.dataset not in meta:
            raise SeriesError(
                f"{entry.path} holds no dataset {time.dataset!r} with one value a row for the time"
            )
        return meta[time.dataset] * factor
    if time.header is not None:
        if time.header not in meta:
            known = ", ".join(sorted(map(str, meta))[:8]) or "nothing"
            raise SeriesError(f"{entry.label}: its header has no {time.header!r}; it has {known}")
        return seconds_of(str(meta[time.header]), time.format, entry.label) * factor
    match = re.search(str(time.name), entry.label)
    if match is None:
        raise SeriesError(f"{entry.label}: its name does not match the time's pattern {time.name!r}")
    return seconds_of(match["time"], time.format, entry.label) * factor


def _time_or_nan(time: Time | None, entry: Entry, index: int) -> float:
    """The time of a scan that cannot be read, where name or order give it."""
    if time is not None and (time.header is not None or time.dataset is not None):
        return np.nan
    return float(scan_time(time, entry, index, {}))


def name_columns(pattern: str | None, entry: Entry) -> dict[str, Any]:
    """The named groups of a pattern in a scan's name, numbers as numbers; empty where it does not match."""
    match = re.search(pattern, entry.label) if pattern is not None else None
    return {name: _number(text) for name, text in match.groupdict().items()} if match else {}


def _number(text: str | None) -> Any:
    try:
        return float(text) if text is not None else np.nan
    except ValueError:
        return text


def shift_of(plan: Plan, spectrum: Spectrum, index: int) -> tuple[float, float]:
    """The shift in eV onto the template's scale and its standard error; NaN without alignment."""
    align = plan.series.align
    if align is None or plan.template is None:
        return np.nan, np.nan
    if plan.shifts is not None:
        return float(plan.shifts[index, 0]), float(plan.shifts[index, 1])
    from ..reduce import align as align_to

    found = align_to(
        spectrum, plan.template, use=align.use, fit_range=align.fit_range, max_shift=align.max_shift
    )
    return float(found.shift), float(found.stderr)


def on_grid(spectrum: Spectrum, plan: Plan) -> Array:
    """mu (n,) on the series' grid: bins where the spec bins, a cubic spline otherwise. Raises SeriesError."""
    from scipy.interpolate import make_interp_spline

    from ..reduce import rebin

    energy, grid = spectrum.energy, plan.energy
    if np.array_equal(energy, grid):
        return spectrum.mu
    if plan.series.bin is not None:
        return rebin(replace(spectrum, reference=None), energy=grid).mu
    if energy[0] > grid[0] or energy[-1] < grid[-1]:
        raise SeriesError(
            f"{spectrum.label} spans {energy[0]:.1f}-{energy[-1]:.1f} eV after alignment, the series needs "
            f"{grid[0]:.1f}-{grid[-1]:.1f} eV"
        )
    return make_interp_spline(energy, spectrum.mu, k=3)(grid)
