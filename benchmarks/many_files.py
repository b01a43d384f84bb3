"""A folder of 20 000 small scan files to the table, one thread: files a second, beside those of the reader alone."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._alone import series_alone
from benchmarks._scans import grid, scans_of
from benchmarks._shells import SEED
from benchmarks.long_series import PATH, SPEC, truth

LIMIT = (
    "reading, some 2.2 ms a file, in a process of its own beside the fits: a third is text and numbers (opening, hash, lines, one parse of the table), two thirds the evidence for what the columns "
    "mean and for edges of other elements, which is weighed anew for every file. The fit of a file's spectrum takes 0.2 ms."
)
ONLY_WHEN_NAMED = True
FILES, MADE, READ = 20_000, 500, 1000


def make(folder: Path, files: int = FILES) -> Path:
    """The spec beside its scans: columns of text, energy and mu."""
    (folder / "scans").mkdir()
    mu = scans_of(2, truth(np.arange(MADE)), SEED).mu
    text = [
        "# energy mu\n" + "\n".join(f"{e:.3f} {v:.7f}" for e, v in zip(grid(), row, strict=True)) + "\n"
        for row in mu
    ]
    for i in range(files):
        (folder / "scans" / f"scan_{i}.txt").write_text(f"# scan {i}\n{text[i % MADE]}")
    spec = folder / "long.toml"
    body = (SPEC + PATH.format(1) + PATH.format(2)).replace('files = ["long.h5"]', 'files = ["scans/*.txt"]')
    spec.write_text(body, encoding="utf-8")
    return spec


def reading(folder: Path) -> float:
    """Files a second of the reader alone."""
    import xasuite as xs

    files = sorted((folder / "scans").iterdir())[:READ]
    xs.read(files[0])
    begun = time.perf_counter()
    for file in files:
        xs.read(file)
    return len(files) / (time.perf_counter() - begun)


def run() -> dict:
    """See benchmarks/__init__.py; no ratio."""
    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as name:
        folder = Path(name)
        spec = make(folder)
        alone = reading(folder)
        found = series_alone(spec, folder, folder / "out")
        assert found["ok"] == FILES
    return {
        "files_per_s": round(found["rows"] / found["seconds"]),
        "reading_alone_per_s": round(alone),
        "seconds": round(found["seconds"]),
        "processor_seconds": f"{found['processor_s']:.0f}, of the audit beside {found['beside_processor_s']:.0f}",
        "peak_memory_mb": round(found["peak_mb"]),
        "audited": found["audited"],
        "work": f"{FILES} text files of {grid().size} points to fits of 2 shells, audit by Larch included, one thread",
        "wanted": "limited by reading; no file opened twice",
    }
