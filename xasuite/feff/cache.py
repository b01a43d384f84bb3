"""Results of FEFF kept by content: the hash of the input and of the programs names the file.

One zip file an entry, put in place by a rename: readers see a whole entry or none, and two processes that
compute the same entry write the same bytes' meaning.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from .. import files

CACHE_ENV = "XASUITE_CACHE"

# Part of every key: a change of what is kept in an entry must not find old entries.
_LAYOUT = "1"


def cache_dir() -> Path:
    """The cache folder: that of XASUITE_CACHE, else the user's (platformdirs)."""
    chosen = os.environ.get(CACHE_ENV)
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("xasuite", appauthor=False))


@lru_cache(maxsize=64)
def _hash_of(path: str, size: int, mtime_ns: int) -> str:
    return files.sha256(path)


def binary_hash(path: Path) -> str:
    """Hash of a program's bytes, computed once for each size and time of change."""
    stat = path.stat()
    return _hash_of(str(path), stat.st_size, stat.st_mtime_ns)


def key(inputs: Mapping[str, str], programs: Iterable[Path], extra: str = "") -> str:
    """The name of a result: hash of every input file, of every program's bytes, and of `extra`."""
    digest = hashlib.sha256(f"{_LAYOUT}\0{extra}\0".encode())
    for name in sorted(inputs):
        digest.update(f"{name}\0{inputs[name]}\0".encode())
    for program in programs:
        digest.update(f"{program.name}\0{binary_hash(program)}\0".encode())
    return digest.hexdigest()


def entry(name: str, room: str = "feff") -> Path:
    """Where the entry of that key lies, or would lie."""
    return cache_dir() / room / name[:2] / f"{name}.zip"


def load(name: str, room: str = "feff") -> dict[str, bytes] | None:
    """The files of an entry by name, or None when there is none (a damaged entry is removed)."""
    path = entry(name, room)
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return {item: archive.read(item) for item in archive.namelist()}
    except (zipfile.BadZipFile, EOFError):
        path.unlink(missing_ok=True)
        return None


def store(name: str, contents: Mapping[str, bytes], room: str = "feff") -> Path:
    """Keep files under a key. Raises WriteError when the cache folder cannot be written."""
    path = entry(name, room)
    with files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in sorted(contents):
            # A fixed date makes equal results equal bytes.
            archive.writestr(zipfile.ZipInfo(item), contents[item], zipfile.ZIP_DEFLATED)
    return path
