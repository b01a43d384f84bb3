"""The fit with its error budget in a process of its own, so that the sliders keep working meanwhile."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .._series.processes import out_of_sight
from ..errors import XasuiteError
from ..exafs.result import FitResult
from ..specs.load import parse_spec
from ..workflow.run import run_spec
from ..workflow.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of `xasuite fit` for the spec `text`: fits, verdicts by row label, or the `problem` in one sentence."""

    text: str
    fits: tuple[FitResult, ...] = ()
    verdicts: Mapping[str, Verdict] | None = None
    warnings: tuple[str, ...] = ()
    problem: str = ""

    def of_row(self, label: str) -> FitResult | None:
        """The fit that holds a data row."""
        return next((f for f in self.fits if any(d.label == label for d in f.data)), None)


def outcome(text: str, path: Path) -> Outcome:
    """The result of the spec in `text`, as `xasuite fit` gives it."""
    try:
        result = run_spec(parse_spec(text, path), variants=False)
        return Outcome(text, result.rows, dict(result.verdicts), result.warnings)
    except XasuiteError as exc:
        return Outcome(text, problem=str(exc))


class Budgets:
    """A process that fits with the error budget; a new request ends one that is still running."""

    def __init__(self) -> None:
        self._process: Any = None
        self._pipe: Any = None
        self._busy = False
        self._lock = threading.Lock()

    def ask(self, text: str, path: Path, done: Callable[[Outcome], None]) -> None:
        """Start the fit of a spec; `done` is called with its outcome in another thread."""
        with self._lock:
            if self._busy:
                self.end()
            if self._process is None or not self._process.is_alive():
                self._start()
            self._busy = True
            pipe = self._pipe
            pipe.send((text, path))
        threading.Thread(target=self._wait, args=(pipe, text, done), daemon=True).start()

    def cancel(self) -> None:
        """End the fit that is running, so that it does not slow down the page."""
        with self._lock:
            if self._busy:
                self.end()

    def end(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)
        self._process = self._pipe = None
        self._busy = False

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        with out_of_sight():
            self._process.start()
        theirs.close()

    def _wait(self, pipe: Connection, text: str, done: Callable[[Outcome], None]) -> None:
        try:
            found = pipe.recv()
        except (EOFError, OSError):
            if pipe is not self._pipe:
                return  # a newer request took its place
            found = Outcome(
                text, problem="the process that makes the error budget ended; press Fit to try again"
            )
        with self._lock:
            if pipe is self._pipe:
                self._busy = False
        done(found)


def _work(pipe: Connection) -> None:
    """The loop of the process: one outcome after another, until the page is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            text, path = pipe.recv()
        except EOFError:
            return
        pipe.send(outcome(text, path))
