"""The published order of Co-Mn lobes: what holds, with which error, and where noise ends it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from xasuite.study.lobes import ORDERS, SURE, claim4
from xasuite.study.wavelet_maps import ccro_growth, foils


@pytest.fixture(scope="module")
def claim():  # type: ignore[no-untyped-def]
    return claim4(seeds=60, noises=(1e-4, 6e-4, 2e-3, 4e-3))


def test_four_parts_hold_and_one_does_not(claim) -> None:  # type: ignore[no-untyped-def]
    """Co-N < Co-Mn and Mn-N < Mn-Co by more than four standard errors at epsilon_k 3e-4, Co-Mn < Co foil and Co-Mn < Mn-Co
    in the noise-free spectra. Mn-Co lies above Mn-Mn of the foil at equal sigma2: cobalt scatters at higher k."""
    orders = {(o.lower, o.upper): o for o in claim.orders}
    assert set(orders) == set(ORDERS)
    for pair in (("Co-N", "Co-Mn"), ("Mn-N", "Mn-Co")):
        assert orders[pair].holds
        assert orders[pair].difference > 4 * orders[pair].error
    for pair in (("Co-Mn", "Co-Co foil"), ("Co-Mn", "Mn-Co")):
        assert 0.2 < orders[pair].difference < 0.6
        assert orders[pair].share > 0.8
    wrong = orders["Mn-Co", "Mn-Mn foil"]
    assert not wrong.holds
    assert wrong.difference < -3 * wrong.error
    assert wrong.dies == 0.0
    assert not claim.holds
    assert "Mn-Co < Mn-Mn foil" in claim.verdict


def test_a_looser_pair_would_make_it_hold() -> None:
    """sigma2 of 0.012 A^2 moves both lobes of the pair down by 0.7 1/A, between nitrogen's and the foils'."""
    loose = claim4(pair_sigma2=0.012, noise=3e-5, noises=(), seeds=30)
    assert loose.holds, loose.verdict


def test_noise_ends_the_small_shift_first(claim) -> None:  # type: ignore[no-untyped-def]
    """Co-Mn below Mn-Co is the smallest difference, so it dies at the least noise; a larger one lives longer."""
    orders = {(o.lower, o.upper): o for o in claim.orders}
    shift = orders["Co-Mn", "Mn-Co"]
    assert 1e-4 < shift.dies < orders["Co-N", "Co-Mn"].dies
    # Where the difference is 1.645 standard errors 95 % of Gaussian resamples show the order
    expected = shift.difference / shift.error / 1.645 * claim.noise
    assert 0.5 < shift.dies / expected < 2
    assert SURE == 0.95


def test_simulated_foils_lie_where_the_measured_do(claim, data_root: Path) -> None:  # type: ignore[no-untyped-def]
    """The model's lobes of Co and Mn foil against the measured foils': 0.1 1/A, the smallest shift claimed is 0.28."""
    pytest.importorskip("xasuite.io.reader")
    _, lobes = foils(data_root, resamples=10)
    measured = {one.label.split()[0]: one[0].k for one in lobes}
    assert abs(measured["Co"] - claim.lobes["Co-Co foil"].k) < 0.1
    assert abs(measured["Mn"] - claim.lobes["Mn-Mn foil"].k) < 0.1
    # Heavier scatterers back-scatter at higher k
    assert measured["Mn"] < measured["Co"] < measured["Ru"]


def test_the_metal_lobe_grows_in() -> None:
    growth = ccro_growth((0.0, 8.0, 30.0), seeds=15)
    assert np.all(np.diff(growth.height) > 5 * growth.error[1:])
    assert growth.share[0] < SURE <= growth.share[-1]
    assert not math.isnan(growth.first)
