"""The scans of a series before any is read: which files, which groups in them, in which order."""

from __future__ import annotations

import io as _io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError, SeriesError, XasuiteError
from ..records import Array, Scan, Source

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ENERGY = re.compile(r"^(energy|energy_ev|e|en|photon_energy|energies)$", re.I)
FILE, GROUP, MEMBER, STACK = "file", "group", "member", "stack"


@dataclass(frozen=True)
class Entry:
    """One scan: its file (or group, or row of a stacked array), and what identifies it without reading it."""

    path: str
    kind: str
    group: str = ""
    row: int = -1
    size: int = 0

    @property
    def label(self) -> str:
        """What the scan is called in tables."""
        if self.kind == STACK:
            return f"{Path(self.path).stem}[{self.row}]"
        return self.group.rsplit("/", 1)[-1] if self.group else Path(self.path).name

    @property
    def key(self) -> str:
        """Identity within a series: a name that does not hold the folder, and the size of the file."""
        return f"{Path(self.path).name}::{self.group}::{self.row}::{self.size}"


def natural(text: str) -> tuple[Any, ...]:
    """A sort key in which scan_9 comes before scan_10."""
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in re.split(r"(\d+)", text) if p)


def find_scans(patterns: Sequence[str], places: Iterable[Path]) -> tuple[Entry, ...]:
    """Every scan that the patterns name, ``files`` or ``files::groups`` with a regular expression for the groups.

    Raises ReadError when a pattern matches no file, SeriesError when no group.
    """
    places = list(places)
    out: dict[Entry, None] = {}
    for text in patterns:
        pattern, _, groups = text.partition("::")
        found = find_entries(find_files([pattern], places))
        if groups:
            chosen = [e for e in found if re.search(groups, e.group)]
            if not chosen:
                near = ", ".join(e.group for e in found[:8])
                raise SeriesError(f"{text}: no group matches {groups!r}; there are {near}")
            found = tuple(chosen)
        out |= dict.fromkeys(found)
    # several patterns are one series: their files in one natural order, the groups of a file in its own
    rank = {path: i for i, path in enumerate(sorted({e.path for e in out}, key=natural))}
    return tuple(sorted(out, key=lambda e: rank[e.path]))


def find_files(patterns: Sequence[str], places: Iterable[Path]) -> list[Path]:
    """Files that the patterns match in the first place that holds any, in natural order. Raises ReadError."""
    found: list[Path] = []
    places = list(dict.fromkeys(places))
    for pattern in patterns:
        if Path(pattern).is_absolute():
            hits = [p for p in Path("/").glob(pattern.lstrip("/")) if p.is_file()]
        else:
            hits = []
            for place in places:
                hits = [p for p in place.glob(pattern) if p.is_file() and not p.name.startswith(".")]
                if hits:
                    break
        if not hits:
            tried = ", ".join(str(p) for p in places)
            raise ReadError(
                f"no file {pattern} in {tried}; name the folder of measured spectra with --data-root or XASUITE_DATA"
            )
        found += hits
    return sorted(dict.fromkeys(found), key=lambda p: natural(str(p)))


def find_entries(files: Iterable[Path]) -> tuple[Entry, ...]:
    """Every scan of the files, in order. A file that cannot be opened is one entry, and fails when it is read."""
    out: list[Entry] = []
    for file in files:
        size = file.stat().st_size
        with open(file, "rb") as handle:
            magic = handle.read(8)
        if magic == _HDF5:
            out += _hdf5_entries(file, size)
        elif file.suffix.lower() == ".prj" or magic[:2] == b"\x1f\x8b":
            out += _members(file, size)
        else:
            out.append(Entry(str(file), FILE, size=size))
    if not out:
        raise SeriesError("the series holds no scan")
    return tuple(out)


def _members(file: Path, size: int) -> list[Entry]:
    from .. import io

    try:
        names = io.groups(file)
    except XasuiteError:
        return [Entry(str(file), FILE, size=size)]
    if len(names) == 1:
        return [Entry(str(file), FILE, size=size)]
    return [Entry(str(file), MEMBER, name, size=size) for name in names]


def _hdf5_entries(file: Path, size: int) -> list[Entry]:
    import h5py

    try:
        with h5py.File(file, "r") as handle:
            found = list(_visit(handle, ""))
    except (OSError, RuntimeError, KeyError):
        return [Entry(str(file), FILE, size=size)]  # its row will say what is wrong with it
    out: list[Entry] = []
    for group, rows in found:
        if rows:
            out += [Entry(str(file), STACK, group, i, size) for i in range(rows)]
        else:
            out.append(Entry(str(file), GROUP, group, size=size))
    return sorted(out, key=lambda e: (natural(e.group), e.row)) or [Entry(str(file), FILE, size=size)]


