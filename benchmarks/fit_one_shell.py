"""One shell, four variables, against a loop over feffit."""

from __future__ import annotations

from benchmarks._shells import fit_benchmark

LIMIT = (
    "a fit takes 3.8 evaluations of some 6 microseconds (from the fit of the mean spectrum, the first one shared), 46 000 fits/s on "
    "a free core: the 44 000/s that 90 Chebyshev nodes gave a prototype. Half of an evaluation is exp, sine and cosine at 230 k points, half the "
    "product with the objective's matrix (docs/notes/engine.md says why fewer points do not help)."
)


def run() -> dict:
    """See benchmarks/__init__.py."""
    return fit_benchmark(1, "numba", ">= 1000")
