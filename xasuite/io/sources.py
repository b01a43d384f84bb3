"""The scans of a series before any is read: which files, which groups in them, in which order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .. import files
from ..errors import ReadError, SeriesError, XasuiteError
from ..notices import warn
from ..records import Array, Scan, Source
from . import clean
from .axis import Asked
from .formats import nxxas
from .formats.hdf5 import Place, axis_kind, energy_axis, row_values, tables_in, walk
from .isolated import helped, isolated
from .limits import GZIP, HDF5
from .table import as_text

# names under which files of one scan are kept as text: such a file is not opened before it is read
_TEXT = re.compile(r"(\.(txt|dat|xmu|xdi|csv|tsv|asc|ascii|nor|norm|prn|ddf|chi|\d+))?$", re.I)
PATTERN_SECONDS = 5.0
FILE, GROUP, MEMBER, STACK = "file", "group", "member", "stack"
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Entry:
    """One scan: its file (or group, or row of a stacked array), with what identifies it before it is read.

    A stacked array is one entry with `rows` scans and row -1; `mtime` is the file's time of change in ns. A `growing` file may
    get more rows after those that were complete when it was listed.
    """

    path: str
    kind: str
    group: str = ""
    row: int = -1
    rows: int = 1
    size: int = 0
    mtime: int = 0
    growing: bool = False

    @property
    def label(self) -> str:
        """What the scan is called in tables."""
        if self.kind == STACK:
            return f"{as_text(Path(self.path).stem)}[{self.row}]"
        return as_text(self.group.rsplit("/", 1)[-1] if self.group else Path(self.path).name)

    @property
    def key(self) -> str:
        """Identity within a series: names without the folder, and the size of the file."""
        return f"{Path(self.path).name}::{self.group}::{self.rows}::{'' if self.growing else self.size}"

    def check(self) -> None:
        """Raise SeriesError when the file is gone or was changed since it was listed."""
        try:
            stat = Path(self.path).stat()
        except OSError:
            raise SeriesError(f"{self.path} is gone since the run began; what was done is kept") from None
        if not self.growing and (stat.st_size, stat.st_mtime_ns) != (self.size, self.mtime):
            raise SeriesError(
                f"{self.path} was changed since the run began; what was done before is kept: run again with --resume, or "
                "follow what is still being measured with xasuite watch"
            )

    def one_a_row(self, data: Any, n: int) -> bool:
        """Whether a dataset next to n energies holds one value a row; of a growing file it may hold more of them."""
        shape = data.shape
        return shape == (self.rows,) or (self.growing and len(shape) == 1 and self.rows <= shape[0] != n)


@dataclass(frozen=True, eq=False)
class Scans(Sequence[Entry]):
    """The scans of a series in order; a stacked array counts as its rows without an object for each.

    `order` (n,), where it is given, says which scan of the entries stands at each place.
    """

    entries: tuple[Entry, ...]
    order: Indices | None = field(default=None)

    @cached_property
    def _ends(self) -> Indices:
        return np.cumsum([e.rows for e in self.entries], dtype=np.intp)

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.entries else 0

    @overload
    def __getitem__(self, i: int) -> Entry: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Entry, ...]: ...
    def __getitem__(self, i: int | slice) -> Entry | tuple[Entry, ...]:
        if isinstance(i, slice):
            return tuple(self[j] for j in range(*i.indices(len(self))))
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        number, at = map(int, self._numbers(np.intp(i % len(self))))
        entry = self.entries[number]
        return replace(entry, row=at - int(self._ends[number]) + entry.rows) if entry.kind == STACK else entry

    def _numbers(self, indices: Any) -> tuple[Indices, Indices]:
        """Which entry each of the scans `indices` belongs to, and its place among all scans of the entries."""
        at = indices if self.order is None else self.order[indices]
        return np.searchsorted(self._ends, at, side="right"), at

    def by_stack(self, indices: Indices) -> Iterator[tuple[Entry, Indices, Indices]]:
        """(stacked array, positions in `indices`, its rows) of each array that holds some of the scans `indices`."""
        number, at = self._numbers(indices)
        for i in np.unique(number):
            if self.entries[i].kind == STACK:
                here = np.flatnonzero(number == i)
                yield self.entries[i], here, at[here] - (self._ends[i] - self.entries[i].rows)

    def single(self, indices: Indices) -> list[tuple[int, Entry]]:
        """(position in `indices`, entry) of the scans that are no rows of a stacked array."""
        found = ((i, self.entries[n]) for i, n in enumerate(self._numbers(indices)[0]))
        return [(i, e) for i, e in found if e.kind != STACK]

    def labels(self, indices: Indices) -> list[str]:
        """What the scans `indices` are called."""
        out = [""] * len(indices)
        for i, entry in self.single(indices):
            out[i] = entry.label
        for stack, at, rows in self.by_stack(indices):
            stem = as_text(Path(stack.path).stem)
            for i, row in zip(at, rows, strict=True):
                out[i] = f"{stem}[{row}]"
        return out


def natural(text: str) -> tuple[Any, ...]:
    """A sort key in which scan_9 comes before scan_10."""
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in re.split(r"(\d+)", text) if p)


def find_scans(patterns: Sequence[str], places: Iterable[Path]) -> Scans:
    """Every scan that the patterns name, ``files`` or ``files::groups`` with a regular expression for the groups.

    Of an HDF5 file that another program is writing, those that are whole now, with a warning. Raises ReadError when a
    pattern matches no file, SeriesError when no group, or when nothing is whole.
    """
    _read_one.cache_clear()  # a file may be another by now, with the same size and time
    _members_of.cache_clear()
    places = list(places)
    out: dict[Entry, None] = {}
    for text in patterns:
        pattern, _, groups = text.partition("::")
        found = whole_now(find_entries(find_files([pattern], places)).entries)
        if groups:
            check_pattern(groups, [e.group for e in found])
            chosen = tuple(e for e in found if re.search(groups, e.group))
            if not chosen:
                near = ", ".join(e.group for e in found[:8])
                raise SeriesError(f"{text}: no group matches {groups!r}; there are {near}")
            found = chosen
        out |= dict.fromkeys(found)
    # several patterns are one series: their files in one natural order, the groups of a file in its own
    rank = {path: i for i, path in enumerate(sorted({e.path for e in out}, key=natural))}
    return Scans(tuple(sorted(out, key=lambda e: rank[e.path])))


def check_pattern(pattern: str, names: Sequence[str]) -> None:
    """Raises SeriesError where a regular expression is none, or does not come to an end on some of the names."""
    try:
        isolated(pattern, lambda: [bool(re.search(pattern, name)) for name in names[:1000]], PATTERN_SECONDS)
    except re.error as exc:
        raise SeriesError(f"{pattern!r} is no regular expression: {exc}") from None
    except ReadError:
        raise SeriesError(
            f"the pattern {pattern!r} does not come to an end on names such as {names[0]!r}; write it without a repeat in a repeat"
        ) from None


def find_files(patterns: Sequence[str], places: Iterable[Path]) -> list[Path]:
    """Files that the patterns match in the first place that holds any, in natural order. Raises ReadError."""
    found: list[Path] = []
    places = list(dict.fromkeys(places))
    for pattern in patterns:
        absolute, parts = Path(pattern).is_absolute(), Path(pattern).parts
        if absolute and "**" in parts and all("*" in part for part in parts[1 : parts.index("**")]):
            raise ReadError(f"{pattern} names the whole machine; name a folder before the **")
        for place in [Path("/")] if absolute else places:
            try:
                named = place.glob(pattern.lstrip("/"))
                hits = [p for p in named if p.is_file() and not p.name.startswith(".")]
            except (OSError, ValueError, IndexError, NotImplementedError, RecursionError) as exc:
                why = exc.strerror if isinstance(exc, OSError) else exc
                raise ReadError(
                    f"{pattern[:100]!r} is no pattern of files that can be looked for: {why}"
                ) from None
            if hits:
                break
        else:
            tried = ", ".join(map(str, places))
            raise ReadError(
                f"no file {pattern} in {tried}; name the folder of measured spectra with --data-root or XASUITE_DATA"
            )
        found += hits
    return sorted(dict.fromkeys(found), key=lambda p: natural(str(p)))


def find_entries(found: Iterable[Path]) -> Scans:
    """Every scan of the files, in order. A file that cannot be opened is one entry, and fails when it is read."""
    out: list[Entry] = []
    for file in found:
        stat = file.stat()
        one = Entry(str(file), FILE, size=stat.st_size, mtime=stat.st_mtime_ns)
        magic = b""
        if not _TEXT.match(file.suffix):
            with open(file, "rb") as handle:
                magic = handle.read(8)
        if magic == HDF5:
            out += _hdf5_entries(one)
        elif file.suffix.lower() == ".prj" or magic[:2] == GZIP:
            out += _members(one)
        else:
            out.append(one)
    if not out:
        raise SeriesError("the series holds no scan")
    return Scans(tuple(out))


def _members(file: Entry) -> list[Entry]:
    from .reader import groups

    try:
        names = groups(file.path)
    except XasuiteError:
        return [file]
    return [file] if len(names) == 1 else [replace(file, kind=MEMBER, group=name) for name in names]


def whole_now(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The entries without what may be half-written: of files that another program has open, the last group and row.

    Warns of what was left out. Raises SeriesError when nothing is whole.
    """
    out: list[Entry] = []
    said = ""
    for path in dict.fromkeys(e.path for e in entries):
        held = [e for e in entries if e.path == path]
        if held[0].growing:
            held = [_without_last(e, e is held[-1]) for e in held]
            many = sum(e.rows for e in held)
            taken = f"the scans that are whole now, {many}, are taken, the last that has begun is not" if many else "no scan of it is whole yet"  # fmt: skip
            said = f"{path} is being written, or its writer did not close it: {taken}; xasuite watch {path} SPEC takes scans as they become whole"
            if many or len(held) < len(entries):
                warn(said)
        out += [e for e in held if e.rows]
    if not out:
        raise SeriesError(said)
    return tuple(out)