def _visit(group: Any, path: str) -> Iterable[tuple[str, int]]:
    """(group, rows of its stacked arrays or 0) of every group with an energy axis."""
    import h5py

    members = {k: group.get(k) for k in group}
    axis = axis_of(group)
    if axis:
        n = members[axis].size
        stacks = [d for k, d in members.items() if isinstance(d, h5py.Dataset) and stacked(d, n)]
        yield path, stacks[0].shape[0] if stacks else 0
        return
    for name, value in members.items():
        if isinstance(value, h5py.Group):
            yield from _visit(value, f"{path}/{name}" if path else name)


def axis_of(group: Any) -> str:
    """The name of a group's energy axis, "" when it has none."""
    import h5py

    for name in group:
        data = group.get(name)
        if isinstance(data, h5py.Dataset) and _ENERGY.match(name) and data.ndim == 1 and data.size > 1:
            return str(name)
    return ""


def stacked(data: Any, n: int) -> bool:
    """Whether a dataset holds one row a spectrum: (m, n) with the energies last."""
    return data.ndim == 2 and data.shape[1] == n and data.shape[0] != n and "array_labels" not in data.attrs


@dataclass(frozen=True, eq=False)
class StackRows:
    """Some rows of a stacked HDF5 array: energy (n,), channels (m, n), scalars (m,) beside them."""

    energy: Array
    channels: dict[str, Array]
    scalars: dict[str, Array]
    meta: dict[str, Any]


def read_stack(entries: Sequence[Entry]) -> StackRows:
    """The rows that the entries (all of one stack) name; only these are read. Raises ReadError."""
    import h5py

    rows = np.array([e.row for e in entries])
    try:
        with h5py.File(entries[0].path, "r") as handle:
            group = handle[entries[0].group] if entries[0].group else handle
            axis = axis_of(group)
            energy = np.asarray(group[axis][()], float)
            m = max(
                d.shape[0] for d in group.values() if isinstance(d, h5py.Dataset) and stacked(d, energy.size)
            )
            low, high = int(rows.min()), int(rows.max()) + 1
            channels, scalars = {}, {}
            for name, data in group.items():
                if not isinstance(data, h5py.Dataset) or name == axis:
                    continue
                if stacked(data, energy.size):
                    channels[name] = np.asarray(data[low:high], float)[rows - low]
                elif data.shape == (m,) and data.dtype.kind in "fiu":
                    scalars[name] = np.asarray(data[low:high], float)[rows - low]
            meta = {k: v for k, v in group.attrs.items() if isinstance(v, (str, int, float))}
    except (OSError, KeyError, RuntimeError) as exc:
        raise ReadError(f"{entries[0].path} is a damaged HDF5 file: {str(exc)[:120]}") from None
    return StackRows(energy, channels, scalars, meta)


def read_scans(
    entries: Sequence[Entry], mu: str | None = None, reference: str | None = None
) -> list[Scan | XasuiteError]:
    """The scan of each entry, or why it cannot be read."""
    groups = [e for e in entries if e.kind == GROUP]
    fetched: dict[Entry, Scan | XasuiteError] = {}
    for path in dict.fromkeys(e.path for e in groups):
        fetched |= _read_groups(path, [e for e in groups if e.path == path], mu, reference)
    return [fetched[e] if e in fetched else _read_one(e, mu, reference) for e in entries]


def _read_one(entry: Entry, mu: str | None, reference: str | None) -> Scan | XasuiteError:
    from .. import io

    try:
        if entry.kind == MEMBER:
            found = _members_of(entry.path, entry.size, mu, reference).get(entry.group)
            return found or ReadError(f"{entry.path}::{entry.group} is no XAFS scan")
        return io.read(entry.path, mu=mu, reference=reference)
    except XasuiteError as exc:
        return exc


@lru_cache(maxsize=2)
def _members_of(path: str, size: int, mu: str | None, reference: str | None) -> dict[str, Scan]:
    """Every scan of an Athena project: its text is one whole, so it is read as one."""
    from .. import io

    return {s.source.group: s for s in io.read_all(path, mu=mu, reference=reference)}


def _read_groups(
    path: str, entries: Sequence[Entry], mu: str | None, reference: str | None
) -> dict[Entry, Scan | XasuiteError]:
    """Groups of an HDF5 file, these and no others: copied into a file in memory and parsed as any other."""
    import h5py

    from .finish import finish
    from .formats.hdf5 import parse_hdf5

    out: dict[Entry, Scan | XasuiteError] = {}
    for entry in entries:
        memory = _io.BytesIO()
        try:
            with h5py.File(path, "r") as source, h5py.File(memory, "w") as copy:
                for name, value in source.attrs.items():
                    copy.attrs[name] = value
                source.copy(
                    source[entry.group] if entry.group else source["/"], copy, name=entry.group or "scan"
                )
            table = parse_hdf5(memory.getvalue(), path)[0]
            out[entry] = finish(
                table, Source(path, entry.group, "", table.format), mu=mu, reference=reference
            )
        except XasuiteError as exc:
            out[entry] = exc
        except (OSError, KeyError, RuntimeError, ValueError) as exc:
            out[entry] = ReadError(f"{path}::{entry.group} is damaged: {str(exc)[:120]}")
    return out
