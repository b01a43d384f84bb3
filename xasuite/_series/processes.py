"""Processes beside this one, which Ctrl-C does not reach: it is for the one that was started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def pool(processes: int, start: Callable[..., None], *args: Any) -> ProcessPoolExecutor:
    """So many processes, each begun with `start(*args)`; they take Ctrl-C's deafness over from this one's first moment."""
    made = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=start, initargs=args)
    in_front = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_front else None
    try:
        for _ in range(processes):
            made.submit(int)
    finally:
        if in_front:
            signal.signal(signal.SIGINT, before)
    return made
