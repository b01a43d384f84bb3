"""Scans of 500 points that arrive one by one beside `xasuite watch`: seconds from the last point to the row, and to its budget."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.many_files import make

ONLY_WHEN_NAMED = True
ROWS, POINTS, EVERY, FIRST = 14, 500, 3.0, 8.0  # s between two scans, and before the first
ROW, BUDGET = re.compile(r"([\d.]+) s from its last point to its row"), re.compile(r"budget ([\d.]+) s after")


def scans(folder: Path) -> list[str]:
    """The scans of `make` on an even grid of so many points, as text."""
    made = []
    for i in range(ROWS):
        energy, mu = np.loadtxt(folder / "scans" / f"scan_{i}.txt").T
        grid = np.linspace(energy[0], energy[-1], POINTS)
        rows = "".join(f"{e:.3f} {v:.7f}\n" for e, v in zip(grid, np.interp(grid, energy, mu), strict=True))
        made.append(f"# scan {i}\n# energy mu\n{rows}")
    return made


def measure(folder: Path, texts: list[str]) -> None:
    """Write one scan after another; each has its last point when it takes its name."""
    time.sleep(FIRST)
    for i, text in enumerate(texts):
        (folder / "scan.part").write_text(text)
        os.utime(folder / "scan.part")
        (folder / "scan.part").rename(folder / "live" / f"scan_{i:02d}.txt")
        time.sleep(EVERY)


def run() -> dict:
    """See benchmarks/__init__.py; no ratio."""
    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as name:
        folder = Path(name)
        spec = make(folder, ROWS)
        (folder / "live").mkdir()
        threading.Thread(target=measure, args=(folder, scans(folder)), daemon=True).start()
        command = [sys.executable, "-m", "xasuite", "watch", folder / "live", spec, "-o", folder / "out"]
        ended = subprocess.run(
            [*command, "--until", str(ROWS)], capture_output=True, text=True, check=True, timeout=600
        )
    rows, budgets = (np.array([float(t) for t in found.findall(ended.stderr)]) for found in (ROW, BUDGET))
    assert rows.size == budgets.size == ROWS, ended.stderr
    return {
        "s_to_the_row": f"median {np.median(rows):.2f}, max {rows.max():.2f} (first row {rows[0]:.2f})",
        "s_to_its_budget": f"median {np.median(budgets):.2f}, max {budgets.max():.2f}",
        "work": f"{ROWS} scans of {POINTS} points, {EVERY:g} s apart, 2 shells, budget, audit and figures made beside",
        "wanted": "under 1 s for every row",
    }
