"""Lobes against analysis: where they must lie, and errors against the spread of independent spectra."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite.errors import DataError, RangeError, XasuiteWarning
from xasuite.exafs.wavelet_transform import find_lobes, ridge, wavelet
from xasuite.exafs.wavelet_transform.lobes import maxima, noise_level, track
from xasuite.records import Chi

K = 0.05 * np.arange(321)
SETTINGS = {"kweight": 0, "r": (1.0, 4.8), "eta": 10.0, "scaling": "amplitude"}


def record(chi: np.ndarray, label: str = "packets") -> Chi:
    shape = chi.shape[:-1]
    return Chi(k=K, chi=chi, e0=np.zeros(shape), edge_step=np.ones(shape), label=label)


def packets(*each: tuple[float, float, float]) -> np.ndarray:
    """Waves sin(2kR) of the given (height, k, R) under Gaussians 1.5 1/A wide."""
    return sum(a * np.sin(2 * K * r) * np.exp(-((K - k0) ** 2) / 4.5) for a, k0, r in each)  # type: ignore[return-value]


def test_two_lobes_where_they_were_put() -> None:
    """Positions to a fifth of a grid step in k; R beside by A^2 / 4R, A = 1/1.5, which analysis gives
    (docs/decisions/wavelet.md)."""
    found = maxima(wavelet(record(packets((1.0, 6.0, 1.8), (0.6, 9.03, 3.7))), **SETTINGS))
    assert len(found) == 2
    for lobe, (k0, r0) in zip(found, ((6.0, 1.8), (9.03, 3.7)), strict=True):
        assert abs(lobe.k - k0) < 0.01
        assert abs(lobe.r - r0 - 1 / 1.5**2 / (4 * r0)) < 0.012
    assert found[0].height > found[1].height


def test_width_in_k_is_that_of_two_gaussians() -> None:
    """Packet (1.5) and wavelet (eta sigma / 2R) in quadrature, full width at half maximum."""
    lobe = maxima(wavelet(record(packets((1.0, 8.0, 2.5))), **SETTINGS))[0]
    sigma = np.hypot(1.5, 10 / (2 * lobe.r))
    assert abs(lobe.width_k / (2.3548 * sigma) - 1) < 0.01


def test_a_tilted_ridge_is_one_lobe() -> None:
    """A chirp, whose R falls with k: every row that the ridge crosses has a maximum of its own, one is true."""
    phase = 2 * K * 2.6 - 0.012 * (K - 8) ** 2
    chirp = np.sin(phase) * np.exp(-((K - 8) ** 2) / 18)
    settings = {**SETTINGS, "eta": 14.0}
    found = maxima(wavelet(record(chirp), **settings))
    fine = wavelet(record(chirp), **{**settings, "dr": 0.005, "r": (2.2, 2.9)})
    i, j = np.unravel_index(np.argmax(fine.magnitude), fine.magnitude.shape)
    assert len(found) == 1
    assert abs(found[0].k - fine.k[j]) <= 0.05
    assert abs(found[0].r - fine.r[i]) <= 0.005


def test_errors_are_the_spread_of_independent_spectra() -> None:
    """Standard errors from resampling one spectrum against the scatter of 80 others with other noise.

    Each is known to 1 / sqrt(2 * 80) = 8 %, their ratio to 11 %: four standard errors are 45 %.
    """
    clean, noise = packets((1.0, 7.0, 2.2)), 0.02
    rng = np.random.default_rng(11)
    measured = find_lobes(record(clean + noise * rng.standard_normal(K.size)), epsilon_k=noise, resamples=80,
                          seed=1, limit=1, **SETTINGS)  # fmt: skip
    others = record(clean + noise * rng.standard_normal((80, K.size)))
    spread = np.std(track(others, list(measured), **SETTINGS)[:, 0], axis=0, ddof=1)
    for name, true in zip(("k", "r", "height", "width_k", "width_r"), spread, strict=True):
        assert 0.6 < measured[0].error(name) / true < 1.6, name
    assert abs(measured[0].k - 7.0) < 5 * measured[0].error("k")


def test_errors_grow_with_the_noise_and_follow_the_seed() -> None:
    chi = record(packets((1.0, 7.0, 2.2)))
    settings = {"resamples": 60, "limit": 1, **SETTINGS}
    small, large, again = (find_lobes(chi, epsilon_k=e, seed=3, **settings)[0] for e in (0.005, 0.01, 0.005))
    # The same random numbers, twice as large: the errors double to second order
    assert abs(large.error("k") / small.error("k") - 2) < 0.1
    assert small == again
    assert find_lobes(chi, epsilon_k=0.005, seed=4, **settings)[0].errors != small.errors


def test_noise_is_the_record_s_own_or_estimated() -> None:
    rng = np.random.default_rng(2)
    noisy = packets((1.0, 7.0, 2.2)) + 0.01 * rng.standard_normal(K.size)
    own = Chi(k=K, chi=noisy, e0=0.0, edge_step=1.0, epsilon_k=np.array(0.5))  # type: ignore[arg-type]
    assert noise_level(own) == 0.5
    # 100 independent points between 15 and 30 A: known to 7 %
    assert abs(noise_level(record(noisy)) / 0.01 - 1) < 0.25


def test_a_lobe_that_noise_drowns_is_said_to_be_noise() -> None:
    chi = record(packets((1.0, 7.0, 2.2)))
    with pytest.warns(XasuiteWarning, match="not above the noise of 3: "):
        drowned = find_lobes(chi, epsilon_k=3.0, resamples=40, **SETTINGS)
    assert drowned[0].significance < 4
    assert find_lobes(chi, epsilon_k=0.01, resamples=40, **SETTINGS)[0].significance > 100


def test_ridge_follows_the_packets() -> None:
    w = wavelet(record(packets((1.0, 6.0, 1.8), (0.8, 10.0, 3.2))), **SETTINGS)
    line = ridge(w, k=(3, 13))
    assert abs(np.interp(1.8, line.r, line.k) - 6.0) < 0.1
    assert abs(np.interp(3.2, line.r, line.k) - 10.0) < 0.1


def test_table_and_near() -> None:
    lobes = find_lobes(record(packets((1.0, 6.0, 1.8))), epsilon_k=0.01, resamples=20, **SETTINGS)
    table = lobes.summary().to_dataframe()
    assert list(table.columns[:4]) == ["label", "k", "k_err", "r"]
    assert lobes.near(r=1.9) is lobes[0]
    with pytest.raises(DataError, match=r"no lobe within 0.4 A of R = 4 A; there are R 1.8"):
        lobes.near(r=4.0)


def test_errors() -> None:
    chi = record(packets((1.0, 6.0, 1.8)))
    with pytest.raises(DataError, match="one spectrum at a time"):
        find_lobes(record(np.zeros((2, K.size))))
    with pytest.raises(DataError, match="give epsilon_k as a positive number"):
        find_lobes(chi, epsilon_k=-1.0)
    with pytest.raises(RangeError, match="the map runs from"):
        maxima(wavelet(chi, **SETTINGS), within_r=(7.0, 8.0))
    assert len(find_lobes(record(np.zeros(K.size)), epsilon_k=0.0, **SETTINGS)) == 0
