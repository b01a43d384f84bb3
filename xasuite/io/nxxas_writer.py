"""Records as entries of NXxas, by the definition proposed in 2026: formats.nxxas has the places.

What the definition has no place for (all channels, the source's header, notes) goes into collections and parameters.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ..expressions import parse
from ..records import Array
from . import names
from .formats.nxxas import DEFINITION, PLACES
from .table import unique

if TYPE_CHECKING:
    from .writer import Entry

_UNITS = {"Facility.energy": "GeV", "Facility.current": "mA", "Mono.d_spacing": "angstrom",
          "Scan.edge_energy": "eV", "Sample.temperature": "K"}  # fmt: skip
_CLASSES = {
    "instrument": "NXinstrument", "instrument/source": "NXsource", "instrument/monochromator": "NXmonochromator",
    "instrument/monochromator/crystal": "NXcrystal", "sample": "NXsample", "element": "NXelement",
    "edge": "NXabsorption_edge", "data": "NXdata", "process": "NXprocess", "process/parameters": "NXparameters",
    "process/note": "NXnote", "channels": "NXcollection", "header": "NXcollection", "reference": "NXsubentry",
}  # fmt: skip
# kept in the header only, or written as fields next to the detector
_ELSEWHERE = ("Detector.", "Facility.xray_source")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(:\d\d(\.\d+)?)?)([+-]\d\d:?\d\d|Z)?")
_COUNTED_BY_ENERGY = re.compile(r"vortex|sdd|\bge\b|mca|xspress|drift", re.I)


@dataclass(frozen=True)
class Mode:
    """The definition of an acquisition mode, and the expressions of its detectors."""

    definition: str
    detectors: dict[str, str]


def mode_of(entry: Entry) -> Mode:
    """Transmission is ln(i0/itrans), fluorescence ifluor/i0; what is neither, or resolved in energy, is plain NXxas.

    NXxas_pfy asks for the emission line and its window, which no record holds.
    """
    stated = str(entry.meta.get("definition", ""))
    plain = "NXxas_trans" if names.plain(entry.made_by) in {"mutrans", "mut"} else "NXxas"
    plain = stated if stated in {"NXxas_trans", "NXxas_tfy", "NXxas_tey", "NXxas_pey"} else plain
    tree = ast.parse(entry.made_by, mode="eval").body
    sign = isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub)
    inner: Any = tree.operand if isinstance(tree, ast.UnaryOp) else tree
    log = isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in {"ln", "log"}
    ratio = inner.args[0] if log else inner
    if not (isinstance(ratio, ast.BinOp) and isinstance(ratio.op, ast.Div)):
        return Mode(plain, {})
    above, below = ast.unparse(ratio.left), ast.unparse(ratio.right)
    if log:
        i0, itrans = (below, above) if sign else (above, below)
        found = {"i0": i0, "itrans": itrans}
        if iref := _after(entry.reference_expr, itrans):
            found["iref"] = iref
        return Mode("NXxas_trans", found)
    if sign:
        return Mode(plain, {})
    described = f"{entry.meta.get('Detector.if', '')} {above}"
    resolved = names.emission_elements([above]) or _COUNTED_BY_ENERGY.search(described)
    single = re.fullmatch(r"\w+", above) and not resolved
    return Mode("NXxas_tfy" if single else "NXxas", {"i0": below, "ifluor": above})


def _after(reference: str, itrans: str) -> str:
    """The chamber behind the reference, where its mu is ln(itrans/iref)."""
    found = re.fullmatch(r"ln\((.+)/(.+)\)", reference)
    return found.group(2) if found and found.group(1) == itrans else ""


def write_entry(group: Any, entry: Entry, version: str) -> None:
    """One spectrum, or a stack with arrays (m, n), into an empty group."""
    mode = mode_of(entry)
    group.attrs.update({"NX_class": "NXentry", "default": "data"})
    put = _begin(group, mode.definition, entry.label or "scan", entry.measured, entry.element, entry.edge)
    put("energy", entry.columns["energy"], units="eV")
    put("intensity", entry.mu, units="")
    errors = entry.columns.get("mu_err")
    if errors is not None:
        put("intensity_errors", errors, units="")
    put("sample/name", entry.label or "unknown")
    _header(group, put, entry, bare=mode.definition == "NXxas_trans" and not _held(entry, mode))
    _channels(group, entry)
    _detectors(group, entry, mode)
    if entry.reference is not None and "iref" not in mode.detectors:
        _reference(group, entry)
    data = group.create_group("data")
    stacked = entry.mu is not None and entry.mu.ndim == 2
    axes = [_rows_axis(data, entry)] if stacked else []
    places = {f"{axis}_indices": i for i, axis in enumerate([*axes, "energy"])}
    data.attrs.update({"NX_class": "NXdata", "signal": "intensity", "axes": [*axes, "energy"], **places})
    for name in ("energy", "intensity", *(["intensity_errors"] if errors is not None else [])):
        data[name] = _link(group[name])
    _process(put, entry, mode, version)


def _link(data: Any) -> Any:
    """The dataset, with the attribute `target` by which NeXus marks the original of a link."""
    data.attrs["target"] = data.name
    return data


def _begin(group: Any, definition: str, title: str, measured: bool, element: str, edge: str) -> Any:
    """Write the fields that an entry and its reference share; return the function that puts values into the group."""
    put = _putter(group)
    put("definition", definition, version="2026", URL=DEFINITION)
    put("title", title)
    put("is_experimental", np.bool_(measured))
    put("element/symbol", element)
    put("element/name", element)  # where the draft of January 2026 has the symbol
    put("edge/name", "L2,3" if edge in {"L23", "L3,2", "L32"} else edge)
    return put


def _putter(group: Any) -> Any:
    def put(path: str, value: Any, **attributes: Any) -> None:
        parent = path.rpartition("/")[0]
        steps = parent.split("/") if parent else []
        for i in range(len(steps)):
            above = "/".join(steps[: i + 1])
            group.require_group(above).attrs["NX_class"] = _CLASSES.get(above, "NXcollection")
        group.create_dataset(path, data=value).attrs.update(attributes)

    return put


def _header(group: Any, put: Any, entry: Entry, bare: bool) -> None:
    """What the source's header says: each key in the definition's place, and all of them as they are.

    `bare` leaves the instrument out: NXxas_trans asks for an instrument with its chambers or for none.
    """
    meta = {k: v for k, v in entry.meta.items() if isinstance(v, (str, int, float, bool))}
    rows = entry.mu.shape[0] if entry.mu is not None and entry.mu.ndim == 2 else 1
    for key, places in PLACES.items():
        value = meta.get(key)
        if value is None or key.startswith(_ELSEWHERE) or (bare and places[0].startswith("instrument")):
            continue
        number, _, unit = str(value).partition(" ")
        if key.endswith("_time"):
            if found := _TIME.match(str(value)):
                put(places[0], f"{found[1]}T{found[2]}{found[5] or ''}")
        elif key not in _UNITS:
            put(places[0], str(value))
        elif re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", number, re.I):
            one = float(number)
            per_row = key == "Sample.temperature"
            put(places[0], np.full(rows, one) if per_row else one, units=unit or _UNITS[key])
    if "instrument/source" in group:
        put("instrument/source/probe", "x-ray")
        if re.search(r"undul|wiggl|bend|bm\b", str(meta.get("Facility.xray_source", "")), re.I):
            put("instrument/source/type", "Synchrotron X-ray Source")
    crystal = re.match(r"\s*([A-Z][a-z]?)\W*(\d)\W*(\d)\W*(\d)\b", str(meta.get("Mono.name", "")))
    if crystal and not bare:
        put("instrument/monochromator/crystal/type", crystal[1])
        put("instrument/monochromator/crystal/reflection", [int(crystal[i]) for i in (2, 3, 4)])
    for key, value in meta.items():
        put(f"header/{re.sub(r'[/.]{2,}|/', '_', key)}", value)


def _channels(group: Any, entry: Entry) -> None:
    """Write every channel under its own name; mu and its error are links to intensity and intensity_errors."""
    held = group.create_group("channels", track_order=True)
    held.attrs["NX_class"] = "NXcollection"
    for name, values in entry.columns.items():
        if name == "energy":
            continue
        free = unique(re.sub(r"[/\x00]|^\.+$", "_", name) or "channel", held, "#")
        if name == entry.mu_expr:
            held[free] = _link(group["intensity"])
        elif name == "mu_err":
            held[free] = _link(group["intensity_errors"])
        else:
            held.create_dataset(free, data=values)
        if free != name:
            held[free].attrs["long_name"] = name


def _detectors(group: Any, entry: Entry, mode: Mode) -> None:
    """The detectors that make mu, links to the channels where they are channels by themselves."""
    for name, expr in mode.detectors.items() if _held(entry, mode) else ():
        group.require_group("instrument").attrs["NX_class"] = "NXinstrument"
        detector = group.create_group(f"instrument/{name}")
        detector.attrs["NX_class"] = "NXdetector"
        if expr in entry.columns:
            detector["data"] = _link(group[f"channels/{_path(group['channels'], expr)}"])
        else:
            detector["data"] = np.asarray(parse(expr)(entry.columns), float)
        key = {"itrans": "it", "iref": "ir", "ifluor": "if"}.get(name, name)
        if said := entry.meta.get(f"Detector.{key}"):
            detector["description"] = str(said)


def _held(entry: Entry, mode: Mode) -> bool:
    """Whether the entry holds the channels of its mode's detectors."""
    return bool(mode.detectors) and all(parse(e).names <= set(entry.columns) for e in mode.detectors.values())


