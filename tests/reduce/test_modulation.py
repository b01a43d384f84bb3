"""Phase-sensitive detection: analytic responses, pulls against Student's t, refusals, and a closure with the engine."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import xasuite as xs
from xasuite.errors import DataError, ReductionError, XasuiteError
from xasuite.exafs.engine import fit_stack
from xasuite.exafs.equation import path_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.records import Series

ENERGY = np.arange(8960.0, 9040.0, 1.0)
T = 20.0


def stack(mu: np.ndarray) -> xs.Spectrum:
    """Rows (m,) or (m, n) as a stack, the same at every energy where they are (m,)."""
    values = np.broadcast_to(mu[:, None], (mu.size, ENERGY.size)) if mu.ndim == 1 else mu
    return xs.Spectrum(energy=ENERGY, mu=values, element="Cu", edge="K", label="run")


def even(periods: int, n: int) -> np.ndarray:
    return np.arange(periods * n) * T / n


def wave(t: np.ndarray, amplitude: float, degrees: float, harmonic: int = 1) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * harmonic * t / T + np.deg2rad(degrees))


# ------------------------------------------------------------------------------------------- analytic


@pytest.mark.parametrize("drift", ["run", "period", "none"])
@pytest.mark.parametrize("uneven", [False, True])
def test_amplitude_and_phase_of_two_harmonics_on_any_times(drift: str, uneven: bool) -> None:
    """Without noise the least squares are exact: rounding is left."""
    t = np.sort(np.random.default_rng(1).uniform(0, 5 * T, 60)) if uneven else even(5, 12)
    slope = 0.0 if drift == "none" else 3e-3
    y = 1 + slope * t + wave(t, 0.02, -50) + wave(t, 0.007, 130, 2)
    found = xs.phase_sensitive(stack(y), period=T, time=t, start=0.0, harmonics=(1, 2), drift=drift)
    np.testing.assert_allclose(found.amplitude[:, 0], (0.02, 0.007), rtol=1e-9)
    np.testing.assert_allclose(found.phase[:, 0], (-50, 130), rtol=1e-9)
    np.testing.assert_allclose(found.drift_rate, slope, atol=1e-12)
    # Baurecht and Fringeli's equation: A cos(phi - theta) at each demodulation angle theta
    angle = np.deg2rad(found.angle)
    np.testing.assert_allclose(found.demodulated[0, :, 0], 0.02 * np.cos(np.deg2rad(-50) - angle), atol=1e-11)


def test_the_phase_counts_from_the_start_of_the_period_and_a_delay_is_negative() -> None:
    """A square stimulus that is on in the first half, answered 5 s later: -90 degrees of 20 s."""
    t = even(4, 40)
    y = np.where((t + 0.25 - 5.0) % T < T / 2, 1.0, -1.0)
    found = xs.phase_sensitive(stack(y), period=T, time=t + 0.25, start=0.0, drift="none")
    assert found.phase[0, 0] == pytest.approx(-90, abs=1e-6)
    assert found.delay[0, 0] == pytest.approx(5.0, abs=1e-6)
    # 4/pi is the fundamental of a square wave; of 40 samples a period the sum is larger by 1 + (pi/40)^2/6
    assert found.amplitude[0, 0] == pytest.approx(4 / np.pi * (1 + (np.pi / 40) ** 2 / 6), rel=1e-5)
    later = xs.phase_sensitive(stack(y), period=T, time=t + 0.25, start=5.0, drift="none")
    assert later.phase[0, 0] == pytest.approx(0, abs=1e-6)
    assert later.periods.shape[1] == 3  # from 5 s on
    assert "40 rows outside the complete periods" in later.notes[0]


def test_even_rows_give_the_discrete_fourier_transform() -> None:
    """The integral over the period, of any response: numpy's FFT of the same rows."""
    y = np.random.default_rng(3).standard_normal((48, ENERGY.size))
    t = even(4, 12)
    found = xs.phase_sensitive(stack(y), period=T, time=t, harmonics=(1, 2, 3), drift="none")
    fourier = np.fft.rfft(y, axis=0)[[4, 8, 12]] * 2 / 48  # the run is 4 periods long
    np.testing.assert_allclose(found.response, 1j * fourier, atol=1e-12)


