"""Edge energies against analytic edges and the measured standards' known values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import DataError, RangeError, XasuiteWarning
from xasuite.records import Series
from xasuite.xanes.edge import crossing, edge_energy, noise_of, range_set

from .conftest import record

E = np.arange(6900.0, 7900.0, 0.5)


def arctan_edge(centre: float = 7120.0, width: float = 1.5) -> np.ndarray:
    return 0.5 + np.arctan((E - centre) / width) / np.pi


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.6, 0.8])
def test_fraction_of_an_arctangent(fraction: float) -> None:
    exact = 7120.0 + 1.5 * np.tan(np.pi * (fraction - 0.5))
    found = edge_energy(record(E, arctan_edge(), e0=7120.0), fraction=fraction, vary=False)
    assert found.value == pytest.approx(exact, abs=0.02)  # linear interpolation between points 0.5 eV apart


def test_inflection_white_line_and_integral() -> None:
    bump = 0.6 * np.exp(-(((E - 7131.0) / 3) ** 2))
    n = record(E, arctan_edge() + bump, e0=7120.0)
    assert edge_energy(n, method="whiteline", vary=False).value == pytest.approx(7131.05, abs=0.1)
    n = record(E, 1 / (1 + np.exp(-(E - 7120.25) / 1.2)), e0=7120.0)
    assert edge_energy(n, method="inflection", vary=False).value == pytest.approx(7120.25, abs=0.1)
    levels = np.linspace(0.15, 0.9999, 20001)
    exact = np.trapezoid(7120.25 + 1.2 * np.log(levels / (1 - levels)), levels) / (levels[-1] - levels[0])
    n = record(E, (1 / (1 + np.exp(-(E - 7120.25) / 1.2))) / 0.9999, e0=7120.0)
    assert edge_energy(n, method="integral", vary=False).value == pytest.approx(exact, abs=0.15)


def test_error_from_noise_is_the_spread_of_repeated_scans() -> None:
    rng = np.random.default_rng(0)
    clean = arctan_edge(width=3.0)
    sigma = 0.004
    values = [crossing(E, clean + rng.normal(0, sigma, E.size), 0.5) for _ in range(400)]
    one = edge_energy(record(E, clean + rng.normal(0, sigma, E.size), e0=7120.0), vary=False)
    assert one.noise_err == pytest.approx(
        np.std(values), rel=0.35
    )  # interpolation averages two points in part


def test_noise_of_white_noise_and_of_glitches() -> None:
    y = np.random.default_rng(1).normal(0, 0.01, (3, E.size))
    y[:, 40] += 5.0
    assert noise_of(E, y, np.full(3, 7100.0)) == pytest.approx(np.full(3, 0.01), rel=0.2)


def test_a_stack_and_a_series_equal_the_single_spectra() -> None:
    import pandas as pd

    stack = np.array([arctan_edge(c) for c in (7119.0, 7121.3, 7124.0)])
    data = record(E, stack, e0=7121.0)
    series = Series(data, pd.DataFrame({"label": list("abc")}), ("ok", "bad", "ok"), ("", "no edge", ""))
    whole = edge_energy(series, fraction=0.6)
    assert np.isnan(whole.value[1])
    for i in (0, 2):
        one = edge_energy(record(E, stack[i], e0=7121.0), fraction=0.6)
        assert whole.value[i] == one.value
        assert whole.norm_err[i] == pytest.approx(float(one.norm_err), rel=1e-3, abs=1e-6)
    assert list(whole.summary().to_dataframe()["label"]) == ["a", "b", "c"]


def test_mistakes() -> None:
    n = record(E, 0.3 * arctan_edge(), e0=7120.0, label="thin")
    with pytest.raises(RangeError, match=r"thin never rises through 0\.8 of its jump"):
        edge_energy(n, fraction=0.8)
    with pytest.raises(DataError, match="has to lie between 0 and 1; found -1"):
        edge_energy(n, fraction=-1)
    with pytest.raises(DataError, match="'middle' is unknown"):
        edge_energy(n, method="middle")
    with pytest.raises(DataError, match="mu_err is negative"):
        edge_energy(record(E, arctan_edge(), e0=7120.0, mu_err=np.full(E.size, -0.1)))
    with pytest.raises(RangeError, match="a normalisation needs"):
        range_set(E, 6905.0)


# E(0.5) as Larch gives it uncalibrated, of the two sets of standards measured at one beamline each
KNOWN = {
    "Fe_xdi/FeO_rt_01": 7119.28,
    "Fe_xdi/Fe3O4_rt_01": 7121.73,
    "Fe_xdi/Fe2O3_rt_01": 7123.05,
    "Mn_xdi/MnO_rt_01": 6544.07,
    "Mn_xdi/Mn3O4_rt_01": 6546.12,
    "Mn_xdi/Mn2O3_rt_01": 6548.97,
    "Mn_xdi/MnO2_rt_01": 6551.63,
}


@pytest.mark.parametrize("name", KNOWN)
def test_measured_standards(data_root: Path, name: str) -> None:
    from xasuite import io, reduce

    n = reduce.normalize(io.read(data_root / "standards" / f"{name}.xdi").mu(), method="polynomial")
    found = edge_energy(n, fraction=0.5)
    assert found.value == pytest.approx(KNOWN[name], abs=0.01)
    assert 0.05 < found.norm_err < 1.1  # what the ranges do: 0.1-0.2 eV for Fe, up to 1.0 for scans of 80 eV
    assert found.noise_err < 0.05


def test_xanes_alone_is_varied_over_every_usual_normalisation() -> None:
    """A scan that ends 80 eV above its edge: every start from 15 to 40 eV, constant, line and parabola."""
    e0 = 7120.0
    short = range_set(np.arange(6900.0, e0 + 80.5, 0.5), e0)
    assert {r.norm_range for r in short} == {(15, 80), (20, 80), (30, 80), (40, 80)}
    assert {r.nnorm for r in short if r.norm_range[0] == 15} == {0, 1, 2}
    assert {r.nnorm for r in short if r.norm_range[0] == 40} == {0, 1}  # a parabola needs 50 eV
    long = range_set(E, e0)
    assert min(r.norm_range[0] for r in long) == 50
    assert len(long) <= 48


def test_fluorescence_equals_larch_called_directly(data_root: Path) -> None:
    """A fluorescence scan (PF 9A, ifluor/i0): E(0.5) from Larch's own pre_edge, interpolated by numpy."""
    larch = pytest.importorskip("larch")
    from larch.xafs import pre_edge

    from xasuite import io, reduce

    s = io.read(data_root / "formats" / "beamlines" / "PF9A_2022.dat").mu()
    found = edge_energy(reduce.normalize(s, method="polynomial"), fraction=0.5)
    group = larch.Group(energy=s.energy.copy(), mu=s.mu.copy())
    pre_edge(group)
    at = int(np.argmax(group.norm >= 0.5))
    exact = np.interp(0.5, group.norm[at - 1 : at + 1], s.energy[at - 1 : at + 1])
    assert found.value == pytest.approx(exact, abs=0.01)
    assert found.stderr < 0.2


def test_a_pre_edge_peak_that_reaches_the_fraction_is_warned_of() -> None:
    peak = 0.7 * np.exp(-(((E - 7105.0) / 1.5) ** 2))
    n = record(E, arctan_edge() + peak, e0=7120.0, label="vanadate")
    with pytest.warns(
        XasuiteWarning, match=r"vanadate: norm rises through 0\.5 twice, at 710\d\.\d and 71(19|20)\.\d eV"
    ):
        edge_energy(n, fraction=0.5, vary=False)


def test_tin_series_first_and_last(tin: Series) -> None:
    """E(0.5) 29199.28 and 29195.68 as Larch gives them, to 0.3 eV; the spread of the ranges stands beside it."""
    from xasuite import reduce

    found = edge_energy(reduce.normalize(tin), fraction=0.5)
    assert found.value[0] == pytest.approx(29199.28, abs=0.3)
    assert found.value[-1] == pytest.approx(29195.68, abs=0.3)
    assert np.isfinite(found.norm_spread).all()
    assert (found.norm_spread[[0, -1]] < 1.5).all()
    assert (found.norm_err > found.noise_err).all()  # the choice of ranges, not the noise, is what limits
