"""5000 scans that arrive one by one in a watched folder: what one more costs at the start and at the end."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.many_files import make

ONLY_WHEN_NAMED = True
SCANS, EACH = 5000, 500


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
        spent = np.empty(SCANS)
        for i in range(SCANS):
            scan = folder / "live" / f"scan_{i}.txt"
            (folder / "scans" / scan.name).rename(scan)
            os.utime(scan, (1e9, 1e9))
            begun = time.process_time()
            assert watcher.step(1e9 + 10) == 1
            spent[i] = time.process_time() - begun
        assert len(watcher.run()) == SCANS
    first, last = 1e3 * spent[EACH : 2 * EACH], 1e3 * spent[-EACH:]
    return {
        f"ms_of_scans_{EACH}_to_{2 * EACH}": f"{first.mean():.0f} (median {np.median(first):.0f})",
        f"ms_of_the_last_{EACH}": f"{last.mean():.0f} (median {np.median(last):.0f})",
        "work": f"{SCANS} arriving scans, each fitted, its part and journal written; all files anew when the rows have grown by a "
        "hundredth; processor time",
        "wanted": "the same",
    }
