"""The only folder that imports Larch.

Larch takes seconds to import, prints to standard output, warns, and returns None where it fails. `larch(name)`
imports one of its modules on first use. `quiet()` hides what Larch prints and its warnings, and turns its exceptions
into those of this package. `heeding_interrupts()` makes Ctrl-C work where Larch would catch it.
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
    """A module of Larch, imported without its output. Raises ImportError when Larch is not installed."""
    with heeding_interrupts(), silenced(), contextlib.redirect_stdout(io.StringIO()):
        return importlib.import_module(module)


@contextlib.contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Ctrl-C stops the code in this block, also where Larch catches the interrupt.

    Bare excepts in Larch, and asteval, which evaluates its expressions, also catch KeyboardInterrupt: some continue, some
    raise an AttributeError. Here an interrupt that came is raised again at the end of the block.
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
    """Run Larch in this block: its output goes to the buffer that is yielded, its exceptions become `error`.

    Parameters
    ----------
    what : the task and the spectrum, which begin the message ("autobk of cu_foil").
    error : the exception that is raised in place of Larch's.
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
