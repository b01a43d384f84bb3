"""Warnings to the user, collected thread by thread; what other libraries say, silenced under one lock.

`warnings.catch_warnings` changes the filters of the whole process: from several threads at once it mixes their warnings and
leaves the filters changed. Here a thread (or task) that collects keeps its warnings to itself, and nothing of the process
is changed but by `silenced`, one thread at a time.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import XasuiteWarning

_collecting: ContextVar[list[str] | None] = ContextVar("collecting", default=None)
_PROCESS = threading.RLock()


def warn(text: str) -> None:
    """Warn the user: to the list of the `collected` block that runs, else as an XasuiteWarning at the caller's caller."""
    heard = _collecting.get()
    if heard is None:
        warnings.warn(text, XasuiteWarning, stacklevel=3)
    else:
        heard.append(text)


@contextmanager
def collected() -> Iterator[list[str]]:
    """What this thread warns of inside, in order and with repeats; none of it reaches the user by itself."""
    heard: list[str] = []
    token = _collecting.set(heard)
    try:
        yield heard
    finally:
        _collecting.reset(token)


@contextmanager
def silenced() -> Iterator[None]:
    """Other libraries' warnings ignored inside. One thread at a time, so that the filters are restored as they were.

    Code that redirects sys.stdout does so inside this block.
    """
    with _PROCESS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