def _without_last(entry: Entry, last: bool) -> Entry:
    """An entry with its complete rows; a group that is the last has none."""
    if entry.kind != STACK:
        return replace(entry, rows=int(not last))
    return replace(entry, rows=max(isolated(entry.path, lambda: _rows_begun(entry)) - 1, 0))


def _rows_begun(stack: Entry) -> int:
    """How many rows of a stacked array hold data: rows may be allocated before they are measured."""
    with open_hdf5(stack.path) as handle:
        members = _place(stack, handle).members
        n = members[energy_axis(members)].size
        stacks = _stacks(members, n)
        for i in range(stack.rows - 1, -1, -1):
            if any(np.nan_to_num(np.asarray(d[i], float)).any() for d in stacks):
                return i + 1
    return 0


def _place(stack: Entry, handle: Any) -> Place:
    return Place.of(stack.path, stack.group, handle[stack.group] if stack.group else handle)


def open_hdf5(path: str | Path) -> Any:
    """An HDF5 file to read, also while another program writes it (single writer, multiple readers). Raises OSError."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError:
        return h5py.File(path, "r", libver="latest", swmr=True, locking=False)


def _hdf5_entries(file: Entry) -> list[Entry]:
    def work() -> tuple[list[tuple[str, int]], bool]:
        with open_hdf5(file.path) as handle:
            return list(_groups(handle, file.path)), bool(handle.swmr_mode)

    try:
        found, growing = isolated(file.path, work)
    except (OSError, RuntimeError, KeyError, ReadError):
        # the error is raised when its row is read, unless another program has locked the file now
        return [replace(file, growing=isolated(file.path, lambda: _locked(file.path)))]
    file = replace(file, growing=growing)
    out = [replace(file, kind=STACK if n else GROUP, group=group, rows=n or 1) for group, n in found]
    return sorted(out, key=lambda e: natural(e.group)) or [file]


def _locked(path: str) -> bool:
    import h5py

    try:
        h5py.File(path, "r").close()
    except OSError as exc:
        return isinstance(exc, BlockingIOError)
    return False


def _groups(handle: Any, file: str) -> Iterator[tuple[str, int]]:
    """(path, rows of its stacked arrays or 0) of every group with an energy axis."""
    for place in walk(Place(file, "", handle)):
        if axis := energy_axis(place.members):
            stacks = _stacks(place.members, place.members[axis].size)
            rows = min((d.shape[0] for d in stacks), default=None)
            if rows != 0:  # a stack that has not begun
                yield place.path, rows or 0
            place.members.clear()


def _stacks(members: Mapping[str, Any], n: int) -> list[Any]:
    import h5py

    return [d for d in members.values() if isinstance(d, h5py.Dataset) and _stacked(d, n)]


def _stacked(data: Any, n: int) -> bool:
    """Whether a dataset holds one row per spectrum: (m, n) with the energies last."""
    return data.ndim == 2 and data.shape[1] == n and data.shape[0] != n and "array_labels" not in data.attrs


@dataclass(frozen=True, eq=False)
class StackRows:
    """Rows `numbers` (m,) of a stacked HDF5 array: energy (n,), channels (m, n), scalars (m,); a hash of them all."""

    numbers: Indices
    energy: Array
    channels: dict[str, Array]
    scalars: dict[str, Array]
    content: str


def read_stack(stack: Entry, rows: Indices) -> StackRows:
    """Rows of a stacked array; only these are read. Raises ReadError."""
    return helped(stack.path, rows_of, stack, rows)


def rows_of(stack: Entry, rows: Indices) -> StackRows:
    """The same, read in this process."""
    import h5py
    import xxhash

    low, high = int(rows.min()), int(rows.max()) + 1
    whole = rows.size == high - low
    # few rows of many are picked in the file; of neighbours, picking afterwards is quicker
    few = high - low > 8 * rows.size
    read = rows if few else slice(low, high)
    pick = slice(None) if few or whole else rows - low
    channels, scalars = {}, {}
    try:
        with open_hdf5(stack.path) as handle:
            place = _place(stack, handle)
            members, axis = place.members, energy_axis(place.members)
            values, kind = np.asarray(members[axis][()], float), axis_kind(members[axis])
            energy = clean.to_ev(values, kind, 0.0, 0.0, [], stack.path)
            for name, data in members.items():
                if not isinstance(data, h5py.Dataset) or name == axis:
                    continue
                if _stacked(data, energy.size):
                    channels[name] = np.asarray(data[read], float)[pick]
                elif stack.one_a_row(data, energy.size) and data.dtype.kind in "fiu":
                    scalars[name] = np.asarray(data[read], float)[pick]
            for name, data in nxxas.detectors(place.entry, energy.size).items():
                if data.ndim == 2 and (data.shape[0] == stack.rows or stack.growing):
                    channels[name] = np.asarray(data[read], float)[pick]
            for name, data in row_values(place.entry, lambda d: stack.one_a_row(d, energy.size)).items():
                scalars.setdefault(name, np.asarray(data[read], float)[pick])
    except (OSError, KeyError, RuntimeError, ValueError) as exc:
        raise ReadError(f"{stack.path} is a damaged HDF5 file: {str(exc)[:120]}") from None
    digest = xxhash.xxh3_128(energy.tobytes())
    for values in (*channels.values(), *scalars.values()):
        digest.update(np.ascontiguousarray(values).data)
    return StackRows(rows, energy, channels, scalars, digest.hexdigest())


def content_of(scans: Scans, indices: Indices) -> str:
    """A hash of what reading these scans gives: equal for equal content, whatever the files are called."""
    known = [read_stack(stack, rows).content for stack, _, rows in scans.by_stack(indices)]
    single = [e for _, e in scans.single(indices)]
    groups = iter(read_scans([e for e in single if e.kind == GROUP]))
    known += [scan_content(e, next(groups) if e.kind == GROUP else None) for e in single]
    return joined(known)


def scan_content(entry: Entry, scan: Scan | XasuiteError | None) -> str:
    """The hash of one scan's content: that of its file, or of its arrays in an HDF5 file; "" where it cannot be read."""
    if isinstance(scan, Scan):
        return scan.source.sha256
    try:
        return "" if entry.kind == GROUP else files.sha256(entry.path)
    except OSError:
        return ""


