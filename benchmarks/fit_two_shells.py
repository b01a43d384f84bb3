"""Two shells, seven variables, against a loop over feffit."""

from __future__ import annotations

from benchmarks._shells import fit_benchmark

LIMIT = "4.7 evaluations of two paths with seven variables, 20 000 fits/s on a free core; as for one shell."


def run() -> dict:
    """See benchmarks/__init__.py."""
    return fit_benchmark(2, "numba", ">= 1000")
