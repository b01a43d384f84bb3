"""NXxas: the place of each fact in an entry, in one table for reading and for writing.

The first place of each is that of the definition proposed in 2026 (nexusformat/definitions, pull request 1640); those
behind it are of older drafts and are read only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...edges import is_element
from ...records import Array
from ..table import Table, leading_number

DEFINITION = "https://github.com/nexusformat/definitions/pull/1640"

# The key of XDI's dictionary, the unit that is written, and the places in an entry
_SOURCE, _CRYSTAL = "instrument/source", "instrument/monochromator/crystal"
PLACES: dict[str, tuple[str, ...]] = {
    "Facility.name": (f"{_SOURCE}/name",),
    "Facility.energy": (f"{_SOURCE}/energy",),
    "Facility.current": (f"{_SOURCE}/current",),
    "Facility.xray_source": (f"{_SOURCE}/xray_source",),
    "Beamline.name": ("instrument/name", "instrument/beamline/name", f"{_SOURCE}/beamline"),
    "Mono.d_spacing": (f"{_CRYSTAL}/d_spacing",),
    "Scan.start_time": ("start_time", "scan/start_time"),
    "Scan.end_time": ("end_time",),
    "Scan.edge_energy": ("edge/energy", "scan/edge_energy"),
    "Sample.temperature": ("sample/temperature",),
    "Sample.formula": ("sample/chemical_formula",),
    "Sample.prep": ("sample/description", "sample/prep"),
    "Detector.i0": ("instrument/i0/description",),
    "Detector.it": ("instrument/itrans/description",),
    "Detector.ir": ("instrument/iref/description",),
    "Detector.if": ("instrument/ifluor/description",),
}
ELEMENT = (
    "element/symbol",
    "element/name",
    "element",
    "absorber/chemical_symbol",
    "absorber/name",
    "absorbed_beam/element",
)
EDGE = ("edge/name", "edge", "absorbed_beam/edge")
CALCULATED = "calculated"  # of older drafts: the contrary of is_experimental
# Detectors: their group's name, and the channel's where it is another. The first form of NXxas names beams and not
# of chambers.
DETECTORS = {
    **dict.fromkeys(("i0", "itrans", "ifluor", "iref", "irefer", "ir", "it"), ""),
    "if": "ifluor",
    "ielectron": "",
    "incoming_beam": "i0",
}
_EDGE = re.compile(r"K|[L-P][1-7](,[1-7])?|L2,?3|L3,?2")


def plain(value: Any) -> Any:
    """Bytes as text, anything else as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def text(entry: Mapping[str, Any], path: str) -> str:
    """A dataset of one value as text, "" where there is none."""
    import h5py

    found = entry.get(path)
    if not isinstance(found, h5py.Dataset) or found.size != 1:
        return ""
    value = plain(np.asarray(found[()]).ravel()[0])
    return f"{value:g}" if isinstance(value, (np.floating, np.integer)) else str(value).strip()


def is_nxxas(entry: Mapping[str, Any]) -> bool:
    """Whether an entry says that it is NXxas, of any draft and mode."""
    return "xas" in text(entry, "definition").lower()


def describe(table: Table, entry: Mapping[str, Any]) -> None:
    """Put element, edge, d-spacing, mode and the other facts of an entry into a Table."""
    symbols = (text(entry, path).capitalize() for path in ELEMENT)
    table.element = next((s for s in symbols if is_element(s)), "")
    table.edge = next((e for path in EDGE if _EDGE.fullmatch(e := text(entry, path).upper())), "")
    for key, places in PLACES.items():
        value = next((f"{v} {unit(entry, p)}".strip() for p in places if (v := text(entry, p))), "")
        if value:
            table.meta[key] = value
    table.d_spacing = leading_number(table.meta.get("Mono.d_spacing", ""))
    table.e0 = leading_number(table.meta.get("Scan.edge_energy", ""))
    if name := _crystal(entry):
        table.meta["Mono.name"] = name
    said = {"definition": text(entry, "definition"), "mode": text(entry, "mode") or text(entry, "mode/name")}
    table.meta |= {key: value for key, value in said.items() if value}
    if is_nxxas(entry):
        table.format = "nxxas"
        _measured(table, entry)


