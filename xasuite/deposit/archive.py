"""The archive of a deposition: a zip with the SHA-256 of every file, and how it is unpacked safely.

An archive may come from an unknown source. Nothing is written outside the folder, no link is followed or made, the size is
limited, and every byte is checked against its checksum.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from .. import files
from ..errors import ReadError
from ..io.limits import LIMIT_ENV, MOST_PACKED, UNSUSPECTED, max_bytes

SUMS = "sha256sums.txt"
MOST_FILES = 20_000
_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal contents are equal bytes
_CHUNK = 1 << 20


def checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by name, without the list itself; `sha256sum -c` reads the same form."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {name: files.sha256(folder / name) for name in names if name != SUMS}


def pack(folder: Path, target: str | Path) -> Path:
    """Write the checksums of a folder into it, and all of it as a zip. Raises WriteError."""
    sums = checksums(folder)
    files.write_text(folder / SUMS, "".join(f"{value}  {name}\n" for name, value in sums.items()))
    with files.replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in (SUMS, *sums):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (folder / name).read_bytes())
    return Path(target)


def unpack(path: str | Path, folder: str | Path | None = None) -> Path:
    """Unpack a deposition and check every file against its checksum.

    Parameters
    ----------
    path : str or Path
        The zip.
    folder : str or Path, optional
        An empty folder, or one that is not there yet; left out, a temporary one, which the caller removes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ReadError
        The archive is no deposition, is damaged, was changed, or is unsafe; the message names the file.
    """
    path = Path(path)
    target = Path(folder) if folder is not None else None
    if target is not None and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise ReadError(f"{target} is not empty; name a new folder to unpack {path.name} into")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive)
            sums = _listed(path, archive, members)
            made = target or Path(tempfile.mkdtemp(prefix="xasuite-bundle-"))
            try:
                for name, member in members.items():
                    _extract(path, archive, member, made / name, sums.get(name))
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise
    except FileNotFoundError:
        raise ReadError(f"{path}: there is no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as exc:
        raise ReadError(f"{path} is no zip that can be read, or is damaged: {exc}; get it again") from None
    return made


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by name. Raises ReadError for names, kinds and sizes that no deposition has."""
    found: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    size = 0
    packed = path.stat().st_size
    for member in archive.infolist():
        name = member.filename
        if len(found) >= MOST_FILES:
            raise ReadError(f"{path} holds more than {MOST_FILES} files; it is no deposition")
        if not _inside(name):
            raise ReadError(
                f"{path} holds a file {name!r}, which would be written outside its folder: do not use it"
            )
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ReadError(f"{path} holds {name}, which is a link or a device: do not use it")
        if member.is_dir():
            continue
        if name.casefold() in seen:  # some systems take upper and lower case for one name
            raise ReadError(f"{path} holds two files called {name}: do not use it")
        seen.add(name.casefold())
        found[name] = member
        size += member.file_size
        if size > max_bytes():
            raise ReadError(
                f"{path} unpacks to more than {max_bytes() / 1e9:g} GB; raise the limit with {LIMIT_ENV} if you trust it"
            )
    if size > max(UNSUSPECTED, MOST_PACKED * packed):
        raise ReadError(
            f"{path} unpacks to more than {MOST_PACKED} times its size, as no data do: do not use it"
        )
    return found


def _inside(name: str) -> bool:
    at = PurePosixPath(name)
    plain = not set(name) & set("\\:\0") and all(c.isprintable() for c in name)
    return bool(at.parts) and plain and not at.is_absolute() and ".." not in at.parts


def _listed(path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> dict[str, str]:
    """The checksums that an archive states. Raises ReadError where they and its files do not match by name."""
    if SUMS not in members:
        raise ReadError(f"{path} holds no {SUMS}, so it is no deposition of xasuite bundle")
    text = archive.read(SUMS).decode("utf-8", errors="replace")
    lines = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in text.splitlines()]
    sums = {m[2]: m[1] for m in lines if m}
    if None in lines or not sums:
        raise ReadError(f"{path}: {SUMS} is damaged; get the file again")
    for name in sums:
        if name not in members:
            raise ReadError(f"{path} lacks {name}, which its {SUMS} names; get the whole deposition")
    for name in members:
        if name not in sums and name != SUMS:
            raise ReadError(f"{path} holds {name}, which its {SUMS} does not name: it was added afterwards")
    return sums


def _extract(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, expected: str | None
) -> None:
    """Write one file, no more bytes than it states. Raises ReadError where they are not those of the checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), member.file_size
    with archive.open(member) as source, target.open("xb") as out:
        while piece := source.read(min(_CHUNK, left + 1)):
            left -= len(piece)
            if left < 0:
                raise ReadError(f"{path}: {member.filename} is longer than it states: do not use it")
            digest.update(piece)
            out.write(piece)
    if expected is not None and digest.hexdigest() != expected:
        raise ReadError(
            f"{path}: {member.filename} was changed: its bytes are not those of {SUMS}; get the file again"
        )
