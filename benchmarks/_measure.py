"""Two ways of doing one thing, timed by turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any


class Skipped(Exception):  # noqa: N818 - not an error
    """The benchmark needs something that this machine does not have; the message says what."""


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
