"""Agreement with Larch on measured Cu, Co and Fe: how far apart parameters, errors and R factors are."""

from __future__ import annotations

import numpy as np

from benchmarks._agreement import ERRORS, PARAMETERS, RFACTOR, cases, data_folder
from benchmarks._measure import Skipped


def run() -> dict:
    """See benchmarks/__init__.py; no rates here."""
    root = data_folder()
    if root is None:
        raise Skipped("needs measured spectra: set XASUITE_DATA")
    found = [(name, audit) for name, audit in cases(root) if len(audit.rows)]
    worst = [max(float(np.max(getattr(a, q))) for _, a in found) for q in ("difference", "stderr_difference", "rfactor_difference")]  # fmt: skip
    return {
        "fits": len(found),
        "parameters_in_standard_errors": float(f"{worst[0]:.2g}"),
        "errors_relative": float(f"{worst[1]:.2g}"),
        "rfactor_relative": float(f"{worst[2]:.2g}"),
        "within_limits": bool(worst[0] < PARAMETERS and worst[1] < ERRORS and worst[2] < RFACTOR),
        "worst_fit": max(found, key=lambda f: float(np.max(f[1].difference)))[0],
        "work": "fits of measured Cu, Co, Fe foils over windows, k weights, ranges, R and q space",
        "peer": "Larch's feffit at tolerance 1e-12",
        "wanted": f"{PARAMETERS:g} standard errors, {ERRORS:g}, {RFACTOR:g}; 200 fits",
    }
