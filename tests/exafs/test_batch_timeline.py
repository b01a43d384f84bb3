"""Parameters linked along time, on series of known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xasuite.errors import FitError
from xasuite.exafs.engine import fit_stack
from xasuite.exafs.model import Model
from xasuite.exafs.trends import fit_timeline
from xasuite.exafs.trends.rows import keep
from xasuite.exafs.trends.timeline import Kinetics
from xasuite.records import Chi

from .test_batch_fit import K, chi_of, one_shell

M = 80
T = np.linspace(0, 7200, M)
NAMES = ("amp", "enot", "dr", "ss")


def series(x: np.ndarray, seed: int = 1, noise: float = 0.05, model: Model | None = None) -> Chi:
    """chi of parameters (m, 4), with noise that is white under k^2 (as the errors suppose)."""
    chi = chi_of(model or one_shell(), x)
    chi += noise * np.random.default_rng(seed).normal(size=chi.shape) / np.maximum(K, 1.0) ** 2
    return Chi(k=K, chi=chi, e0=np.zeros(len(x)), edge_step=np.ones(len(x)))


def drifting() -> np.ndarray:
    """amp falls by a sigmoid, dr follows; enot and ss stay."""
    fade = 1 / (1 + np.exp(-(T - 3000) / 500))
    return np.stack([0.9 - 0.2 * fade, np.full(M, 3.5), -0.004 + 0.012 * fade, np.full(M, 0.008)], axis=1)


def rms(values: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((values - truth) ** 2)))


def test_block_by_block_it_is_the_same_fit() -> None:
    """A long series is taken in blocks, of which only the reduced data stay. Each row's own fit then starts from its
    block's mean; it ends where that of the whole did, to the fitter's tolerance."""
    chi = series(drifting())
    blocks = [
        replace(chi, chi=chi.chi[a:b], e0=T[a:b] * 0, edge_step=T[a:b] * 0 + 1)
        for a, b in ((0, 33), (33, 80))
    ]
    kept = keep(one_shell(), iter(blocks))
    assert kept.data.shape[1] < 0.3 * K.size
    links = {"shared": ("enot", "ss"), "smooth": {"amp": "auto", "dr": "auto"}}
    whole, parts = fit_timeline(one_shell(), chi, T, **links), fit_timeline(one_shell(), kept, T, **links)
    for name in NAMES:
        assert np.abs((parts.values[name] - whole.values[name]) / whole.stderr[name]).max() < 1e-3
        np.testing.assert_allclose(parts.stderr[name], whole.stderr[name], rtol=1e-3)
    backwards = kept.take(np.arange(M)[::-1])
    np.testing.assert_array_equal(backwards.fit.values["dr"], kept.fit.values["dr"][::-1])


def test_a_smooth_trend_is_nearer_the_truth_than_separate_fits_and_its_error_holds() -> None:
    x = drifting()
    line = fit_timeline(
        one_shell(), series(x), T, shared=("enot", "ss"), smooth={"amp": "auto", "dr": "auto"}
    )
    assert line.converged
    for name in ("amp", "dr"):
        i = NAMES.index(name)
        alone, together = rms(line.separate.values[name], x[:, i]), rms(line.values[name], x[:, i])
        assert together < alone / 2, (name, alone, together)
        # fewer parameters than rows, more than a straight line
        assert 3 < line.freedom[name] < M / 4
        pull = (line.values[name] - x[:, i]) / line.stderr[name]
        assert 0.4 < np.sqrt(np.mean(pull**2)) < 1.7
        assert line.stderr[name].mean() < line.separate.stderr[name].mean() / 2
    for name in ("enot", "ss"):
        assert abs(line.trend[name] - x[0, NAMES.index(name)]) < 4 * line.trend_stderr[name]
        assert np.ptp(line.values[name]) == 0


def test_the_smooth_trend_is_unbiased() -> None:
    """The mean over 12 noises differs from the truth by no more than chance (and a trace at the steepest point)."""
    x = drifting()
    found = [fit_timeline(one_shell(), series(x, seed), T, smooth={"amp": "auto"}) for seed in range(12)]
    mean = np.mean([f.values["amp"] for f in found], axis=0)
    error = np.mean([f.stderr["amp"] for f in found], axis=0)
    assert np.abs(mean - x[:, 0]).max() < 1.5 * error.max()
    assert abs(np.mean(mean - x[:, 0])) < 4 * error.mean() / np.sqrt(12 * 10)


def test_a_shared_parameter_gains_the_square_root_of_the_rows() -> None:
    """Sharing alone, of a parameter that is the same: the error of a mean of M values."""
    x = np.tile([0.9, 3.5, -0.004, 0.008], (M, 1))
    line = fit_timeline(one_shell(), series(x), T, shared=NAMES)
    for i, name in enumerate(NAMES):
        alone = line.separate.stderr[name]
        assert line.trend_stderr[name] == pytest.approx(alone.mean() / np.sqrt(M), rel=0.15)
        assert abs(line.trend[name] - x[0, i]) < 4 * line.trend_stderr[name]
    assert line.chi2_reduced == pytest.approx(line.separate.chi2_reduced.mean(), rel=0.15)


def test_first_order_kinetics_gives_rate_and_end_members() -> None:
    rate, t0 = 8e-4, 1200.0
    done = np.where(t0 < T, 1 - np.exp(-rate * (T - t0)), 0.0)
    x = np.stack([0.9 - 0.25 * done, np.full(M, 3.5), 0.010 * done, np.full(M, 0.008)], axis=1)
    kinetics = Kinetics(("amp", "dr"), t0=900.0, fit_t0=True)
    line = fit_timeline(one_shell(), series(x, seed=4), T, shared=("enot", "ss"), kinetics=kinetics)
    known = {"amp.start": 0.9, "amp.end": 0.65, "dr.start": 0.0, "dr.end": 0.010, "rate": rate, "t0": t0}
    for name, value in known.items():
        assert abs(line.trend[name] - value) < 4 * line.trend_stderr[name], name
    assert line.trend_stderr["rate"] < 0.15 * rate
    assert line.trend_stderr["t0"] < 200
    assert rms(line.values["amp"], x[:, 0]) < rms(line.separate.values["amp"], x[:, 0]) / 3


def test_linear_kinetics_against_the_line_through_separate_fits() -> None:
    x = np.tile([0.9, 3.5, -0.004, 0.008], (M, 1))
    x[:, 0] -= 0.2 * np.linspace(0, 1, M)
    line = fit_timeline(one_shell(), series(x, seed=2), T, kinetics=Kinetics(("amp",), "linear"))
    fit = line.separate
    weight = 1 / np.mean(fit.stderr["amp"])
    slope, start = np.polyfit(T, fit.values["amp"], 1, w=np.full(M, weight))
    assert abs(line.trend["amp.start"] - start) < 0.5 * line.trend_stderr["amp.start"]
    assert (
        abs(line.trend["amp.end"] - line.trend["amp.start"] - slope * T[-1])
        < 0.5 * line.trend_stderr["amp.end"]
    )
    assert abs(line.trend["amp.end"] - 0.7) < 4 * line.trend_stderr["amp.end"]


def test_rows_without_a_fit_are_predicted_by_the_trend() -> None:
    x = drifting()
    chi = series(x)
    broken = chi.chi.copy()
    broken[20:23] = np.nan
    line = fit_timeline(one_shell(), replace(chi, chi=broken), T, smooth={"amp": "auto"})
    assert list(np.flatnonzero(~line.used)) == [20, 21, 22]
    assert np.abs(line.values["amp"][20:23] - x[20:23, 0]).max() < 4 * line.stderr["amp"][20:23].max()
    assert np.isnan(line.values["dr"][20:23]).all()


def test_mistakes_are_named() -> None:
    x = drifting()
    chi, model = series(x), one_shell()
    fit = fit_stack(model, chi)
    with pytest.raises(FitError, match="'ghost'"):
        fit_timeline(model, chi, T, shared=("ghost",), separate=fit)
    with pytest.raises(FitError, match="two ways"):
        fit_timeline(model, chi, T, shared=("amp",), smooth={"amp": 1.0}, separate=fit)
    with pytest.raises(FitError, match="nothing is linked"):
        fit_timeline(model, chi, T, separate=fit)
    with pytest.raises(FitError, match="ascending"):
        fit_timeline(model, chi, T[::-1], shared=("amp",), separate=fit)