def joined(content: Iterable[str]) -> str:
    """One hash of several."""
    import xxhash

    return xxhash.xxh3_128_hexdigest("\n".join(content).encode())


def read_scans(entries: Sequence[Entry], asked: Asked | None = None) -> list[Scan | XasuiteError]:
    """The scan of each entry, or why it cannot be read."""
    asked = asked or Asked()
    groups = [e for e in entries if e.kind == GROUP]
    fetched: dict[Entry, Scan | XasuiteError] = {}
    for path in dict.fromkeys(e.path for e in groups):
        fetched |= _read_groups(path, [e for e in groups if e.path == path], asked)
    return [fetched[e] if e in fetched else _read_one(e, asked) for e in entries]


@lru_cache(maxsize=16)
def _read_one(entry: Entry, asked: Asked) -> Scan | XasuiteError:
    """A file's scan. The last 16 are kept, so that a file that a plan or a running average has read is not opened again."""
    from .reader import read_as

    try:
        if entry.kind == MEMBER:
            found = _members_of(replace(entry, group=""), asked).get(entry.group)
            return found or ReadError(f"{entry.path}::{entry.group} is no XAFS scan")
        return read_as(entry.path, asked)
    except XasuiteError as exc:
        return exc


@lru_cache(maxsize=2)
def _members_of(file: Entry, asked: Asked) -> dict[str, Scan]:
    """Every scan of an Athena project, by group: its text cannot be read in parts."""
    from .reader import read_all

    return {s.source.group: s for s in read_all(file.path, **asked.named)}


