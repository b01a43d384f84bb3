"""Agreement with Larch on measured Cu, Co and Fe: how far apart parameters, errors and R factors are."""

from __future__ import annotations

from benchmarks._agreement import ERRORS, PARAMETERS, RFACTOR, cases, data_folder
from benchmarks._measure import Skipped


def run() -> dict:
    """See benchmarks/__init__.py; no rates here."""
    root = data_folder()
    if root is None:
        raise Skipped("needs measured spectra: set XASUITE_DATA")
    found = [(name, audit) for name, audit in cases(root) if audit]
    worst = [max(getattr(d, q) for _, a in found for d in a) for q in ("difference", "stderr", "rfactor")]
    return {
        "fits": len(found),
        "parameters_in_standard_errors": float(f"{worst[0]:.2g}"),
        "errors_relative": float(f"{worst[1]:.2g}"),
        "rfactor_relative": float(f"{worst[2]:.2g}"),
        "within_limits": bool(worst[0] < PARAMETERS and worst[1] < ERRORS and worst[2] < RFACTOR),
        "worst_fit": max(found, key=lambda f: max(d.difference for d in f[1]))[0],
        "work": "fits of measured Cu, Co, Fe foils over windows, k weights, ranges, R and q space",
        "peer": "Larch's feffit at tolerance 1e-12",
        "wanted": f"{PARAMETERS:g} standard errors, {ERRORS:g}, {RFACTOR:g}; 200 fits",
    }
