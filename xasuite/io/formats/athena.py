"""Athena projects: Perl records of the older versions and the JSON of the newer ones, gzipped or not.

Energies are those stored in the project; the shift that Athena adds when it shows a group (bkg_eshift) is
kept in `meta` and in a note (docs/decisions/reading.md).
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ...edges import is_element
from ...errors import ReadError
from ...records import Array
from ..table import Table, lines_of, number, unique

_ARRAYS = ("x", "y", "i0", "signal", "stddev")
_ITEM = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s,()\[\]{}=>']+)|([\[{])|([\]}])")
_OPEN_HEX = re.compile(r"\\x\{([0-9a-fA-F]+)\}")


def is_athena(text: str) -> bool:
    """Whether a text is an Athena project of either kind."""
    return "Athena project file" in text[:600]


def parse_athena(text: str, name: str) -> list[Table]:
    """The groups of an Athena project, in its order. Raises ReadError for a damaged project."""
    tables: list[Table] = []
    by_tag: dict[str, Table] = {}
    taken: set[str] = set()
    for tag, record in athena_records(text, name):
        by_tag[tag] = table = _table(tag, record, taken)
        taken.add(table.group)
        tables.append(table)
    if not tables:
        raise ReadError(f"{name}: the Athena project holds no group")
    own = "# written by xasuite" in text[:200]
    for table in tables:
        _attach_reference(table, by_tag)
        if own:
            table.trusted = True
            table.notes = table.meta.pop("titles", []) + table.notes
    return tables


def athena_records(text: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Every group's tag, arguments ("args") and arrays. Raises ReadError for a damaged project."""
    return _json_records(text, name) if text.lstrip()[:1] == "{" else _perl_records(text, name)


