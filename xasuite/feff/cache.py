"""A cache for results of long computations: the name of an entry is the hash of everything that it was made from.

An entry is one file, put in place by a rename: a reader sees the whole entry or none, and two processes that compute the same entry
write the same bytes. The file begins with the hash of the rest, so that a damaged entry is detected and made again.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from .. import files
from ..errors import WriteError
from ..notices import warn

CACHE_ENV = "XASUITE_CACHE"

# Part of every key. It is raised when the contents of entries change, so that old entries are not found.
_LAYOUT = "2"
# The temporary folder that is used for the rest of the process if the cache folder cannot be written.
_instead: list[Path] = []
# The folder given to `using`
_USED: ContextVar[Path | None] = ContextVar("cache folder", default=None)


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Use another folder as the cache within the block, in this thread; the user's cache is neither read nor written."""
    token = _USED.set(folder)
    try:
        yield
    finally:
        _USED.reset(token)


def cache_dir() -> Path:
    """The cache folder: that of XASUITE_CACHE, else the user's (platformdirs); a temporary one if it cannot be written."""
    if (used := _USED.get()) is not None:
        return used
    if _instead:
        return _instead[0]
    chosen = os.environ.get(CACHE_ENV)
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("xasuite", appauthor=False))


@lru_cache(maxsize=64)
def _hash_of(path: str, size: int, mtime_ns: int) -> str:
    return files.sha256(path)


def binary_hash(path: Path) -> str:
    """The hash of a program's file, computed again only when its size or time of change differs."""
    stat = path.stat()
    return _hash_of(str(path), stat.st_size, stat.st_mtime_ns)


def key(inputs: Mapping[str, str], programs: Iterable[Path] = (), extra: str = "") -> str:
    """The key of a result: the hash of all input files, of the files of all programs, and of `extra`."""
    digest = hashlib.sha256(f"{_LAYOUT}\0{extra}\0".encode())
    for name in sorted(inputs):
        digest.update(f"{name}\0{inputs[name]}\0".encode())
    for program in programs:
        digest.update(f"{program.name}\0{binary_hash(program)}\0".encode())
    return digest.hexdigest()


def entry(name: str, folder: str = "feff") -> Path:
    """The file of the entry with that key; it need not exist."""
    return cache_dir() / folder / name[:2] / f"{name}.kept"


def load(name: str, folder: str = "feff") -> dict[str, bytes] | None:
    """The files of an entry by name; None if there is no entry or it is damaged."""
    try:
        held = entry(name, folder).read_bytes()
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    if hashlib.sha256(held[size:]).digest() != held[:size]:
        return None
    with zipfile.ZipFile(io.BytesIO(held[size:])) as archive:
        return {item: archive.read(item) for item in archive.namelist()}


def store(name: str, contents: Mapping[str, bytes], folder: str = "feff") -> Path:
    """Keep files under a key. If the cache cannot be written, it warns and keeps them for this process only."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in sorted(contents):
            # A fixed date makes equal results equal bytes.
            archive.writestr(zipfile.ZipInfo(item), contents[item], zipfile.ZIP_DEFLATED)
    packed = held.getvalue()
    return write(entry(name, folder), hashlib.sha256(packed).digest() + packed)


def write(path: Path, content: bytes) -> Path:
    """Write a file of the cache, or into a temporary folder if that fails. Raises WriteError if both fail."""
    try:
        with files.replacing(path) as temporary:
            temporary.write_bytes(content)
        return path
    except WriteError as exc:
        if _instead:
            raise
        inner = path.relative_to(cache_dir())
        _instead.append(Path(tempfile.mkdtemp(prefix="xasuite-cache-")))
        atexit.register(shutil.rmtree, _instead[0], ignore_errors=True)
        warn(
            f"the cache cannot be written ({exc}); results of FEFF are kept in {_instead[0]} until this process ends. "
            f"Name a folder for the cache in {CACHE_ENV}",
        )
        return write(_instead[0] / inner, content)
