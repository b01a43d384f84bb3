"""Merging: means and standard deviations known from elementary statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xasuite as xs
from xasuite.errors import DataError, RangeError, ReductionError, XasuiteWarning
from xasuite.records import Series, Spectrum
from xasuite.reduce import merge

from .conftest import E0, known_energy

Made = Callable[..., Spectrum]


def test_mean_and_its_standard_deviation(made: Made) -> None:
    scans = [made(noise=2e-3, seed=i) for i in range(8)]
    done = merge(scans)
    values = np.stack([s.mu for s in scans])
    assert np.allclose(done.mu, values.mean(axis=0), rtol=1e-14)
    assert np.allclose(done.mu_err, values.std(axis=0, ddof=1) / np.sqrt(8), rtol=1e-12)
    # against what was put in: the rms error of the mean is mu_err's, 2e-3 / sqrt(8), within 10 %
    assert np.sqrt(np.mean((done.mu - made().mu) ** 2)) == pytest.approx(2e-3 / np.sqrt(8), rel=0.1)
    assert done.history[-1].settings["n"] == 8
    assert done.history[-1].settings["effective"] == pytest.approx(8)


def test_weights(made: Made) -> None:
    """Weights 3 and 1 as if the first scan came three times; inverse variance gives the smallest error."""
    a, b = made(noise=1e-3, seed=1), made(noise=1e-3, seed=2)
    done = merge([a, b], weights=[3, 1])
    assert np.allclose(done.mu, 0.75 * a.mu + 0.25 * b.mu)
    assert done.history[-1].settings["effective"] == pytest.approx(1.6)
    n = a.mu.size
    noisy = [replace(made(noise=s, seed=i), mu_err=np.full(n, s)) for i, s in enumerate((1e-3, 1e-3, 1e-2))]
    by_error, equal = merge(noisy, weights="mu_err"), merge(noisy)
    truth = made().mu

    def rms(s: Spectrum) -> float:
        return float(np.sqrt(np.mean((s.mu - truth) ** 2)))

    assert rms(by_error) == pytest.approx(1e-3 / np.sqrt(2.01), rel=0.1)
    assert rms(equal) > 3 * rms(by_error)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_does_not_matter(made: Made, order: list[int]) -> None:
    scans = [made(noise=1e-3, seed=i) for i in range(4)]
    a, b = merge(scans), merge([scans[i] for i in order])
    assert np.allclose(a.mu, b.mu, rtol=1e-13)
    assert np.allclose(a.mu_err, b.mu_err, rtol=1e-9)


def test_other_grids_come_to_the_first(made: Made) -> None:
    fine, coarse = known_energy(0.5), known_energy(1.0)
    a, b = made(energy=fine), made(energy=coarse[5:-5])
    done = merge([a, b])
    assert done.energy[0] >= b.energy[0]
    assert done.energy[-1] <= b.energy[-1]
    assert np.abs(done.mu - np.interp(done.energy, a.energy, a.mu)).max() < 1e-3
    own = np.arange(E0 - 100, E0 + 300, 2.0)
    assert np.array_equal(merge([a, b], energy=own).energy, own)
    with pytest.raises(RangeError, match="the grid"):
        merge([a, b], energy=np.arange(E0 - 500, E0, 2.0))


def test_stacks_series_and_norm(made: Made) -> None:
    scans = [made(noise=1e-3, seed=i) for i in range(3)]
    stack = replace(scans[0], mu=np.stack([s.mu for s in scans]))
    assert np.allclose(merge(stack).mu, merge(scans).mu)
    table = pd.DataFrame({"label": list("abc")})
    series = Series(data=stack, table=table, status=("ok", "dark", "ok"), reason=("", "x", ""))
    assert np.allclose(merge(series).mu, merge([scans[0], scans[2]]).mu)
    thick = [xs.normalize(made(noise=1e-3, seed=i, scale=c), e0=E0) for i, c in ((0, 1.0), (1, 5.0))]
    done = merge(thick, on="norm")
    assert np.allclose(done.mu, (thick[0].norm + thick[1].norm) / 2)
    with pytest.raises(ReductionError, match="needs normalised spectra"):
        merge(scans, on="norm")


def test_what_does_not_belong_together(made: Made) -> None:
    a = made()
    with pytest.raises(ReductionError, match="different edges cannot be merged: Co K, Ni K"):
        merge([a, replace(a, element="Ni")])
    with pytest.raises(ReductionError, match="two spectra or more, found 1"):
        merge([a])
    with pytest.raises(ReductionError, match="weights must be 2 numbers"):
        merge([a, a], weights=[1, 2, 3])
    with pytest.raises(ReductionError, match="has no mu_err above zero"):
        merge([a, a], weights="mu_err")
    with pytest.raises(DataError, match="share 0 points"):
        merge([a, replace(a, energy=a.energy + 5000)])
    with pytest.warns(XasuiteWarning, match="align them before merging"):
        merge([a, made(shift=3.0)])
