"""What the smoothness penalty buys, closure: the CCRO series at the Co and Ru edges, means over noise seeds.

Spread of R about its truth in mA, each row by itself and with the penalty on R (docs/decisions/series_timeline.md).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks._measure import ROOT

SPECS = ROOT / "fits" / "ccro_series"
SEEDS = range(0, 8000, 1000)
SPECTRA = 20
PARAM = "dr_o"


def fitted(spec: Path, key: str, value: str) -> tuple[Any, Any, Any]:
    """The plan of a spec with one key of its simulation changed, the rows' chi(k), and their own fits."""
    from xasuite._series.prepare import prepare
    from xasuite._series.reduction import reduced
    from xasuite.exafs.engine import fit_stack
    from xasuite.specs import SeriesSpec, parse_spec

    text, changed = re.subn(rf"\b{key} = [\d.e-]+", f"{key} = {value}", spec.read_text(encoding="utf-8"))
    assert changed == 1, f"{spec.name} names its {key} {changed} times"
    plan = prepare(parse_spec(text, spec, SeriesSpec))
    chi = reduced(plan, 0, len(plan)).data
    return plan, chi, fit_stack(plan.model, chi, start="mean")


def drift(spec: Path) -> str:
    """Mean and spread along the series of R's bias, without noise: what no number of spectra takes away."""
    plan, _, alone = fitted(spec, "noise", "1e-6")
    away = 1e3 * (alone.values[PARAM] - plan.truth[PARAM])
    return f"bias without noise {away.mean():.1f}, spread along the series {away.std():.1f}"


def spreads(spec: Path, seed: int) -> np.ndarray:
    """Spread of R, mean error and bias without the penalty, then the three with it, in mA."""
    from xasuite.exafs.trends import fit_timeline

    plan, chi, alone = fitted(spec, "seed", str(seed))
    smooth = fit_timeline(plan.model, chi, plan.truth["time"], smooth={PARAM: "auto"}, separate=alone)
    found = []
    for values, stderr in ((alone.values, alone.stderr_fit), (smooth.values, smooth.stderr)):
        away = (values[PARAM] - plan.truth[PARAM])[alone.ok]
        found += [away.std(), np.mean(stderr[PARAM][alone.ok]), away.mean()]
    return 1e3 * np.array(found)


def parts(spec: Path) -> str:
    """A run of the spec over the noises: own and common part of N and R beside what they must be, and the growth of R."""
    from xasuite._series.run import run_series
    from xasuite._series.store import Folder
    from xasuite.specs import SeriesSpec, parse_spec

    found = []
    for seed in SEEDS:
        text = re.sub(r"\bseed = \d+", f"seed = {seed}", spec.read_text(encoding="utf-8"))
        with TemporaryDirectory() as folder:
            run = run_series(parse_spec(text, spec, SeriesSpec), folder=Folder(Path(folder)), threads=1)
            found.append([x for q in ("n", "r") for x in _parts(run, q)])
    n, r = np.reshape(np.mean(found, axis=0), (2, 7)), np.reshape(found, (len(found), 2, 7))[:, 1]
    growth = f"growth of R {1e3 * n[1, 2]:.1f} mA with an error of {1e3 * n[1, 3]:.1f}, off by {1e3 * np.sqrt(np.mean(r[:, 4] ** 2)):.1f} rms"
    scatter = ", ".join(
        f"{q} own {x[0]:.2g} (scatter {x[1]:.2g}), common {x[5]:.2g} (bias {x[6]:.2g})"
        for q, x in zip("NR", n, strict=True)
    )
    return f"{scatter}; {growth}"


def _parts(run: Any, quantity: str) -> list[float]:
    """Mean own error, scatter about the truth, slope times the run's length, its error, how far it is off; common error, mean bias."""
    name = next(n for n in run.truth if n.endswith(f".{quantity}"))
    away = run.table[name] - run.truth[name]
    slope = json.loads(run.budget["facts"])["trends"][name]["slope"]
    length = float(np.ptp(run.truth["time"])) / 60
    truth = np.polyfit(run.truth["time"], run.truth[name], 1)[0] * length * 60
    grown = slope["value"] * length
    own, common = (float(run.table[f"{name}_err_{part}"].mean()) for part in ("own", "common"))
    return [
        own,
        float(away.std()),
        grown,
        slope["stderr"] * length,
        grown - truth,
        common,
        float(away.mean()),
    ]


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
        out[f"{edge}_bias"] = drift(SPECS / f"{edge}.toml")
        out[f"{edge}_parts"] = parts(SPECS / f"{edge}.toml")
        out[f"{edge}_2000"] = said(spreads(SPECS / f"{edge}_2000.toml", 5))
    return out | {
        "work": f"closure: R (mA) of {SPECTRA} spectra, means over {len(SEEDS)} noises, and of 2000 spectra, one noise: "
        "each row alone to with the smoothness penalty",
        "wanted": "the penalty takes the spread down, not the bias",
    }
