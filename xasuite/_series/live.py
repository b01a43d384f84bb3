"""A folder watched while scans are being written: each is taken up when it is whole, results are kept current."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from .. import files
from ..errors import SeriesError, XasuiteError
from ..io.sources import Entry, find_entries, natural, read_scans
from ..spec.load import LoadedSpec
from ..spec.series import SeriesSpec
from ..workflow.resolve import Context
from . import quality
from .beside import beside
from .plan import Plan, averaged, completed, plan_of, scans_for
from .record import SeriesRun, open_run
from .schedule import one_blas_thread
from .store import Folder, assemble, save_part
from .work import process

SETTLE = 1.0  # s that a file must have stayed as it is
PATIENCE = 300.0  # s after which a scan that is still too short is taken as it is, and marked
NAMES = "live.json"


@dataclass(frozen=True)
class Seen:
    """A file as it was when last looked at."""

    size: int
    mtime: float
    since: float


class Watch:
    """Takes scans of a folder up as they appear; `step` looks once, so that a caller keeps the time.

    Rows stand in the order in which their scans became whole; an average is a row as soon as its last scan is there. A
    file counts as whole when it has not changed for
    `settle` seconds and holds the series' range; one that stops growing before is taken after `patience` seconds,
    and its row says what is missing. Restarted, it goes on behind what it has taken up.
    """

    def __init__(
        self,
        folder: str | Path,
        loaded: LoadedSpec,
        output: Folder,
        context: Context | None = None,
        *,
        settle: float = SETTLE,
        patience: float = PATIENCE,
        threads: int = 1,
    ) -> None:
        spec = loaded.spec
        assert isinstance(spec, SeriesSpec)
        refused = _not_live(spec)
        if refused:
            raise SeriesError(f"{loaded.path.name}: {refused}")
        self.folder, self.loaded, self.output = Path(folder), loaded, output
        if not self.folder.is_dir():
            raise SeriesError(f"{folder} is no folder to watch")
        self.patterns = tuple(Path(p).name for p in spec.series.files)
        self.context = context or Context()
        self.settle, self.patience, self.threads = settle, patience, threads
        self.plan: Plan | None = None
        self.waiting = ""
        self._seen: dict[Path, Seen] = {}
        self._taken: list[str] = []
        self._ends: list[int] = []  # the row behind the last of each part
        self._resume()

    @property
    def scans(self) -> int:
        """How many scans were taken up."""
        return len(self._taken)

    @property
    def rows(self) -> int:
        """How many rows there are: one a scan, fewer where rows are averages."""
        return self._ends[-1] if self._ends else 0

    def _resume(self) -> None:
        marker = self.output.parts / NAMES
        if not marker.is_file():
            return
        document = json.loads(marker.read_text())
        if document["spec_sha256"] != self.loaded.sha256 or "ends" not in document:
            raise SeriesError(
                f"{marker} is of another spec or version; watch into another folder with --output, or remove it"
            )
        self._taken, self._ends = document["taken"], document["ends"]

    def step(self, now: float | None = None) -> int:
        """Look at the folder once; how many scans were taken up. Raises what the spec is to blame for."""
        now = time.time() if now is None else now
        known = set(self._taken)
        ready = []
        for path in self._files():
            if path.name not in known and self._whole(path, now):
                ready.append(path)
        if not ready:
            return 0
        entries = self._entries() + find_entries(ready)
        if not self._planned(entries):
            return 0
        assert self.plan is not None
        new = [e for e in find_entries(ready) if self._complete(e, now)]
        if not new:
            return 0
        self._take(new)
        return len(new)

    def _files(self) -> list[Path]:
        found = {p for pattern in self.patterns for p in self.folder.glob(pattern) if p.is_file()}
        return sorted((p for p in found if not p.name.startswith(".")), key=lambda p: natural(p.name))

    def _whole(self, path: Path, now: float) -> bool:
        """Whether a file has stayed as it is for long enough."""
        try:
            stat = path.stat()
        except OSError:
            return False  # renamed or removed since it was listed
        last = self._seen.get(path)
        if last is None or (last.size, last.mtime) != (stat.st_size, stat.st_mtime):
            # what was written long before we first looked need not be waited for
            self._seen[path] = Seen(stat.st_size, stat.st_mtime, min(now, max(stat.st_mtime, 0.0)))
            return stat.st_size > 0 and now - stat.st_mtime >= self.settle
        return stat.st_size > 0 and now - last.since >= self.settle

    def _entries(self) -> tuple[Entry, ...]:
        taken = [p for name in self._taken if (p := self.folder / name).is_file()]
        return find_entries(taken) if taken else ()

    def _planned(self, entries: tuple[Entry, ...]) -> bool:
        """Make the plan when there are scans enough for it; says in `waiting` what it waits for."""
        if self.plan is not None:
            return True
        spec = self.loaded.spec
        assert isinstance(spec, SeriesSpec)
        rows = max([1, *(h.rows[1] for h in spec.series.hold.values())])
        needed = max(scans_for(rows, spec.series), spec.series.align.to if spec.series.align else 1)
        if len(entries) < needed:
            self.waiting = f"{len(entries)} of the {needed} scans that average, hold and align need"
            return False
        places = [self.loaded.path.parent, *self.context.roots, Path.cwd()]
        try:
            plan = plan_of(self.loaded, self.context, entries, places)
        except SeriesError as exc:
            self.waiting = str(exc)
            return False
        plan = completed(plan, self.context)
        self.plan, self.waiting = replace(plan, fingerprint=self.loaded.sha256), ""
        return True

    def _complete(self, entry: Entry, now: float) -> bool:
        """Whether a scan holds the series' range, or has had its time to grow to it."""
        assert self.plan is not None
        sample, checks = self.plan.spec.sample, self.plan.series.checks
        scan = read_scans([entry], self.plan.series.mu, self.plan.series.reference)[0]
        if isinstance(scan, XasuiteError):
            short = True
        else:
            fault = quality.scan_fault(scan, checks, sample.element, sample.edge, self.plan.energy)
            short = fault is not None and fault[0] == quality.SHORT
        return not short or now - self._seen[Path(entry.path)].mtime > self.patience

    def _take(self, new: list[Entry]) -> None:
        assert self.plan is not None
        series = self.plan.series
        entries = (*self._entries(), *new)
        # An average is a row once its last scan is there; scans before that are only taken note of
        members = averaged(len(entries), series) if len(entries) >= scans_for(1, series) else ()
        ends = [*self._ends, len(members)] if len(members) > self.rows else self._ends
        chunks = tuple(pairwise((0, *ends)))
        self.plan = replace(self.plan, entries=entries, members=members, chunks=chunks)
        fresh = len(ends) > len(self._ends)
        if fresh:
            with one_blas_thread():
                part = process(self.plan, len(chunks) - 1, self.threads)
            save_part(self.output.part(len(chunks) - 1), part)
        self._taken, self._ends = [*self._taken, *(Path(e.path).name for e in new)], ends
        document = {"spec_sha256": self.loaded.sha256, "taken": self._taken, "ends": ends}
        files.write_text(self.output.parts / NAMES, json.dumps(document, indent=1))
        if fresh:
            paths = [self.output.part(i) for i in range(len(ends))]
            assemble(self.plan, self.output, paths, beside=beside(self.plan, paths))

    def run(self) -> SeriesRun:
        """What there is so far. Raises SeriesError when nothing was taken up yet."""
        return open_run(self.output.h5)


