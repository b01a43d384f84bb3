"""The bias study: its statistics on known numbers, and what it says of the shipped specs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xasuite.references import fits_dir
from xasuite.specs import load_spec
from xasuite.workflow import closure
from xasuite.workflow.resolve import Context, resolve_model
from xasuite.workflow.simulated import simulate_stack


@pytest.fixture(scope="module")
def s4b():  # type: ignore[no-untyped-def]
    return load_spec(fits_dir() / "ccro/s4b_co.toml")


def test_seeds_differ_in_noise_alone(s4b) -> None:  # type: ignore[no-untyped-def]
    stack = simulate_stack(s4b, 0, noise=1e-3, seeds=(1, 2, 1))
    clean = simulate_stack(s4b, 0, noise=0.0, seeds=(1,))
    assert np.array_equal(stack.mu[0], stack.mu[2])
    assert not np.array_equal(stack.mu[0], stack.mu[1])
    spread = (stack.mu - clean.mu).std(axis=1)
    assert spread == pytest.approx(spread[0], rel=0.2)


def test_recovery_at_good_data(s4b) -> None:  # type: ignore[no-untyped-def]
    """Spread between seeds far below the reported error, which holds misfit: said so."""
    model = resolve_model(s4b, Context())
    found = {r.quantity: r for r in closure.recoveries(s4b, 0, model, 3e-4, 60)}
    n = found["n"]
    assert abs(n.bias) < 0.8
    assert n.spread < 0.15
    assert n.reported > 3 * n.spread
    assert n.failed == n.at_bound == 0
    assert n.published_err == 0.6
    assert abs(found["r"].bias) < 0.02


def test_matching_noise_gives_the_published_error(s4b) -> None:  # type: ignore[no-untyped-def]
    model = resolve_model(s4b, Context())
    level = closure.matching_noise(s4b, 0, model)
    assert level is not None
    assert 1e-3 < level < 5e-3  # the feasibility study found 2-4.5e-3 for the Co rows
    fits = closure.fit_seeds(s4b, 0, model, noise=level, seeds=range(1, 25))
    assert np.nanmedian(closure.own_errors(fits, "Co-O.n")) == pytest.approx(0.6, rel=0.06)
    for r in closure.recoveries(s4b, 0, model, level, 50):
        if r.published_err:
            assert abs(r.bias) <= r.published_err


def test_coverage_is_near_068_where_noise_rules(s4b) -> None:  # type: ignore[no-untyped-def]
    model = resolve_model(s4b, Context())
    r = next(r for r in closure.recoveries(s4b, 0, model, 5e-3, 120) if r.quantity == "r")
    # 120 seeds: standard error of the share 0.043; misfit and bias widen it to 0.5-0.9, as the issue allows
    assert 0.5 < r.coverage < 0.9


def test_errors_that_cannot_belong_together_are_named() -> None:
    """Ru-30 h: N(Ru-O) +- 0.9 goes with N(Ru-Ru) +- 0.8, not 3.2; Ru 120 min: R leaves its +- 0.02."""
    said = closure.incompatible(closure.matched(load_spec(fits_dir() / "ccro/s9_ru.toml"), seeds=40))
    assert any("gives N(Ru-Ru) +-0." in line and "printed +-3.2" in line for line in said)
    s8 = load_spec(fits_dir() / "ccro/s8_ru.toml")
    model = resolve_model(s8, Context())
    level = closure.matching_noise(s8, 5, model)
    assert level is not None
    found = closure.recoveries(s8, 5, model, level, 60)
    r = next(x for x in found if x.quantity == "r")
    assert r.within_published < 0.6


def test_the_scan_shows_what_moves_n(s4b) -> None:  # type: ignore[no-untyped-def]
    found = {c.what: c for c in closure.choices(s4b, 0, Context())}
    assert found["as the spec says"].n_shift == 0
    assert abs(found["autobk k^1, rbkg 1.1"].n_shift) > 2
    assert 0.05 < found["potentials of the truth"].n_shift < 0.6
    assert math.isfinite(found["k 3-12"].n)


def test_reasons_for_coverage() -> None:
    base = {
        "row": "a", "path": "p", "quantity": "n", "truth": 5.0, "at_bound": 0.0, "failed": 0.0,
        "published_err": None, "within_published": math.nan, "noise": 3e-4, "seeds": 50,
    }  # fmt: skip
    fine = closure.Recovery(bias=0.0, spread=0.1, reported=0.1, coverage=0.68, **base)
    assert fine.reason == ""
    misfit = closure.Recovery(bias=0.0, spread=0.1, reported=0.5, coverage=1.0, **base)
    assert "misfit inside the rescaled errors" in misfit.reason
    biased = closure.Recovery(bias=-0.4, spread=0.1, reported=0.3, coverage=0.1, **base)
    assert biased.reason.startswith("bias")
    bound = closure.Recovery(bias=0.0, spread=0.1, reported=0.1, coverage=0.3, **{**base, "at_bound": 0.4})
    assert "at a bound" in bound.reason
