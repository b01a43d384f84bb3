"""Scans of an HDF5 file that is being written, as they become whole."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import XasuiteError
from ..io.axis import Asked
from ..io.sources import GROUP, STACK, Entry, find_entries, open_hdf5, read_scans, read_stack
from ..records import Scan
from .template import mu_of_stack

QUIET = 1.0  # s that a group without an end must have stayed as it is, where none follows it


@dataclass(frozen=True, eq=False)
class Fresh:
    """A new scan: its name within the source, the scan with its label, and when its last point was written (s since 1970)."""

    name: str
    scan: Scan
    written: float


@dataclass(eq=False)
class GrowingFile:
    """An HDF5 file that is being written, with SWMR or opened and closed: its groups, and rows of stacks, as they become whole.

    A row is whole when the next has begun, or when it holds finite values and was not changed for a while; a group when it
    has an `end_time`, or another follows it, or when all its arrays are of one length and have not grown for a while.
    """

    path: Path
    groups: str
    asked: Asked
    quiet: float = QUIET
    trouble: str = ""
    _seen: dict[str, tuple[Any, float]] = field(default_factory=dict)

    def fresh(self, known: set[str]) -> Iterator[Fresh]:
        """Scans that are whole and whose names are not known; none, and `trouble`, for a file that cannot be opened now."""
        self.trouble = ""
        try:
            entries = [e for e in find_entries([self.path]).entries if e.kind in {GROUP, STACK}]
        except (OSError, XasuiteError) as exc:
            self.trouble = f"{self.path} cannot be read now: {exc}"
            return
        chosen = [e for e in entries if re.search(self.groups, e.group)]
        for i, entry in enumerate(chosen):
            rows = (
                self._rows(entry, known)
                if entry.kind == STACK
                else self._group(entry, known, i + 1 < len(chosen))
            )
            for name, scan in rows:
                yield Fresh(name, scan, self._written())

    def _written(self) -> float:
        try:
            return self.path.stat().st_mtime
        except OSError:
            return time.time()

    def _rows(self, entry: Entry, known: set[str]) -> Iterator[tuple[str, Scan]]:
        names = [f"{entry.group or self.path.stem}[{i}]" for i in range(entry.rows)]
        new = np.array([i for i, n in enumerate(names) if n not in known], np.intp)
        if not new.size:
            return
        try:
            rows = read_stack(entry, new)
        except (XasuiteError, IndexError):
            return  # it is being written; the next look finds it whole
        if any(len(v) < new.size for v in rows.channels.values()):
            return
        for j, i in enumerate(new):
            channels = {n: v[j] for n, v in rows.channels.items()}
            held = all(np.isfinite(v).all() and v.any() for v in channels.values())
            if not held or (i == entry.rows - 1 and not self._still(names[i], rows.content)):
                continue
            meta = {n: float(v[j]) for n, v in rows.scalars.items()}
            expr = self.asked.mu or mu_of_stack(list(channels), entry, self.asked.i0)
            yield names[i], Scan(rows.energy, channels, mu_expr=expr, label=names[i], meta=meta)

    def _group(self, entry: Entry, known: set[str], followed: bool) -> Iterator[tuple[str, Scan]]:
        name = entry.group or self.path.stem
        if name in known:
            return
        state, ended = self._state(entry)
        if state is None or not (ended or followed or self._still(name, state)):
            return
        found = read_scans([entry], self.asked)[0]
        if isinstance(found, Scan):
            yield name, found

    def _state(self, entry: Entry) -> tuple[Any, bool]:
        """The lengths of a group's arrays, None while they differ, and whether the group says that it has ended."""
        import h5py

        try:
            with open_hdf5(entry.path) as file:
                group = file[entry.group] if entry.group else file
                sizes = {
                    d.shape[0]
                    for d in group.values()
                    if isinstance(d, h5py.Dataset) and d.ndim and d.shape[0] > 1
                }
                ended = "end_time" in group or "end_time" in group.parent
        except (OSError, KeyError, RuntimeError):
            return None, False
        return (sizes if len(sizes) == 1 else None), ended

    def _still(self, name: str, state: Any) -> bool:
        """Whether a scan's state is what it was for so long."""
        before, since = self._seen.get(name, (None, 0.0))
        if before != state:
            self._seen[name] = (state, time.monotonic())
            return False
        return time.monotonic() - since >= self.quiet
