"""`algorithm="ifeffit"` against the spline of Debian's ifeffit 1.2.11d (tests/workflow/ifeffit/spline.iff, made by make.py there)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import RangeError

HERE = Path(__file__).parents[1] / "workflow/ifeffit"
CASES = {
    "k1": {"kweight": 1},
    "k2": {"kweight": 2},
    "k3": {"kweight": 3, "dk": 0},
    "start": {"kweight": 2, "k": (0.5, 13.9), "dk": 4},
    "high": {"kweight": 1, "clamp": (0, 24)},
    "both": {"kweight": 2, "k": (1, 13.9), "dk": 0.1, "clamp": (6, 3)},
    "short": {"kweight": 2, "rbkg": 1.4},
}
# Edge steps are 1 high. Ifeffit prints eight digits and its minimiser stops at 1e-5.
CLOSE = 3e-6


@pytest.fixture(scope="module")
def copper() -> xs.Normalized:
    energy, mu = np.loadtxt(HERE / "cu.xmu").T
    spectrum = xs.Spectrum(energy, mu, "Cu", "K")
    return xs.normalize(
        spectrum, e0=8979, pre_range=(-150, -30), norm_range=(150, 700), nnorm=2, method="polynomial"
    )


def made(copper: xs.Normalized, case: str, **changes: object) -> xs.Chi:
    settings = {"rbkg": 1.0, "k": (0, 13.9), "dk": 1, "clamp": (0, 0), "algorithm": "ifeffit"}
    return xs.background(copper, **{**settings, **CASES[case], **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES)
def test_background_and_chi_are_ifeffits(copper: xs.Normalized, case: str) -> None:
    column = list(CASES).index(case) + 1
    chi = made(copper, case)
    bkg = np.loadtxt(HERE / "spline.bkg")[:, column]
    assert np.abs(chi.bkg - bkg).max() < CLOSE
    # Ifeffit's edge step is that of its background, ours that of mu: chi(k) is compared up to that one factor
    table = np.loadtxt(HERE / "spline.chi")
    wanted, size = table[:, column], min(len(table), chi.k.size)
    step = float(np.sum(chi.chi[:size] * wanted[:size]) / np.sum(wanted[:size] ** 2))
    assert step == pytest.approx(1, abs=2e-3)
    assert np.abs(chi.chi[:size] / step - wanted[:size]).max() < 2 * CLOSE


def test_autobk_is_another_algorithm(copper: xs.Normalized) -> None:
    """The tolerances of these tests can tell the two apart."""
    ours = made(copper, "k2", algorithm="autobk")
    assert np.abs(ours.bkg - made(copper, "k2").bkg).max() > 1e3 * CLOSE


def test_a_stack_is_its_rows(copper: xs.Normalized) -> None:
    scale = np.array([1.0, 1.3])
    stack = xs.Spectrum(copper.energy, scale[:, None] * copper.mu, "Cu", "K")
    norm = xs.normalize(
        stack, e0=8979, pre_range=(-150, -30), norm_range=(150, 700), nnorm=2, method="polynomial"
    )
    chi = made(norm, "high")
    assert chi.chi == pytest.approx(np.stack([made(copper, "high").chi] * 2), abs=1e-12)


def test_an_algorithm_that_is_none(copper: xs.Normalized) -> None:
    with pytest.raises(RangeError, match="algorithm = 'cheh' is not one of autobk, ifeffit"):
        made(copper, "k1", algorithm="cheh")
