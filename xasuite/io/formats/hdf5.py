"""HDF5: NXxas entries, and any group that holds an axis named energy and arrays of its length."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ReadError
from ...records import Array
from ..isolated import isolated
from ..limits import LIMIT_ENV, max_bytes
from ..table import Table, clean_names, generic_names
from . import nxxas
from .members import Known, members_of
from .nxxas import plain, text

MAX_GROUPS = 200_000
MAX_DEPTH = 12
# A damaged file can hang libhdf5. Undamaged ones are read at 50 MB/s and more, on a busy machine at a fifth of that
LEAST_SECONDS, SECONDS_PER_BYTE = 15.0, 1e-7
# what h5py raises for damage
_DAMAGED = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, UnicodeError, OverflowError, AttributeError, MemoryError,
)  # fmt: skip
# An axis of energies: as files name it, and as ESRF BLISS, SOLEIL, Diamond, MAX IV and BESSY name the monochromator's
_ENERGY = re.compile(
    r"^(\w*energy(_?(ev|enc|encoder|readback|rbv|fbk|achieved|acs))?|e|en|energies|x)$",
    re.I,
)
_MEASURED = re.compile(r"enc|readback|rbv|fbk|achieved", re.I)


@dataclass(eq=False)
class Place:
    """A group of a file: its path from the root, and `above`, the group that holds it where that is an NXentry."""

    file: str
    path: str
    group: Any
    above: Known | None = None
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, file: str, path: str, group: Any) -> Place:
        """The place of a group that was opened by its path."""
        return cls(file, path, group, _as_entry(group.parent, file) if group.name != "/" else None)

    @cached_property
    def members(self) -> dict[str, Any]:
        """Members by name; those that may not be opened are in `refused` with the reason."""
        return members_of(self.group, self.file, self.refused)

    @cached_property
    def entry(self) -> Known:
        """The entry that describes this group: itself, or the NXentry above a group of plain data."""
        plain_data = self.above is not None and plain(self.group.attrs.get("NX_class", "")) == "NXdata"
        return (
            self.above
            if self.above is not None and plain_data
            else Known(self.group, self.file, self.refused, self.members)
        )


def walk(place: Place, seen: set[int] | None = None) -> Iterator[Place]:
    """A group and all groups below it, each once, whatever links lead to it.

    As in `os.walk`, members that the caller removes are not entered. Groups deeper than MAX_DEPTH are left out. Raises
    ReadError for more than MAX_GROUPS.
    """
    import h5py

    seen = set() if seen is None else seen
    address = h5py.h5o.get_info(place.group.id).addr
    if address in seen or place.path.count("/") > MAX_DEPTH:
        return
    if len(seen) >= MAX_GROUPS:
        raise ReadError(
            f"{place.file} holds more than {MAX_GROUPS} groups; name one as {Path(place.file).name}::group"
        )
    seen.add(address)
    yield place
    inside = [(k, v) for k, v in place.members.items() if isinstance(v, h5py.Group)]
    above = _as_entry(place.group, place.file) if inside else None
    for key, group in inside:
        yield from walk(Place(place.file, f"{place.path}/{key}".lstrip("/"), group, above), seen)


def _as_entry(group: Any, file: str) -> Known | None:
    return Known(group, file, {}) if plain(group.attrs.get("NX_class", "")) == "NXentry" else None


def energy_axis(members: Mapping[str, Any]) -> str:
    """The name of a group's energy axis, the measured one before the setpoint; "" when there is none."""
    import h5py

    found = [
        name for name, data in members.items()
        if _ENERGY.match(name) and isinstance(data, h5py.Dataset) and data.ndim == 1 and data.size > 1
    ]  # fmt: skip
    return min(found, key=lambda name: not _MEASURED.search(name), default="")


def axis_kind(axis: Any) -> str:
    """The unit that an axis states: "eV", "keV" or ""."""
    unit = str(plain(axis.attrs.get("units", "")))
    return {"ev": "eV", "kev": "keV"}.get(unit.strip().lower(), "")


def parse_hdf5(content: bytes | Path, name: str, only: str = "") -> list[Table]:
    """Every scan of an HDF5 file, read in a child process, as a damaged file can end it; see `tables_in`."""
    import h5py

    def work() -> list[Table]:
        try:
            with h5py.File(io.BytesIO(content) if isinstance(content, bytes) else content, "r") as handle:
                return tables_in(handle, name, only)
        except _DAMAGED as exc:
            raise ReadError(f"{name}: {_why(exc)}") from None

    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    return isolated(name, work, LEAST_SECONDS + SECONDS_PER_BYTE * size)


