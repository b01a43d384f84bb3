"""Log files of a beamline: values against time, joined to scans by the time of each."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from ..errors import ReadError, SeriesError
from ..records import Array

EPOCH = datetime(1970, 1, 1)
# A decimal comma: within a number that fills its field
_COMMA = re.compile(r"(?:(?<=^)|(?<=[\t;]))(\s*[-+]?\d+),(\d+(?:[eE][-+]?\d+)?\s*)(?=[\t;]|$)")


def seconds_of(text: str, form: str, what: str) -> float:
    """A moment as seconds since 1970 (no time zone: as written), or a number as it stands.

    `form` is a format of `datetime.strptime`, or "" for a number; `what` names the origin in a message.
    Raises SeriesError.

    Examples
    --------
    >>> seconds_of("1970-01-02", "%Y-%m-%d", "scan_1")
    86400.0
    """
    try:
        if form:
            return (datetime.strptime(text.strip(), form) - EPOCH).total_seconds()
        return float(text)
    except ValueError:
        want = f"in the form {form}" if form else "a number; give format = for a date"
        raise SeriesError(f"{what}: the time {text.strip()!r} is not {want}") from None


def read_log(
    file: str,
    places: Sequence[Path],
    *,
    time: str,
    columns: Mapping[str, str],
    format: str = "",
    start: str = "",
    start_format: str = "%m/%d/%Y %I:%M:%S %p",
    encoding: str = "utf-8",
) -> tuple[Array, dict[str, Array]]:
    """Times (s, absolute where they are dates) of a log file, ascending, and its columns by their new names.

    The line that names the columns is found by the names. Decimal commas are read as points where semicolons or tabs part
    the columns. The start that EC-Lab writes into the header of an .mpt file counts where none is given.

    Parameters
    ----------
    file
        Its name, looked for in `places`.
    time
        The name of the time's column; its values are in `format`, or numbers of seconds or h:m:s that count from
        `start` (in `start_format`).
    columns
        Names in the file (or how they begin) by the names that they get.

    Raises
    ------
    ReadError, SeriesError
        The file is not there, or does not hold what was named.
    """
    import pandas as pd

    path = next((p / file for p in places if (p / file).is_file()), None)
    if path is None:
        raise ReadError(f"no log file {file} in {', '.join(map(str, places))}")
    try:
        lines = path.read_text(encoding=encoding).splitlines()
    except UnicodeDecodeError:
        raise ReadError(f'{path} is not {encoding} text; say encoding = "latin-1"') from None
    at, separator = _header(lines, time, columns.values(), path)
    start = start or _ec_lab_start(lines[:at])
    if separator != ",":
        lines = [_COMMA.sub(r"\1.\2", line) for line in lines]
    text = io.StringIO("\n".join(lines[at:]))
    frame = pd.read_csv(text, sep=separator, skipinitialspace=True, index_col=False)
    frame.columns = [str(c).strip().strip('"') for c in frame.columns]
    origin = seconds_of(start, start_format, f"{path.name}: start") if start else 0.0
    column = [str(v) for v in frame[time]]
    times = origin + np.array(
        [seconds_of(v, format, path.name) if format else _duration(v, path) for v in column]
    )
    order = np.argsort(times, kind="stable")
    found = {}
    for new, old in columns.items():
        hits = [c for c in frame.columns if c == old] or [c for c in frame.columns if c.startswith(old)]
        if len(hits) != 1:
            near = ", ".join(hits or list(frame.columns)[:12])
            raise ReadError(f"{path}: {old!r} names {len(hits)} columns of the log; there are {near}")
        found[new] = pd.to_numeric(frame[hits[0]], errors="coerce").to_numpy(float)[order]
    return times[order], found


def _ec_lab_start(header: Sequence[str]) -> str:
    """The moment that the times of an EC-Lab file count from, "" in another file."""
    for line in header:
        said, _, moment = line.partition(":")
        if said.strip().lower() == "acquisition started on":
            return moment.strip()
    return ""


def _header(lines: Sequence[str], time: str, columns: Iterable[str], path: Path) -> tuple[int, str]:
    """The line that names the columns: it holds the time's name and that of every column, at least its start."""
    named: tuple[int, str] | None = None
    for i, line in enumerate(lines):
        for separator in ("\t", ",", ";"):
            fields = [f.strip().strip('"') for f in line.split(separator)]
            if time in fields:
                named = (i, separator)
                if all(any(f.startswith(c) for f in fields) for c in columns):
                    return named
    if named is None:
        raise ReadError(f"{path}: no line of it names a column {time!r}")
    return named


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
    """Values (m,) at times (m,) by linear interpolation; NaN outside the log and in holes longer than max_gap (s)."""
    good = np.isfinite(values)
    if np.count_nonzero(good) < 2:
        return np.full(times.shape, np.nan)
    x, y = log_times[good], values[good]
    right = np.clip(np.searchsorted(x, times), 1, x.size - 1)
    inside = (times >= x[0]) & (times <= x[-1]) & (x[right] - x[right - 1] <= max_gap)
    return np.where(inside, np.interp(times, x, y), np.nan)
