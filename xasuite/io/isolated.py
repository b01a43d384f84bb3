"""Work in a child process that may die: libhdf5 is C, and a damaged file can end or hang the process that reads it."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import pickle
import re
import select
import signal
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ReadError, XasuiteError
from .limits import LIMIT_ENV, max_bytes

T = TypeVar("T")
SECONDS = 120.0  # of the processor, for 2e9 bytes; a larger limit has as much longer
PATIENCE = 10.0  # times as long by the clock: on a busy machine honest work takes longer, and what sleeps takes no processor
_SPARE = 1 << 30


def isolated(what: str, work: Callable[[], T], seconds: float = 0.0) -> T:
    """What `work` returns, computed in a copy of this process (fork), within limits of time and memory.

    Where the system has no fork (Windows) the work is done here.

    Parameters
    ----------
    what : str
        What is read, for messages.
    work : callable
        Without arguments; what it returns must be picklable. It must use no lock that another thread may hold.
    seconds : float
        The most processor time that it may take; 0 for what a file of the largest size may take. By the clock it may take
        ten times as long.

    Raises
    ------
    ReadError
        When the copy died or took too long. What `work` itself raises of this package is raised here.
    """
    if not hasattr(os, "fork"):
        return work()
    seconds = seconds or SECONDS * max(1.0, max_bytes() / 2e9)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _serve(writer, work, seconds)
    os.close(writer)
    try:
        held = _received(reader, what, PATIENCE * seconds)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reader)
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        raise _endless(what, f"{seconds:.0f} s of processor time")
    if os.WIFSIGNALED(status) or not held:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "no memory"
        raise ReadError(
            f"{what} is damaged: the HDF5 library ended on it ({name}); fetch it again from where it was measured"
        )
    done, value = pickle.loads(held)
    if done:
        return value  # type: ignore[no-any-return]
    raise value


def _serve(pipe: int, work: Callable[[], Any], seconds: float) -> None:
    """The child: its work within limits, what came of it into the pipe, and its end."""
    try:
        faulthandler.disable()
        _limit(seconds)
        try:
            out: tuple[bool, Any] = (True, work())
        except (XasuiteError, re.error) as exc:
            out = (False, exc)
        with os.fdopen(pipe, "wb") as stream:
            pickle.dump(out, stream, protocol=5)
    finally:
        os._exit(0)


def _limit(seconds: float) -> None:
    import resource

    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError):  # a limit that stands already may be lower
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm", encoding="ascii") as handle:
            now = int(handle.read().split()[0]) * resource.getpagesize()
        most = now + 3 * max_bytes() + _SPARE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _received(pipe: int, what: str, seconds: float) -> bytes:
    """All bytes that come through the pipe. Raises ReadError where they take too long."""
    end = time.monotonic() + seconds
    pieces: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise _endless(what, f"{seconds:.0f} s")
        piece = os.read(pipe, 1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _endless(what: str, spent: str) -> ReadError:
    return ReadError(
        f"{what} is damaged: the HDF5 library did not come to an end within {spent}; "
        f"if you trust it, raise the limit with {LIMIT_ENV}"
    )