def _why(exc: Exception) -> str:
    if isinstance(exc, MemoryError):
        return f"it takes more memory than a file may ({max_bytes() / 1e9:g} GB, {LIMIT_ENV}); name a group or a row of it"
    # without h5py's wrapping of the library's own words
    said = re.sub(r"^Unable to .* \((.*)\)$", r"\1", str(exc)[:120])
    return f"damaged HDF5: {said}; copy the file again"


def tables_in(handle: Any, name: str, only: str = "") -> list[Table]:
    """Every scan of an open HDF5 file; where one is called exactly `only`, that alone is read.

    A group that is damaged, or keeps its values where they may not be read, is a table with a refusal. Raises ReadError
    when the file holds none, and what h5py raises for a damaged file.
    """
    tables = _exact(handle, name, only) if only else []
    tables = tables or [t for place in walk(Place(name, "", handle)) for t in _scans(place)]
    if not tables:
        raise ReadError(
            f"{name}: not XAFS: no group of this HDF5 file holds an axis named energy with its data"
        )
    return tables


def _exact(root: Any, name: str, only: str) -> list[Table]:
    """The group of that name, or the row of a stack that it names, where there is one and it is a single scan."""
    import h5py

    above, _, last = only.rpartition("/")
    for path, row in ((only, None), (above, int(last) if last.isdigit() else None)):
        group = root.get(path) if path else root
        if isinstance(group, h5py.Group) and (path == only or row is not None):
            found = [t for place in walk(Place.of(name, path, group)) for t in _scans(place, row)]
            if [t.group for t in found] == [only]:
                return found
    return []


def _scans(place: Place, row: int | None = None) -> list[Table]:
    """The scans of a group with an axis of energies and data, whose own groups are then not entered; else none.

    With `row` that row of a stack alone is read, and no other group.
    """
    import h5py

    members, found = place.members, []
    datasets = {k: v for k, v in members.items() if isinstance(v, h5py.Dataset) and v.dtype.kind in "fiu"}
    axis = energy_axis(datasets)
    if axis and any(k != axis and datasets[axis].size in v.shape for k, v in datasets.items()):
        try:
            found = _tables(place, axis, datasets, row)
        except _DAMAGED as exc:
            found = [Table.refused(place.path, _why(exc))]
        reasons = {**(place.above.refused if place.above is not None else {}), **place.refused}
        for table in found:
            table.notes += reasons.values()
    elif row is None and any(isinstance(m, h5py.Group) for m in members.values()):
        return []
    elif row is None and place.refused:
        found = [Table.refused(place.path, next(iter(place.refused.values())))]
    members.clear()
    return found


def _tables(place: Place, axis: str, datasets: dict[str, Any], row: int | None) -> list[Table]:
    """The scan of a group; as many as its rows when it holds stacks (m, n) on one axis, or the one that is asked for."""
    columns, stacks = _by_shape(place, axis, datasets)
    if not stacks:
        return [_table(place, place.path, columns, datasets[axis])]
    rows = next(iter(stacks.values())).shape[0]
    wanted = range(rows) if row is None else range(row, min(row + 1, rows))
    held = {
        k: np.asarray(v[wanted.start : wanted.stop], float) for k, v in stacks.items() if v.shape[0] == rows
    }
    here = {k: d for k, d in datasets.items() if k != axis and k not in columns and d.shape == (rows,)}
    here |= row_values(place.entry, lambda d: d.shape == (rows,))
    beside = {k: d[wanted.start : wanted.stop] for k, d in here.items()}
    out: list[Table] = []
    for at, i in enumerate(wanted):
        whole = {**columns, **{k: v[at] for k, v in held.items()}}
        name = f"{place.path}/{i}".lstrip("/")
        if out and not out[0].trusted:  # what the entry says is read once
            first, named = out[0], out[0].group.rsplit("/", 1)[-1]
            label = str(i) if first.label == named else first.label
            table = replace(
                first, columns=np.array(list(whole.values())), group=name, label=label,
                hints=f"{label} {name.replace('_', ' ')}", notes=[*first.notes], meta=dict(first.meta),
            )  # fmt: skip
        else:
            table = _table(place, name, whole, datasets[axis], i)
        table.meta |= {k: float(d[at]) for k, d in beside.items()}
        out.append(table)
    return out