def test_a_drift_that_is_left_in_adds_to_the_sine() -> None:
    """A ramp of b a period has the sine -b/pi; of n samples a period -b/n cot(pi/n), and the cosine -b/n."""
    t = even(5, 24)
    y = 1 + wave(t, 0.02, 0) + 0.01 * t / T
    left = xs.phase_sensitive(stack(y), period=T, time=t, drift="none")
    assert left.response[0, 0].real == pytest.approx(0.02 - 0.01 / 24 / np.tan(np.pi / 24), rel=1e-9)
    assert left.response[0, 0].imag == pytest.approx(-0.01 / 24, rel=1e-9)
    for drift in ("run", "period"):
        assert xs.phase_sensitive(stack(y), period=T, time=t, drift=drift).amplitude[0, 0] == pytest.approx(
            0.02
        )


def test_known_changes_sum_the_signal_of_all_energies() -> None:
    t = even(5, 12)
    peak, edge = np.exp(-(((ENERGY - 8990) / 4) ** 2)), np.tanh((ENERGY - 8979) / 3)
    y = 1 + np.outer(wave(t, 0.03, 20), peak) + np.outer(wave(t, 0.01, -100), edge)
    found = xs.phase_sensitive(stack(y), period=T, time=t, onto={"peak": peak, "edge": edge})
    np.testing.assert_allclose(found.amplitude[0], (0.03, 0.01), rtol=1e-9)
    np.testing.assert_allclose(found.phase[0], (20, -100), rtol=1e-9)
    assert [row[1] for row in found.summary().rows] == ["peak", "edge"]


# --------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("periods", "drift", "uneven"),
    [(2, "run", False), (3, "run", False), (3, "period", False), (10, "run", True), (5, "none", False)],
)
def test_pulls_follow_students_t(periods: int, drift: str, uneven: bool) -> None:
    """(found - truth) / error of both quadratures over 8000 draws of noise: the share within the t interval."""
    rng = np.random.default_rng(7)
    pulls = []
    for _ in range(100):
        t = even(periods, 12)
        t = np.sort(rng.uniform(0, t[-1] + T / 12, t.size)) if uneven else t
        y = 1 + (wave(t, 0.02, -40) + 1e-3 * t * (drift != "none"))[:, None]
        y = y + 0.03 * rng.standard_normal((t.size, ENERGY.size))
        found = xs.phase_sensitive(
            stack(y), period=T, time=t, start=0.0, drift=drift, angles=np.array([0.0, 90.0])
        )
        truth = 0.02 * np.array([np.cos(np.deg2rad(-40)), np.sin(np.deg2rad(-40))])
        pulls.append((found.demodulated[0] - truth[:, None]) / found.demodulated_err[0])
    pull = np.concatenate(pulls, axis=1)
    assert found.dof == 2 * (periods - 1)
    for share in (0.5, 0.9, 0.95):
        inside = np.abs(pull) < stats.t.ppf(0.5 + share / 2, found.dof)
        # 8000 draws of each quadrature: a binomial sd of 0.0024 to 0.0056; 4 of them
        assert inside.mean(axis=1) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 8000))
    assert np.abs(np.median(pull, axis=1)).max() < 4 * 1.25 / np.sqrt(8000) * 1.2


def test_amplitudes_are_corrected_for_noise() -> None:
    """The length of a noisy vector is too large by s^2/2A (Rice); corrected it is right within the standard error."""
    rng, n, periods = np.random.default_rng(2), 12, 6
    t, amplitude, noise = even(periods, n), 0.02, 0.045
    s = noise * np.sqrt(2 / (n * periods))  # of either quadrature: 0.0075
    raw, made = [], []
    for _ in range(200):
        y = 1 + wave(t, amplitude, 60)[:, None] + noise * rng.standard_normal((t.size, ENERGY.size))
        found = xs.phase_sensitive(stack(y), period=T, time=t, drift="none")
        raw.append(np.abs(found.response[0]))
        made.append(found.amplitude[0])
    error = s / np.sqrt(np.size(made))
    assert np.mean(raw) - amplitude == pytest.approx(s**2 / (2 * amplitude), rel=0.15)
    assert np.mean(raw) - amplitude > 20 * error
    assert abs(np.mean(made) - amplitude) < 0.15 * (np.mean(raw) - amplitude)


