"""SnO2_TPR, measured: 50 raw scans of 4980 points to the table with its audit, by the shipped spec."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks._agreement import data_folder
from benchmarks._alone import series_alone
from benchmarks._measure import ROOT, Skipped

TURNS = 3
MOST_SECONDS = 60
SPEC = ROOT / "fits" / "sno2" / "tpr.toml"


def run() -> dict:
    """See benchmarks/__init__.py; no ratio: nothing else does alignment, binning, holding and audit in one."""
    root = data_folder()
    if root is None:
        raise Skipped("needs measured spectra: set XASUITE_DATA")
    found = []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as folder:
            found.append(series_alone(SPEC, root, Path(folder)))
    last = found[-1]
    return {
        "seconds": round(median(f["seconds"] for f in found), 1),
        "scans": last["rows"],
        "audited": last["audited"],
        "audit_largest_in_standard_errors": float(f"{last['audit_largest']:.2g}"),
        "peak_memory_mb": round(last["peak_mb"]),
        "work": "50 raw scans of 4980 points: aligned, binned, fitted with 4 paths, audited, one process and thread from its start",
        "wanted": f"< {MOST_SECONDS} s",
    }