def _by_shape(place: Place, axis: str, datasets: dict[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Columns (n,) along the energies, and stacks (m, n), a dataset each, by their names."""
    entry = place.entry
    energy = np.asarray(datasets[axis][()], float)
    n = energy.size
    columns: dict[str, Array] = {"energy": energy}
    stacks: dict[str, Any] = {}

    def keep(name: str, data: Any) -> None:
        if data.ndim == 1:
            columns[name] = np.asarray(data[()], float)
        else:
            stacks[name] = data

    for key, data in datasets.items():
        if key == axis:
            continue
        if data.shape == (n,):
            keep("energy_asked" if key == "energy" else key, data)
        elif data.ndim == 2 and n in data.shape:
            upright = data.shape[0] == n  # a row for each energy
            labels = _labels(data, place.group, data.shape[1 if upright else 0], key if upright else "")
            if not labels:
                keep(key, data)
                continue
            values = np.asarray(data[()], float)
            for label, column in zip(labels, values.T if upright else values, strict=True):
                columns.setdefault(label, column)
    for name, data in nxxas.detectors(entry, n).items():
        keep(name, data)
    found = nxxas.reference(entry, energy)
    if found is not None and nxxas.is_nxxas(entry):
        keep("muref", found)
    if nxxas.is_own(entry) and (held := nxxas.own_channels(entry)):
        columns = {"energy": energy} | {k: v for k, v in held.items() if v.ndim == 1}
        stacks = {k: v for k, v in held.items() if v.ndim == 2}
    return columns, stacks


def row_values(entry: Mapping[str, Any], one_a_row: Callable[[Any], bool]) -> dict[str, Any]:
    """Datasets (m,) of a stack, one value a row: what NXdata has along its rows, and the sample's temperature."""
    import h5py

    beside = {**entry.get("data", {}), "temperature": entry.get("sample/temperature")}
    return {
        k: d for k, d in beside.items()
        if isinstance(d, h5py.Dataset) and one_a_row(d) and d.dtype.kind in "fiu"
    }  # fmt: skip


def _table(place: Place, path: str, columns: dict[str, Array], axis: Any, row: int = -1) -> Table:
    entry = place.entry
    raw = [k for k in columns if k != "energy"]
    own = nxxas.is_own(entry)
    names = ["energy", *(raw if own else clean_names(raw))]
    table = Table(names=names, columns=np.array(list(columns.values())), axis="energy")
    table.group = path
    table.format = "hdf5"
    table.meta = _attributes(place.group)
    table.axis_kind = axis_kind(axis)
    nxxas.describe(table, entry)
    table.label = text(entry, "sample/name") or text(entry, "title") or path.rsplit("/", 1)[-1]
    if table.format == "nxxas":
        table.label = text(entry, "title") or table.label
    table.hints = f"{table.label} {path.replace('_', ' ')}"
    if own:
        nxxas.own_facts(table, entry, row)
    elif table.format == "nxxas":
        nxxas.choose_mu(table)
    return table


def _labels(data: Any, group: Any, count: int, fallback: str) -> list[str]:
    """Labels of the columns of a two-dimensional array, from attributes of it, its group or the file.

    A list longer than the array names the last columns (those before are the axes kept in other datasets); a name
    in parentheses ("ADC_02(It)") is the one that counts.
    """
    for holder in (data, group, group.file):
        for key in ("array_labels", "column_labels", "columns", "labels", "channels", "column_names"):
            if key in holder.attrs:
                labels = _list(holder.attrs[key])
                if len(labels) >= count:
                    return [_inner(label) for label in labels[-count:]]
    if not fallback:
        return []
    return [f"{fallback}_{g}" for g in generic_names(count)] if count > 1 else [fallback]


def _inner(label: str) -> str:
    found = re.search(r"\(([A-Za-z]\w*)\)", label)
    return found.group(1) if found and found.group(1).lower() not in {"ev", "kev", "a", "v"} else label


def _list(value: Any) -> list[str]:
    value = plain(value)
    if isinstance(value, str):
        if value.strip().startswith("["):
            try:
                return [str(v) for v in json.loads(value)]
            except ValueError:
                pass
        return [v for v in re.split(r"[,;\s]+", value) if v]
    return [str(plain(v)) for v in np.atleast_1d(value)]


def _attributes(group: Any) -> dict[str, Any]:
    """Attributes of a group as metadata; a text header of "key: value" lines is taken apart."""
    meta: dict[str, Any] = {}
    for key, value in group.attrs.items():
        value = plain(value)
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str) and "\n" in value:
            for line in value.splitlines():
                if pair := re.match(r"^[#\s]*([A-Za-z][\w .\-]*?)\s*:\s*(.*)$", line):
                    meta.setdefault(pair.group(1), pair.group(2).strip())
        elif isinstance(value, (str, int, float, bool)):
            meta[str(key)] = value
    return meta
