"""Text formats that are more than labelled columns: SPEC, Photon Factory 9809, SRS and DUBBLE, Lytle, X10C, HXMA."""

from __future__ import annotations

import functools
import operator
import re

import numpy as np

from ...errors import ReadError
from ...records import Array
from .. import edges
from ..clean import HC
from ..table import Table, clean_names, generic_names, leading_number, lines_of
from .text import find_block, find_labels, header_facts, numbers, parse_columns, split_labels

# d-spacings in A of the crystals that SRS and DUBBLE stations had; their files do not say which.
_CRYSTALS = {"Si(111)": 3.13560, "Si(220)": 1.92016, "Si(311)": 1.63752}
_MODES = {1: "i0", 2: "it", 3: "ifluor"}


def parse(text: str, name: str) -> list[Table] | None:
    """The tables of a text in one of the formats known here, or None when it is none of them.

    Raises ReadError when it is one of them and damaged.
    """
    head = text[:4000]
    if re.match(r"\s*9809\s+[A-Z]", head):
        return [_photon_factory(text, name)]
    if re.match(r"\s*&SRS\b", head):
        return [_srs(text, name)]
    if re.match(r"\s*NPTS\s+NS\s+CUEDGE", head):
        return [_lytle(text, name)]
    if re.match(r"\s*EXAFS\b", head) and "DATA START" in head:
        return [_x10c(text, name)]
    if "#S " in text and re.search(r"^#S \d+", text, re.M) and re.search(r"^#L ", text, re.M):
        return _spec(text, name)
    column = r"^\s*Col\s+1\s+\S+\s+\w+\s*$"
    if "%d" in text and re.search(r"^%d\s*$", text, re.M) and re.search(column, text, re.M):
        return [_fio(text, name)]
    if "CLS Data Acquisition" in head[:200]:
        return [_hxma(text, name)]
    return None


def _fio(text: str, name: str) -> Table:
    """DESY's .fio: %c comments, %p parameters, %d with a line for each column."""
    head, _, body = text.partition("\n%d")
    labels = re.findall(r"^\s*Col\s+\d+\s+(\S+)\s+\w+\s*$", body, re.M)
    block = find_block(lines_of(body), name)
    if len(labels) != block.columns.shape[0]:
        raise ReadError(
            f"{name}: the header names {len(labels)} columns and the table has {block.columns.shape[0]}"
        )
    table = Table(names=clean_names(labels), columns=block.columns, format="fio")
    for line in lines_of(head.partition("\n%p")[2]):
        key, equals, value = line.partition("=")
        if equals and not line.startswith("!"):
            table.meta[key.strip()] = value.strip()
    table.hints = head.partition("%c")[2].partition("%p")[0].replace("\n", " ")[:500]
    table.label = str(table.meta.get("sample", "")) or name.rsplit("/", 1)[-1]
    return table


def _row(word: str, header: list[str]) -> list[str]:
    """The words of the first line that begins with one."""
    return next((line.split() for line in header if line.split()[:1] == [word]), [])


def _photon_factory(text: str, name: str) -> Table:
    """9809, of the Photon Factory and of SPring-8: the observed angle of the monochromator, counts by the mode of each channel."""
    lines = lines_of(text)
    block = find_block(lines[12:], name)
    header = lines[: 11 + block.first]
    count = block.columns.shape[0]
    # The word "Mode" stands in the place of the first column.
    modes = _row("Mode", header)
    names = ["angle_calculated", "angle", "time", *generic_names(count)[3:]]
    for i, mode in enumerate(modes[:count]):
        if i > 2 and mode.isdigit():
            role = _MODES.get(int(mode), f"channel{i - 2}")
            names[i] = role if role not in names else f"{role}_{i - 2}"
    spacing = re.search(r"\bD=\s*(\d+\.?\d*)\s*A", text[:2000])
    title = header[2].strip() if len(header) > 2 else ""
    table = Table(names, block.columns, format="pf9809", axis="angle", axis_kind="angle", notes=block.notes)
    table.label = title or name.rsplit("/", 1)[-1]
    table.hints = " ".join(line.strip() for line in header[1:3])
    if spacing:
        table.d_spacing = float(spacing.group(1))
    offsets = _row("Offset", header)[1:]
    table.meta = {"title": title, "offsets": " ".join(offsets), "beamline": header[0].split()[-1]}
    counts = zip(names[3:], offsets[2:], strict=False)
    if dark := [f"{n} {o}" for n, o in counts if leading_number(o.replace(",", "."))]:
        # Counts of PF9A_2022 follow the beam as if they held no dark counts: docs/decisions/reading.md
        table.notes.append(
            f"the header's offsets ({', '.join(dark)} a second) are not subtracted; write them into mu= if the counts hold them"
        )
    return table


