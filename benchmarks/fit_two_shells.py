"""Two shells, seven variables, against a loop over feffit."""

from __future__ import annotations

from benchmarks._shells import fit_benchmark

LIMIT = (
    "3.9 evaluations on few points and one on all, of two paths with seven variables: 6.2 and 15.5 microseconds, "
    "20 800 fits/s on a shared core against 14 500 with all points throughout; 0.59 MFLOP a fit, 15 % of a large "
    "matrix product's rate."
)


def run() -> dict:
    """See benchmarks/__init__.py."""
    return fit_benchmark(2, "numba", ">= 1000")
