"""Column text of any beamline: the table of numbers is found first, then the labels that fit it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from ...edges import is_element
from ...errors import ReadError
from ...records import Array
from ..limits import check_lines
from ..table import Table, clean_names, generic_names, lines_of

MIN_ROWS = 10
_COMMENT = "#;%*!&"
_SPLIT = re.compile(r"[,;\s]+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?(?!\w)|[-+]?(?:nan|inf(?:inity)?)\b", re.I)
_COMMA_NUMBER = re.compile(r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?")
_GLUED = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eEdD][-+]\d{2,3})?")
# a date, a time of day, or both as in ISO 8601
_STAMP = re.compile(
    r"^(\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}|\d{4}-?\d\d-?\d\dT\d\d:?\d\d(:?\d\d)?|\d{1,2}:\d\d(:\d\d)?)([.]\d+)?(Z|[+-]\d\d:?\d\d)?$"
)
_HALVES = {"am", "pm"}  # of the day: behind a time, and part of it
_LABVIEW_WIDTH = 21
_FLOAT = re.compile(r"\d+\.?\d*|\.\d+")
_LONG = 30  # rows after which the rest of a table is tried at once
_PLAIN = b"0123456789+-.eE,; \t\n"


@dataclass
class Block:
    """A table of numbers within a text: columns (ncol, n), its first line's number (from 1), dropped lines.

    `cut` says that the text ends in the middle of a row, which is not among the columns.
    """

    columns: Array
    first: int
    last: int
    dropped: list[int] = field(default_factory=list)
    cut: bool = False

    @property
    def notes(self) -> list[str]:
        """What was left out of the table, in sentences."""
        cut = "the file ends in the middle of a row: it is cut off, and that row is dropped"
        said = [cut] if self.cut else []
        if self.dropped:
            said.append(
                f"{len(self.dropped)} lines inside the table dropped, not rows of {len(self.columns)} numbers "
                f"(line {', '.join(map(str, self.dropped[:5]))}{' ...' if len(self.dropped) > 5 else ''})"
            )
        return said


def numbers(line: str) -> list[float] | None:
    """The numbers of a line of data, or None when the line is not one.

    Date and time stamps stand as NaN, so that a column keeps its place. Numbers that fixed-width Fortran
    output ran together ("3.39E+04-1.00E+00") are taken apart.
    """
    text = line.strip()
    if text[:1] == '"':
        text = text.replace('"', "")  # spreadsheets quote dates, or every field
    if not text or text[0] in _COMMENT or not (text[0].isdigit() or text[0] in "+-.nNiI"):
        return None
    try:
        return [*map(float, text.split())]
    except ValueError:
        tokens = [t for t in _SPLIT.split(text) if t]
    try:
        return [float(t) for t in tokens]
    except ValueError:
        pass
    out: list[float] = []
    for token in tokens:
        try:
            out.append(float(token.replace("D", "e").replace("d", "e")))
            continue
        except ValueError:
            pass
        if _STAMP.match(token):
            out.append(float("nan"))
            continue
        if token.lower() in _HALVES and out and out[-1] != out[-1]:
            continue
        parts = _GLUED.findall(token)
        if len(parts) < 2 or "".join(parts) != token:
            return None
        out.extend(float(p.replace("D", "e").replace("d", "e")) for p in parts)
    return out


def find_block(lines: list[str], name: str) -> Block:
    """The longest table of numbers; a row that the end of the text cuts off is left out.

    Raises ReadError when there is none of MIN_ROWS rows.
    """
    found = _longest(lines, name)
    if not ends_cut(lines, found.last):
        return found
    if found.last < len(lines):
        return replace(found, cut=True)
    return replace(found, columns=found.columns[:, :-1], last=found.last - 1, cut=True)


def ends_cut(lines: list[str], last: int) -> bool:
    """Whether a text ends in the middle of a row of the table that ends at line `last`.

    There is no end of line behind it, and it is shorter than each of the fifty rows before.
    """
    if not lines or not lines[-1].strip() or last < len(lines) - 1 or lines[-1].lstrip()[0] in _COMMENT:
        return False
    before = [len(line.rstrip()) for line in lines[-51:-1] if numbers(line)]
    return len(before) >= MIN_ROWS and len(lines[-1].rstrip()) < min(before)


def _longest(lines: list[str], name: str) -> Block:
    """The longest table of numbers: rows of one width, comment and empty lines between them allowed.

    Raises ReadError when there is none of MIN_ROWS rows.
    """
    runs: list[tuple[int, list[list[float]], list[int], list[int]]] = []
    rows: list[list[float]] = []
    where: list[int] = []
    odd: list[int] = []
    other: list[tuple[int, list[float]]] = []  # rows of another width since the last of this one
    width = 0
    for i, line in enumerate(lines):
        values = numbers(line)
        if values is None or len(values) < 2:
            text = line.strip()
            if rows and text and text[0] not in _COMMENT:
                odd.append(i + 1)
                if len(odd) > 3 + len(rows) // 20:
                    runs.append((width, rows, where, odd))
                    rows, where, odd, width = [], [], [], 0
            continue
        if rows and len(values) != width:
            other = [(n, v) for n, v in other if len(v) == len(values)]
            if len(rows) >= MIN_ROWS:
                odd.append(i + 1)
                if len(odd) <= 3 + len(rows) // 20:
                    other.append((i + 1, values))
                    continue
            runs.append((width, rows, where, odd))
            rows, where, odd = [v for _, v in other], [n for n, _ in other], []
        width, other = len(values), []
        rows.append(values)
        where.append(i + 1)
        if len(rows) == _LONG and not odd and (rest := _at_once(lines[i + 1 :], width)) is not None:
            return Block(np.vstack([np.array(rows), rest]).T, where[0], i + 1 + len(rest))
    runs.append((width, rows, where, odd))
    width, rows, where, odd = max(runs, key=lambda run: len(run[1]))
    if len(rows) < MIN_ROWS:
        raise ReadError(
            f"{name}: no table of numbers: "
            + (f"only {len(rows)} rows from line {where[0]}" if rows else "no row of two or more numbers")
            + f"; a scan needs at least {MIN_ROWS}"
            + ("; a spec is run by xasuite fit" if name.endswith(".toml") else "")
        )
    odd = [n for n in odd if where[0] < n < where[-1]]
    return Block(np.array(rows).T, where[0], where[-1], odd)


def _at_once(lines: list[str], width: int) -> Array | None:
    """The rest of a long table by one call that parses a million rows a second; None where a line is no row of it."""
    end = next((n for n in range(len(lines), 0, -1) if lines[n - 1].strip()), 0)
    text = "\n".join(lines[:end])
    if not text or not text.isascii() or text.encode().translate(None, _PLAIN):
        return None
    rows = lines[:end]
    if "," in text or ";" in text:
        rows = text.replace(",", " ").replace(";", " ").split("\n")
    try:
        values = np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError:
        return None
    return values if values.shape == (end, width) else None


def _decimal_commas(lines: list[str]) -> bool:
    """Whether the numbers of a text have decimal commas: wherever semicolons, tabs or blanks part whole numbers."""
    texts = [line.strip(" \t;") for line in lines]
    rows = [re.split(r"[;\s]+", text) for text in texts if text and text[0] not in _COMMENT]
    numeric = [row for row in rows if len(row) > 1 and all(_COMMA_NUMBER.fullmatch(t) for t in row)]
    with_comma = sum(any("," in t for t in row) for row in numeric)
    return with_comma >= MIN_ROWS and with_comma > 0.5 * len(numeric)


def parse_columns(text: str, name: str) -> Table:
    """The single group of a text file of columns. Raises ReadError when it holds no table."""
    lines = lines_of(text)
    check_lines(lines, name)
    commas = "," in text and _decimal_commas(lines)
    if commas:
        lines = [re.sub(r"(?<=\d),(?=\d)", ".", line) for line in lines]
    block = find_block(lines, name)
    header = lines[: block.first - 1]
    notes = ["decimal commas read as points"] if commas else []
    count = block.columns.shape[0]
    labels, units = find_labels(header, count)
    if not labels and (twice := _dates_in_two(block.columns)):  # "2026-03-01 12:00:00" has one label
        labels, units = find_labels(header, count - len(twice))
        if labels:
            block.columns = np.delete(block.columns, twice, axis=0)
            count -= len(twice)
    names = clean_names(labels) if labels else generic_names(count)
    if not labels:
        notes.append(f"no line of labels fits the {count} columns: they are named {names[0]} ... {names[-1]}")
    notes += block.notes
    table = Table(names=names, columns=block.columns, notes=notes, hints=_hints(header))
    table.units = dict(zip(names, units, strict=True)) if units else {}
    # A column of dates or times is NaN throughout and no channel.
    if empty := [i for i in range(count) if not np.isfinite(block.columns[i]).any()]:
        table.names = [n for i, n in enumerate(names) if i not in empty]
        table.columns = np.delete(block.columns, empty, axis=0)
    header_facts(table, header)
    return table


def _dates_in_two(columns: Array) -> list[int]:
    """Columns of times behind columns of dates."""
    stamps = [not np.isfinite(values).any() for values in columns]
    return [i for i in range(1, len(columns)) if stamps[i] and stamps[i - 1]]


def _hints(header: list[str]) -> str:
    """Header text in which an element may be named: the lines of titles and comments, not of settings."""
    return " ".join(line.strip(" #;%") for line in header[:60] if len(line) < 200)


def header_facts(table: Table, header: list[str]) -> None:
    """Element, edge, edge energy and d-spacing where a header states them."""
    facts: dict[str, str] = {}
    for line in header:
        text = line.strip().lstrip("#;%*! ").strip()
        pair = re.match(r"^%?([A-Za-z][\w .\-]{0,40}?)\s*[:=]\s*(.*)$", text)
        if pair and pair.group(2).strip():
            facts.setdefault(pair.group(1).strip().lower(), pair.group(2).strip())
            table.meta.setdefault(pair.group(1).strip(), pair.group(2).strip()[:200])
    symbol = facts.get("element.symbol") or facts.get("element") or facts.get("atom") or ""
    symbol = symbol.strip().capitalize()
    if is_element(symbol):
        table.element = symbol
    edge = (facts.get("element.edge") or facts.get("edge") or "").strip().upper()
    if re.fullmatch(r"K|[LM][1-5]|L2,?3|L3,?2", edge):
        table.edge = edge
    whole = "\n".join(header)
    stated = re.search(
        r"(?:\bE0\b|edge[_ ]?energy|exafs_edge_energy|e-?zero)\W{0,4}([0-9]+\.?[0-9]*)", whole, re.I
    )
    if stated:
        value = float(stated.group(1))
        table.e0 = value * 1000 if value < 150 else value
    spacing = re.search(r"(?:d[_ ]?spacing|lattice spacing)\W+([0-9.]+)", whole, re.I)
    if spacing and _FLOAT.fullmatch(spacing.group(1)) and 0.1 < float(spacing.group(1)) < 50:
        table.d_spacing = float(spacing.group(1))
    if title := facts.get("name") or facts.get("sample.name") or facts.get("sample"):
        table.label = title[:80]


def find_labels(header: list[str], count: int) -> tuple[list[str], list[str]]:
    """Labels and units of `count` columns from the header lines above a table; empty lists when none fit.

    Tried in this order: lists of one label a line (SSRL; "Column.3: I0"; "P1 = {Energy}"), the fixed-width
    heading of the LabVIEW programs, then the nearest line above the table that splits into as many words.
    """
    for finder in (_column_fields, _one_a_line, _legend, _described, _fixed_width):
        if found := finder(header, count):
            return found
    for line in reversed(header[-12:]):
        if labels := split_labels(line, count):
            return labels, [_unit_of(label) for label in labels]
    return [], []


def _unit_of(label: str) -> str:
    found = re.search(r"[\[(]\s*(k?ev)\s*[\])]", label, re.I)
    return found.group(1) if found else ""


def split_labels(line: str, count: int) -> list[str]:
    """The labels in a line, by quotes, tabs, commas, wide gaps or single spaces; [] when they are not `count`."""
    text = line.strip()
    text = re.sub(r"^(#L\b|#C\b|[#;%*]+)\s*", "", text).strip()
    text = re.sub(r"^#\s*", "", text)
    if not text:
        return []
    ways = [
        re.findall(r'"([^"]*)"', text) if text.count('"') >= 2 * count else [],
        [t.strip() for t in re.split(r"\t+", text)],
        [t.strip() for t in text.split(",")],
        [t.strip() for t in text.split(";")],
        re.split(r"\s{2,}", text),
        text.split(),
        # a bracket holds no opening one: with those allowed, "a(a(a(..." takes the square of its length
        re.findall(r"[^\s(\[]+(?:\s*[(\[][^()\[\]]*[)\]])?", text),
    ]
    for labels in ways:
        words = [w for w in labels if re.search(r"[A-Za-z]", w) and not _NUMBER.fullmatch(w)]
        if len(words) == len(labels) == count:
            return labels
    return []


def _numbered(header: list[str], count: int, pattern: str) -> list[re.Match[str]]:
    """The line of each column, its number in the pattern's first group; [] where they are not those of `count`."""
    found = {int(m[1]): m for line in header if (m := re.match(pattern, line, re.I))}
    return [found[i] for i in sorted(found)] if set(found) == set(range(1, count + 1)) else []


