"""Linear algebra on one thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

# environment variables that set the number of threads of BLAS, read when it is loaded
_SETTINGS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_lock = threading.Lock()
_inside = 0
_limit: AbstractContextManager[Any] | None = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One thread of BLAS for all of the process: its sums then do not depend on how many cores a machine has.

    The matrices of spectra are small. On a busy machine several threads wait for each other for ten times as long as one
    takes. The last that leaves restores what was, so that threads may be inside at once.
    """
    global _inside, _limit
    with _lock:
        if not _inside:
            from threadpoolctl import threadpool_limits

            _limit = threadpool_limits(1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _limit is not None:
                _limit.__exit__(None, None, None)
                _limit = None


def one_blas_thread_from_start() -> None:
    """The same for a process that has not loaded numpy yet, unless its environment says how many threads it wants."""
    if "OMP_NUM_THREADS" not in os.environ:
        for name in _SETTINGS:
            os.environ.setdefault(name, "1")
