"""Ctrl-C within Larch: it must end the work, whatever Larch's bare excepts and asteval make of it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

from xasuite._larch import heeding_interrupts, quiet
from xasuite.errors import ReductionError


@pytest.fixture(autouse=True)
def python_s_own_handler() -> Iterator[None]:
    """A shell that runs the tests in the background has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def swallowed() -> None:
    """As a bare except does: the interrupt comes, and nothing is heard of it."""
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)


def turned() -> None:
    """As Larch's feffit does with it at some places."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise AttributeError("__name__") from None


@pytest.mark.parametrize("come", [swallowed, turned, lambda: signal.raise_signal(signal.SIGINT)])
def test_an_interrupt_is_raised_on_the_way_out(come) -> None:
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        come()
    with pytest.raises(KeyboardInterrupt), quiet("a fit"):
        come()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nested_and_without_an_interrupt() -> None:
    with heeding_interrupts(), heeding_interrupts():
        pass
    with pytest.raises(KeyboardInterrupt), heeding_interrupts(), heeding_interrupts():
        swallowed()
    with pytest.raises(ReductionError, match="a fit failed in Larch: no"), quiet("a fit"):
        raise ValueError("no")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_and_threads_are_left_alone() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with heeding_interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]
    ended = []

    def work() -> None:
        with heeding_interrupts():
            ended.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [1]


def test_asteval_itself() -> None:
    """The cause: asteval catches an interrupt within an expression."""
    asteval = pytest.importorskip("asteval")
    evaluate = asteval.Interpreter(with_numpy=False, minimal=True)
    evaluate.symtable["come"] = lambda: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        evaluate("come()", show_errors=False)
