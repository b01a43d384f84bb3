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
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from ..errors import ReadError, XasuiteError
from .limits import LIMIT_ENV, max_bytes

T = TypeVar("T")
SECONDS = 120.0  # of the processor, for 2e9 bytes; a larger limit has as much longer
PATIENCE = 10.0  # times as long by the clock: on a busy machine honest work takes longer, and what sleeps takes no processor
_SPARE = 1 << 30
_APART = False  # whether this process is such a child, which may die


def isolated(what: str, work: Callable[[], T], seconds: float = 0.0) -> T:
    """What `work` returns, computed in a copy of this process (fork), within limits of time and memory.

    Where the system has no fork (Windows), or this process is such a copy itself, the work is done here.

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
    if _APART or not hasattr(os, "fork"):
        return work()
    seconds = seconds or _seconds()
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
    if not held or os.WIFSIGNALED(status):
        raise _ended(what, status, seconds)
    return _value(held)


def _ended(what: str, status: int, seconds: float) -> ReadError:
    """Why the copy gave no answer."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return _endless(what, f"{seconds:.0f} s of processor time")
    name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "no memory"
    return ReadError(
        f"{what} is damaged: the HDF5 library ended on it ({name}); fetch it again from where it was measured"
    )


def _value(held: bytes | bytearray) -> Any:
    done, value = pickle.loads(held)
    if done:
        return value
    raise value


class Helper:
    """One copy of this process (fork) for many pieces of work of one kind, one after the other, each within `isolated`'s limits.

    `ask` says what will be wanted: the copy works on it while this process does something else. `get` gives it, asked for
    or not, and raises what `isolated` raises; a copy that died is replaced at the next. Where the system has no fork the
    work is done here.
    """

    def __init__(self, work: Callable[..., Any]) -> None:
        self.work = work
        self._child, self._to, self._from = 0, -1, -1
        self._asked: deque[bytes] = deque()
        self._sent = False  # whether the first that was asked is being worked on

    def ask(self, *arguments: Any) -> None:
        """Have work(*arguments) done; it is to be taken by `get` in this order."""
        if hasattr(os, "fork"):
            self._asked.append(pickle.dumps(arguments, protocol=5))
            self._send()

    def get(self, what: str, *arguments: Any) -> Any:
        """What work(*arguments) returns; `what` is read, for messages. Raises ReadError."""
        if not hasattr(os, "fork"):
            return self.work(*arguments)
        wanted = pickle.dumps(arguments, protocol=5)
        if wanted not in self._asked:
            if self._asked:  # of something else, which is not wanted
                self.close()
            self._asked.append(wanted)
        while True:
            self._send()
            held, asked = self._answer(what), self._asked.popleft()
            self._send()
            if asked == wanted:
                return _value(held)

    def _send(self) -> None:
        """The first that was asked to the copy, which then waits for it."""
        if self._sent or not self._asked:
            return
        if not self._child:
            self._start()
        data = self._asked[0]
        with contextlib.suppress(BrokenPipeError):  # it died: `_answer` says so
            _write(self._to, len(data).to_bytes(8, "big") + data)
        self._sent = True

    def _start(self) -> None:
        asked, self._to = os.pipe()
        self._from, answers = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            _serve_many(asked, answers, self.work)
        os.close(asked)
        os.close(answers)

    def _answer(self, what: str) -> bytes | bytearray:
        seconds = _seconds()
        self._sent = False
        try:
            end = time.monotonic() + PATIENCE * seconds
            size = _exactly(self._from, 8, end)
            held = _exactly(self._from, int.from_bytes(size, "big"), end) if size else b""
        except TimeoutError:
            self.close()
            raise _endless(what, f"{PATIENCE * seconds:.0f} s") from None
        if not held:
            status = self.close(kill=False)
            raise _ended(what, status, seconds)
        return held

    def close(self, kill: bool = True) -> int:
        """End the copy, and forget what it was asked; how it ended."""
        self._asked.clear()
        child, self._child, self._sent = self._child, 0, False
        if not child:
            return 0
        os.close(self._to)
        os.close(self._from)
        if kill:
            os.kill(child, signal.SIGKILL)
        return os.waitpid(child, 0)[1]


_HELPER: ContextVar[Helper | None] = ContextVar("helper", default=None)


@contextmanager
def helping(work: Callable[..., Any]) -> Iterator[Helper]:
    """A `Helper` for all calls of `helped(what, work, ...)` inside."""
    helper = Helper(work)
    _HELPER.set(helper)
    try:
        yield helper
    finally:
        _HELPER.set(None)
        helper.close()


def helped(what: str, work: Callable[..., T], *arguments: Any) -> T:
    """work(*arguments) by the helper of that work, where there is one, else `isolated`."""
    helper = _HELPER.get()
    if helper is not None and helper.work is work:
        return helper.get(what, *arguments)  # type: ignore[no-any-return]
    return isolated(what, lambda: work(*arguments))


def _seconds() -> float:
    return SECONDS * max(1.0, max_bytes() / 2e9)


def _serve_many(asked: int, answers: int, work: Callable[..., Any]) -> None:
    """The child of a `Helper`, until the pipe of what it is asked is closed. It holds no other file of its parent open."""
    global _APART
    _APART = True
    try:
        faulthandler.disable()
        first, second = sorted((asked, answers))
        os.closerange(3, first)
        os.closerange(first + 1, second)
        os.closerange(second + 1, os.sysconf("SC_OPEN_MAX"))
        while size := _exactly(asked, 8, math.inf):
            arguments = pickle.loads(_exactly(asked, int.from_bytes(size, "big"), math.inf))
            _limit(time.process_time() + _seconds())
            held = pickle.dumps(_done(partial(work, *arguments)), protocol=5)
            _write(answers, len(held).to_bytes(8, "big"))
            _write(answers, held)
    finally:
        os._exit(0)


def _write(pipe: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(pipe, left) :]


def _exactly(pipe: int, size: int, end: float) -> bytes | bytearray:
    """So many bytes from the pipe; none where it ends before. Raises TimeoutError at `end` (s, monotonic)."""
    held = bytearray(size)
    left = memoryview(held)
    while left:
        wait = None if end == math.inf else max(0.0, end - time.monotonic())
        if not select.select([pipe], [], [], wait)[0]:
            raise TimeoutError
        got = os.readv(pipe, [left])
        if not got:
            return b""
        left = left[got:]
    return held


def _done(work: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether the work came to an end, and what it gave or raised."""
    try:
        return True, work()
    except (XasuiteError, re.error) as exc:
        return False, exc


def _serve(pipe: int, work: Callable[[], Any], seconds: float) -> None:
    """The child: its work within limits, what came of it into the pipe, and its end."""
    try:
        faulthandler.disable()
        _limit(seconds)
        out = _done(work)
        with os.fdopen(pipe, "wb") as stream:
            pickle.dump(out, stream, protocol=5)
    finally:
        os._exit(0)


def _limit(seconds: float) -> None:
    import resource

    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError):  # a limit that stands already may be lower
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), hard))
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
