"""Two ways of doing one thing, timed by turns."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Skipped(Exception):  # noqa: N818 - not an error
    """The benchmark needs something that this machine does not have; the message says what."""


def seconds_of(command: Sequence[str]) -> tuple[float, str]:
    """How long a command of its own process takes from its start to its end (s), and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    return took, done.stdout


def python(*arguments: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, *arguments]


def by_turns(
    ours: Callable[[], int], peer: Callable[[int], int], *, turns: int = 5, warm: bool = True
) -> dict[str, Any]:
    """Median rates of `ours()` and `peer(turn)`, which give how many spectra they did.

    They take turns, so that whatever else the machine does falls on both.
    """
    if warm:
        ours()
    mine, theirs = [], []
    for turn in range(turns):
        start = time.perf_counter()
        n = ours()
        middle = time.perf_counter()
        m = peer(turn)
        end = time.perf_counter()
        mine.append(n / (middle - start))
        theirs.append(m / (end - middle))
    return {
        "ratio": round(median(mine) / median(theirs), 2),
        "ours_per_s": round(median(mine), 1),
        "peer_per_s": round(median(theirs), 3),
        "threads": 1,
    }
