"""5000 scans that arrive in a watched folder, one by one at the start and at the end: what one more costs there.

Those between, whose cost is not told, arrive a hundred at a time: one by one they took two thirds of the benchmark.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.many_files import make

ONLY_WHEN_NAMED = True
SCANS, EACH, AT_ONCE = 5000, 500, 100


def run() -> dict:
    """See benchmarks/__init__.py; no ratio."""
    from xasuite._series import Watch
    from xasuite._series.store import Folder
    from xasuite.specs import SeriesSpec, load_spec

    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as name:
        folder = Path(name)
        spec = make(folder, SCANS)
        (folder / "live").mkdir()
        watcher = Watch(folder / "live", load_spec(spec, SeriesSpec), Folder(folder / "out"))
        spent: dict[int, float] = {}
        at = 0
        while at < SCANS:
            n = 1 if at < 2 * EACH or at >= SCANS - EACH else AT_ONCE
            for i in range(at, at + n):
                scan = folder / "live" / f"scan_{i}.txt"
                (folder / "scans" / scan.name).rename(scan)
                os.utime(scan, (1e9, 1e9))
            begun = time.process_time()
            assert watcher.step(1e9 + 10) == n
            spent[at] = time.process_time() - begun
            at += n
        assert len(watcher.run()) == SCANS
    first, last = (1e3 * np.array([spent[i] for i in range(a, a + EACH)]) for a in (EACH, SCANS - EACH))
    return {
        f"ms_of_scans_{EACH}_to_{2 * EACH}": f"{first.mean():.0f} (median {np.median(first):.0f})",
        f"ms_of_the_last_{EACH}": f"{last.mean():.0f} (median {np.median(last):.0f})",
        "work": f"{SCANS} arriving scans, the first {2 * EACH} and the last {EACH} one by one, each fitted, its part and journal written; all files anew when the rows have grown by a "
        "hundredth; processor time",
        "wanted": "the same",
    }
