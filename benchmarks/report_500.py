"""500 made-up spectra to one HTML page: its size, the time to write it and the time until its slider works."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks._measure import Skipped
from benchmarks._page import page_of, ready_ms

N_SPECTRA, TURNS = 500, 5
MOST_MB, MOST_MS = 10, 2000


def run() -> dict:
    """See benchmarks/__init__.py; no ratio. "slider_ms" only where there is a browser to drive."""
    from xasuite.files import write_text

    page_of(3)
    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as folder:
        page = Path(folder) / "page.html"
        start = time.perf_counter()
        write_text(page, page_of(N_SPECTRA))
        out = {
            "seconds": round(time.perf_counter() - start, 1),
            "megabytes": round(page.stat().st_size / 1e6, 2),
        }
        try:
            out["slider_ms"] = round(median(ready_ms(page, TURNS)))
        except Skipped as exc:
            out["slider_ms"] = f"not measured, {exc}"
    return out | {
        "work": f"{N_SPECTRA} spectra, 2000 energies, 300 k, fits and wavelet maps, 6 parameters, to one HTML page; median of "
        f"{TURNS} openings in Chromium",
        "wanted": f"< {MOST_MB} MB, < {MOST_MS} ms",
    }