def _path(channels: Any, name: str) -> str:
    return str(next(k for k, d in channels.items() if d.attrs.get("long_name", k) == name))


def _reference(group: Any, entry: Entry) -> None:
    """Write the reference's mu as a subentry, on the sample's energies."""
    here = group.create_group("reference")
    here.attrs["NX_class"] = "NXsubentry"
    put = _begin(here, "NXxas", f"reference of {entry.label}", entry.measured, *_reference_edge(entry))
    here["energy"] = _link(group["energy"])
    put("intensity", entry.reference, units="")
    put("sample/name", "reference")


def _reference_edge(entry: Entry) -> tuple[str, str]:
    """Element and edge of the reference: the sample's unless it clearly jumps elsewhere."""
    from ..edges import tabulated
    from . import edges

    assert entry.reference is not None
    energy, mu = entry.columns["energy"], np.atleast_2d(entry.reference)[0]
    jump, line = edges.find_jump(energy, mu), tabulated(entry.element, entry.edge)
    if jump.quality < edges.MIN_QUALITY or (line is not None and abs(jump.energy - line) < 60):
        return entry.element, entry.edge
    best, _ = edges.guess(energy, jump, 0.0, "", "")
    return (best.element, best.edge) if best else (entry.element, entry.edge)


def _rows_axis(data: Any, entry: Entry) -> str:
    """Write the columns of a stack's rows; return the name of the axis along them: time, or row number."""
    rows = len(entry.mu) if entry.mu is not None else 0
    for name, values in entry.rows.items():
        data.create_dataset(name, data=values)
    if "time" in entry.rows and np.isfinite(entry.rows["time"]).all():
        data["time"].attrs["units"] = "s"
        return "time"
    if "row" not in data:
        data.create_dataset("row", data=np.arange(rows))
    return "row"


