"""The only folder that imports larch, on first use.

Larch takes seconds to import, prints to standard output, warns, and returns None where it fails. `larch(name)`
imports a module of it on first use; `quiet()` keeps its printing and warnings away from the user, and turns
what it raises into an exception of this package; `heeding_interrupts()` keeps Ctrl-C from being caught inside.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import signal
import threading
from collections.abc import Iterator
from typing import Any

from ..errors import ReductionError, XasuiteError
from ..notices import silenced


def larch(module: str = "larch.xafs") -> Any:
    """A module of Larch, imported on first use and in silence. Raises ImportError when it is not installed."""
    with heeding_interrupts(), silenced(), contextlib.redirect_stdout(io.StringIO()):
        return importlib.import_module(module)


@contextlib.contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Ctrl-C inside ends what runs inside, also where Larch catches it.

    Larch's bare excepts and asteval, which evaluates its expressions, catch KeyboardInterrupt as well: some go on as
    if nothing had been, some raise an AttributeError of their own. An interrupt that came is raised on the way out.
    In other threads, and where a program has its own handler, nothing is changed.
    """
    default = signal.default_int_handler
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) != default
    ):
        yield
        return
    came: list[int] = []

    def remember(number: int, frame: Any) -> None:
        came.append(number)
        default(number, frame)

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    except BaseException as exc:
        if came and not isinstance(exc, KeyboardInterrupt):
            raise KeyboardInterrupt from exc
        raise
    finally:
        signal.signal(signal.SIGINT, default)
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def quiet(what: str, error: type[XasuiteError] = ReductionError) -> Iterator[io.StringIO]:
    """Run Larch inside: what it prints goes to the buffer given, what it raises becomes `error`.

    Parameters
    ----------
    what : the job and the spectrum, the start of the message ("autobk of cu_foil").
    error : the exception raised in place of Larch's own.
    """
    printed = io.StringIO()
    try:
        with (
            heeding_interrupts(),
            silenced(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            yield printed
    except XasuiteError:
        raise
    except Exception as exc:
        said = " ".join(printed.getvalue().split())
        raise error(f"{what} failed in Larch: {exc}{f' (it printed: {said[:200]})' if said else ''}") from exc
