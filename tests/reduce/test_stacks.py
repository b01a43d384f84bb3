"""A stack and a Series give what their rows give one by one, and one bad row stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import xasuite as xs
from xasuite.errors import DataError, RangeError, ReductionError
from xasuite.records import Series, Spectrum
from xasuite.reduce import usable_k

from .conftest import E0

Made = Callable[..., Spectrum]


def stacked(made: Made, m: int, **kws: float) -> Spectrum:
    rows = [made(noise=1e-3, seed=i, **kws) for i in range(m)]
    return replace(rows[0], mu=np.stack([r.mu for r in rows]), label="stack")


def series_of(data: Spectrum) -> Series:
    m = len(data.mu)
    table = pd.DataFrame({"label": [f"scan {i}" for i in range(m)]})
    return Series(data=data, table=table, status=("ok",) * m, reason=("",) * m, label="run")


@pytest.mark.parametrize("method", ["polynomial", "mback"])
def test_normalised_rows_are_the_single_ones(made: Made, method: str) -> None:
    """Own E0 a row; the batch's linear algebra and Larch's fits agree to 1e-8."""
    stack = stacked(made, 4)
    e0 = E0 + np.array([0.0, 0.3, -0.4, 6.0])
    done = xs.normalize(stack, e0=e0, method=method)
    assert done.norm.shape == stack.mu.shape
    assert done.edge_step.shape == (4,)
    for i in range(4):
        single = xs.normalize(replace(stack, mu=stack.mu[i]), e0=e0[i], method=method)
        for name in ("norm", "flat", "pre_edge", "post_edge", "edge_step"):
            assert np.allclose(getattr(done, name)[i], getattr(single, name), rtol=1e-8, atol=1e-8), name


def test_found_e0_are_the_single_ones(made: Made) -> None:
    stack = stacked(made, 3)
    done = xs.normalize(stack)
    assert done.e0.tolist() == [float(xs.find_e0(replace(stack, mu=row))) for row in stack.mu]


def test_backgrounds_are_the_single_ones(made: Made) -> None:
    """Against Larch at its own stopping tolerance: some 1e-6 of chi."""
    stack = stacked(made, 3)
    done = xs.background(xs.normalize(stack, e0=E0))
    assert done.chi.shape == (3, done.k.size)
    assert done.epsilon_k.shape == (3,)
    for i in range(3):
        single = xs.background(xs.normalize(replace(stack, mu=stack.mu[i]), e0=E0))
        assert np.array_equal(single.k, done.k)
        assert np.abs(done.chi[i] - single.chi).max() < 1e-5
        assert float(done.epsilon_k[i]) == pytest.approx(float(single.epsilon_k), rel=1e-3)
    assert usable_k(done).shape == (3,)


def test_two_leading_axes(made: Made) -> None:
    stack = stacked(made, 4)
    grid = replace(stack, mu=stack.mu.reshape(2, 2, -1))
    flat, square = (xs.background(xs.normalize(s, e0=E0)) for s in (stack, grid))
    assert square.chi.shape[:2] == (2, 2)
    assert np.allclose(square.chi.reshape(4, -1), flat.chi, rtol=0, atol=1e-14)


def test_a_bad_row_is_marked_and_the_rest_goes_on(made: Made) -> None:
    data = stacked(made, 6)
    mu = data.mu.copy()
    mu[1, 30] = np.nan
    mu[4] = 1.0 + 0.01 * np.random.default_rng(0).normal(size=mu.shape[1])
    series = series_of(replace(data, mu=mu))
    normed = xs.normalize(series, e0=E0)
    assert normed.status == ("ok", "failed", "ok", "ok", "failed", "ok")
    assert "mu is not finite" in normed.reason[1]
    assert "edge" in normed.reason[4]
    assert np.isnan(normed.data.norm[[1, 4]]).all()
    chi = xs.background(normed)
    assert chi.status == normed.status
    assert np.isfinite(chi.data.chi[chi.ok]).all()
    single = xs.background(xs.normalize(replace(data, mu=mu[5]), e0=E0))
    assert np.abs(chi.row(5).chi - single.chi).max() < 1e-5
    assert np.isnan(usable_k(chi)[[1, 4]]).all()
    for function in (xs.deglitch, xs.rebin):
        assert function(series).status[1] == "failed"


def test_an_upside_down_row_is_found(made: Made) -> None:
    data = stacked(made, 3)
    mu = data.mu.copy()
    mu[1] *= -1
    with pytest.raises(ReductionError, match="stack, row 1: mu falls at E0 7709 eV"):
        xs.normalize(replace(data, mu=mu), e0=E0)
    assert xs.normalize(series_of(replace(data, mu=mu)), e0=E0).status == ("ok", "failed", "ok")


def test_a_wrong_setting_is_no_bad_row(made: Made) -> None:
    """It fails everywhere: the error itself, not a series without a row."""
    series = series_of(stacked(made, 8))
    with pytest.raises(RangeError, match="is not between 0 and 5"):
        xs.background(xs.normalize(series, e0=E0), rbkg=-1)
    with pytest.raises(DataError, match="give one number, or one per row"):
        xs.normalize(series, e0=np.array([E0, E0]))
    dark = replace(series, status=("dark",) * 8)
    with pytest.raises(ReductionError, match="none of its 8 rows is ok"):
        xs.normalize(dark)
    with pytest.raises(DataError, match=r"give scan\.mu"):
        xs.normalize(xs.Scan(energy=np.arange(20.0), channels={}))
