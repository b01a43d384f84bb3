"""100 000 spectra of 400 points from one stacked HDF5 array to the table, one thread: rate and peak memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks._alone import series_alone
from benchmarks._scans import E0, grid, scans_of
from benchmarks._shells import ENDS, SEED

LIMIT = (
    "two cores that share the work: some 17 s of processor time in the process that fits and 15 s beside it. Of a spectrum's 0.16 ms in the first the fit and its fitted curve take 0.08, asymmetric "
    "errors 0.01, normalisation and background 0.015, the end of the signal 0.01, parts and files 0.03; loading the programs costs 2 s. Beside it run the reader of the stack (a child process that "
    "reads and checks the next chunk, 0.03 ms a spectrum) and, in a process that gives way to the fits, the budgets of the sampled rows (2 s and 2 s to load, whatever the length) and Larch (2 s to "
    "load, 300 refits of some 20 ms). The files take 3 s more, the curves being written while the budget of all rows is made."
)
ONLY_WHEN_NAMED = True
N_SPECTRA, BLOCK = 100_000, 2000
MOST_MB = 2000
SPEC = f"""
xasuite = 2
title = "two shells of copper along {N_SPECTRA} spectra"

[sample]
element = "Cu"
edge = "K"

[series]
files = ["long.h5"]
start = "mean"

[reduce]
e0 = {E0}
pre_range = [-140, -40]
norm_range = [100, 800]
rbkg = 1.0
bkg_kweight = 2

[fit]
k = [3.0, 14.0]
kweight = [2]
r = [1.4, 3.8]

[params]
s02 = {{ value = 0.9 }}
enot = {{ guess = 3.0 }}
n1 = {{ guess = 11.0 }}
dr1 = {{ guess = 0.0 }}
ss1 = {{ guess = 8e-3 }}
n2 = {{ guess = 5.0 }}
dr2 = {{ guess = 0.0 }}
ss2 = {{ guess = 0.011 }}
"""
PATH = """
[[path]]
label = "Cu {0}"
crystal = "Cu"
scatterer = "Cu"
shell = {0}
n = "n{0}"
s02 = "s02"
e0 = "enot"
deltar = "dr{0}"
sigma2 = "ss{0}"
"""


def truth(rows: np.ndarray) -> np.ndarray:
    """Parameters (m, 7) of some rows of the series."""
    t = rows[:, None] / (N_SPECTRA - 1)
    return ENDS[2][0] * (1 - t) + ENDS[2][1] * t


def make(folder: Path) -> Path:
    """The spec beside its data, which are made and written block by block."""
    import h5py

    with h5py.File(folder / "long.h5", "w") as handle:
        handle["energy"] = grid()
        mu = handle.create_dataset("mu", (N_SPECTRA, grid().size), "f8", chunks=(100, grid().size))
        for start in range(0, N_SPECTRA, BLOCK):
            rows = np.arange(start, start + BLOCK)
            mu[start : start + BLOCK] = scans_of(2, truth(rows), SEED + start).mu
    spec = folder / "long.toml"
    spec.write_text(SPEC + PATH.format(1) + PATH.format(2), encoding="utf-8")
    return spec


def recovered(file: str) -> float:
    """The mean difference of the first shell's R from the truth, in mA. A fast fit that misses the truth is no fit.

    Of the stated fits: the truth has no third cumulant, and the budget puts R in the middle between none and a thermal one.
    """
    from xasuite._series import open_run

    table = open_run(file).table
    away = 1e3 * (table["dr1_stated"].to_numpy() - truth(np.arange(N_SPECTRA))[:, 2])
    assert np.isfinite(away).all(), "rows were not fitted"
    assert abs(away.mean()) < 1.0, f"R is off by {away.mean():.2f} mA on average"
    return float(away.mean())


def run() -> dict:
    """See benchmarks/__init__.py; no ratio."""
    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as folder:
        spec = make(Path(folder))
        found = series_alone(spec, Path(folder), Path(folder) / "out")
        bias = recovered(found["file"])
    return {
        "spectra_per_s": round(found["rows"] / found["seconds"]),
        "seconds": round(found["seconds"]),
        "processor_seconds": f"{found['processor_s']:.0f}, of audit and reader beside {found['beside_processor_s']:.0f}",
        "peak_memory_mb": round(found["peak_mb"]),
        "ok": found["ok"],
        "audited": found["audited"],
        "audit_largest_in_standard_errors": float(f"{found['audit_largest']:.2g}"),
        "mean_r_error_in_ma": round(bias, 2),
        "work": f"{N_SPECTRA} spectra of {grid().size} points, 2 shells, 7 variables, audit by Larch included, one thread",
        "wanted": f"< {MOST_MB} MB",
    }
