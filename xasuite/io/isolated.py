"""Work in a child process that may die: libhdf5 is C, and a damaged file can end or hang the process that reads it."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import pickle
import re
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
    helper = Helper(work, seconds, once=True)
    try:
        return helper.get(what)  # type: ignore[no-any-return]
    finally:
        helper.close()


def _ended(what: str, status: int, seconds: float) -> ReadError:
    """Why the copy gave no answer."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return _endless(what, f"{seconds:.0f} s of processor time")
    name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "no memory"
    return ReadError(
        f"{what} is damaged: the HDF5 library ended on it ({name}); fetch it again from where it was measured"
    )


def _value(held: bytes) -> Any:
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

    def __init__(self, work: Callable[..., Any], seconds: float = 0.0, once: bool = False) -> None:
        self.work, self.seconds, self.once = work, seconds, once
        self._child = 0
        self._pipe: Any = None
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
        with contextlib.suppress(OSError):  # it died: `_answer` says so
            self._pipe.send_bytes(self._asked[0])
        self._sent = True

    def _start(self) -> None:
        from multiprocessing import Pipe

        self._pipe, answers = Pipe()
        self._child = os.fork()
        if self._child == 0:
            self._serve(answers)
        answers.close()

    def _serve(self, pipe: Any) -> None:
        """The copy, until the pipe is closed. One that lasts holds no other file of its parent open."""
        try:
            faulthandler.disable()
            self._pipe.close()
            if not self.once:
                os.closerange(3, pipe.fileno())
                os.closerange(pipe.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
            while True:
                arguments = pickle.loads(pipe.recv_bytes())
                _limit(time.process_time() + self._most())
                pipe.send_bytes(pickle.dumps(_done(partial(self.work, *arguments)), protocol=5))
        finally:
            os._exit(0)

    def _most(self) -> float:
        """The most processor time of a piece of work."""
        return self.seconds or SECONDS * max(1.0, max_bytes() / 2e9)

    def _answer(self, what: str) -> bytes:
        self._sent = False
        try:
            if self._pipe.poll(PATIENCE * self._most()):
                return self._pipe.recv_bytes()  # type: ignore[no-any-return]
        except (EOFError, OSError):
            raise _ended(what, self.close(kill=False), self._most()) from None
        self.close()
        raise _endless(what, f"{PATIENCE * self._most():.0f} s")

    def close(self, kill: bool = True) -> int:
        """End the copy, and forget what it was asked; how it ended."""
        self._asked.clear()
        child, self._child, self._sent = self._child, 0, False
        if not child:
            return 0
        self._pipe.close()
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


def _done(work: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether the work came to an end, and what it gave or raised."""
    try:
        return True, work()
    except (XasuiteError, re.error) as exc:
        return False, exc


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


def _endless(what: str, spent: str) -> ReadError:
    return ReadError(
        f"{what} is damaged: the HDF5 library did not come to an end within {spent}; "
        f"if you trust it, raise the limit with {LIMIT_ENV}"
    )
