"""Child processes. Ctrl-C does not reach them, and they do not run the user's script again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import Any


@contextmanager
def out_of_sight() -> Iterator[None]:
    """Hide the main module while a process is started, which would import it."""
    script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def pool(processes: int, start: Callable[..., None], *args: Any) -> ProcessPoolExecutor:
    """So many processes, each begun with `start(*args)`.

    They ignore Ctrl-C from their first moment, as this one does while it starts them, and end when it is killed. A new process would import the
    main module, which in a script without the usual guard begins the series once more: it is out of sight meanwhile.
    """
    made = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_start, initargs=(start, *args)
    )
    in_front = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_front else None
    try:
        with out_of_sight():
            for _ in range(processes):
                made.submit(int)
    finally:
        if in_front:
            signal.signal(signal.SIGINT, before)
    return made


def _start(start: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(*args)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
