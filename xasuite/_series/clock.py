"""The time of each scan, from its header, name or file, and what log files recorded at that time."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError, SeriesError
from ..io.sources import Entry
from ..records import Array
from ..spec.series import SECONDS, Log, Time

if TYPE_CHECKING:
    import pandas as pd

EPOCH = datetime(1970, 1, 1)


def seconds_of(text: str, form: str, what: str) -> float:
    """A moment as seconds since 1970 (no zone: as written), or a number as it stands. Raises SeriesError."""
    text = str(text).strip()
    try:
        if form:
            return (datetime.strptime(text, form) - EPOCH).total_seconds()
        return float(text)
    except ValueError:
        want = f"in the form {form}" if form else "a number; give format = for a date"
        raise SeriesError(f"{what}: the time {text!r} is not {want}") from None


def scan_time(time: Time | None, entry: Entry, index: int, meta: Mapping[str, Any]) -> float:
    """The time of a scan in s (absolute where it is a date). Raises SeriesError naming what is missing."""
    if time is None:
        return float(index)
    factor = SECONDS[time.unit] if not time.format else 1.0
    if time.every is not None:
        return index * time.every * factor
    if time.dataset is not None:
        if time.dataset not in meta:
            raise SeriesError(
                f"{entry.path} holds no dataset {time.dataset!r} with one value a row for the time"
            )
        return float(meta[time.dataset]) * factor
    if time.header is not None:
        if time.header not in meta:
            known = ", ".join(sorted(map(str, meta))[:8]) or "nothing"
            raise SeriesError(f"{entry.label}: its header has no {time.header!r}; it has {known}")
        return seconds_of(str(meta[time.header]), time.format, entry.label) * factor
    match = re.search(str(time.name), entry.label)
    if match is None:
        raise SeriesError(f"{entry.label}: its name does not match the time's pattern {time.name!r}")
    return seconds_of(match["time"], time.format, entry.label) * factor


def name_columns(pattern: str | None, entry: Entry) -> dict[str, Any]:
    """The named groups of a pattern in a scan's name, numbers as numbers; empty where it does not match."""
    if pattern is None:
        return {}
    match = re.search(pattern, entry.label)
    return {k: _number(v) for k, v in match.groupdict().items()} if match else {}


def _number(text: str | None) -> Any:
    try:
        return float(text) if text is not None else np.nan
    except ValueError:
        return text


def read_log(log: Log, places: Sequence[Path]) -> tuple[Array, dict[str, Array]]:
    """Times (s, absolute where they are dates) of a log file and its columns by their new names.

    The line that names the columns is found by the name of the time's column. Raises ReadError.
    """
    import pandas as pd

    path = next((p / log.file for p in places if (p / log.file).is_file()), None)
    if path is None:
        raise ReadError(f"no log file {log.file} in {', '.join(map(str, places))}")
    try:
        lines = path.read_text(encoding=log.encoding).splitlines()
    except UnicodeDecodeError:
        raise ReadError(f'{path} is not {log.encoding} text; say encoding = "latin-1"') from None
    at, separator = _header(lines, log, path)
    text = "\n".join(lines[at:])
    frame = pd.read_csv(io.StringIO(text), sep=separator, skipinitialspace=True, index_col=False)
    frame.columns = [str(c).strip().strip('"') for c in frame.columns]
    times = _log_times(frame[log.time], log, path)
    columns = {}
    for new, old in log.columns.items():
        hits = [c for c in frame.columns if c == old] or [c for c in frame.columns if c.startswith(old)]
        if len(hits) != 1:
            near = ", ".join(hits or list(frame.columns)[:12])
            raise ReadError(f"{path}: {old!r} names {len(hits)} columns of the log; there are {near}")
        columns[new] = pd.to_numeric(frame[hits[0]], errors="coerce").to_numpy(float)
    order = np.argsort(times, kind="stable")
    return times[order], {k: v[order] for k, v in columns.items()}


def _header(lines: list[str], log: Log, path: Path) -> tuple[int, str]:
    """The line that names the columns: it holds the time's name and that of every column, at least its start."""
    named: tuple[int, str] | None = None
    for i, line in enumerate(lines):
        for separator in ("\t", ",", ";"):
            fields = [f.strip().strip('"') for f in line.split(separator)]
            if log.time not in fields:
                continue
            named = (i, separator)
            if all(any(f.startswith(c) for f in fields) for c in log.columns.values()):
                return named
    if named is None:
        raise ReadError(f"{path}: no line of it names a column {log.time!r}")
    return named


def _log_times(column: pd.Series, log: Log, path: Path) -> Array:
    start = seconds_of(log.start, log.start_format, f"{path.name}: start") if log.start else 0.0
    if log.format:
        return np.array([seconds_of(str(v), log.format, path.name) for v in column]) + start
    return np.array([_duration(str(v), path) for v in column]) + start


def _duration(text: str, path: Path) -> float:
    """Seconds, or h:m:s."""
    try:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
    except ValueError:
        raise ReadError(f"{path}: {text!r} is no time; give format = for a date") from None
    return total


def join_log(times: Array, log_times: Array, values: Array, max_gap: float) -> Array:
    """Values (m,) at times (m,) by linear interpolation; NaN outside the log and in holes longer than max_gap."""
    good = np.isfinite(values)
    if np.count_nonzero(good) < 2:
        return np.full(times.shape, np.nan)
    x, y = log_times[good], values[good]
    right = np.clip(np.searchsorted(x, times), 1, x.size - 1)
    inside = (times >= x[0]) & (times <= x[-1]) & (x[right] - x[right - 1] <= max_gap)
    return np.where(inside, np.interp(times, x, y), np.nan)
