"""HDF5: NXxas entries, and any group that holds an axis named energy beside arrays of its length."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ReadError
from ...records import Array
from ..table import Table, clean_names, generic_names

MAX_GROUPS = 200_000
MAX_DEPTH = 12
# Detectors of an NXxas entry: their group's name, and the channel's where it is another. The first form of
# NXxas speaks of beams and not of chambers.
_DETECTORS = {
    "i0": "",
    "itrans": "",
    "ifluor": "",
    "irefer": "",
    "iref": "",
    "ir": "",
    "it": "",
    "incoming_beam": "i0",
}
# An axis of energies: as files name it, and as ESRF BLISS and SOLEIL name what the encoder read
_ENERGY = re.compile(
    r"^((mono_?)?energy(_?(ev|enc|encoder|readback|rbv|fbk|achieved))?|e|en|(photon|enc|mono)_?energy|energies|x)$",
    re.I,
)
_MEASURED = re.compile(r"enc|readback|rbv|fbk|achieved", re.I)


def energy_axis(members: Mapping[str, Any]) -> str:
    """The name of a group's axis of energies, what was measured before what was asked for; "" when there is none."""
    import h5py

    found = [
        name for name, data in members.items()
        if _ENERGY.match(name) and isinstance(data, h5py.Dataset) and data.ndim == 1 and data.size > 1
    ]  # fmt: skip
    return min(found, key=lambda name: not _MEASURED.search(name), default="")


def parse_hdf5(content: bytes, name: str) -> list[Table]:
    """Every scan of an HDF5 file. Raises ReadError when it holds none or is damaged."""
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as handle:
            tables: list[Table] = []
            _visit(handle, "", tables, handle, set())
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        UnicodeError,
        OverflowError,
        AttributeError,
    ) as exc:
        raise ReadError(f"{name} is a damaged HDF5 file: {str(exc)[:120]}") from None
    if not tables:
        raise ReadError(
            f"{name}: not XAFS: no group of this HDF5 file holds an axis named energy beside its data"
        )
    return tables


def _visit(group: Any, path: str, tables: list[Table], root: Any, seen: set[int]) -> None:
    """Take up this group when it holds an axis of energies and data beside it, else look into its groups."""
    import h5py

    address = h5py.h5o.get_info(group.id).addr
    if address in seen or len(tables) > MAX_GROUPS or path.count("/") > MAX_DEPTH:
        return
    seen.add(address)
    members = {str(k): group.get(k) for k in group}
    datasets = {k: v for k, v in members.items() if isinstance(v, h5py.Dataset) and v.dtype.kind in "fiu"}
    axis = energy_axis(datasets)
    if axis and any(k != axis and datasets[axis].size in v.shape for k, v in datasets.items()):
        tables.extend(_tables(group, path, axis, datasets, root))
        return
    for key, value in members.items():
        if isinstance(value, h5py.Group):
            _visit(value, f"{path}/{key}" if path else key, tables, root, seen)


def _entry(group: Any) -> Any:
    """The entry that describes a group: itself, or the NXentry above a group of plain data."""
    parent = group.parent
    above = _plain(parent.attrs.get("NX_class", "")) == "NXentry" and parent.name != group.name
    return parent if above and _plain(group.attrs.get("NX_class", "")) == "NXdata" else group


def _tables(group: Any, path: str, axis: str, datasets: dict[str, Any], root: Any) -> list[Table]:
    """The scan of a group; as many as its rows when it holds stacks (m, n) on one axis."""
    energy = np.asarray(datasets[axis][()], float)
    n = energy.size
    columns: dict[str, Array] = {"energy": energy}
    stacks: dict[str, Array] = {}
    for key, data in datasets.items():
        if key == axis or data.dtype.kind not in "fiu":
            continue
        if data.shape == (n,):
            columns["energy_asked" if key == "energy" else key] = np.asarray(data[()], float)
        elif data.ndim == 2 and data.shape[0] == n:
            values = np.asarray(data[()], float)
            for label, column in zip(_labels(data, group, root, values.shape[1], key), values.T, strict=True):
                columns.setdefault(label, column)
        elif data.ndim == 2 and data.shape[1] == n:
            values = np.asarray(data[()], float)
            labels = _labels(data, group, root, values.shape[0], "")
            if labels:
                for label, column in zip(labels, values, strict=True):
                    columns.setdefault(label, column)
            else:
                stacks[key] = values
    for key, name in _DETECTORS.items():
        detector = _entry(group).get(f"instrument/{key}/data")
        shape = getattr(detector, "shape", None)
        if shape == (n,):
            columns[name or key] = np.asarray(detector[()], float)
        elif shape is not None and len(shape) == 2 and shape[1] == n:
            stacks[name or key] = np.asarray(detector[()], float)
    if not stacks:
        return [_table(group, path, columns, datasets)]
    rows = next(iter(stacks.values())).shape[0]
    out = []
    for i in range(rows):
        row = {**columns, **{k: v[i] for k, v in stacks.items() if v.shape[0] == rows}}
        out.append(_table(group, f"{path}/{i}" if path else str(i), row, datasets))
    return out


