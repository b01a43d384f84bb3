"""HDF5: NXxas entries, and any group that holds an axis named energy and arrays of its length."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class Visit:
    """What a walk through a file keeps: its root, the file's name, the addresses of groups that it has seen, the tables found."""

    root: Any
    file: str
    seen: set[int] = field(default_factory=set)
    tables: list[Table] = field(default_factory=list)


def energy_axis(members: Mapping[str, Any]) -> str:
    """The name of a group's axis of energies, what was measured before what was asked for; "" when there is none."""
    import h5py

    found = [
        name for name, data in members.items()
        if _ENERGY.match(name) and isinstance(data, h5py.Dataset) and data.ndim == 1 and data.size > 1
    ]  # fmt: skip
    return min(found, key=lambda name: not _MEASURED.search(name), default="")


def axis_kind(axis: Any) -> str:
    """What an axis says that it holds: "eV", "keV" or ""."""
    unit = str(plain(axis.attrs.get("units", "")))
    return {"ev": "eV", "kev": "keV"}.get(unit.strip().lower(), "")


def parse_hdf5(content: bytes | Path, name: str, only: str = "") -> list[Table]:
    """Every scan of an HDF5 file, read in a process that may die; see `tables_in`."""
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
    if not tables:
        visit = Visit(handle, name)
        _visit(handle, "", visit)
        tables = visit.tables
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
            visit = Visit(root, name)
            _visit(group, path, visit, row, _above(group))
            if [t.group for t in visit.tables] == [only]:
                return visit.tables
    return []


def _visit(group: Any, path: str, visit: Visit, row: int | None = None, above: Known | None = None) -> None:
    """Take up this group when it holds an axis of energies and data, else look into its groups.

    With `row` that row of a stack alone is read, and no other group. `above` is the group that holds this one, where
    that is an NXentry.
    """
    import h5py

    address = h5py.h5o.get_info(group.id).addr
    if address in visit.seen or path.count("/") > MAX_DEPTH:
        return
    if len(visit.seen) >= MAX_GROUPS:
        raise ReadError(
            f"{visit.file} holds more than {MAX_GROUPS} groups; name one as {Path(visit.file).name}::group"
        )
    visit.seen.add(address)
    refused: dict[str, str] = {}
    members = members_of(group, visit.file, refused)
    datasets = {k: v for k, v in members.items() if isinstance(v, h5py.Dataset) and v.dtype.kind in "fiu"}
    axis = energy_axis(datasets)
    if axis and any(k != axis and datasets[axis].size in v.shape for k, v in datasets.items()):
        try:
            entry = _entry(group, above)
            found = _tables(group, entry, path, axis, datasets, visit.root, row)
        except _DAMAGED as exc:
            found = [Table.refused(path, _why(exc))]
        for table in found:
            table.notes += refused.values()
        visit.tables.extend(found)
        return
    if row is not None:
        return
    if refused and not any(isinstance(m, h5py.Group) for m in members.values()):
        visit.tables.append(Table.refused(path, next(iter(refused.values()))))
    inside = [(k, v) for k, v in members.items() if isinstance(v, h5py.Group)]
    above = _as_entry(group) if inside else None
    for key, value in inside:
        _visit(value, f"{path}/{key}" if path else key, visit, above=above)


def entry_of(group: Any) -> Known:
    """The entry that describes a group: itself, or the NXentry above a group of plain data."""
    return _entry(group, _above(group))


def _entry(group: Any, above: Known | None) -> Known:
    plain_data = above is not None and plain(group.attrs.get("NX_class", "")) == "NXdata"
    return above if above is not None and plain_data else Known(group)


def _above(group: Any) -> Known | None:
    """The group that holds this one, where it is an NXentry."""
    return _as_entry(group.parent) if group.name != "/" else None


def _as_entry(group: Any) -> Known | None:
    return Known(group) if plain(group.attrs.get("NX_class", "")) == "NXentry" else None


def _tables(
    group: Any, entry: Known, path: str, axis: str, datasets: dict[str, Any], root: Any, row: int | None
) -> list[Table]:
    """The scan of a group; as many as its rows when it holds stacks (m, n) on one axis, or the one that is asked for."""
    columns, stacks = _by_shape(group, entry, axis, datasets, root)
    if not stacks:
        return [_table(group, entry, path, columns, datasets[axis])]
    rows = next(iter(stacks.values())).shape[0]
    wanted = range(rows) if row is None else range(row, min(row + 1, rows))
    held = {
        k: np.asarray(v[wanted.start : wanted.stop], float) for k, v in stacks.items() if v.shape[0] == rows
    }
    here = {k: d for k, d in datasets.items() if k != axis and k not in columns and d.shape == (rows,)}
    here |= row_values(entry, lambda d: d.shape == (rows,))
    beside = {k: d[wanted.start : wanted.stop] for k, d in here.items()}
    out: list[Table] = []
    for at, i in enumerate(wanted):
        whole = {**columns, **{k: v[at] for k, v in held.items()}}
        name = f"{path}/{i}" if path else str(i)
        if out and not out[0].trusted:  # what the entry says is read once
            first, named = out[0], out[0].group.rsplit("/", 1)[-1]
            label = str(i) if first.label == named else first.label
            table = replace(
                first, columns=np.array(list(whole.values())), group=name, label=label,
                hints=f"{label} {name.replace('_', ' ')}", notes=[*first.notes], meta=dict(first.meta),
            )  # fmt: skip
        else:
            table = _table(group, entry, name, whole, datasets[axis], i)
        table.meta |= {k: float(d[at]) for k, d in beside.items()}
        out.append(table)
    return out


def _by_shape(
    group: Any, entry: Known, axis: str, datasets: dict[str, Any], root: Any
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Columns (n,) along the energies, and stacks (m, n), a dataset each, by their names."""
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
            labels = _labels(data, group, root, data.shape[1 if upright else 0], key if upright else "")
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


def row_values(entry: Any, one_a_row: Callable[[Any], bool]) -> dict[str, Any]:
    """Datasets (m,) of a stack, one value a row: what NXdata has along its rows, and the sample's temperature."""
    import h5py

    beside = {**entry.get("data", {}), "temperature": entry.get("sample/temperature")}
    return {
        k: d for k, d in beside.items()
        if isinstance(d, h5py.Dataset) and one_a_row(d) and d.dtype.kind in "fiu"
    }  # fmt: skip


def _table(group: Any, entry: Known, path: str, columns: dict[str, Array], axis: Any, row: int = -1) -> Table:
    raw = [k for k in columns if k != "energy"]
    own = nxxas.is_own(entry)
    names = ["energy", *(raw if own else clean_names(raw))]
    table = Table(names=names, columns=np.array(list(columns.values())), axis="energy")
    table.group = path
    table.format = "hdf5"
    table.meta = _attributes(group)
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


def _labels(data: Any, group: Any, root: Any, count: int, fallback: str) -> list[str]:
    """Labels of the columns of a two-dimensional array, from attributes of it, its group or the file.

    A list longer than the array names the last columns (those before are the axes kept in other datasets); a name
    in parentheses ("ADC_02(It)") is the one that counts.
    """
    for holder in (data, group, root):
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
