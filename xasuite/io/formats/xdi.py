"""XDI 1.0: a strict parser of its own, so that a message can name the line.

The specification is XraySpectroscopy/XAS-Data-Interchange; what is an error and what a warning follows the
verdicts published with its invalid files: a broken header line or table row is an error, missing or odd
metadata is a note.
"""

from __future__ import annotations

import re

import numpy as np

from ...edges import is_element
from ...errors import ReadError
from ...records import Array
from ..table import Table, clean_names, generic_names, leading_number, lines_of
from .text import ends_cut

_FIELD = re.compile(r"^([A-Za-z][\w\-]*)\.([\w\-]+)\s*:(.*)$")
_DATE = re.compile(r"^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?")
_EDGE = re.compile(r"K|L([123]|2,?3)?|[MN][1-5]?")
_NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?$")
_UNITS = {
    "Facility.energy": ("gev", "mev"),
    "Facility.current": ("ma", "a"),
    "Sample.temperature": ("k", "c", "f"),
}


def is_xdi(text: str) -> bool:
    """Whether the first line announces XDI."""
    return bool(re.match(r"\s*#\s*XDI/\d", text[:200]))


def has_fields(text: str) -> bool:
    """Whether the header has fields of XDI, with or without its first line."""
    return bool(re.search(r"^#\s*(Column|Element|Mono|Beamline|Facility|Scan)\.\w+\s*:", text[:20000], re.M))


def parse_xdi(text: str, name: str) -> Table:
    """The single group of an XDI file.

    Parameters: the file's text, and its name for messages.
    Raises ReadError with the line for a header field or a table row that breaks the specification.
    """
    lines = lines_of(text)
    first = re.match(r"\s*#\s*XDI/(\d+(?:\.\d+)?)\s*(.*)$", lines[0] if lines else "")
    if not first:
        raise ReadError(
            f"{name}:1: an XDI file begins with '# XDI/1.0', here stands {lines[0][:40]!r}; add that line"
            if lines
            else f"{name}: the file is empty"
        )
    notes: list[str] = []
    fields, comments, label_line, start = _header(lines, name, notes)
    data = _rows(lines, start, name, notes)
    names, units = _columns(fields, label_line, data.shape[0], notes)
    table = Table(
        names=names,
        columns=data,
        format="xdi",
        units=units,
        notes=notes,
        label=fields.get("Sample.name", "").strip(),
        hints=" ".join([fields.get("Sample.name", ""), fields.get("Sample.formula", ""), *comments]),
        meta={**fields, "comments": "\n".join(comments)},
    )
    table.meta |= {"xdi_version": first.group(1), "xdi_programs": _before_ours(first.group(2))}
    if "Xasuite.mu" in fields:
        table.trusted = True
        table.mu_expr = fields["Xasuite.mu"]
        table.reference_expr = fields.get("Xasuite.reference", "")
        notes[:] = [v for k, v in fields.items() if re.fullmatch(r"Xasuite\.note\d+", k)]
        table.element, table.edge = fields.get("Element.symbol", ""), fields.get("Element.edge", "")
        return table
    _metadata(table, fields)
    return table


def _before_ours(programs: str) -> str:
    """The programs that wrote the file, without our own, which is added when it is written again."""
    return " ".join(p for p in programs.split() if not p.startswith("xasuite/"))


def _header(
    lines: list[str], name: str, notes: list[str]
) -> tuple[dict[str, str], list[str], list[str], int]:
    fields: dict[str, str] = {}
    comments: list[str] = []
    labels: list[str] = []
    foreign, in_comments, ended = 0, False, False
    for number, line in enumerate(lines[1:], start=2):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped[0] in "!;%*":
            foreign += 1
            continue
        if stripped[0] != "#":
            if foreign:
                notes.append(f"{foreign} header lines that do not begin with '#' were passed over")
            if not ended:
                notes.append("no line of dashes ends the header")
            return fields, comments, labels, number - 1
        body = stripped[1:].strip()
        if re.match(r"#?-{3,}", body):
            ended = True
        elif ended:
            labels = body.split()
        elif re.match(r"^/{3,}", body):
            in_comments = True
        elif in_comments:
            comments.append(body)
            labels = body.split()
        elif body and _field(body, fields, f"{name}:{number}"):
            labels = body.split()
    raise ReadError(f"{name}: the file holds an XDI header but no table of numbers")


def _field(body: str, fields: dict[str, str], where: str) -> bool:
    """Take up one Family.key: value; True when the line can only be the line of labels."""
    if found := _FIELD.match(body):
        family, key, value = found.group(1), found.group(2), found.group(3).strip()
        if not value:
            raise ReadError(f"{where}: {family}.{key} has no value; write one or remove the line")
        fields[f"{family[0].upper()}{family[1:]}.{key}"] = value
        return False
    if "." not in body and ":" not in body and len(body.split()) > 1:
        return True
    raise ReadError(
        f"{where}: {body[:50]!r} is not of the form 'Family.key: value' "
        "(one dot, one colon after the key, a family that begins with a letter)"
    )


