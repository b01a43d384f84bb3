"""What the smoothness penalty buys, closure: the CCRO series at the Co and Ru edges, means over noise seeds.

Spread of R about its truth in mA, each row by itself and with the penalty on R (docs/decisions/series_timeline.md).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from benchmarks._measure import ROOT

SPECS = ROOT / "fits" / "ccro_series"
SEEDS = range(0, 8000, 1000)
SPECTRA = 20
PARAM = "dr_o"


def spreads(spec: Path, seed: int) -> np.ndarray:
    """Spread of R, mean error and bias without the penalty, then the three with it, in mA."""
    from xasuite.exafs.batch import fit_stack, fit_timeline
    from xasuite.series.plan import make_plan
    from xasuite.series.work import reduced
    from xasuite.spec.series import parse_series_spec

    text, changed = re.subn(r"\bseed = \d+", f"seed = {seed}", spec.read_text(encoding="utf-8"))
    assert changed == 1, f"{spec.name} names its seed {changed} times"
    plan = make_plan(parse_series_spec(text, spec))
    chi = reduced(plan, 0, len(plan)).data
    alone = fit_stack(plan.model, chi, start="mean")
    smooth = fit_timeline(plan.model, chi, plan.truth["time"], smooth={PARAM: "auto"}, separate=alone)
    found = []
    for values, stderr in ((alone.values, alone.stderr_fit), (smooth.values, smooth.stderr)):
        away = (values[PARAM] - plan.truth[PARAM])[alone.ok]
        found += [away.std(), np.mean(stderr[PARAM][alone.ok]), away.mean()]
    return 1e3 * np.array(found)


def said(found: np.ndarray) -> str:
    """Spread, stated error and bias of both ways."""
    spread, error, bias, smooth, smooth_error, smooth_bias = (
        f"{x:.1f}" if abs(x) >= 1 else f"{x:.2f}" for x in found
    )
    return f"spread {spread} to {smooth} (stated {error} to {smooth_error}; bias {bias} to {smooth_bias})"


def run() -> dict:
    """See benchmarks/__init__.py; no ratio."""
    out = {}
    for edge in ("co", "ru"):
        out[edge] = said(np.mean([spreads(SPECS / f"{edge}.toml", seed) for seed in SEEDS], axis=0))
        out[f"{edge}_2000"] = said(spreads(SPECS / f"{edge}_2000.toml", 5))
    return out | {
        "work": f"closure: R (mA) of {SPECTRA} spectra, means over {len(SEEDS)} noises, and of 2000 spectra, one noise: "
        "each row alone to with the smoothness penalty",
        "wanted": "the penalty takes the spread down, not the bias",
    }
