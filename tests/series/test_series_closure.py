"""The 6-minute CCRO series (closure): R drifts through Tables S7 and S8 and is recovered with its error.

The truth is made with FEFF6 potentials and the whole cluster, the fit has one FEFF8 shell: `spread` is the scatter
about the truth along time, `bias` what the other potentials cost. Averages over five noises, as one says little.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from xasuite._series import series
from xasuite._series.prepare import prepare
from xasuite._series.reduction import reduced
from xasuite.exafs.engine import fit_stack
from xasuite.exafs.trends import fit_timeline
from xasuite.specs import SeriesSpec, parse_spec

FITS = Path(__file__).parents[2] / "fits/ccro_series"
SEEDS = range(0, 5000, 1000)


@dataclass
class Trend:
    """One series' R against its truth, in mA, each row by itself and with the penalty."""

    alone: np.ndarray
    smooth: np.ndarray
    alone_err: float
    smooth_err: float
    growth: tuple[float, float]


def trend(name, seed, n=20, noise=None):
    text = re.sub(r"seed = \d+", f"seed = {seed}", (FITS / f"{name}.toml").read_text()).replace(
        "n = 20", f"n = {n}"
    )
    if noise:
        text = re.sub(r"noise = [\d.e-]+", f"noise = {noise}", text)
    plan = prepare(parse_spec(text, FITS / f"{name}.toml", SeriesSpec))
    chi = reduced(plan, 0, n).data
    time, truth = plan.truth["time"], plan.truth["dr_o"]
    alone = fit_stack(plan.model, chi, start="mean")
    made = fit_timeline(plan.model, chi, time, smooth={"dr_o": "auto"}, separate=alone)
    ok = alone.ok
    return Trend(
        1e3 * (alone.values["dr_o"] - truth)[ok],
        1e3 * (made.values["dr_o"] - truth)[ok],
        1e3 * float(np.mean(alone.stderr_fit["dr_o"][ok])),
        1e3 * float(np.mean(made.stderr["dr_o"][ok])),
        tuple(1e3 * np.polyfit(time / time[-1], y, 1)[0] for y in (made.values["dr_o"], truth)),
    )


@pytest.fixture(scope="module", params=["co", "ru"])
def trends(request):
    return request.param, [trend(request.param, seed) for seed in SEEDS]


def test_the_drift_is_recovered(trends):
    """The growth over 120 min, 30 mA at Co and 49 mA at Ru, to 20 % on average over noises."""
    _, found = trends
    got, truth = np.mean([t.growth for t in found], axis=0)
    assert got == pytest.approx(truth, rel=0.2)


def test_the_penalty_helps(trends):
    """Spread about the truth with the penalty, as a share of that without: below 0.7 at Co, 0.9 at Ru."""
    name, found = trends
    alone = np.mean([t.alone.std() for t in found])
    smooth = np.mean([t.smooth.std() for t in found])
    assert smooth / alone < {"co": 0.7, "ru": 0.9}[name]
    # and its own error says so
    assert np.mean([t.smooth_err for t in found]) < 0.7 * np.mean([t.alone_err for t in found])


def test_the_bias_is_that_of_the_potentials(trends):
    """No penalty can mend what the fit's own potentials cost; it must not add to it either."""
    name, found = trends
    bias = np.mean([t.alone.mean() for t in found])
    assert abs(bias) < {"co": 6, "ru": 14}[name]
    assert np.mean([t.smooth.mean() for t in found]) == pytest.approx(bias, abs=1.5)


def test_two_thousand_spectra():
    """A hundred times as many, at twice the noise: a drift that no single spectrum shows, to a few tenths of a mA."""
    t = trend("co", seed=5, n=2000, noise=4e-3)
    assert t.alone.std() > 10
    assert t.smooth.std() < 0.1 * t.alone.std()
    assert t.growth[0] == pytest.approx(t.growth[1], rel=0.1)


def test_the_run_keeps_the_truth_beside_it(tmp_path):
    run = series(FITS / "co.toml", output=tmp_path)
    assert run.kind == "closure"
    assert len(run) == 20
    assert run.truth["Co-O.r"][0] == pytest.approx(1.968)  # Table S7, OCP
    assert run.truth["Co-O.r"][-1] == pytest.approx(2.001)  # 120 min
    assert run.timeline["dr_o"].shape == (20,)
    # rows about the truth in their own errors, less what they share: chi-square of 19, 99.9 % lies within 5 and 44
    away = run.table["Co-O.r"] - run.truth["Co-O.r"]
    own = run.table["Co-O.r_err_own"]
    assert 5 < float((((away - away.mean()) / own) ** 2).sum()) < 44
    assert abs(away.mean()) < 2 * np.hypot(run.table["Co-O.r_err_common"].mean(), own.mean() / np.sqrt(20))
    # what a reader asks of a series: the growth, and its error, within three of them
    trends = json.loads(run.budget["facts"])["trends"]["Co-O.r"]
    slope = np.polyfit(run.truth["time"] / 60, run.truth["Co-O.r"], 1)[0]
    for found, truth in ((trends["change"], 2.001 - 1.968), (trends["slope"], slope)):
        assert found["value"] == pytest.approx(truth, abs=3 * found["stderr"])
        assert found["stderr"] == pytest.approx(np.hypot(found["own"], found["common"]))
    # the potentials' share of R is the same in all rows: no part of the growth's error
    assert "theory" not in trends["change"]["parts"]
    assert "R(Co-O) from row 1 to 20" in str(run.summary())
    figure = run.plot("dr_o")
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["fit along time", "truth"]
