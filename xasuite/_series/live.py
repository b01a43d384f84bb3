"""A folder watched while scans are being written: each is read when it is complete, and the results are updated."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import SeriesError, XasuiteError
from ..io.sources import Entry, Scans, content_of, find_entries, natural, read_scans
from ..notices import warn
from ..records import OK
from ..specs.load import LoadedSpec
from ..specs.series import SeriesSpec
from ..threads import one_blas_thread
from ..workflow.resolve import Context
from . import quality
from .audit import refit, sample_of, summary
from .plan import Plan
from .prepare import completed, plan_of
from .record import SeriesRun, open_run
from .results import Extra, write_results
from .row_budgets import Known, budget_along
from .spool import keep, open_source
from .store import DamagedPartError, Folder
from .template import asked_of
from .work import Part, process_rows

SETTLE = 1.0  # s that a file must have stayed as it is
QUICK = 0.2  # s for one that holds the series' range, once that is known
PATIENCE = 300.0  # s after which a scan that is still too short is taken as it is, and marked
CHUNK = 64  # rows of a part: what is written again with each scan
STALE = 100  # the files are written anew when the rows have grown by one in so many
LOOKED = 64  # known scans looked at again in one step
FIRST_AUDITED, AUDIT_EVERY = 5, 100
JOURNAL, FIRST = "live.jsonl", "first"


@dataclass(frozen=True)
class Seen:
    """A file as it was when last looked at."""

    size: int
    mtime: float
    since: float


class Watch:
    """Reads scans of a folder as they appear; `step` looks once, so that the caller sets the pace.

    Rows stand in the order in which their scans became whole; an average is a row as soon as its last scan is there. A
    file counts as whole when it has not changed for `settle` seconds and holds the series' range; one that stops
    growing before is taken after `patience` seconds, and its row says what is missing. A scan is known by its name and
    its content: one that is moved away keeps its row, one that is replaced is named in `said`. The cost of a scan does
    not grow with those before it. Restarted, it continues after the last scan taken.
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
        self.source = open_source(str(folder), asked_of(spec.series))
        self.output = output
        self.folder = Path(folder) if self.source is None else output.parts / "scans"
        self.patterns = tuple(Path(p).name for p in spec.series.files) if self.source is None else ("*.csv",)
        if self.source is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        elif not self.folder.is_dir():
            raise SeriesError(
                f"{folder} is no folder to watch, no HDF5 file and no address of a Tiled catalogue"
            )
        series = spec.series.model_copy(update={"chunk": CHUNK})
        self.loaded = replace(loaded, spec=spec.model_copy(update={"series": series}))
        self.spec, self.context = spec, context or Context()
        self.settle, self.patience, self.threads = settle, patience, threads
        self.plan: Plan | None = None
        self.waiting, self.said = "", list[str]()
        self.delay = (
            np.nan
        )  # s from the last point of the last scan to its row, where it was written while we looked
        self._began = time.time()
        self.rows = 0
        self._seen: dict[Path, Seen] = {}
        self._taken: dict[
            str, dict[str, Any]
        ] = {}  # by the file's name: its content, when it changed, its number
        self._contents: dict[str, str] = {}  # the name of the file with a content
        self._open: Part | None = None  # the last part, while it grows
        self._audits: list[dict[str, Any]] = []
        self.written = 0  # rows that the files hold
        self._known: Known = {}  # budgets of rows
        self._resume()

    @property
    def scans(self) -> int:
        """How many scans were read."""
        return len(self._taken)

    @property
    def pending(self) -> list[str]:
        """Names of files that were seen and are not whole yet."""
        known = {*self._taken, *self._contents.values()}
        return sorted((p.name for p in list(self._seen) if p.name not in known), key=natural)

    @property
    def rate(self) -> float | None:
        """Scans a minute over the last ten that were read, by the time of their files; None before there are two."""
        numbered = sorted(self._taken.copy().values(), key=lambda known: int(known["number"]))[-10:]
        times = [known["changed"] / 1e9 for known in numbered]
        return 60 * (len(times) - 1) / (max(times) - min(times)) if len(set(times)) > 1 else None

    # ------------------------------------------------------------------------------------------ looking

    def step(self, now: float | None = None) -> int:
        """Look at the folder once; how many scans were read. Raises the errors that a mistake in the spec causes."""
        now = time.time() if now is None else now
        self.said.clear()
        if self.source is not None:
            self.waiting = "" if self.waiting == self.source.trouble else self.waiting
            keep(self.source, self.folder)
            self.waiting = self.source.trouble or self.waiting
        self._look_again()
        ready = [path for path in self._new_files() if self._whole(path, now)]
        if not ready or not self._planned(find_entries(ready).entries):
            return 0
        taken = 0
        new: list[Entry] = []
        for path in ready:
            entries = find_entries([path]).entries
            if all(self._complete(e, now) for e in entries) and self._is_new(path):
                new += entries
                taken += 1
        if new:
            written = max(Path(e.path).stat().st_mtime for e in new)
            self._take(new)
            self.delay = time.time() - written if written > self._began else np.nan
        return taken

    def _new_files(self) -> list[Path]:
        with os.scandir(self.folder) as found:
            names = [e.name for e in found if e.name not in self._taken and not e.name.startswith(".")]
        paths = [Path(n) for n in names if any(Path(n).match(p) for p in self.patterns)]
        return [
            self.folder / p
            for p in sorted(paths, key=lambda p: natural(p.name))
            if (self.folder / p).is_file()
        ]

    def _whole(self, path: Path, now: float) -> bool:
        """Whether a file has stayed as it is for long enough."""
        try:
            stat = path.stat()
        except OSError:
            return False  # renamed or removed since it was listed
        last = self._seen.get(path)
        if last is None or (last.size, last.mtime) != (stat.st_size, stat.st_mtime):
            # what was written long before we first looked need not be waited for
            last = self._seen[path] = Seen(stat.st_size, stat.st_mtime, min(now, max(stat.st_mtime, 0.0)))
        elif (
            last.since > now
        ):  # the clock was set back: waiting begins anew, and does not last until it catches up
            last = self._seen[path] = Seen(last.size, last.mtime, now)
        settle = self.settle if self.plan is None else min(self.settle, QUICK)
        return stat.st_size > 0 and now - last.since >= settle

    def _look_again(self) -> None:
        """Say which of the known scans were replaced; some of them at each look, so that a look stays cheap."""
        for name in list(self._taken)[:LOOKED]:
            known = self._taken[name] = self._taken.pop(name)  # to the end: the others come first next time
            try:
                stat = (self.folder / name).stat()
                if stat.st_ctime_ns == known["changed"]:
                    continue
                known["changed"] = stat.st_ctime_ns
                content = _content(self.folder / name)
            except OSError:
                continue  # moved away: its row stays
            if content != known["content"]:
                self.said.append(
                    f"{name} was replaced after it was taken up as scan {known['number']}: the row keeps what was read "
                    "first; give the new scan another name to have it taken up too"
                )
                known["content"] = content

    def _planned(self, entries: tuple[Entry, ...]) -> bool:
        """Make the plan when there are scans enough for it; says in `waiting` what it waits for."""
        if self.plan is not None:
            return True
        series = self.spec.series
        rows = max([1, *(h.rows[1] for h in series.hold.values())])
        average = series.average
        needed = (
            rows if average is None else rows * average.n if average.kind == "block" else rows + average.n - 1
        )
        needed = max(needed, series.align.to if series.align else 1)
        if len(entries) < needed:
            self.waiting = f"{len(entries)} of the {needed} scans that average, hold and align need"
            return False
        for some in (entries[:needed], entries):
            try:
                self.plan = self._plan_of(some)
                break
            except SeriesError as exc:
                self.waiting = str(exc)
        if self.plan is None:
            return False
        # what the plan rests on is kept, so that a restart finds it whatever becomes of the scans
        kept = self.output.parts / FIRST
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for path in dict.fromkeys(e.path for e in some):
            shutil.copy2(path, kept)
        files.write_text(self.output.parts / JOURNAL, json.dumps({"spec_sha256": self.loaded.sha256}) + "\n")
        self.waiting = ""
        return True

    def _plan_of(self, entries: tuple[Entry, ...]) -> Plan:
        plan = completed(plan_of(self.loaded, self.context, Scans(entries)), self.context)
        return replace(plan, scans=Scans(()), fingerprint=self.loaded.sha256)

    def _complete(self, entry: Entry, now: float) -> bool:
        """Whether a scan holds the series' range, or has had its time to grow to it."""
        assert self.plan is not None
        series, sample = self.plan.series, self.plan.spec.sample
        scan = read_scans([entry], asked_of(series))[0]
        short = isinstance(scan, XasuiteError)
        if not isinstance(scan, XasuiteError):
            fault = quality.scan_fault(scan, series.checks, sample.element, sample.edge, self.plan.energy)
            short = fault is not None and fault[0] == quality.SHORT
        return not short or now - self._seen[Path(entry.path)].since > self.patience

    def _is_new(self, path: Path) -> bool:
        """Take note of a file, unless its content was taken up under another name."""
        content = _content(path)
        known = {"content": content, "changed": path.stat().st_ctime_ns, "number": len(self._taken) + 1}
        other = self._contents.setdefault(content, path.name)
        if other != path.name:
            if path.name not in self._contents.values():
                self.said.append(f"{path.name} holds what {other} holds and is not taken up again")
            self._contents[f"{content} {path.name}"] = path.name
            return False
        self._taken[path.name] = known
        return True

    # ------------------------------------------------------------------------------------------ taking up

    def _take(self, new: list[Entry]) -> None:
        assert self.plan is not None
        plan = self.plan = replace(self.plan, scans=Scans((*self.plan.scans.entries, *new)))
        # An average is a row once its last scan is there; scans before that are only taken note of
        lines: list[dict[str, Any]] = []
        while self.rows < len(plan):
            chunk = self.rows // CHUNK
            end = plan.rows_of(chunk)[1]
            with one_blas_thread():
                part, fit, rows = process_rows(plan, self.rows, end, self.threads)
            if fit is not None and plan.series.audit:
                here = part.start + rows
                wanted = (here < FIRST_AUDITED) | (here % AUDIT_EVERY == 0)
                chosen = np.flatnonzero(wanted & (np.array(fit.status, object) == OK))
                if chosen.size:
                    self._audits.append(refit(sample_of(fit, here, chosen)))
                    lines.append({"audit": self._audits[-1]})
            self._open = part if self._open is None or part.start % CHUNK == 0 else _joined(self._open, part)
            self.output.save(plan, chunk, self._open)
            self.rows = end
        named = {Path(e.path).name: None for e in new}
        lines += [{"name": n, **self._taken[n]} for n in named]
        lines += [{"entry": asdict(e)} for e in new]
        with open(self.output.parts / JOURNAL, "a", encoding="utf-8") as handle:
            handle.writelines(json.dumps(line) + "\n" for line in lines)
            handle.flush()
            os.fsync(handle.fileno())
        if self.rows - self.written >= max(1, self.written // STALE):
            self.write()

    def write(self) -> None:
        """Bring the files up to date with what was taken up."""
        if self.plan is None or self.written == self.rows:
            return
        plan = self.plan
        with one_blas_thread():
            budget = budget_along(plan, self._parts(), self.context, self._known)
        extra = Extra(budget.columns, {"budget": budget.group} if budget.group else {})
        write_results(plan, self.output, self._parts(), extra, lambda rows: summary(self._audits, rows))
        self.written = self.rows

    def _parts(self) -> Iterator[Part]:
        assert self.plan is not None
        for chunk in range(self.plan.chunks):
            yield self._load(self.plan, chunk)

    def _load(self, plan: Plan, chunk: int) -> Part:
        """A part, less rows whose scans are not noted; made again from its scans where it is damaged."""
        start, end = plan.rows_of(chunk)
        try:
            part = self.output.load(plan, chunk)
            if part.end >= end:
                return _cut(part, end)
            why = f"part {chunk} has {part.end - part.start} rows of {end - start}"
        except DamagedPartError as exc:
            why = str(exc)
        warn(f"{why}; it is done again")
        part = process_rows(plan, start, end, self.threads)[0]
        self.output.save(plan, chunk, part)
        return part

    def last(self) -> str:
        """A sentence on the last row: what it is called and how it went."""
        assert self._open is not None
        label, status, reason = (
            self._open.columns[n][-1] for n in ("log/label", "status/status", "status/reason")
        )
        delay = f"; {self.delay:.2f} s from its last point to its row" if np.isfinite(self.delay) else ""
        return f"{label}: {status}" + (f" ({reason})" if reason else "") + delay

    def run(self) -> SeriesRun:
        """What there is so far. Raises SeriesError when nothing was taken up yet."""
        self.write()
        return open_run(self.output.h5)

    def _resume(self) -> None:
        journal = self.output.parts / JOURNAL
        if not journal.is_file():
            return
        lines = []
        for text in journal.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                break  # cut by a kill: what comes after it was not noted
        if not lines or lines[0].get("spec_sha256") != self.loaded.sha256:
            raise SeriesError(
                f"{journal} is damaged, or of another spec or version; watch into another folder with --output, or remove it"
            )
        named = {line["name"]: line for line in lines if "name" in line}
        entries = [Entry(**line["entry"]) for line in lines if "entry" in line]
        entries = [e for e in entries if Path(e.path).name in named]
        held = {Path(e.path).name for e in entries}
        self._taken = {
            n: {k: v for k, v in line.items() if k != "name"} for n, line in named.items() if n in held
        }
        self._contents = {known["content"]: n for n, known in self._taken.items()}
        self._audits = [line["audit"] for line in lines if "audit" in line]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        files.write_text(journal, text)
        first = sorted((self.output.parts / FIRST).iterdir(), key=lambda p: natural(p.name))
        plan = self._plan_of(find_entries(first).entries)
        self.plan = replace(plan, scans=Scans(tuple(entries)))
        self.rows = len(self.plan)
        if self.rows:
            self._open = self._load(self.plan, self.plan.chunks - 1)
            self.written = -1


def _content(path: Path) -> str:
    scans = find_entries([path])
    return content_of(scans, np.arange(len(scans)))


def _joined(a: Part, b: Part) -> Part:
    """The rows of two parts, the second behind the first."""
    columns = {n: np.concatenate([v, b.columns[n]]) for n, v in a.columns.items()}
    curves = {n: np.concatenate([v, b.curves[n]]) for n, v in a.curves.items()}
    return Part(a.start, b.end, columns, curves, b.content)


def _cut(part: Part, end: int) -> Part:
    """A part without the rows from `end` on."""
    if part.end == end:
        return part
    m = end - part.start
    return replace(
        part, end=end, columns={n: v[:m] for n, v in part.columns.items()}, curves={n: v[:m] for n, v in part.curves.items()}
    )  # fmt: skip


def _not_live(spec: SeriesSpec) -> str:
    """Why a spec cannot be watched, and what to do instead; empty where it can."""
    series = spec.series
    without = "watch with a copy of the spec without {} and run xasuite series --resume on this one afterwards".format
    if series.simulate is not None:
        return "a simulated series has no scans to watch; run it with xasuite series"
    if series.timeline is not None:
        return f"timeline is one fit of all rows, so it has no result before the last scan; {without('[series.timeline]')}"
    if series.components is not None:
        return f"components are found in all rows at once; {without('[series.components]')}"
    if series.align is not None and series.align.smooth:
        return f"align: smooth takes each shift from scans on both sides, later ones too; {without('it')}"
    return ""


def watch(
    watcher: Watch,
    *,
    interval: float = 0.2,
    until: int | None = None,
    idle: float | None = None,
    say: Callable[[str], Any] = lambda word: None,
    current: Callable[[SeriesRun], Any] = lambda run: None,
) -> SeriesRun:
    """Look again and again, until so many scans are there, nothing new came for `idle` seconds, or Ctrl-C.

    `say` gets a line on what happened, `current` the run whenever its files were written anew. Raises SeriesError when
    another process writes into the output folder.
    """
    with watcher.output.lock():
        try:
            _look(watcher, interval, until, idle, say, current)
        finally:
            watcher.write()
    run = watcher.run()
    current(run)
    return run


def _look(
    watcher: Watch,
    interval: float,
    until: int | None,
    idle: float | None,
    say: Callable[[str], Any],
    current: Callable[[SeriesRun], Any],
) -> None:
    last = time.monotonic()
    while True:
        rows, written = watcher.rows, watcher.written
        taken = watcher.step()
        for line in watcher.said:
            say(line)
        if taken:
            last = time.monotonic()
            say(
                f"{watcher.scans} scans; {watcher.last() if watcher.rows > rows else 'the next row is not full yet'}"
            )
        elif watcher.waiting:
            say(f"waiting: {watcher.waiting}")
        if watcher.written != written:
            current(watcher.run())
        if until is not None and watcher.scans >= until and watcher.rows:
            return
        if idle is not None and time.monotonic() - last > idle:
            if not watcher.rows:
                raise SeriesError(
                    f"no usable scan {', '.join(watcher.patterns)} appeared in {watcher.folder} within {idle:g} s"
                    + (f": {watcher.waiting}" if watcher.waiting else "")
                )
            return
        time.sleep(interval)