def test_noise_alone_is_called_noise() -> None:
    t = even(6, 12)
    y = 1 + 0.03 * np.random.default_rng(5).standard_normal((t.size, ENERGY.size))
    found = xs.phase_sensitive(stack(y), period=T, time=t)
    assert stats.kstest(found.p_value[0], "uniform").pvalue > 1e-3
    assert np.isnan(found.phase_err[found.p_value > 0.01]).all()
    assert found.excess == pytest.approx(1, abs=0.1)


def test_periods_that_differ_enlarge_the_error() -> None:
    """An amplitude that changes from period to period: the error is that of the periods, not that of the rows."""
    t = even(8, 12)
    sizes = np.repeat(0.02 + 0.005 * np.array([1, -1, 1, -1, 1, -1, 1, -1.0]), 12)
    y = 1 + sizes * np.sin(2 * np.pi * t / T)
    y = y[:, None] + 1e-4 * np.random.default_rng(1).standard_normal((t.size, ENERGY.size))
    found = xs.phase_sensitive(stack(y), period=T, time=t)
    assert found.excess > 10
    # both quadratures share the scatter: 0.005 sqrt(8/7) / sqrt(8) / sqrt(2)
    assert found.amplitude_err[0].mean() == pytest.approx(0.005 / np.sqrt(7) / np.sqrt(2), rel=0.02)


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("times", "options", "said"),
    [
        (even(1, 12), {}, "hold 1 complete periods of 20 s; errors need two or more"),
        (even(3, 12), {"skip": 2}, "after the 2 skipped"),
        (None, {}, "the rows have no times"),
        (even(6, 4), {"harmonics": (1, 2)}, "has 4 rows: harmonic 2 needs 5 or more"),
        (np.sort(np.concatenate([0.1 * np.arange(12) + T * p for p in range(4)])), {}, "so unevenly in the period"),
        (even(4, 12), {"period": 0.0}, "no time above zero"),
        (even(4, 12), {"harmonics": (0,)}, "not whole numbers from 1 on"),
        (even(4, 12), {"drift": "spline"}, "not one of run, period, none"),
        (even(4, 12), {"array": "norm"}, "a Spectrum has mu to be demodulated, not 'norm'"),
        (even(4, 12), {"fit_range": (1, 2)}, "no point from 1 to 2"),
        (even(4, 12), {"onto": {"a": np.ones(3)}}, "the change 'a' must be 80 finite numbers"),
        (even(4, 12), {"onto": {"a": ENERGY, "b": 2 * ENERGY}}, "a, b cannot be distinguished"),
    ],
)  # fmt: skip
def test_what_cannot_be_demodulated_is_one_sentence(times: Any, options: dict, said: str) -> None:
    mu = np.ones((48 if times is None else times.size, ENERGY.size))
    with pytest.raises(XasuiteError, match=said) as caught:
        xs.phase_sensitive(stack(mu), **{"period": T, "time": times, **options})
    assert "\n" not in str(caught.value)


def test_one_spectrum_and_one_wrong_record_are_refused() -> None:
    with pytest.raises(DataError, match="not a stack of rows"):
        xs.phase_sensitive(xs.Spectrum(ENERGY, np.ones(80), "Cu", "K"), period=T, time=np.zeros(1))
    with pytest.raises(DataError, match="takes Spectrum, Normalized or Chi, not int"):
        xs.phase_sensitive(3, period=T)  # type: ignore[arg-type]


