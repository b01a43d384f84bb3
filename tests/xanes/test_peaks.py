"""Peak fits of known edges and of measured pre-edges; the d-band centre of a known band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import ComponentError, DataError, FitError, RangeError
from xasuite.xanes import EdgeStep, Peak, PeakFits, d_band_centre, fermi_level, fit_peaks, shirley

from .conftest import record

E = np.arange(770.0, 800.0, 0.1)


def gauss(x: np.ndarray, centre: float, sigma: float, area: float) -> np.ndarray:
    return area * np.exp(-0.5 * ((x - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def lorentz(x: np.ndarray, centre: float, half: float, area: float) -> np.ndarray:
    return area * half / np.pi / ((x - centre) ** 2 + half**2)


@pytest.mark.parametrize("kind", ["arctan", "erf"])
def test_known_peaks_on_a_known_step(kind: str) -> None:
    """An L3 white line of two peaks: areas, centres, centroid and t2g-eg splitting within four errors."""
    from scipy.special import erf

    step = 0.5 + np.arctan((E - 779) / 0.5) / np.pi if kind == "arctan" else 0.5 * (1 + erf((E - 779) / 0.5))
    y = step + lorentz(E, 778.0, 0.6, 1.5) + lorentz(E, 780.4, 0.8, 2.5)
    noisy = y + np.random.default_rng(1).normal(0, 0.004, E.size)
    fit = fit_peaks(
        record(E, noisy, e0=779.0),
        [Peak(777.8, 1.2, 1.0), Peak(780.6, 1.5, 2.0)],
        energy_range=(771, 797),
        step=EdgeStep(kind, 779.2, 0.6, 1.0),
    ).rows[0]
    assert fit is not None
    truth = {
        "p1_center": 778.0,
        "p2_center": 780.4,
        "p1_area": 1.5,
        "p2_area": 2.5,
        "splitting": 2.4,
        "area": 4.0,
    }
    truth["centroid"] = (1.5 * 778.0 + 2.5 * 780.4) / 4
    for name, value in truth.items():
        assert abs(fit.values[name] - value) < 4 * fit.errors[name] + 1e-3, name
    assert fit.chi2_reduced == pytest.approx(1.0, abs=0.4)


def areas(fits: PeakFits) -> list[float]:
    """The area of the first peak of every spectrum."""
    return list(fits.summary().to_dataframe()["p1_area"])


def test_a_series_marks_the_row_that_fails() -> None:
    import pandas as pd

    from xasuite.records import Series

    y = 0.5 + np.arctan((E - 781) / 0.5) / np.pi + gauss(E, 776.0, 0.5, 0.1)
    data = record(E, np.array([y, y, y]), e0=781.0)
    series = Series(data, pd.DataFrame({"label": list("abc")}), ("ok", "bad", "ok"), ("", "no beam", ""))
    fits = fit_peaks(
        series, [Peak(776.2, 1.0, 0.1)], energy_range=(771, 779), step=EdgeStep("arctan", 781, 0.5, 1.0)
    )
    assert fits.rows[1] is None
    assert fits.reasons[1] == "no beam"
    one = fit_peaks(
        record(E, y, e0=781.0),
        [Peak(776.2, 1.0, 0.1)],
        energy_range=(771, 779),
        step=EdgeStep("arctan", 781, 0.5, 1.0),
    )
    assert areas(fits)[0] == pytest.approx(areas(one)[0], rel=1e-9)
    assert areas(one)[0] == pytest.approx(0.1, abs=0.01)


def test_measured_pre_edge_of_iron(data_root: Path) -> None:
    """Fe(III)'s pre-edge lies higher than Fe(II)'s, by some 1 to 2 eV (Wilke et al., Am. Mineral. 86 (2001) 714)."""
    from xasuite import io, reduce

    centroid = {}
    for name in ("FeO", "Fe2O3"):
        n = reduce.normalize(io.read(data_root / "standards" / "Fe_xdi" / f"{name}_rt_01.xdi").mu())
        fit = fit_peaks(
            n,
            [Peak(7113, 2.0, 0.1)],
            energy_range=(7104, 7116.5),
            step=EdgeStep("arctan", 7121, 2, 1.0, move=4),
        ).rows[0]
        assert fit is not None
        centroid[name] = fit.values["centroid"]
        assert fit.rfactor < 0.01
    assert 0.4 < centroid["Fe2O3"] - centroid["FeO"] < 2.5


def test_peak_mistakes() -> None:
    n = record(E, gauss(E, 780, 1, 1), e0=779.0)
    with pytest.raises(ComponentError, match="no peak"):
        fit_peaks(n, [], energy_range=(771, 790))
    with pytest.raises(ComponentError, match="'sigmoid' is unknown"):
        fit_peaks(n, [Peak(780)], energy_range=(771, 790), step=EdgeStep("sigmoid"))
    with pytest.raises(RangeError, match="free parameters"):
        fit_peaks(n, [Peak(780)], energy_range=(780, 780.2))


# ------------------------------------------------------------------------------------- valence bands

X = np.arange(-3.0, 12.0, 0.05)
BAND = gauss(X, 3.2, 0.8, 1.0) + gauss(X, 5.0, 0.6, 0.3)
CENTRE = -(3.2 * 1.0 + 5.0 * 0.3) / 1.3  # exact: the mean of two Gaussians by their areas
SHIRLEY = 0.1 + 0.12 * np.concatenate([[0.0], np.cumsum(0.5 * (BAND[1:] + BAND[:-1]) * 0.05)])


def test_known_centre_on_a_known_shirley_background() -> None:
    inside = (X >= -2 - 1e-9) & (X <= 10 + 1e-9)
    assert shirley(X[inside], (BAND + SHIRLEY)[inside]) == pytest.approx(SHIRLEY[inside], abs=2e-5)
    found = d_band_centre(X, BAND + SHIRLEY)
    assert found.centre == pytest.approx(CENTRE, abs=1e-3)
    assert found.width == pytest.approx(np.sqrt(np.trapezoid(BAND * (X + CENTRE) ** 2, X) / 1.3), abs=1e-2)


def test_errors_of_the_centre_are_the_spread_of_repeats() -> None:
    rng = np.random.default_rng(0)
    stack = BAND + SHIRLEY + rng.normal(0, 0.01, (60, X.size))
    found = d_band_centre(X, stack)
    assert np.std(found.centre) == pytest.approx(float(np.mean(found.noise_err)), rel=0.4)
    assert np.mean(found.centre) == pytest.approx(CENTRE, abs=4 * np.std(found.centre) / np.sqrt(60) + 2e-3)
    assert (found.ends_err > 0).all()
    assert found.centre[7] == pytest.approx(float(d_band_centre(X, stack[7]).centre), abs=1e-6)


def test_fermi_calibration_moves_the_scale() -> None:
    rng = np.random.default_rng(2)
    e = np.arange(-2.0, 2.0, 0.02)
    metal = 400 / (1 + np.exp(-(e - 0.37) / 0.08)) * (1 + 0.05 * e) + 15 + rng.normal(0, 3, e.size)
    fermi = fermi_level(e, metal)
    assert abs(fermi.position - 0.37) < 5 * fermi.stderr + 2e-3
    moved = d_band_centre((X + 0.37)[::-1], (BAND + SHIRLEY)[::-1], fermi=fermi)
    assert moved.centre == pytest.approx(CENTRE, abs=4 * fermi.stderr + 5e-3)


def test_band_mistakes() -> None:
    with pytest.raises(RangeError, match="does not lie within the data"):
        d_band_centre(X, BAND, cut=(-2, 30))
    with pytest.raises(DataError, match="negative"):
        d_band_centre(X, BAND, sigma=-1.0)
    with pytest.raises(DataError, match="not finite"):
        d_band_centre(X, np.where(X > 5, np.nan, BAND))
    with pytest.raises(FitError, match="no Fermi edge"):
        fermi_level(np.arange(-1, 1, 0.02), np.random.default_rng(0).normal(0, 1, 100))
