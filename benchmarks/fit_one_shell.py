"""One shell, four variables, against a loop over feffit."""

from __future__ import annotations

from benchmarks._shells import fit_benchmark


def run() -> dict:
    """See benchmarks/__init__.py."""
    return fit_benchmark(1, "numba", ">= 1000")