def test_bad_rows_and_incomplete_periods_are_left_out_and_said() -> None:
    t = even(6, 12)[:-5]  # the last period is not complete
    y = 1 + wave(t, 0.02, 33)
    status = ["ok"] * t.size
    for i in (*range(14, 24), 3):  # most of the second period, one row of the first
        status[i] = "glitch"
        y[i] = 99.0
    table = pd.DataFrame({"time": t + 1.6e9})  # absolute, as dates are
    series = Series(stack(y), table, tuple(status), ("",) * t.size)
    found = xs.phase_sensitive(series, period=T)
    assert found.periods.shape[1] == 4
    assert found.amplitude[0, 0] == pytest.approx(0.02, rel=1e-6)
    assert found.phase[0, 0] == pytest.approx(33, abs=1e-4)  # 1e-7 s of 1.6e9 s is lost in a double
    assert "1 of 5 periods are left out" in found.notes[0]
    assert "7 rows outside" in found.notes[1]


# -------------------------------------------------------------------------------------------- closure

PERIOD, PERIODS, ROWS = 60.0, 10, 20
PHASE = -75.0
NOISE = 0.03  # epsilon_k of a row
CHANGES = {"n": 0.6, "deltar": 0.004}  # amplitude of N, and of R in A


@lru_cache(maxsize=1)
def copper() -> Any:
    return next(p for p in xs.find_paths("Cu", absorber="Cu", radius=4.0) if p.nleg == 2)


@lru_cache(maxsize=2)
def modulated(what: str) -> Series:
    """chi(k) of 200 spectra of a copper shell of which one value oscillates, reduced as any."""
    t = np.arange(PERIODS * ROWS) * PERIOD / ROWS
    values = {"n": np.full(t.size, 12.0), "deltar": np.zeros(t.size)}
    values[what] = values[what] + CHANGES[what] * np.sin(2 * np.pi * t / PERIOD + np.deg2rad(PHASE))
    truth = [xs.simulate.TruthPath(copper(), s02=0.85, sigma2=0.008, **values)]
    made = xs.simulate.series(truth, element="Cu", noise=NOISE, seed=5, table={"time": t})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at this noise the background is uncertain, and says so
        return xs.background(xs.normalize(made.spectrum))


def change_of(what: str, k: np.ndarray) -> np.ndarray:
    """The derivative of chi(k) by N or R, from FEFF's path by the EXAFS equation."""
    values = {"n": 12.0, "s02": 0.85, "e0": 0.0, "deltar": 0.0, "sigma2": 0.008, "third": 0.0, "fourth": 0.0}
    step = CHANGES[what] / 10

    def chi(by: float) -> np.ndarray:
        moved = {**values, what: values[what] + by}
        return path_chi(copper(), np.maximum(k, 1e-3), **{n: np.asarray(v) for n, v in moved.items()}).imag

    return (chi(step) - chi(-step)) / (2 * step)


@pytest.mark.parametrize("what", list(CHANGES))
def test_a_change_is_found_at_a_noise_where_single_fits_fail(what: str) -> None:
    """N changes by 0.6 of 12, or R by 4 mA; a single fit has five times that for an error."""
    chi = modulated(what)
    names = {"n": "n", "deltar": "dr"}
    params = (Parameter("n", 12.0, min=0), Parameter("e"), Parameter("dr"), Parameter("ss", 0.008))
    path = PathModel("Cu", copper(), parse("n"), parse(0.85), parse("e"), parse("dr"), parse("ss"))
    single = fit_stack(Model(params, (path,), FitRange((3, 12), (1.4, 3.0))), chi.data)
    assert np.nanmedian(single.stderr[names[what]]) > 4 * CHANGES[what]
    found = xs.phase_sensitive(
        chi, period=PERIOD, onto={what: change_of(what, chi.data.k)}, fit_range=(3, 12)
    )
    amplitude, phase = float(found.amplitude[0, 0]), float(found.phase[0, 0])
    assert found.p_value[0, 0] < 1e-3
    # within the 99 % interval of Student's t with 18 degrees of freedom
    t99 = stats.t.ppf(0.995, found.dof)
    assert abs(amplitude - CHANGES[what]) < t99 * found.amplitude_err[0, 0]
    assert abs(phase - PHASE) < t99 * found.phase_err[0, 0]
    # and the errors say something: a fifth of the amplitude, as sqrt(2/200) of a row's demands
    assert found.amplitude_err[0, 0] < 0.25 * CHANGES[what]
    assert found.phase_err[0, 0] < 15