def _srs(text: str, name: str) -> Table:
    """SRS and DUBBLE: records over several lines, angles in millidegrees, no word about the crystal."""
    head, _, body = text.partition("&END")
    texts = [line for line in lines_of(body) if line.strip()]
    if len(texts) > 1 and split_labels(texts[0], len(numbers(texts[1]) or ())):
        table = parse_columns(body, name)  # GDA of Diamond has this header, and columns with names
        header_facts(table, lines_of(head))
        return table
    lines = [numbers(line) for line in texts]
    rows = [row for row in lines if row]
    starts = [i for i, row in enumerate(rows) if len(row) == 6]
    if len(starts) < 10:
        raise ReadError(f"{name}: an SRS file with {len(starts)} records; a scan needs at least 10")
    records: list[list[float]] = [
        functools.reduce(operator.iadd, rows[a:b], [])
        for a, b in zip(starts, [*starts[1:], len(rows)], strict=True)
    ]
    width = len(records[0])
    whole = np.array([r for r in records if len(r) == width]).T
    names = ["angle", "time", "i0", "it", "ifluor", "col6"] + [f"ge{i + 1}" for i in range(width - 6)]
    table = Table(names=names, columns=whole, format="srs", axis="angle", axis_kind="millidegree")
    if whole.shape[1] < len(records):
        table.notes.append(f"{len(records) - whole.shape[1]} incomplete records dropped")
    title = re.search(r"SRSTLE='([^']*)'", head)
    table.label = title.group(1).strip() if title else ""
    table.hints = re.sub(r"\b([a-z])([a-z]?)(?=\d?\+)", lambda m: m.group(0).capitalize(), table.label)
    table.meta = {k.lower(): v.strip() for k, v in re.findall(r"(SRS\w{1,20})='?([^',]*)", head)}
    _find_crystal(table, name)
    return table


def _find_crystal(table: Table, name: str) -> None:
    """Choose the crystal with which the jump of mu lands on a tabulated edge."""
    found = []
    for crystal, d in _CRYSTALS.items():
        energy = HC / (2 * d * np.sin(np.radians(table.column("angle") * 1e-3)))
        order = np.argsort(energy)
        for mu in (_log_ratio(table), table.column("ifluor") / table.column("i0")):
            jump = edges.find_jump(energy[order], mu[order])
            if jump.quality < edges.MIN_QUALITY:
                continue
            best, _ = edges.guess(energy[order], jump, 0.0, table.hints)
            if best:
                found.append((abs(best.energy - jump.energy), crystal, best))
            break
    if not found:
        raise ReadError(
            f"{name}: the angles are in millidegrees, the header gives no d-spacing, and with none of "
            f"{', '.join(_CRYSTALS)} does the edge land on a tabulated one"
        )
    found.sort(key=lambda item: item[0])
    _, crystal, best = found[0]
    table.d_spacing = _CRYSTALS[crystal]
    other = "" if len(found) == 1 else f" (also possible: {found[1][1]}, {found[1][2].element})"
    table.notes.append(
        f"the header gives no d-spacing: {crystal} is taken, with which the edge lands on {best.element} {best.edge}{other}"
    )


def _log_ratio(table: Table) -> Array:
    with np.errstate(all="ignore"):
        return np.log(table.column("i0") / table.column("it"))


