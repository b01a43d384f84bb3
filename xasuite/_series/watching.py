"""A watch that goes on until it is told to end: it looks, says what came, and lets the budgets and figures follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SeriesError
from .beside import Beside
from .live import Watch
from .record import SeriesRun
from .rehearsal import rehearse


def watch(
    watcher: Watch,
    *,
    interval: float = 0.2,
    until: int | None = None,
    idle: float | None = None,
    say: Callable[[str], Any] = lambda word: None,
    draw: Callable[[Path], Any] | None = None,
) -> SeriesRun:
    """Look again and again, until so many scans are there, nothing new came for `idle` seconds, or Ctrl-C.

    A scan's row is in the files first; its budget, Larch's audit and the figures are made by a process beside, which waits
    for nothing and is waited for at the end. `say` gets a line on what happened; `draw`, a function of a module, draws the
    figures of a file. Raises SeriesError when another process writes into the output folder.
    """
    with watcher.output.lock():
        watcher.later = Beside(watcher.output, watcher.context)
        try:
            rehearse(watcher.loaded, watcher.context)
            try:
                _look(watcher, interval, until, idle, say, draw)
            finally:
                watcher.write()
                _tell(watcher, say)
                if draw is not None and watcher.rows:
                    watcher.later.draw(draw, wait=True)
        finally:
            watcher.later.end()
            watcher.later = None
    return watcher.run()


def _tell(watcher: Watch, say: Callable[[str], Any]) -> None:
    for line in watcher.news:
        say(line)
    watcher.news.clear()


def _look(
    watcher: Watch,
    interval: float,
    until: int | None,
    idle: float | None,
    say: Callable[[str], Any],
    draw: Callable[[Path], Any] | None,
) -> None:
    last, drawn = time.monotonic(), 0
    while True:
        taken = watcher.step()
        if taken:
            last = time.monotonic()
        elif watcher.waiting:
            say(f"waiting: {watcher.waiting}")
        for line in watcher.said:
            say(line)
        _tell(watcher, say)
        if watcher.follow() and draw is not None and drawn != watcher.written and watcher.later is not None:
            drawn = watcher.written if watcher.later.draw(draw) else drawn
        _tell(watcher, say)
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
