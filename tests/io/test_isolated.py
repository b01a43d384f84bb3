"""The child process that does one piece of work after another."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from xasuite.errors import ReadError
from xasuite.io import isolated
from xasuite.io.isolated import Helper, helped, helping

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def work(what: object, n: int = 0) -> object:
    """Something to do, or a way to fail at it."""
    if what == "refused":
        raise ReadError("it is no stack")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGSEGV)
    while what == "endless":
        pass
    if what == "asleep":
        time.sleep(600)
    return os.getpid() if what == "who" else np.full(n, what, float)


@pytest.fixture
def helper():
    made = Helper(work)
    yield made
    made.close()


def test_one_copy_does_all_in_the_order_in_which_it_was_asked(helper: Helper) -> None:
    """Answers larger than a pipe holds wait until they are taken."""
    who = helper.get("file", "who")
    assert who != os.getpid()
    for value in (1, 2, 3):
        helper.ask(value, 200_000)
    for value in (1, 3):  # the second is not taken
        assert np.array_equal(helper.get("file", value, 200_000), np.full(200_000, value))
    assert np.array_equal(helper.get("file", 4, 3), [4, 4, 4])
    assert helper.get("file", "who") != os.getpid()


def test_a_copy_that_dies_is_replaced(helper: Helper) -> None:
    helper.ask("killed")
    helper.ask(1, 2)
    with pytest.raises(ReadError, match=r"file.h5 is damaged: the HDF5 library ended on it \(SIGSEGV\)"):
        helper.get("file.h5", "killed")
    with pytest.raises(ReadError, match="it is no stack"):
        helper.get("file.h5", "refused")
    assert np.array_equal(helper.get("file.h5", 1, 2), [1, 1])


def test_each_piece_of_work_has_its_own_limit(helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "SECONDS", 1.0)
    monkeypatch.setattr(isolated, "PATIENCE", 60.0)
    for _ in range(3):
        helper.get("file.h5", 1, 5_000_000)
    with pytest.raises(ReadError, match="did not come to an end within 1 s of processor time"):
        helper.get("file.h5", "endless")
    monkeypatch.setattr(isolated, "PATIENCE", 0.5)
    with pytest.raises(ReadError, match="did not come to an end within 0 s; if you trust it"):
        helper.get("file.h5", "asleep")


def test_other_work_is_isolated_by_itself() -> None:
    def other() -> int:
        return os.getpid()

    with helping(work):
        assert helped("file", work, "who") == helped("file", work, "who")
        assert helped("file", other) != helped("file", other)
    assert helped("file", work, "who") != helped("file", work, "who")


def test_the_copy_ends_with_its_parent_and_holds_no_file_open(tmp_path) -> None:
    """Or a lock that its parent held would outlive it."""
    with open(tmp_path / "held", "w") as handle:
        helper = Helper(open_files)
        assert str(tmp_path / "held") not in helper.get("file")
        assert handle.writable()
    child = helper._child
    helper._pipe.close()
    for _ in range(500):
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    pytest.fail("it goes on without its parent")


def open_files() -> list[str]:
    """What this process holds open."""
    folder = f"/proc/{os.getpid()}/fd"
    held = []
    for name in os.listdir(folder):
        try:
            held.append(os.readlink(f"{folder}/{name}"))
        except OSError:
            continue
    return held