def _rows(lines: list[str], start: int, name: str, notes: list[str]) -> Array:
    rows: list[list[str]] = []
    width = inside = 0
    cut = len(lines) if ends_cut(lines, len(lines)) else 0
    for number, line in enumerate(lines[start:], start=start + 1):
        tokens = line.split()
        if not tokens:
            continue
        if tokens[0][0] == "#":
            inside += 1
            continue
        width = width or len(tokens)
        if len(tokens) != width and number != cut:
            raise ReadError(
                f"{name}:{number}: the row holds {len(tokens)} numbers, the rows before it {width}; repair the row"
            )
        for token in tokens:
            if not _NUMBER.match(token) and number != cut:
                raise ReadError(
                    f"{name}:{number}: {token[:30]!r} is not a number; an XDI table holds numbers only"
                )
        rows.append(tokens)
    if cut:
        rows.pop()
        notes.append("the file ends in the middle of a row: it is cut off, and that row is dropped")
    if inside:
        notes.append(f"{inside} comment lines inside the table were passed over")
    try:
        return np.array([[float(t.replace("D", "e").replace("d", "e")) for t in row] for row in rows]).T
    except ValueError as exc:  # digits of other scripts pass the pattern of a number and not float()
        raise ReadError(f"{name}: the table holds something that is not a number: {exc}") from None


def _columns(
    fields: dict[str, str], label_line: list[str], count: int, notes: list[str]
) -> tuple[list[str], dict[str, str]]:
    stated: dict[int, tuple[str, str]] = {}
    for key, value in fields.items():
        if key.startswith("Column.") and key[7:].isdigit():
            words = value.split("||")[0].split()
            stated[int(key[7:])] = (words[0] if words else "", " ".join(words[1:]))
    matches = len(label_line) == count and not any(_NUMBER.match(w) for w in label_line)
    if set(stated) == set(range(1, count + 1)):
        labels = [stated[i][0] for i in range(1, count + 1)]
    elif matches:
        labels = list(label_line)
        said = (
            f"the header names columns {_spans(sorted(stated))}" if stated else "the header names no columns"
        )
        notes.append(f"{said}, the table has {count}: the labels above the table are used")
    else:
        labels = generic_names(count)
        for i, (label, _) in stated.items():
            if 1 <= i <= count:
                labels[i - 1] = label
        notes.append(
            f"the header names columns {_spans(sorted(stated)) or 'none'}, the table has {count}: "
            f"those without a label are named {generic_names(1)[0]} and so on"
        )
        matches = False
    names = clean_names(labels)
    units = {
        n: stated[i][1] for i, n in enumerate(names, start=1) if i in stated and stated[i][0] == labels[i - 1]
    }
    return names, units


def _spans(numbers: list[int]) -> str:
    if not numbers:
        return ""
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
    return ", ".join(map(str, numbers[:12]))


def _metadata(table: Table, fields: dict[str, str]) -> None:
    """Element, edge, d-spacing and the checks of required and recommended metadata, as notes."""
    lower = {k.lower(): v for k, v in fields.items()}
    symbol = lower.get("element.symbol", lower.get("scanparameters.element", ""))
    edge = lower.get("element.edge", lower.get("scanparameters.edge", ""))
    table.element = symbol.capitalize() if is_element(symbol.capitalize()) else ""
    table.edge = edge.upper() if _EDGE.fullmatch(edge.upper()) else ""
    for what, value, good in (("symbol", symbol, table.element), ("edge", edge, table.edge)):
        if not value:
            table.notes.append(f"the header has no Element.{what}")
        elif not good:
            table.notes.append(f"Element.{what} = {value[:20]!r} is none")
    spacing = lower.get("mono.d_spacing", lower.get("mono.dspacing", ""))
    if spacing:
        table.d_spacing = leading_number(spacing)
        if not 0.1 < table.d_spacing < 50:
            table.d_spacing = 0.0
            table.notes.append(f"Mono.d_spacing = {spacing[:40]!r} is no length in A")
    else:
        table.notes.append("the header has no Mono.d_spacing")
    table.e0 = leading_number(lower.get("scan.edge_energy", ""))
    _check_values(table, fields)
    if "Outer.name" in fields:
        table.refusal = f"a two-dimensional scan (over {fields['Outer.name'].split()[0]}), not one XAFS scan"


def _check_values(table: Table, fields: dict[str, str]) -> None:
    start = fields.get("Scan.start_time", "")
    if start:
        found = _DATE.match(start)
        if not found:
            table.notes.append(f"Scan.start_time = {start[:40]!r} is not an ISO 8601 time")
        elif not (1 <= int(found[2]) <= 12 and 1 <= int(found[3]) <= 31 and int(found[4]) < 25):
            table.notes.append(f"Scan.start_time = {start[:40]!r} has a month, day or hour out of range")
    else:
        table.notes.append("the header has no Scan.start_time")
    for key, allowed in _UNITS.items():
        words = fields.get(key, "").split("||")[0].split()
        if words and (not _NUMBER.match(words[0]) or (len(words) > 1 and words[1].lower() not in allowed)):
            if key == "Sample.temperature" and re.match(r"^(room|rt|cryo)", words[0].lower()):
                continue
            table.notes.append(f"{key} = {fields[key][:40]!r} is not a number with its unit")
    if missing := [k for k in ("Facility.name", "Beamline.name") if k not in fields]:
        table.notes.append(f"the header has no {', no '.join(missing)}")
