"""`read`, `read_all` and `groups`: any file, distinguished by what it holds and not by its name."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import DataError, ReadError, XasuiteError
from ..notices import warn
from ..records import Scan, Source
from .axis import Asked
from .finish import finish
from .limits import GZIP, HDF5, contents, unpacked
from .sweeps import split
from .table import Table

_BINARY = {
    b"PK\x03\x04": "a zip archive (an Artemis project or an office document)",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    b"\xff\xd8\xff": "a JPEG image",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"CDF\x01": "a netCDF file",
}
# bytes that no text has: control characters but tab, line feeds and carriage return
_CONTROL = bytes(b for b in range(32) if not 9 <= b <= 13)


def read_as(path: str | Path, asked: Asked) -> Scan:
    """One scan of one file, by what was asked. Raises as `read`."""
    return finish(*load_group(path), asked)


def load_group(path: str | Path) -> tuple[Table, Source]:
    """The table of one group of a file as it stands there: the group named, or the only one that is usable."""
    file, group = split_group(path)
    tables, source = _load(file, group)
    if group:
        table = _pick(tables, group, file)
    else:
        usable = [t for t in tables if not t.refusal] if len(tables) > 1 else tables
        if len(usable) != 1:
            shown = ", ".join(t.group for t in tables[:8]) + (", ..." if len(tables) > 8 else "")
            raise ReadError(
                f"{file} holds {len(tables)} groups ({shown}); name one as {file.name}::{tables[0].group}, "
                "or read them all with read_all"
            )
        table = usable[0]
    return table, _source_of(table, source)


def read_all(
    path: str | Path,
    *,
    element: str | None = None,
    edge: str | None = None,
    mu: str | None = None,
    reference: str | None = None,
    i0: str | None = None,
    energy: str | None = None,
    units: str | None = None,
) -> list[Scan]:
    """Every scan of a file, in the file's order; ``file::text`` takes the groups whose name holds the text.

    Groups that are not XAFS (chi(k), tables of something else) are left out with a warning.

    Parameters
    ----------
    path : str or Path
        The file.
    element : str, optional
        Element of the absorber; left out, from the header or from where mu jumps.
    edge : str, optional
        The edge, as "K" or "L3".
    mu : str, optional
        Arithmetic over channels that gives mu.
    reference : str, optional
        Arithmetic over channels that gives the reference's mu.
    i0 : str, optional
        The column of the incident intensity.
    energy : str, optional
        The column of the energies.
    units : str, optional
        What the energy column holds: "eV", "keV" or "angle".

    Returns
    -------
    list of Scan
        One for each scan, each with its group's name in its source.

    Raises
    ------
    ReadError
        When nothing is left.
    ChannelError
        As `read`.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> path = xs.write(f"{mkdtemp()}/cu.xdi", spectrum)
    >>> len(xs.read_all(path))
    1
    """
    file, group = split_group(path)
    tables, source = _load(file)
    if group:
        tables = _called(tables, group) or _with(tables, group) or [_pick(tables, group, file)]
    asked = Asked.of(
        element=element, edge=edge, mu=mu, reference=reference, i0=i0, energy=energy, units=units
    )
    scans: list[Scan] = []
    refused: list[XasuiteError] = []
    for table in tables:
        try:
            scans.append(finish(table, _source_of(table, source), asked))
        except (ReadError, DataError) as exc:
            refused.append(exc)
    if not scans:
        raise refused[0]
    for refusal in refused:
        warn(f"left out: {refusal}")
    return scans


def groups(path: str | Path) -> list[str]:
    """Names of the groups of a file, in its order; [""] for a file of a single scan.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of str
        Each can be put behind the file's name: ``file::group``.

    Raises
    ------
    ReadError
        A file that is missing or damaged.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> xs.io.groups(xs.write(f"{mkdtemp()}/cu.xdi", spectrum))
    ['']
    """
    file, _ = split_group(path)
    return [t.group for t in _load(file)[0]]


def split_group(path: str | Path) -> tuple[Path, str]:
    """A path and the group named behind ``::``, "" when none is.

    A file whose own name holds ``::`` is taken as it is.
    """
    text = str(path)
    if "::" in text and not Path(text).exists():
        file, _, group = text.partition("::")
        return Path(file), group
    return Path(text), ""


def _source_of(table: Table, source: Source) -> Source:
    return replace(source, group=table.group, format=table.format)


def _called(tables: list[Table], group: str) -> list[Table]:
    """The tables of exactly that name, or of that tag in an Athena project."""
    return [t for t in tables if group in (t.group, str(t.meta.get("athena_tag", "")))]


def _with(tables: list[Table], part: str) -> list[Table]:
    return [t for t in tables if part.lower() in t.group.lower()]


def _pick(tables: list[Table], group: str, file: Path) -> Table:
    names = [t.group for t in tables]
    part = _with(tables, group)
    folded = [t for t in part if t.group.lower() == group.lower()]
    number = int(group) if group.isdecimal() else 0
    for found in (_called(tables, group)[:1], folded, part, tables[number - 1 : number]):
        if len(found) == 1:
            return found[0]
    near = [t.group for t in part[:5]] or difflib.get_close_matches(group, names, 5, 0.4) or names[:5]
    if names == [""]:
        raise ReadError(f"{file} holds a single scan and no groups; leave out '::{group}'")
    raise ReadError(f"{file} has no group {group!r}; the nearest are {', '.join(near)}")


def _bytes(file: Path, most: int = 0) -> bytes:
    try:
        if file.is_dir():
            inside = sorted(p.name for p in file.iterdir() if p.is_file())[:5]
            such = f", such as {', '.join(inside)}" if inside else ""
            raise ReadError(f"{file} is a folder, not a file; name one in it{such}")
        if not file.exists():
            raise ReadError(f"{file} does not exist{_nearest(file)}")
        return contents(file, most)
    except OSError as exc:
        raise ReadError(f"{file} cannot be read: {exc.strerror or exc}") from None
    except ValueError as exc:
        raise ReadError(f"{str(file)!r} is no path: {exc}") from None


def _nearest(file: Path) -> str:
    if not file.parent.is_dir():
        return f"; there is no folder {file.parent}"
    try:
        inside = [p.name for p in file.parent.iterdir() if p.is_file()]
    except OSError:
        return ""
    folded = {name.lower(): name for name in inside}
    near = difflib.get_close_matches(file.name.lower(), list(folded), 3, 0.5)
    return f"; near it lie {', '.join(folded[n] for n in near)}" if near else "; check the path"


def _load(file: Path, group: str = "") -> tuple[list[Table], Source]:
    """Parse a file into tables, and its Source without a group.

    Of an HDF5 file a `group` of exactly that name is read alone; the hash is then of its numbers and not of the file.
    """
    if group and _bytes(file, len(HDF5)) == HDF5:
        from .formats.hdf5 import parse_hdf5

        tables = parse_hdf5(file, str(file), group)
        digest = hashlib.sha256()
        for table in tables:
            digest.update(np.ascontiguousarray(table.columns).data)
        return tables, Source(str(file), "", digest.hexdigest())
    raw = _bytes(file)
    source = Source(str(file), "", hashlib.sha256(raw).hexdigest())
    content = unpacked(raw, str(file)) if raw[:2] == GZIP else raw
    if not content.strip():
        raise ReadError(f"{file} is empty")
    if content[:8] == HDF5:
        from .formats.hdf5 import parse_hdf5

        return [t for table in parse_hdf5(content, str(file)) for t in split(table)], source
    for magic, what in _BINARY.items():
        if content.startswith(magic):
            raise ReadError(f"{file} is {what}, not XAFS data")
    return [t for table in parse_text(decode(content, file), str(file)) for t in split(table)], source


def decode(content: bytes, file: Path) -> str:
    """Bytes as text: UTF-8, else Latin-1. Raises ReadError for binary content."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise ReadError(f"{file} is binary, not XAFS data") from None
    head = content[:65536]
    if head.startswith(b"SSRL") and b"\0" in head[:200]:
        raise ReadError(
            f"{file} is binary data of SSRL's Data Collector: save it as ASCII with that program, or with Athena or SixPack"
        )
    odd = len(head) - len(head.translate(None, _CONTROL))
    # A header of fixed fields may be padded with a few NULs (NSLS X10C); data never are.
    if odd > 0.01 * len(head) or content.count(b"\0", len(head)):
        raise ReadError(f"{file} is binary, not XAFS data")
    content = content.replace(b"\0", b" ")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def parse_text(text: str, name: str) -> list[Table]:
    """The tables of a text file of any of the known formats. Raises ReadError."""
    from .formats import athena, beamlines, own, xdi
    from .formats.text import parse_columns

    if own.is_own(text):
        return own.parse_own(text, name)
    if athena.is_athena(text):
        return athena.parse_athena(text, name)
    suffixed = name.lower().removesuffix(".gz").endswith(".xdi")
    if xdi.is_xdi(text) or (suffixed and xdi.has_fields(text)):
        return [xdi.parse_xdi(text, name)]
    tables = beamlines.parse(text, name) or [parse_columns(text, name)]
    if suffixed:
        said = "named .xdi and no XDI file (it does not begin with '# XDI/'): read as columns"
        for table in tables:
            table.notes.insert(0, said)
    return tables
