"""Sources that grow, an HDF5 file that is being written or a catalogue of a Tiled server, made into files.

A source is asked again and again for scans that are new and whole. Each is kept as a file of its own in a folder, so that
what follows (`xasuite series`, `xasuite watch`) reads files, and a source that goes away takes nothing with it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .. import io
from ..errors import SeriesError
from ..io.axis import Asked
from ..io.sources import natural
from .growing import Fresh, GrowingFile
from .tiled import Catalogue

TILED = re.compile(r"https?://")


class Source(Protocol):
    """What grows. `trouble` says why it does not answer now, "" where it does."""

    trouble: str

    def fresh(self, known: set[str]) -> Iterator[Fresh]:
        """Scans that are whole and whose names are not known."""
        ...


def open_source(text: str, asked: Asked) -> Source | None:
    """The source that a name stands for, ``file.h5``, ``file.h5::groups`` or a Tiled address; None for what is neither."""
    if TILED.match(text):
        return Catalogue(text, asked)
    file, _, groups = text.partition("::")
    if Path(file).is_file() and Path(file).suffix.lower() in {".h5", ".hdf5", ".nxs", ".hdf"}:
        return GrowingFile(Path(file), groups, asked)
    return None


def keep(source: Source, folder: Path) -> list[Path]:
    """New scans of a source as files in a folder, in the order in which they came; their time is that of the last point.

    Raises SeriesError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "names.txt"
    known = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    made: list[Path] = []
    for fresh in source.fresh(set(known)):
        clean = re.sub(r"[^0-9A-Za-z.-]+", "_", fresh.scan.label or fresh.name).strip("_") or "scan"
        path = folder / f"{clean}.csv"
        if path.exists():  # two names that differ in what no file's name holds
            path = folder / f"{clean}_{len(known) + 1}.csv"
        io.write(path, fresh.scan)
        os.utime(path, (fresh.written, fresh.written))
        known.append(fresh.name)
        with open(listed, "a", encoding="utf-8") as handle:
            handle.write(fresh.name + "\n")
        made.append(path)
    return sorted(made, key=lambda p: natural(p.name))


def fetched(pattern: str, asked: Asked, folder: Path) -> list[str]:
    """The files of a Tiled catalogue's scans, fetched once into a folder of its own; the pattern itself where it is none.

    Raises SeriesError when the catalogue holds no scan.
    """
    if not TILED.match(pattern):
        return [pattern]
    source = open_source(pattern, asked)
    assert source is not None
    folder = folder / hashlib.sha256(f"{pattern} {asked}".encode()).hexdigest()[:16]
    keep(source, folder)
    found = sorted(folder.glob("*.csv"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise SeriesError(source.trouble or f"{pattern} holds no scan that is whole")
    return [str(p) for p in found]