def _crystal(entry: Mapping[str, Any]) -> str:
    """The monochromator's crystal as XDI names it, "Si(111)"."""
    kind, found = text(entry, f"{_CRYSTAL}/type"), entry.get(f"{_CRYSTAL}/reflection")
    hkl = "" if found is None or found.shape != (3,) else "".join(f"{int(i)}" for i in found[()])
    return f"{kind}({hkl})" if kind and hkl else kind


def _measured(table: Table, entry: Mapping[str, Any]) -> None:
    said = entry.get("is_experimental")
    if said is None and (older := text(entry, CALCULATED)):
        table.meta["is_experimental"] = older in {"False", "0"}
    elif said is not None and said.shape == ():
        table.meta["is_experimental"] = bool(said[()])
    if table.meta.get("is_experimental") is False:
        table.notes.append("calculated, not measured: the file says is_experimental = false")


def unit(entry: Mapping[str, Any], path: str) -> str:
    """The unit of a dataset, "" where it has none."""
    return str(plain(entry[path].attrs.get("units", "")))


def detectors(entry: Mapping[str, Any], n: int) -> dict[str, Any]:
    """The detectors' datasets (n,) or (m, n), by the channel that they are."""
    found = [(c or name, entry.get(f"instrument/{name}/data")) for name, c in DETECTORS.items()]
    return {c: d for c, d in found if (s := getattr(d, "shape", ())) and len(s) < 3 and s[-1] == n}


def reference(entry: Mapping[str, Any], energy: Array) -> Any:
    """The intensity of the reference subentry where it is on the sample's energies, None otherwise."""
    axis = entry.get("reference/energy")
    if axis is None or axis.shape != energy.shape or not np.array_equal(axis[()], energy):
        return None
    return entry.get("reference/intensity")


def choose_mu(table: Table) -> None:
    """Choose mu: raw intensities are preferred to the entry's own `intensity`, which may be normalised."""
    names = set(table.names)
    mode = f"{table.meta.get('mode', '')} {table.meta.get('definition', '')}".lower()
    counted = re.search(r"fluor|yield|_[tp][ef]y|herfd", mode)
    if {"absorbed_beam", "i0"} <= names:
        table.mu_expr = "absorbed_beam/i0" if counted else "ln(i0/absorbed_beam)"
        return
    if "intensity" not in names:
        return
    signal = "ielectron" if re.search(r"electron|_[tp]ey", mode) else "ifluor"
    raw = f"{signal}/i0" if counted else "ln(i0/itrans)"
    if {"i0", signal if counted else "itrans"} <= names:
        table.mu_expr = raw
        table.notes.append(f"mu = {raw} from the raw intensities; the entry's own 'intensity' is a channel")
    else:
        table.mu_expr = "intensity"


def is_own(entry: Mapping[str, Any]) -> bool:
    """Whether xasuite wrote the entry: its channels and how they make mu are then known."""
    return "xasuite" in entry or (text(entry, "process/program") == "xasuite" and "channels" in entry)


def own_channels(entry: Mapping[str, Any]) -> dict[str, Array]:
    """The channels (n,) or (m, n) of an entry that xasuite wrote, by their names; none in its first form."""
    held = entry.get("channels", {})
    return {str(plain(d.attrs.get("long_name", name))): np.asarray(d[()], float) for name, d in held.items()}


def own_facts(table: Table, entry: Mapping[str, Any], row: int) -> None:
    """Put what xasuite wrote besides the numbers into a Table; `row` of a stack, -1 for a single spectrum."""
    at = "process/parameters" if "process/parameters" in entry else "xasuite"
    table.trusted, table.notes = True, []
    table.mu_expr = text(entry, f"{at}/mu_expression")
    table.reference_expr = text(entry, f"{at}/reference_expression")
    for stored in (text(entry, "process/notes"), text(entry, f"{at}/facts")):
        facts = _json(stored)
        table.meta |= facts[max(row, 0)] if isinstance(facts, list) and facts else facts or {}
    for key, value in entry.get("header", {}).items():
        table.meta[key] = text(entry, f"header/{key}") if value.dtype.kind in "OS" else value[()].item()
    table.notes += [str(n) for n in table.meta.pop("notes", [])]
    table.label = str(table.meta.pop("label", table.label))
    for key in ("element", "edge"):
        table.meta.pop(key, None)


def _json(stored: str) -> Any:
    try:
        return json.loads(stored) if stored else {}
    except ValueError:
        return {}