def _lytle(text: str, name: str) -> Table:
    """The Lytle data base: monochromator steps, with steps per degree and d-spacing in the first lines."""
    lines = lines_of(text)
    block = find_block(lines[7:], name)
    keys, values = lines[0].split(), lines[1].split() if len(lines) > 1 else []
    facts = dict(zip(keys, values, strict=False))
    count = block.columns.shape[0]
    names = ["steps", "i0", "it"][:count] + generic_names(count)[3:]
    table = Table(
        names=names, columns=block.columns, format="lytle", axis="steps", axis_kind="steps", notes=block.notes
    )
    try:
        table.d_spacing = float(facts["DSPACE"])
        table.steps_per_degree = float(facts["STPDEG"])
    except (KeyError, ValueError):
        raise ReadError(f"{name}:2: the Lytle header gives no DSPACE and STPDEG") from None
    title = lines[6].strip() if len(lines) > 6 else ""
    table.label = re.split(r"\s{3,}", title)[0]
    table.hints = re.sub(r"\b([A-Z])([A-Z])(?=[/ ])", lambda m: m.group(1) + m.group(2).lower(), table.label)
    table.meta = {"title": title}
    return table


def _x10c(text: str, name: str) -> Table:
    """NSLS X10C: eight columns without labels, energies in eV, the detectors listed in a header line."""
    start = text.index("DATA START")
    lines = lines_of(text[start:])[1:]
    block = find_block(lines, name)
    count = block.columns.shape[0]
    names = generic_names(count)
    if count == 8:
        names = ["energy", "col2", "i0pre", "i0", "col5", "it", "iref", "col8"]
    header = lines_of(text[:start])
    table = Table(names, block.columns, format="x10c", axis=names[0], axis_kind="eV", notes=block.notes)
    table.label = header[3].strip() if len(header) > 3 else ""
    table.hints = table.label
    table.notes.append(f"X10C columns taken by position: {' '.join(names)}")
    return table


def _hxma(text: str, name: str) -> Table:
    """CLS HXMA: four counters without names; which is which shows in how they change at an edge."""
    table = parse_columns(text, name)
    roles = {"Detector1": "ifluor", "Detector2": "i0", "Detector3": "it", "Detector4": "iref"}
    if set(roles) <= set(table.names):
        table.names = [roles.get(n, n) for n in table.names]
        table.notes.append("HXMA counters taken as: 1 fluorescence, 2 I0, 3 It, 4 Iref")
    return table


def _after(key: str, lines: list[str]) -> str:
    """What stands behind a key in the first line that begins with it."""
    return next((line.removeprefix(key).strip() for line in lines if line.startswith(key)), "")


def _spec(text: str, name: str) -> list[Table]:
    """A SPEC file: one table per scan; groups are the scan numbers."""
    lines = lines_of(text)
    starts = [i for i, line in enumerate(lines) if re.match(r"#S \d+", line)]
    tables: list[Table] = []
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        part = [*lines[start:stop], *([""] if stop < len(lines) else [])]
        number = part[0].split()[1]
        try:
            block = find_block(part, f"{name}::{number}")
        except ReadError as exc:
            tables.append(Table.refused(number, str(exc)))
            continue
        header = part[: block.first - 1]
        count = block.columns.shape[0]
        label_line = next((line for line in reversed(header) if line.startswith("#L")), "")
        labels = split_labels(label_line, count) or find_labels(header, count)[0]
        table = Table(
            clean_names(labels) if labels else generic_names(count), block.columns, notes=block.notes
        )
        if not labels:
            table.notes.append(f"no line of labels fits the {count} columns")
        header_facts(table, [line for line in header if not line.startswith("#G")])
        table.format, table.group = "spec", number
        table.meta["command"] = " ".join(part[0].split()[2:])
        table.meta["date"] = _after("#D ", header)
        title = _after("#F ", lines[: starts[0]])
        table.label = f"{title.rsplit('/', 1)[-1]} #{number}".strip()
        table.hints = title
        tables.append(table)
    if len(tables) == 1:
        tables[0].group = ""
        if tables[0].refusal:
            raise ReadError(f"{name}: {tables[0].refusal}")
    return tables