def _column_fields(header: list[str], count: int) -> tuple[list[str], list[str]] | None:
    lines = _numbered(header, count, r"\s*[#;% ]*Column\.(\d+)\s*:\s*(.+)$")
    words = [m[2].split("||")[0].split() for m in lines]
    return ([w[0] for w in words], [" ".join(w[1:]) for w in words]) if words and all(words) else None


def _one_a_line(header: list[str], count: int) -> tuple[list[str], list[str]] | None:
    for i, line in enumerate(header):
        if re.match(r"^\s*data\s*:\s*$", line, re.I):
            labels = [text.strip() for text in header[i + 1 :] if text.strip()]
            if len(labels) == count:
                return labels, [""] * count
    return None


def _legend(header: list[str], count: int) -> tuple[list[str], list[str]] | None:
    pairs = [m for line in header if (m := re.match(r"[#; ]*([PD]\d+)\s*=\s*\{([^}]*)\}", line))]
    names = {m[1]: m[2].strip() for m in pairs}
    for line in reversed(header[-3:]):
        keys = split_labels(line, count)
        if keys and all(k in names for k in keys):
            return [names[k] for k in keys], [""] * count
    return None


def _described(header: list[str], count: int) -> tuple[list[str], list[str]] | None:
    """EPICS's mda2ascii: "#   3  [1-D Detector   1]  NAME, ..." a column; a name that ends with _EV says the unit."""
    lines = _numbered(header, count, r"#\s*(\d+)\s+\[([^\]]{1,40})\]\s*([^,\s]*)")
    labels = [m[3] or m[2].strip() for m in lines]
    units = ["eV" if re.search(r"_eV(_RBV)?$", label, re.I) else "" for label in labels]
    return (labels, units) if labels else None


def _fixed_width(header: list[str], count: int) -> tuple[list[str], list[str]] | None:
    for i, line in enumerate(header):
        if re.match(r"^#\s*Column Headings:\s*$", line) and i + 1 < len(header):
            text = header[i + 1].lstrip("#")
            labels = [text[_LABVIEW_WIDTH * j : _LABVIEW_WIDTH * (j + 1)].strip() for j in range(count)]
            if all(labels) and not text[_LABVIEW_WIDTH * count :].strip():
                return [re.sub(r"\s*\*$", "", label) for label in labels], [""] * count
    return None