def test_the_figure_has_curves_map_amplitude_and_phase() -> None:
    figure = xs.phase_sensitive(modulated("n"), period=PERIOD, fit_range=(2, 12)).plot()
    labels = [a.get_ylabel() for a in figure.axes]
    assert "Phase (°)" in labels
    assert any("amplitude" in label for label in labels)
    assert len(figure.axes[0].lines) == 13  # 12 angles below 180 degrees, and zero
    onto = {"N": change_of("n", modulated("n").data.k)}
    assert len(xs.phase_sensitive(modulated("n"), period=PERIOD, onto=onto).plot().axes) == 1
    with pytest.raises(DataError, match="harmonic 2 was not fitted; there are 1"):
        xs.plot(xs.phase_sensitive(modulated("n"), period=PERIOD), harmonic=2)


# ------------------------------------------------------------------------------------------- averages


def test_averages_are_numpys_means_with_propagated_errors() -> None:
    rng = np.random.default_rng(0)
    mu, err = rng.standard_normal((11, 80)), rng.uniform(0.1, 0.2, (11, 80))
    record = xs.Spectrum(ENERGY, mu, "Cu", "K", mu_err=err)
    block, running = xs.block_average(record, 4), xs.running_average(record, 3)
    np.testing.assert_allclose(block.mu, mu[:8].reshape(2, 4, 80).mean(axis=1))
    np.testing.assert_allclose(block.mu_err, np.sqrt((err[:8] ** 2).reshape(2, 4, 80).sum(axis=1)) / 4)
    np.testing.assert_allclose(running.mu, [mu[i : i + 3].mean(axis=0) for i in range(9)])
    assert running.history[-1].settings == {"n": 3}


def test_averages_of_a_series_leave_bad_rows_out() -> None:
    mu = np.arange(6.0)[:, None] * np.ones(80)
    table = pd.DataFrame({"label": list("abcdef"), "time": np.arange(6.0), "T": 10.0, "x_err": 0.2})
    series = Series(stack(mu), table, ("ok", "bad", "ok", "ok", "bad", "bad"), ("",) * 6)
    made = xs.block_average(series, 2)
    np.testing.assert_allclose(made.data.mu[:, 0], [0.0, 2.5, np.nan])
    assert made.status == ("ok", "ok", "failed")
    assert list(made.table["label"]) == ["a to b", "c to d", "e to f"]
    np.testing.assert_allclose(made.table["time"], [0, 2.5, np.nan])
    np.testing.assert_allclose(made.table["x_err"], [0.2, 0.2 / np.sqrt(2), np.nan])
    np.testing.assert_allclose(made.data.mu_err[:, 0], [np.nan, 0.5, np.nan])  # scatter: |2 - 3| / 2


def test_the_scatter_of_a_block_is_the_error_of_its_mean() -> None:
    """Unknown errors: the mean square of (mean - truth) / error is that of Student's t, nu / (nu - 2)."""
    mu = 1 + 0.1 * np.random.default_rng(4).standard_normal((800, 80))
    made = xs.block_average(stack(mu), 8)
    pulls = (made.mu - 1) / made.mu_err
    assert pulls.var() == pytest.approx(7 / 5, rel=0.08)


def test_chi_keeps_its_noise_and_refusals_say_what_is_wrong() -> None:
    k = 0.05 * np.arange(200)
    chi = xs.Chi(k=k, chi=np.ones((4, 200)), e0=np.zeros(4), edge_step=np.ones(4), epsilon_k=np.full(4, 0.02), variables={"T": np.arange(4.0)})  # fmt: skip
    made = xs.block_average(chi, 4)
    assert made.epsilon_k == pytest.approx([0.01])
    assert made.variables["T"] == pytest.approx([1.5])
    for n in (1, 5):
        with pytest.raises(
            ReductionError, match=rf"n = {n} rows per mean is not possible; .* has 4 rows, give n from 2 to 4"
        ):
            xs.running_average(chi, n)
    with pytest.raises(DataError, match="is not a stack of rows"):
        xs.block_average(chi.take(0), 2)