def _table(group: Any, path: str, columns: dict[str, Array], datasets: dict[str, Any]) -> Table:
    raw = [k for k in columns if k != "energy"]
    own = "xasuite" in group
    names = ["energy", *(raw if own else clean_names(raw))] if raw else ["energy"]
    table = Table(names=names, columns=np.array(list(columns.values())), axis="energy")
    table.group = path
    table.format = "hdf5"
    table.meta = _attributes(group)
    entry = _entry(group)
    definition = _text(entry, "definition")
    if "xas" in definition.lower():
        table.format = "nxxas"
    axis = energy_axis(datasets)
    unit = str(_plain(datasets[axis].attrs.get("units", ""))) if axis else ""
    table.axis_kind = {"ev": "eV", "kev": "keV"}.get(unit.strip().lower(), "")
    _facts(table, entry)
    table.label = _text(entry, "sample/name") or _text(entry, "title") or path.rsplit("/", 1)[-1]
    if definition and "xas" in definition.lower():
        table.label = _text(entry, "title") or table.label
    table.hints = f"{table.label} {path.replace('_', ' ')}"
    mode = _text(entry, "mode") or _text(entry, "mode/name")
    if mode:
        table.meta["mode"] = mode
    if own:
        table.trusted = True
        table.mu_expr = _text(group, "xasuite/mu_expression")
        table.reference_expr = _text(group, "xasuite/reference_expression")
        table.meta |= _json(_text(group, "process/notes"))
        table.notes += [str(n) for n in table.meta.pop("notes", [])]
    _choose_mu(table, mode.lower())
    return table


def _choose_mu(table: Table, mode: str) -> None:
    """NXxas: raw intensities before the entry's own `intensity`, which may be normalised."""
    names = set(table.names)
    if table.mu_expr or table.format != "nxxas":
        return
    if {"absorbed_beam", "i0"} <= names:
        table.mu_expr = "absorbed_beam/i0" if "fluor" in mode or "yield" in mode else "ln(i0/absorbed_beam)"
        return
    if "intensity" not in names:
        return
    raw = "ifluor/i0" if "fluor" in mode else "ln(i0/itrans)"
    needed = {"i0", "ifluor"} if "fluor" in mode else {"i0", "itrans"}
    if needed <= names:
        table.mu_expr = raw
        table.notes.append(f"mu = {raw} from the raw intensities; the entry's own 'intensity' is a channel")
    else:
        table.mu_expr = "intensity"


def _labels(data: Any, group: Any, root: Any, count: int, fallback: str) -> list[str]:
    """Labels of the columns of a two-dimensional array, from attributes of it, its group or the file.

    A list longer than the array names the last columns (those before are the axes kept beside it); a name
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
    value = _plain(value)
    if isinstance(value, str):
        if value.strip().startswith("["):
            try:
                return [str(v) for v in json.loads(value)]
            except ValueError:
                pass
        return [v for v in re.split(r"[,;\s]+", value) if v]
    return [str(_plain(v)) for v in np.atleast_1d(value)]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _text(group: Any, path: str) -> str:
    import h5py

    found = group.get(path)
    if not isinstance(found, h5py.Dataset) or found.size != 1:
        return ""
    value = _plain(found[()])
    if isinstance(value, np.ndarray):
        value = _plain(value.ravel()[0])
    return (
        str(value).strip() if not isinstance(value, (np.floating, np.integer, float, int)) else f"{value:g}"
    )


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _facts(table: Table, group: Any) -> None:
    """Element, edge and d-spacing where an NXxas entry keeps them."""
    from ...edges import is_element
    from .xdi import leading_number

    for path in ("element/symbol", "element", "absorbed_beam/element"):
        symbol = _text(group, path).capitalize()
        if is_element(symbol):
            table.element = symbol
            break
    for path in ("edge/name", "edge", "absorbed_beam/edge"):
        edge = _text(group, path).upper()
        if re.fullmatch(r"K|[LM][1-5]|L2,?3|L3,?2", edge):
            table.edge = edge
            break
    table.d_spacing = leading_number(_text(group, "instrument/monochromator/crystal/d_spacing"))
    table.e0 = leading_number(_text(group, "scan/edge_energy"))
    for path in ("scan/start_time", "start_time", "sample/name", "instrument/source/name", "instrument/name"):
        value = _text(group, path)
        if value:
            table.meta[path.replace("/", "_")] = value


def _attributes(group: Any) -> dict[str, Any]:
    """Attributes of a group as metadata; a text header of "key: value" lines is taken apart."""
    meta: dict[str, Any] = {}
    for key, value in group.attrs.items():
        value = _plain(value)
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str) and "\n" in value:
            for line in value.splitlines():
                pair = re.match(r"^[#\s]*([A-Za-z][\w .\-]*?)\s*:\s*(.*)$", line)
                if pair:
                    meta.setdefault(pair.group(1), pair.group(2).strip())
        elif isinstance(value, (str, int, float, bool)):
            meta[str(key)] = value
    return meta
