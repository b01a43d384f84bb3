"""Progress of a run on stderr: rows done, spectra a second, time left."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Rate:
    """The rate since the first call: rows that a resumed run finds done do not count."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._first: int | None = None

    def per_second(self, done: int) -> float:
        """Rows a second, 0 before any is done."""
        if self._first is None:
            self._first, self._begun = done, time.perf_counter()
        spent = time.perf_counter() - self._begun
        return (done - self._first) / spent if spent > 0 else 0.0

    def text(self, done: int) -> str:
        """The rate in words, "" before there is one."""
        rate = self.per_second(done)
        return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.2g}/s" if rate > 0 else ""

    def left(self, done: int, total: int) -> str:
        """The time left in words."""
        rate = self.per_second(done)
        if rate <= 0:
            return ""
        seconds = int((total - done) / rate)
        return f", {seconds // 60} min {seconds % 60} s left" if seconds >= 60 else f", {seconds} s left"


@contextmanager
def progress_bar(quiet: bool = False, *, lines: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Rows done, rate and time left on stderr: a bar on a terminal or in a notebook, into a pipe a line a tenth.

    Without `lines` nothing goes into a pipe, when `quiet` nothing at all.
    """
    from rich.console import Console

    stderr = Console(stderr=True)
    # Without ipywidgets rich fills a notebook with one warning a refresh
    widgets = importlib.util.find_spec("ipywidgets") is not None
    shown = stderr.is_terminal or (stderr.is_jupyter and widgets)
    if quiet or not (shown or lines):
        yield lambda word, done, total: None
        return
    if not shown:
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = Rate()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as bars:
        task = bars.add_task("planning", total=None, rate="")

        def say(word: str, done: int, total: int) -> None:
            shown = rate.text(done) if word == "fitting" else ""
            bars.update(task, description=word, completed=done, total=total or None, rate=shown)

        yield say


def _lines() -> Callable[[str, int, int], None]:
    """Progress for a log file: a line when a tenth more is done."""
    rate, last = Rate(), [-1]

    def say(word: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if word == "fitting" and tenth != last[0]:
            last[0] = tenth
            sys.stderr.write(f"{done} of {total} spectra {rate.text(done)}{rate.left(done, total)}\n")
        if word == "auditing" and last[0] < 11:
            last[0] = 11
            sys.stderr.write("waiting for the audit by Larch\n")
        sys.stderr.flush()

    return say
