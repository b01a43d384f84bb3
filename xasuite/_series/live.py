"""A folder watched while scans are being written: each is read when it is complete, and the results are updated."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from .audit import Sample, sample_of, summary
from .beside import Beside, Made, joined, load_part, make, parts_of
from .fitting import RowFit
from .plan import Plan
from .prepare import completed, plan_of
from .record import SeriesRun, open_run
from .results import Extra, write_results
from .row_budgets import Along, Known
from .spool import keep, open_source
from .store import Folder
from .template import asked_of
from .work import Part, process_rows

SETTLE = 0.5  # s that the first file must have stayed as it is; a half scan lacks the range of the fit
QUICK = 0.2  # s for one that holds the series' range, once that is known
PATIENCE = 300.0  # s after which a scan that is still too short is taken as it is, and marked
CHUNK = 64  # rows of a part: what is written again with each scan
STALE = 100  # the files are written anew when the rows have grown by one in so many
LOOKED = 64  # known scans looked at again in one step
FIRST_AUDITED, AUDIT_EVERY = 5, 100
CHEAP = 0.3  # s of writing the files up to which every row is in them at once
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
        self.news = list[str]()  # a line on each row that came, and on each budget that was made since
        self.later: Beside | None = None  # who makes budgets and figures, where somebody beside us does
        self._began = time.time()
        self._points: dict[
            int, tuple[str, float]
        ] = {}  # by row: its name, and when its last point was written
        self.rows = 0
        self._seen: dict[Path, Seen] = {}
        self._taken: dict[
            str, dict[str, Any]
        ] = {}  # by the file's name: its content, when it changed, its number
        self._contents: dict[str, str] = {}  # the name of the file with a content
        self._open: Part | None = None  # the last part, while it grows
        self._last = ""
        self._audits: list[dict[str, Any]] = []
        self._samples: list[Sample] = []  # rows that Larch is to fit
        self.written = 0  # rows that the files hold
        self._cost = 0.0  # s that writing them took
        self._made = Made(0, Along())  # the last budget
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
            self._take(new)
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
        before = self.rows
        # An average is a row once its last scan is there; scans before that are only taken note of
        while self.rows < len(plan):
            chunk = self.rows // CHUNK
            end = plan.rows_of(chunk)[1]
            with one_blas_thread():
                part, fit, rows = process_rows(plan, self.rows, end, self.threads)
            self._sample(part, fit, rows)
            self._open = part if self._open is None or part.start % CHUNK == 0 else joined(self._open, part)
            self.output.save(plan, chunk, self._open)
            self._note(plan, part)
            self.rows = end
        named = {Path(e.path).name: None for e in new}
        self._journal([{"name": n, **self._taken[n]} for n in named] + [{"entry": asdict(e)} for e in new])
        if self.rows - self.written >= max(1, self.written // STALE):
            self._write()
        self._tell(before)

    def _sample(self, part: Part, fit: RowFit | None, rows: NDArray[np.intp]) -> None:
        """Put aside those rows of a part that Larch is to fit."""
        if fit is not None and self.spec.series.audit:
            here = part.start + rows
            chosen = np.flatnonzero(_audited(here) & (np.array(fit.status, object) == OK))
            if chosen.size:
                self._samples.append(sample_of(fit, here, chosen))

    def _note(self, plan: Plan, part: Part) -> None:
        """Keep what the lines on a part's rows say: their names, and when the last points of their scans were written."""
        names = (part.columns[n] for n in ("log/label", "status/status", "status/reason"))
        for row, words in enumerate(zip(*names, strict=True), part.start):
            label, status, reason = map(str, words)
            path = Path(plan.scans.entries[row * plan.step + plan.width - 1].path)
            written = path.stat().st_mtime if path.exists() else 0.0
            self._points[row] = f"{label}: {status}" + (f" ({reason})" if reason else ""), written

    def _tell(self, before: int) -> None:
        """A line on each row from `before` on that was measured while we looked, and on the last in any case."""
        if self.rows == before:
            self.news.append(f"{self.scans} scans; the next row is not full yet")
        where = "to its row" if self.written == self.rows else "to its fit, the files follow"
        for row in range(before, self.rows):
            said, written = self._points[row]
            delay = f"; {time.time() - written:.2f} s from its last point {where}" if self._fresh(row) else ""
            if delay or row == self.rows - 1:
                scans = self.scans - (self.rows - 1 - row) * (self.plan.step if self.plan else 1)
                follows = "; its budget follows" if row >= self.budgeted else ""
                self.news.append(f"{scans} scans; {said}{delay}{follows}")
                self._last = f"{said}{delay}"

    def _fresh(self, row: int) -> bool:
        return self._points[row][1] > self._began

    def _journal(self, lines: list[dict[str, Any]]) -> None:
        with open(self.output.parts / JOURNAL, "a", encoding="utf-8") as handle:
            handle.writelines(json.dumps(line) + "\n" for line in lines)
            handle.flush()
            os.fsync(handle.fileno())

    # ------------------------------------------------------------------------------------------ what follows

    @property
    def budgeted(self) -> int:
        """How many rows have what their errors are made of; all where the spec asks for the fit's own errors."""
        return self.rows if self.spec.errors == "fit" else self._made.rows

    def write(self) -> None:
        """Bring the files up to date with what was taken up, every row with its budget."""
        if self.plan is None or not self.rows:
            return
        if self.later is not None:
            self._adopt(self.later.made(wait=True))
        if self.budgeted < self.rows or self._samples:
            if self.later is None:
                self._adopt(make(self.plan, self.output, self.context, self._samples, self._known))
            else:
                self.later.ask(self.plan, self._samples)
                self._adopt(self.later.made(wait=True))
        if self.written != self.rows:
            self._write()

    def follow(self) -> bool:
        """Do what a new scan need not wait for, as far as it is ready; whether all that was asked for is in the files."""
        if self.plan is None or not self.rows or self.later is None:
            return False
        self._adopt(self.later.made())
        if self.written != self.rows and self._cost < CHEAP:
            self._write()
        if not self.later.busy and (self._samples or self.budgeted < self.written):
            self.later.ask(self.plan, self._samples)
        return not self.later.busy

    def _adopt(self, made: Made | None) -> None:
        """Take over a budget and what Larch found, and write the files with it."""
        if made is None:
            return
        for text in dict.fromkeys(made.said):
            warn(text)
        self._journal([{"audit": found} for found in made.audits])
        self._audits += made.audits
        self._samples = self._samples[len(made.audits) :]
        before, self._made = self.budgeted, made
        self._write()
        for row in range(before, self.budgeted):
            said, written = self._points.pop(row, ("", 0.0))
            if written > self._began:
                name = said.partition(": ")[0]
                self.news.append(f"{name}: its budget {time.time() - written:.2f} s after its last point")

    def _write(self) -> None:
        """The files of all rows; where the budget of some is not made yet, they say so."""
        assert self.plan is not None
        begun = time.monotonic()
        plan, made = self.plan, self._made
        whole = self.budgeted == self.rows
        parts = parts_of(plan, self.output, self.threads, None if whole else made)
        extra = Extra(
            made.budget.columns if whole else {}, {"budget": made.budget.group} if made.budget.group else {}
        )
        with one_blas_thread():
            write_results(plan, self.output, parts, lambda: extra, lambda rows: summary(self._audits, rows))
        self.written, self._cost = self.rows, time.monotonic() - begun

    def last(self) -> str:
        """A sentence on the last row: what it is called, how it went, and how long after its last point it stood there."""
        return self._last

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
            self._open = load_part(self.plan, self.output, self.plan.chunks - 1, self.threads)
            self._note(self.plan, self._open)
            self._last, _ = self._points[self.rows - 1]
            self.written = -1
        # what was killed before Larch had fitted it
        found = {r["row"] for audit in self._audits for r in audit["rows"]}
        for row in np.flatnonzero(_audited(np.arange(self.rows))):
            if row not in found:
                with suppress(SeriesError):  # its scan was moved away since
                    self._sample(*process_rows(self.plan, int(row), int(row) + 1, self.threads))


def _content(path: Path) -> str:
    scans = find_entries([path])
    return content_of(scans, np.arange(len(scans)))


def _audited(rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.asarray((rows < FIRST_AUDITED) | (rows % AUDIT_EVERY == 0))


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