def _perl_records(text: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    records: list[tuple[str, dict[str, Any]]] = []
    current: dict[str, Any] = {}
    tag = ""
    for at, line in enumerate(lines_of(text), start=1):
        key = line.split(" ", 1)[0] if line else ""
        if key == "$old_group":
            tag = (perl_items(line.split("=", 1)[-1]) or [""])[0]
            current = {}
        elif key == "@args":
            listed = _inside(line, name, at)
            items = perl_items(listed)
            current["args"] = dict(zip(items[0::2], items[1::2], strict=False))
            titles = re.match(r"'titles',\s*\[(.*?)\](?:,'|\s*$)", listed[max(listed.find("'titles',"), 0) :])
            current["args"]["titles"] = perl_items(titles.group(1)) if titles else []
        elif key[:1] == "@" and key[1:] in _ARRAYS:
            current[key[1:]] = _array(_inside(line, name, at), f"{name}:{at}")
        elif line.startswith("[record]"):
            records.append((str(tag), current))
            current, tag = {}, ""
    if current.get("x") is not None:
        raise ReadError(f"{name}: the Athena project ends inside a group; the file is cut off")
    return records


def _inside(line: str, name: str, number: int) -> str:
    start, end = line.find("("), line.rfind(")")
    if start < 0 or end < start:
        raise ReadError(f"{name}:{number}: the Athena project is damaged: a list without its end")
    return line[start + 1 : end]


def _array(text: str, where: str) -> Array:
    try:
        cleaned = text.replace("'", "").replace('"', "").strip().rstrip(",")
        return np.array([float(v) for v in cleaned.split(",")]) if cleaned else np.empty(0)
    except ValueError as exc:
        raise ReadError(f"{where}: the Athena project is damaged: {str(exc)[:120]}") from None


def perl_items(text: str) -> list[str]:
    """The top-level items of a perl list; what is nested in brackets counts as one empty item."""
    out: list[str] = []
    depth = 0
    for single, double, bare, opened, closed in _ITEM.findall(text):
        if opened:
            depth += 1
        elif closed:
            depth -= 1
            if depth == 0:
                out.append("")
        elif depth == 0:
            if bare == ";":
                continue
            value = single or double or bare
            out.append(
                _OPEN_HEX.sub(lambda m: _char(m.group(1)), value).replace("\\'", "'").replace("\\\\", "\\")
            )
    return out


def _char(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else "?"


def _json_records(text: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ReadError(f"{name}: the Athena project is damaged: {exc}") from None
    order = document.get("_____order")
    tags = order if isinstance(order, list) else list(document)
    records = []
    for tag in tags:
        record = document.get(tag) if isinstance(tag, str) else None
        if not isinstance(record, dict) or "x" not in record:
            continue
        out: dict[str, Any] = {"args": record.get("args") if isinstance(record.get("args"), dict) else {}}
        for key in _ARRAYS:
            if isinstance(record.get(key), list):
                try:
                    out[key] = np.array([float(v) for v in record[key]])
                except (TypeError, ValueError, OverflowError) as exc:
                    raise ReadError(
                        f"{name}: group {tag!r} of the Athena project is damaged: {exc}"
                    ) from None
        records.append((str(tag), out))
    return records


def _table(tag: str, record: dict[str, Any], taken: set[str]) -> Table:
    args = {str(k): v for k, v in (record.get("args") or {}).items()}
    label = str(args.get("label") or tag).strip()
    group = unique(label, taken, "#")
    table = Table(["energy"], np.empty((1, 0)), label, group, format="athena", axis="energy")
    x, y = record.get("x", np.empty(0)), record.get("y", np.empty(0))
    if x.size != y.size or x.size < 2:
        table.refusal = f"damaged: {x.size} energies and {y.size} values of mu"
        return table
    arrays = {"energy": x, "mu": y}
    for key in [k for k in ("i0", "signal", "stddev") if k in record]:
        if record[key].size == x.size:
            arrays[key] = record[key]
        else:
            table.notes.append(f"{key} has {record[key].size} points for {x.size} energies and is left out")
    table.names = list(arrays)
    table.columns = np.array(list(arrays.values()))
    table.mu_expr = "mu"
    table.axis_kind = "keV" if str(args.get("is_kev", "0")) == "1" and np.median(x) < 150 else "eV"
    kind = str(args.get("recordtype", ""))
    if str(args.get("is_chi", "0")) == "1" or "chi" in kind.lower():
        table.refusal = f"the Athena group {label!r} is {kind or 'chi(k)'}, which has no energies"
    table.element, table.edge = str(args.get("bkg_z", "")).capitalize(), str(args.get("fft_edge", "")).upper()
    if not is_element(table.element):
        table.element = table.edge = ""
    if not re.fullmatch(r"K|[LM][1-5]", table.edge):
        table.edge = ""
    shift = number(args.get("bkg_eshift")) or 0.0
    table.meta = {
        "athena_tag": tag,
        "athena_eshift": shift,
        "athena_reference": str(args.get("referencegroup") or args.get("reference") or ""),
        "athena_e0": number(args.get("bkg_e0"), 0.0),
        "athena_recordtype": kind,
        "athena_source": str(args.get("source", "")),
        "athena_importance": number(args.get("importance"), 0.0),
        "titles": [str(t) for t in args["titles"]] if isinstance(args.get("titles"), list) else [],
    }
    if str(args.get("is_nor", "0")) == "1":
        table.meta["normalized"] = True
    if abs(shift) > 1e-9:
        table.notes.append(
            f"Athena shows this group shifted by {shift:+g} eV; the energies here are those stored, unshifted"
        )
    return table


def _attach_reference(table: Table, by_tag: dict[str, Table]) -> None:
    """The mu of the group that Athena ties to this one as its reference, when it is on the same energies."""
    other = by_tag.get(str(table.meta.get("athena_reference", "")))
    if other is None or other is table or other.refusal or table.refusal or table.label.startswith("Ref "):
        return
    if not other.label.lower().startswith("ref"):
        return
    x = table.column("energy")
    if other.column("energy").shape == x.shape and np.allclose(other.column("energy"), x, atol=1e-6):
        table.names.append("reference")
        table.columns = np.vstack([table.columns, other.column("mu")])
        table.reference_expr = "reference"
