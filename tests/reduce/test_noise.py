"""The noise estimate and the usable k, on chi of known noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xasuite.errors import DataError
from xasuite.records import Chi
from xasuite.reduce import noise_of, usable_k

from .conftest import known_chi

K = np.arange(0, 16.001, 0.05)


def chi(values: np.ndarray) -> Chi:
    return Chi(k=K, chi=values, e0=0.0, edge_step=1.0)


def test_a_shell_is_no_noise() -> None:
    """A first shell's tail between 15 and 30 A stays under 1e-5, far below any measured noise (1e-4)."""
    assert noise_of(K, known_chi(K)) < 1e-5


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(1e-6, 1e3), seed=st.integers(0, 1000))
def test_the_estimate_scales(scale: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=K.size)
    assert noise_of(K, scale * values) == pytest.approx(scale * noise_of(K, values), rel=1e-12)
    # one estimate of 320 points stands within 5 of its own standard deviations (8 %)
    assert noise_of(K, values) == pytest.approx(1, abs=0.45)


@pytest.mark.parametrize("n", [300, 301], ids=str)
def test_the_estimate_is_the_transform_s_mean_square_over_that_of_white_noise(n: int) -> None:
    """By its definition, summed over R one by one; an even and an odd number of points, a stack and a row."""
    k = 0.05 * np.arange(n)
    chi = np.random.default_rng(2).normal(0, 1e-3, (5, n)) + np.sin(5 * k) * np.exp(-0.016 * k**2)
    weight = k * np.sin(np.pi * k / k[-1]) ** 2
    r = np.arange(15.0, 30.0, np.pi / (2 * k[-1]))
    seen = np.abs((weight * chi) @ np.exp(2j * np.outer(k, r))) ** 2
    wanted = np.sqrt(seen.sum(axis=1) / (r.size * (weight**2).sum()))
    np.testing.assert_allclose(noise_of(k, chi), wanted, rtol=1e-9)
    np.testing.assert_allclose(noise_of(k, chi[2]), wanted[2], rtol=1e-9)


def test_usable_k_is_where_the_envelope_meets_the_noise() -> None:
    """The envelope is known in closed form: 2.4 exp(-2 k^2 sigma2) / (k R^2). Mean of 40 seeds within 0.6 1/A."""
    rng = np.random.default_rng(3)
    amplitude = 2.4 * np.exp(-2 * K**2 * 0.006) / (np.maximum(K, 0.05) * 2.2**2)
    for epsilon in (1e-2, 4e-3):
        expected = K[np.argmax((amplitude < epsilon) & (K > 4))]
        stack = known_chi(K) + epsilon * rng.normal(size=(40, K.size))
        found = usable_k(Chi(k=K, chi=stack, e0=np.zeros(40), edge_step=np.ones(40)))
        assert found.shape == (40,)
        # noise of the same band is taken for signal now and then: the estimate errs to the generous side
        assert -0.3 < found.mean() - expected < 1.0


def test_clean_data_are_usable_to_the_end() -> None:
    assert usable_k(chi(known_chi(K) + 1e-5 * np.random.default_rng(0).normal(size=K.size))) == K[-1]


def test_a_beat_s_node_is_not_the_end() -> None:
    """Two shells 0.2 A apart cancel at k = pi / (2 dR) = 7.9: the signal comes back after it."""
    two = np.exp(-K * 0.1) * 0.1 * (np.sin(2 * K * 2.5) + np.sin(2 * K * 2.7))
    noisy = two + 2e-3 * np.random.default_rng(1).normal(size=K.size)
    assert usable_k(chi(noisy)) > 12


def test_wrong_kind() -> None:
    with pytest.raises(DataError, match="usable_k takes a Chi"):
        usable_k(np.zeros(5))  # type: ignore[arg-type]
