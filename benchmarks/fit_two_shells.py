"""Two shells, seven variables, against a loop over feffit."""

from __future__ import annotations

from benchmarks._shells import fit_benchmark


def run() -> dict:
    """See benchmarks/__init__.py."""
    return fit_benchmark(2, "numba", ">= 1000")
