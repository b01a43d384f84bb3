"""Processes beside this one. Ctrl-C does not reach them, and they do not run the user's script again."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import ModuleType
from typing import Any


def pool(processes: int, start: Callable[..., None], *args: Any) -> ProcessPoolExecutor:
    """So many processes, each begun with `start(*args)`.

    They ignore Ctrl-C from their first moment, as this one does while it starts them. A new process would import the
    main module, which in a script without the usual guard begins the series once more: it is out of sight meanwhile.
    """
    made = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=start, initargs=args)
    in_front = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_front else None
    script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        for _ in range(processes):
            made.submit(int)
    finally:
        sys.modules["__main__"] = script
        if in_front:
            signal.signal(signal.SIGINT, before)
    return made
