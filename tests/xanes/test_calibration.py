"""Errors in both variables against York's published solution; coverage of the intervals against known truth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from xasuite.errors import CalibrationError, XasuiteWarning
from xasuite.xanes import Standard, calibrate_valence, predict
from xasuite.xanes.calibration import fit_line


def standards(valences, energies, err=0.2, **more):
    return [
        Standard(f"s{i}", v, e, err, scale="stated", **more)
        for i, (v, e) in enumerate(zip(valences, energies, strict=True))
    ]


def test_pearson_data_with_york_weights() -> None:
    """York, Evensen, Martinez and Delgado (2004), table II: intercept, slope, their errors, and chi2/dof."""
    x = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    wx = np.array([1e3, 1e3, 500, 800, 200, 80, 60, 20, 1.8, 1.0])
    wy = np.array([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500.0])
    line = fit_line(x, y, wy**-0.5, wx**-0.5, scatter=False)
    assert line.coef[0] - line.coef[1] * line.centre == pytest.approx(5.47991022, abs=2e-7)
    assert line.coef[1] == pytest.approx(-0.480533407, abs=1e-8)
    assert np.sqrt(line.variance(0.0)) == pytest.approx(0.29497, abs=1e-4)
    assert np.sqrt(line.cov[1, 1]) == pytest.approx(0.05799, abs=1e-4)
    assert line.chi2 / line.dof == pytest.approx(1.4833, abs=1e-4)


def test_equal_errors_is_ordinary_least_squares() -> None:
    v, e = np.array([2, 2.5, 3, 4, 5.0]), np.array([10.0, 11.2, 13.1, 16.0, 19.3])
    line = fit_line(v, e, np.full(5, 0.3), scatter=False)
    ols = stats.linregress(v, e)
    assert line.coef[1] == pytest.approx(ols.slope, rel=1e-12)
    assert line.tau == 0


def test_scatter_between_compounds_is_found() -> None:
    """With tau much above the errors chi-square equals the degrees of freedom at the tau that is found."""
    rng = np.random.default_rng(3)
    v = np.repeat([2.0, 3, 4], 30)
    e = 7100 + 4 * v + rng.normal(0, 0.7, v.size)
    line = fit_line(v, e, np.full(v.size, 0.1))
    assert line.tau == pytest.approx(0.7, rel=4 / np.sqrt(2 * v.size))  # four standard errors of a deviation


@pytest.mark.parametrize("degree", [1, 2])
def test_the_interval_covers_the_truth_19_times_in_20(degree: int) -> None:
    rng = np.random.default_rng(7)
    v = np.array([2, 2, 2.667, 3, 3, 4, 4])
    truth, inside, n = 3.3, 0, 400
    for _ in range(n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", XasuiteWarning)
            line = calibrate_valence_line(v, 7100 + 4 * v + rng.normal(0, 0.4, v.size), degree)
        e = 7100 + 4 * truth + rng.normal(0, 0.4)
        p = predict(line, e, 0.4)
        inside += p.low <= truth <= p.high
    # tau above zero or at its bound makes the interval a little wide: 90 to 99.5 per cent are taken as honest
    assert 0.90 <= inside / n <= 0.995


def calibrate_valence_line(v, e, degree):
    from xasuite.xanes import Calibration

    s = standards(v, e, 0.4)
    columns = np.array([(x.valence, x.energy, x.energy_err, x.valence_err) for x in s]).T
    return Calibration(tuple(s), fit_line(*columns, degree=degree), 0.5, "Fe")


def test_fieller_against_the_textbook() -> None:
    """A balanced line: Fieller's interval by the closed form of Draper & Smith for an individual's x."""
    v = np.array([1.0, 2, 3, 4, 5])
    e = np.array([2.1, 3.9, 6.2, 7.8, 10.1])
    s = 0.2
    c = calibrate_valence_line(v, e, 1)
    columns = fit_line(v, e, np.full(5, s), scatter=False)
    c = type(c)(c.standards, columns, 0.5, "Fe")
    e0, t = 5.0, stats.t.ppf(0.975, 3)
    b, a = columns.coef[1], columns.coef[0]
    sxx = np.sum((v - v.mean()) ** 2)
    g = t**2 * s**2 / (b**2 * sxx)
    d = (e0 - a) / b
    middle = v.mean() + d / (1 - g)
    half = t * s / b / (1 - g) * np.sqrt((1 - g) * (1 + 1 / 5) + d**2 / sxx)
    p = predict(c, e0, s)
    assert p.method == "Fieller"
    assert (p.low, p.high) == pytest.approx((middle - half, middle + half), rel=1e-9)


def test_an_interval_without_freedom_is_useless_not_printed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)
        two = calibrate_valence(standards([2, 3], [7119.3, 7123.0]))
        three = calibrate_valence(standards([2, 2.667, 3], [7119.3, 7121.7, 7123.0]))
    for c in (two, three):
        p = predict(c, 7121.0, 0.1)
        assert np.isnan(p.low)
        assert np.isnan(p.high)
        assert "useless" in p.text
        assert np.isfinite(p.value)


def test_bend_extrapolation_and_outlier_are_said() -> None:
    v = np.array([2, 2, 3, 3, 4, 4, 5, 5.0])
    e = 7100 + 4 * v + 0.8 * (v - 3.5) ** 2 + np.tile([0.02, -0.02], 4)
    with pytest.warns(XasuiteWarning, match="bend"):
        calibrate_valence(standards(v, e, 0.05))
    e = 7100 + 4 * v + np.tile([0.1, -0.1], 4)
    e[3] -= 20
    with pytest.warns(XasuiteWarning, match=r"s3 lies 20\.\d eV below .* displaced energy scale"):
        c = calibrate_valence(standards(v, e, 0.1), leave_out_outliers=True)
    assert [x.standard.name for x in c.outliers] == ["s3"]
    assert predict(c, 7128.0, 0.1).extrapolated
    assert not predict(c, 7112.0, 0.1).extrapolated


def test_mistakes_are_one_clear_sentence() -> None:
    with pytest.raises(CalibrationError, match="1 different formal valence"):
        calibrate_valence(standards([3, 3], [7123.0, 7123.4]))
    with pytest.raises(CalibrationError, match="is Mn, the calibration is of Fe"):
        calibrate_valence(standards([2, 3], [7119.0, 7123.0], element="Mn"), element="Fe")
    with pytest.raises(CalibrationError, match=r"energy error of -0\.1"):
        calibrate_valence(standards([2, 3], [7119.0, 7123.0], err=-0.1))
    with pytest.raises(CalibrationError, match="error must be zero or positive"):
        predict(calibrate_valence(standards([2, 3], [7119.0, 7123.0])), 7121.0, -1.0)
    with pytest.raises(CalibrationError, match="two standards are called"):
        calibrate_valence([*standards([2], [7119.0]), *standards([3], [7123.0])])


def test_unproven_scale_is_flagged() -> None:
    s = [Standard("RuO2", 4, 22132.5, 0.2), Standard("Ru", 0, 22124.1, 0.2, scale="stated")]
    with pytest.warns(XasuiteWarning, match="unproven for RuO2"):
        c = calibrate_valence(s)
    assert list(c.summary().to_dataframe()["scale"]) == ["unproven", "stated"]
