"""Ctrl-C that cannot be lost: libraries with bare excepts swallow it, so it is raised again until the run ends."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AGAIN = 0.5  # s after which an interrupt that did not end the run comes again


@contextmanager
def insistent() -> Iterator[threading.Event]:
    """Within, Ctrl-C raises KeyboardInterrupt, and again every half second until this context is left.

    It is not raised while an earlier one is being handled: what a run does to keep its results is not disturbed. The
    event that is given, once set, ends the repetition. Where SIGINT is ignored (a job in the background) or handled
    by another, nothing is changed.
    """
    done = threading.Event()
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != signal.default_int_handler:  # fmt: skip
        yield done
        return
    came = threading.Event()

    def handle(number: int, frame: Any) -> None:
        if not came.is_set():
            came.set()
            threading.Thread(target=repeat, daemon=True).start()
        if not done.is_set() and not isinstance(sys.exception(), KeyboardInterrupt):
            raise KeyboardInterrupt

    def repeat() -> None:
        while not done.wait(AGAIN):
            _thread.interrupt_main()

    signal.signal(signal.SIGINT, handle)
    try:
        yield done
    finally:
        done.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
