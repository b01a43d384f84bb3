"""`write`: records as an Athena project, NXxas-style HDF5, CSV or XDI; the reader gives them back equal."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WriteError
from ..files import replacing, write_text
from ..records import Array, Chi, Normalized, Scan, Series, Spectrum, Transform
from ..records.base import declared
from .athena_settings import athena_settings
from .table import clean_names, unique

FORMATS = {".prj": "athena", ".h5": "nxxas", ".hdf5": "nxxas", ".nxs": "nxxas", ".csv": "csv", ".xdi": "xdi"}

# Version 1.0 of XDI's dictionary of metadata. Mono.d_spacing is required only where the abscissa is an angle, and is
# among what the Q2XAFS workshop of 2024 strongly encourages
XDI_REQUIRED = ("Element.symbol", "Element.edge")
XDI_RECOMMENDED = (
    "Facility.name", "Facility.xray_source", "Beamline.name", "Scan.start_time", "Mono.d_spacing",
)  # fmt: skip
XDI_OF_REFERENCE = ("Element.reference", "Element.ref_edge")
_FIELD = re.compile(r"[A-Z][\w-]*\.[\w-]+")  # a key of XDI's


@dataclass
class Entry:
    """What every writer needs of a record: columns, the first of them the axis, and how to read them.

    `made_by` is the expression over channels that mu was made by, also where those are not kept; `measured` is false
    for what was calculated. A stack has arrays (m, n), facts per row, and `rows` the numbers (m,) of its rows.
    """

    columns: dict[str, Array]
    label: str
    element: str = ""
    edge: str = ""
    mu_expr: str = "mu"
    reference_expr: str = ""
    mu: Array | None = None
    reference: Array | None = None
    facts: Any = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    made_by: str = "mu"
    measured: bool = True
    rows: Mapping[str, Array] = field(default_factory=dict)


def write(path: str | Path, records: Any, format: str | None = None) -> Path:
    """Write records to one file, under a temporary name and then renamed.

    Parameters
    ----------
    path : str or Path
        The target; its suffix gives the format: .prj (Athena project), .h5 .hdf5 .nxs (NXxas), .csv, .xdi.
    records : object
        A Scan, Spectrum, Normalized, a Series of them, or a list; CSV takes a Chi or a Transform too.
    format : str, optional
        "athena", "nxxas", "csv" or "xdi", where the suffix does not say.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    WriteError
        Unknown format, nothing to write, several records where the format holds one, or an unwritable place.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> xs.write(f"{mkdtemp()}/cu.xdi", spectrum).name
    'cu.xdi'
    """
    target = Path(path)
    kind = format or FORMATS.get(target.suffix.lower(), "")
    writers = {"athena": _write_athena, "nxxas": _write_nexus, "csv": _write_csv, "xdi": _write_xdi}
    if kind not in writers:
        raise WriteError(
            f"{target}: {kind or target.suffix or 'a name without suffix'!r} is no format to write; "
            f"use {', '.join(FORMATS)} or format={', '.join(map(repr, writers))}"
        )
    entries = [_entry(r) for r in _flatten(records)]
    if not entries:
        raise WriteError(f"{target}: there is no record to write")
    if kind != "csv" and any("energy" not in e.columns for e in entries):
        raise WriteError(f"{target}: {kind} holds mu(E); write chi(k) and chi(R) as .csv")
    if kind == "nxxas":
        _write_nexus(target, entries, records if isinstance(records, Series) else None)
    else:
        writers[kind](target, entries)
    return target


def _flatten(records: Any) -> Iterable[Any]:
    if isinstance(records, Series):
        for i in range(len(records)):
            yield records.row(i)
    elif isinstance(records, Spectrum) and records.stacked:
        raise WriteError("a stacked record has no labels; write the Series that holds it")
    elif isinstance(records, Iterable) and not hasattr(records, "label"):
        for record in records:
            yield from _flatten(record)
    else:
        yield records


def _entry(record: Any) -> Entry:
    """A record as columns, its label free of control characters that no format holds."""
    entry = _columns(record)
    entry.meta = getattr(record, "meta", {})
    steps = [s.settings.get("expr") for s in getattr(record, "history", ()) if s.name == "mu"]
    entry.made_by = str(steps[0]) if steps and steps[0] else entry.mu_expr
    simulated = getattr(getattr(record, "source", None), "format", "") == "simulated"
    entry.measured = not (simulated or entry.meta.get("is_experimental") is False)
    entry.label = "".join(c if c.isprintable() else " " for c in entry.label).strip()
    return entry


def _columns(record: Any) -> Entry:
    facts = {
        "notes": list(getattr(record, "notes", ())),
        "source": str(getattr(record, "source", "")),
        "sha256": getattr(getattr(record, "source", None), "sha256", ""),
        "history": [{"name": s.name, **_plain(s.settings)} for s in getattr(record, "history", ())],
    }
    if isinstance(record, Scan):
        spectrum = record.mu()
        return Entry(
            {"energy": record.energy, **record.channels}, record.label, record.element, record.edge, record.mu_expr,
            record.reference_expr, record.channel(record.mu_expr),
            record.channel(record.reference_expr) if spectrum.reference is not None else None, facts,
        )  # fmt: skip
    label, element, edge = (str(getattr(record, n, "")) for n in ("label", "element", "edge"))
    if isinstance(record, Spectrum):
        if isinstance(record, Normalized):
            facts |= {"e0": float(record.e0), "edge_step": float(record.edge_step)}
        columns = _sampled(record, "energy")
        reference = "reference" if "reference" in columns else ""
        return Entry(columns, label, element, edge, "mu", reference, record.mu, record.reference, facts)
    if isinstance(record, Chi) and not record.stacked:
        return Entry(_sampled(record, "k"), label, element, edge, facts=facts)
    if isinstance(record, Transform) and not record.stacked:
        chir = record.chir
        parts = {"chir_mag": np.abs(chir), "chir_re": chir.real, "chir_im": chir.imag}
        return Entry({"r": record.r, **parts}, record.label, facts=facts)
    raise WriteError(
        f"{type(record).__name__} is no record that can be written; give a Scan, Spectrum or Series"
    )


def _sampled(record: Any, axis: str) -> dict[str, Array]:
    """The arrays of a single record along one axis, the axis first."""
    found = {n: getattr(record, n) for n, dims in declared(type(record)).items() if dims[-1] == axis}
    held = {n: v for n, v in found.items() if v is not None and v.size}
    return {axis: held.pop(axis), **held}


def _plain(settings: Any) -> dict[str, Any]:
    """Settings as JSON takes them."""
    return {
        k: v if isinstance(v, (str, int, float, bool, type(None))) else np.asarray(v).tolist() if isinstance(v, (list, tuple, np.ndarray, np.generic)) else str(v)
        for k, v in dict(settings).items()
    }  # fmt: skip


def _numbers(values: Array) -> list[str]:
    return [repr(float(v)) for v in values]


# -- Athena ----------------------------------------------------------------------------------------------


def _write_athena(target: Path, entries: list[Entry]) -> None:
    lines = ["# Athena project file -- Demeter version 0.9.26", "# written by xasuite", ""]
    tags = map(_tag, itertools.count())
    taken: list[str] = []
    for entry in entries:
        # Larch keeps one of several groups whose labels are the same Python name.
        free = unique(entry.label, taken, "#")
        while re.sub(r"\W", "_", free) in {re.sub(r"\W", "_", t) for t in taken}:
            taken.append(free)
            free = unique(entry.label, taken, "#")
        entry.label = free
        taken.append(free)
        tag = next(tags)
        reference_tag = next(tags) if entry.reference is not None else ""
        lines += _athena_group(entry, tag, entry.label, entry.mu, reference_tag)
        if entry.reference is not None:
            lines += _athena_group(entry, reference_tag, f"  Ref {entry.label}", entry.reference, tag)
    lines += ["@journal = ();", "", "1;", "", ""]
    data = "\n".join(lines).encode("utf-8")
    with replacing(target) as temporary:
        # No time stamp in the gzip header: the same records give the same bytes.
        temporary.write_bytes(gzip.compress(data, mtime=0))


def _tag(index: int) -> str:
    """The five-letter name Athena gives to a group."""
    return "".join(chr(97 + index // 26**place % 26) for place in reversed(range(5)))


def _athena_group(entry: Entry, tag: str, label: str, mu: Array | None, reference: str) -> list[str]:
    energy = entry.columns["energy"]
    good = np.isfinite(mu) if mu is not None else np.zeros(energy.shape, bool)
    if mu is None or not good.any():
        raise WriteError(f"{entry.label}: mu is finite nowhere and cannot be written")
    e0 = entry.facts.get("e0")
    arguments = {
        "annotation": "", **({"bkg_e0": e0} if e0 else {}), "bkg_eshift": 0, "bkg_z": entry.element or "H",
        "datagroup": tag, "tag": tag, "label": label, "fft_edge": (entry.edge or "k").lower(), "file": entry.facts["source"],
        "source": entry.facts["source"], "importance": 1, "is_chi": 0, "is_kev": 0, "is_nor": 0, "is_xmu": 1,
        "npts": int(good.sum()), "recordtype": "mu(E)", "referencegroup": reference,
        "xmin": float(energy[good][0]), "xmax": float(energy[good][-1]),
    }  # fmt: skip
    arguments |= athena_settings(entry.facts)
    listed = ",".join(f"'{k}',{_quote(v)}" for k, v in arguments.items())
    titles = ",".join(_quote(n) for n in entry.facts["notes"][:20])
    out = [f"$old_group = '{tag}';", f"@args = ({listed},'titles',[{titles}]);"]
    arrays = {"x": energy[good], "y": mu[good]}
    for name in ("i0", "signal", "stddev"):
        source = entry.columns.get("mu_err" if name == "stddev" else name)
        if source is not None and np.isfinite(source[good]).all():
            arrays[name] = source[good]
    out += [f"@{k} = ('" + "','".join(_numbers(a)) + "');" for k, a in arrays.items()]
    return [*out, "[record]   # create object and set arrays in ifeffit", ""]


def _quote(value: Any) -> str:
    if isinstance(value, (int, float)):
        return f"'{value!r}'"
    # Brackets and semicolons inside a text end the list for readers that only count characters.
    text = re.sub(r"[\r\n\t]+", " ", str(value)).replace("\\", "/").replace("'", "`").replace('"', "`")
    return f"'{text}'"


# -- NXxas -----------------------------------------------------------------------------------------------


def _write_nexus(target: Path, entries: list[Entry], series: Series | None = None) -> None:
    import h5py

    from ..version import __version__
    from . import nxxas_writer

    if series is not None and (stack := nxxas_writer.stacked(entries, series.table)):
        stack.label = series.label or "series"
        entries = [stack]
    names: list[str] = []
    with replacing(target) as temporary:
        try:
            with h5py.File(temporary, "w", track_order=True) as handle:
                handle.attrs["NX_class"] = "NXroot"
                for entry in entries:
                    name = re.sub(r"[^0-9A-Za-z_]+", "_", entry.label.strip())
                    names.append(name := unique("scan" if name in ("", "_") else name, names))
                    nxxas_writer.write_entry(handle.create_group(name, track_order=True), entry, __version__)
                handle.attrs["default"] = names[0]
        except (ValueError, RuntimeError) as exc:
            raise WriteError(f"{target} cannot be written: {exc}") from exc


# -- text ------------------------------------------------------------------------------------------------


def _describe(entry: Entry) -> dict[str, Any]:
    return {
        "label": entry.label,
        "element": entry.element,
        "edge": entry.edge,
        "mu": entry.mu_expr,
        "reference": entry.reference_expr,
        **entry.facts,
        "meta": {k: v for k, v in _plain(entry.meta).items() if isinstance(v, (str, int, float, bool))},
    }


def _write_csv(target: Path, entries: list[Entry]) -> None:
    first = entries[0]
    axis = next(iter(first.columns))
    columns = dict(first.columns)
    head: dict[str, Any] = {"xasuite": 1, **_describe(first)}
    if len(entries) > 1:
        if not all(axis in e.columns and np.array_equal(e.columns[axis], columns[axis]) for e in entries):
            raise WriteError(
                f"{target}: the {len(entries)} records are on different axes, and a CSV has one; "
                "write .prj or .h5, or a file each"
            )
        columns = {axis: first.columns[axis]}
        for entry in entries:
            values = entry.mu if entry.mu is not None else list(entry.columns.values())[1]
            columns[unique(re.sub(r"[,\"\r\n#]+", " ", entry.label).strip() or "scan", columns, "#")] = values
        head = {"xasuite": 1, "stack": [_describe(e) for e in entries]}
    rows = zip(*(_numbers(v) for v in columns.values()), strict=True)
    lines = [f"# {json.dumps(head)}", ",".join(columns), *(",".join(row) for row in rows)]
    write_text(target, "\n".join(lines) + "\n")


def _write_xdi(target: Path, entries: Sequence[Entry]) -> None:
    from ..version import __version__

    if len(entries) != 1:
        raise WriteError(
            f"{target}: an XDI file holds one scan, not {len(entries)}; write .prj or .h5, or a file each"
        )
    entry = entries[0]
    if any(not np.isfinite(v).all() for v in entry.columns.values()):
        raise WriteError(f"{target}: XDI holds finite numbers only, and a channel of {entry.label} is not")
    names = [re.sub(r"\s+", "_", n) for n in entry.columns]
    said = {k: re.sub(r"[\r\n]+", " ", str(v)).strip() for k, v in _xdi_fields(entry, names).items()}
    said["Xasuite.absent"] = _absent(entry, said)
    programs = f"{entry.meta.get('xdi_programs', '')} xasuite/{__version__}".strip()
    lines = [f"# XDI/1.0 {programs}", *(f"# {k}: {v}" for k, v in said.items() if v), "# ///"]
    lines += [f"# {line}".rstrip() for line in str(entry.meta.get("comments", "")).splitlines()]
    lines += ["# " + "-" * 20, "# " + " ".join(names)]
    lines += [" ".join(row) for row in zip(*(_numbers(v) for v in entry.columns.values()), strict=True)]
    write_text(target, "\n".join(lines) + "\n")


def _xdi_fields(entry: Entry, names: list[str]) -> dict[str, Any]:
    """Every field of an XDI file: what its source said is kept; columns, element and name are the record's."""
    # what the source says of a column after its name: the unit, and after || what it is
    units: dict[str, str] = {}
    for key, value in entry.meta.items():
        label, _, rest = str(value).partition(" ")
        if key.startswith("Column.") and label:
            units[clean_names([label])[0]] = rest
    units["energy"] = "eV"
    made_by = entry.made_by if entry.made_by != "mu" else entry.meta.get("Xasuite.made_by", "")
    fields: dict[str, Any] = {
        f"Column.{i}": f"{n} {units.get(n, '')}".strip() for i, n in enumerate(names, start=1)
    }
    for key, value in entry.meta.items():
        if key in {"comments", "xdi_version", "xdi_programs"} or key.startswith(("Column.", "Xasuite.")):
            continue
        if isinstance(value, (str, int, float, bool)):
            fields[key if _FIELD.fullmatch(key) else f"Source.{re.sub(r'[^A-Za-z0-9_-]+', '_', key)}"] = value
    for key in {"Scan.start_time", "Scan.end_time"} & fields.keys():
        fields[key] = _iso(str(fields[key]))
    return fields | {
        "Element.symbol": entry.element,
        "Element.edge": entry.edge,
        "Sample.name": re.sub(r"\s+", " ", entry.label).strip(),
        "Xasuite.mu": entry.mu_expr,
        "Xasuite.made_by": made_by if made_by != entry.mu_expr else "",
        "Xasuite.reference": entry.reference_expr,
        "Xasuite.source": entry.facts["source"],
    } | {f"Xasuite.note{i}": note for i, note in enumerate(entry.facts["notes"], start=1)}  # fmt: skip


def _iso(said: str) -> str:
    """A time as ISO 8601 with T between date and hour, where it can be read as one; else as it was said."""
    try:
        return datetime.fromisoformat(said.strip()).isoformat() if ":" in said else said
    except ValueError:
        return said


def _absent(entry: Entry, fields: Mapping[str, str]) -> str:
    """The fields that XDI's dictionary requires or recommends and that no one has said."""
    recommended = (*XDI_RECOMMENDED, *(XDI_OF_REFERENCE if entry.reference is not None else ()))
    kinds = {"required": XDI_REQUIRED, "recommended": recommended}
    lacking = {kind: [k for k in keys if not fields.get(k)] for kind, keys in kinds.items()}
    return "; ".join(f"{kind}: {', '.join(keys)}" for kind, keys in lacking.items() if keys)
