"""One shell, four variables, against a loop over feffit."""

from __future__ import annotations

from benchmarks._shells import fit_benchmark

LIMIT = (
    "a fit takes 3.6 evaluations on 68 points of k (56 since a bound chooses them; from the fit of the mean spectrum, "
    "the first one shared) and one on all 240: 3.2 and 7.5 microseconds, 42 000 fits/s on a shared core against 35 000 with all points "
    "throughout. That is 0.27 MFLOP a fit, 11 GFLOP/s, 14 % of what a product of large matrices reaches on the "
    "same core: k to q and FEFF's tables are looked up point by point and take a third, exp, sine and cosine a "
    "quarter, the product with the objective's matrix a quarter (docs/notes/engine.md)."
)


def run() -> dict:
    """See benchmarks/__init__.py."""
    return fit_benchmark(1, "numba", ">= 1000")