def _not_live(spec: SeriesSpec) -> str:
    """Why a spec cannot be watched, and what to do instead; empty where it can."""
    series = spec.series
    if series.simulate is not None:
        return "a simulated series has no scans to watch; run it with xasuite series"
    if series.timeline is not None:
        return (
            "timeline is one fit of all rows, so it has no result before the last scan; watch with a copy of the spec "
            "without [series.timeline] and run xasuite series --resume on this one afterwards"
        )
    if series.components is not None:
        return (
            "components are found in all rows at once; watch with a copy of the spec without [series.components] and "
            "run xasuite series --resume on this one afterwards"
        )
    if series.align is not None and series.align.smooth:
        return (
            "align: smooth takes each shift from scans on both sides, later ones too; watch with a copy of the spec "
            "without it and run xasuite series --resume on this one afterwards"
        )
    return ""


def watch(
    watcher: Watch,
    *,
    interval: float = 2.0,
    until: int | None = None,
    idle: float | None = None,
    say: Callable[[str], Any] = lambda word: None,
    current: Callable[[SeriesRun], Any] = lambda run: None,
) -> SeriesRun:
    """Look again and again, until so many scans are there, nothing new came for `idle` seconds, or Ctrl-C.

    `say` gets a line on what happened, `current` the run whenever there are new rows.
    """
    last, shown = time.monotonic(), watcher.rows
    while True:
        taken, before = watcher.step(), shown
        if taken:
            last, shown = time.monotonic(), watcher.rows
        if shown > before:
            run = watcher.run()
            row = run.table.iloc[-1]
            say(
                f"{watcher.scans} scans; {row['label']}: {row['status']}"
                + (f" ({row['reason']})" if row["reason"] else "")
            )
            current(run)
        elif taken:
            say(f"{watcher.scans} scans; the next row is not full yet")
        elif watcher.waiting:
            say(f"waiting: {watcher.waiting}")
        if until is not None and watcher.scans >= until and watcher.rows:
            return watcher.run()
        if idle is not None and time.monotonic() - last > idle:
            if not watcher.rows:
                raise SeriesError(
                    f"no usable scan {', '.join(watcher.patterns)} appeared in {watcher.folder} within {idle:g} s"
                    + (f": {watcher.waiting}" if watcher.waiting else "")
                )
            return watcher.run()
        time.sleep(interval)