def _process(put: Any, entry: Entry, mode: Mode, version: str) -> None:
    put("process/program", "xasuite")
    put("process/version", version)
    put("process/date", datetime.now(UTC).isoformat(timespec="seconds"))
    put("process/sequence_index", 1)
    put("process/parameters/mu_expression", entry.mu_expr)
    put("process/parameters/reference_expression", entry.reference_expr)
    facts = entry.facts if isinstance(entry.facts, list) else {"label": entry.label, **entry.facts}
    put("process/parameters/facts", json.dumps(facts))
    for step in () if isinstance(entry.facts, list) else entry.facts.get("history", ()):
        for key, value in step.items():
            if isinstance(value, (str, int, float, bool)) and key != "name":
                put(f"process/parameters/{_free(step['name'])}/{_free(key)}", value)
    if code := _code(entry, mode):
        put("process/note/type", "text/x-python")
        put("process/note/data", code)


def _free(name: str) -> str:
    return re.sub(r"\W+", "_", name) or "value"


def _code(entry: Entry, mode: Mode) -> str:
    """Python that makes `intensity` of the detectors that the entry holds; "" where it holds none."""
    if not _held(entry, mode):
        return ""
    formula = "np.log(i0 / itrans)" if "itrans" in mode.detectors else "ifluor / i0"
    used = [d for d in mode.detectors if d != "iref"]
    lines = [f'{d} = entry["instrument/{d}/data"][()]' for d in used]
    head = ["# entry: this NXentry, opened with h5py", "import numpy as np"]
    return "\n".join([*head, *lines, f"intensity = {formula}", ""])


def stacked(entries: list[Entry], table: Any) -> Entry | None:
    """The rows of a Series as one entry with arrays (m, n); None where they do not share energies and channels."""
    from dataclasses import replace

    first = entries[0]
    kinds = [(*e.columns, e.element, e.edge, e.mu_expr, e.reference_expr, e.measured) for e in entries]
    same = all(np.array_equal(e.columns["energy"], first.columns["energy"]) for e in entries)
    if len(set(kinds)) > 1 or not same:
        return None
    columns: dict[str, Array] = {n: np.array([e.columns[n] for e in entries]) for n in first.columns}
    columns["energy"] = first.columns["energy"]
    rows = {_free(str(n)): table[n].to_numpy(float) for n in table if table[n].dtype.kind in "fiu"}
    reference = None if first.reference is None else np.array([e.reference for e in entries])
    return replace(
        first,
        columns=columns,
        mu=np.array([e.mu for e in entries]),
        reference=reference,
        facts=[{"label": e.label, **e.facts} for e in entries],
        rows=rows,
    )