def _read_groups(path: str, entries: Sequence[Entry], asked: Asked) -> dict[Entry, Scan | XasuiteError]:
    """The scans of these groups of an HDF5 file, opened once."""

    def work() -> dict[Entry, Scan | XasuiteError]:
        with open_hdf5(path) as source:
            return {e: _read_group(source, path, e.group, asked) for e in entries}

    try:
        return isolated(path, work)
    except (OSError, RuntimeError, ReadError) as exc:
        refused = exc if isinstance(exc, ReadError) else ReadError(f"{path} is damaged: {str(exc)[:120]}")
        return dict.fromkeys(entries, refused)


def _read_group(source: Any, path: str, group: str, asked: Asked) -> Scan | XasuiteError:
    from .finish import finish

    try:
        table = tables_in(source, path, group)[0]
        scan = finish(table, Source(path, group, "", table.format), asked)
    except XasuiteError as exc:
        return exc
    except (OSError, KeyError, RuntimeError, ValueError) as exc:
        return ReadError(f"{path}::{group} is damaged: {str(exc)[:120]}")
    digest = hashlib.sha256(scan.energy.tobytes())
    for name, values in sorted(scan.channels.items()):
        digest.update(name.encode() + values.tobytes())
    return replace(scan, source=replace(scan.source, sha256=digest.hexdigest()))
