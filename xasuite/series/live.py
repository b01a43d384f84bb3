"""A folder watched while scans are being written: each is taken up when it is whole, results are kept current."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import files
from ..errors import SeriesError, XasuiteError
from ..spec.load import LoadedSpec
from ..spec.resolve import Context
from ..spec.series import SeriesSpec
from . import quality
from .entries import Entry, find_entries, natural, read_scans
from .plan import Plan, averaged, plan_of
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

    Rows stand in the order in which their scans became whole. A file counts as whole when it has not changed for
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
        if (
            spec.series.average is not None
            or spec.series.timeline is not None
            or spec.series.simulate is not None
        ):
            raise SeriesError(
                f"{loaded.path.name}: average, timeline and simulate need a whole series; watch with a spec without "
                "them and run xasuite series at the end"
            )
        self.folder, self.loaded, self.output = Path(folder), loaded, output
        if not self.folder.is_dir():
            raise SeriesError(f"{folder} is no folder to watch")
        self.patterns = tuple(Path(p).name for p in spec.series.files)
        self.context = context or Context()
        self.settle, self.patience, self.threads = settle, patience, threads
        self.plan: Plan | None = None
        self.waiting = ""
        self._seen: dict[Path, Seen] = {}
        self._taken: list[list[str]] = self._resumed()

    @property
    def rows(self) -> int:
        """How many scans were taken up."""
        return sum(map(len, self._taken))

    def _resumed(self) -> list[list[str]]:
        marker = self.output.parts / NAMES
        if not marker.is_file():
            return []
        document = json.loads(marker.read_text())
        if document["spec_sha256"] != self.loaded.sha256:
            raise SeriesError(
                f"{marker} is of another spec; watch into another folder with --output, or remove it"
            )
        return document["taken"]

    def step(self, now: float | None = None) -> int:
        """Look at the folder once; how many scans were taken up. Raises what the spec is to blame for."""
        now = time.time() if now is None else now
        known = {name for batch in self._taken for name in batch}
        ready = []
        for path in self._files():
            if path.name not in known and self._whole(path, now):
                ready.append(path)
        if not ready:
            return 0
        entries = self._entries(known) + find_entries(ready)
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

    def _entries(self, names: set[str]) -> tuple[Entry, ...]:
        taken = [self.folder / name for batch in self._taken for name in batch if name in names]
        return find_entries([p for p in taken if p.is_file()]) if taken else ()

    def _planned(self, entries: tuple[Entry, ...]) -> bool:
        """Make the plan when there are scans enough for it; says in `waiting` what it waits for."""
        if self.plan is not None:
            return True
        spec = self.loaded.spec
        assert isinstance(spec, SeriesSpec)
        needed = max(
            [h.rows[1] for h in spec.series.hold.values()]
            + [spec.series.align.to if spec.series.align else 1]
        )
        if len(entries) < needed:
            self.waiting = f"{len(entries)} of the {needed} scans that hold and align need"
            return False
        places = [self.loaded.path.parent, *self.context.roots, Path.cwd()]
        try:
            plan = plan_of(self.loaded, self.context, entries, places)
        except SeriesError as exc:
            self.waiting = str(exc)
            return False
        if spec.series.hold:
            from .hold import hold

            plan = hold(plan)
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
        done = self._entries({n for batch in self._taken for n in batch})
        entries = (*done, *new)
        batches = [*map(len, self._taken), len(new)]
        ends = [sum(batches[: i + 1]) for i in range(len(batches))]
        chunks = tuple((end - size, end) for end, size in zip(ends, batches, strict=True))
        self.plan = replace(
            self.plan, entries=entries, members=averaged(len(entries), self.plan.series), chunks=chunks
        )
        with one_blas_thread():
            part = process(self.plan, len(chunks) - 1, self.threads)
        save_part(self.output.part(len(chunks) - 1), part)
        self._taken.append([Path(e.path).name for e in new])
        document = {"spec_sha256": self.loaded.sha256, "taken": self._taken}
        files.write_text(self.output.parts / NAMES, json.dumps(document, indent=1))
        assemble(self.plan, self.output, [self.output.part(i) for i in range(len(self._taken))])

    def run(self) -> SeriesRun:
        """What there is so far. Raises SeriesError when nothing was taken up yet."""
        return open_run(self.output.h5)


def watch(
    watcher: Watch,
    *,
    interval: float = 2.0,
    until: int | None = None,
    idle: float | None = None,
    say: Callable[[str], Any] = lambda word: None,
    current: Callable[[SeriesRun], Any] = lambda run: None,
) -> SeriesRun:
    """Look again and again, until so many rows are there, nothing new came for `idle` seconds, or Ctrl-C.

    `say` gets a line on what happened, `current` the run whenever there are new rows.
    """
    last = time.monotonic()
    while True:
        taken = watcher.step()
        if taken:
            last = time.monotonic()
            run = watcher.run()
            row = run.table.iloc[-1]
            say(
                f"{watcher.rows} scans; {row['label']}: {row['status']}"
                + (f" ({row['reason']})" if row["reason"] else "")
            )
            current(run)
        elif watcher.waiting:
            say(f"waiting: {watcher.waiting}")
        if until is not None and watcher.rows >= until:
            return watcher.run()
        if idle is not None and time.monotonic() - last > idle:
            if not watcher.rows:
                raise SeriesError(
                    f"no usable scan {', '.join(watcher.patterns)} appeared in {watcher.folder} within {idle:g} s"
                    + (f": {watcher.waiting}" if watcher.waiting else "")
                )
            return watcher.run()
        time.sleep(interval)
