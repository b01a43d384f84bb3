"""Normalisation against Larch on measured foils, and against spectra of known edge step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xasuite as xs
from xasuite.errors import RangeError, ReductionError, XasuiteWarning
from xasuite.records import Normalized, Spectrum

from .conftest import E0, STEP, known_energy

FOILS = ("Co_foil_QAS.dat", "Ru_foil_QAS.dat", "Ru_foil_CLS_raw.dat", "Fe_foil_APS.xdi", "Mn_foil_QAS.dat")


def larch_group(s: Spectrum, **kws: float) -> object:
    from larch import Group
    from larch.xafs import pre_edge

    group = Group(energy=s.energy.copy(), mu=s.mu.copy())
    pre_edge(group, **kws)
    return group


@pytest.mark.parametrize("name", FOILS)
def test_default_ranges_are_larch_s(foil: Callable[[str], Spectrum], name: str) -> None:
    """Every range, its order and every array; one rounding of the sum may differ."""
    s = foil(name)
    e0 = float(xs.find_e0(s, which="maximum"))
    ours, larch = xs.normalize(s, e0=e0, method="polynomial"), larch_group(s, e0=e0)
    used, d = ours.history[-1].settings, larch.pre_edge_details
    assert used["pre_range"] == pytest.approx((d.pre1, d.pre2), abs=1e-9)
    assert used["norm_range"] == pytest.approx((d.norm1, d.norm2), abs=1e-9)
    assert used["nnorm"] == d.nnorm
    assert float(ours.edge_step) == pytest.approx(larch.edge_step, rel=1e-12)
    for field in ("norm", "flat", "pre_edge", "post_edge"):
        assert np.allclose(getattr(ours, field), getattr(larch, field), rtol=0, atol=1e-10), field


def test_given_ranges_are_larch_s(foil: Callable[[str], Spectrum]) -> None:
    s = foil("Co_foil_QAS.dat")
    ours = xs.normalize(s, e0=7709.0, pre_range=(-150, -50), norm_range=(150, 800), nnorm=2)
    larch = larch_group(s, e0=7709.0, pre1=-150, pre2=-50, norm1=150, norm2=800, nnorm=2)
    assert np.allclose(ours.norm, larch.norm, rtol=0, atol=1e-12)
    assert np.allclose(ours.flat, larch.flat, rtol=0, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    step=st.floats(0.05, 5),
    slope=st.floats(-1e-3, 1e-3),
    bend=st.floats(-2e-7, 2e-7),
    scale=st.floats(1e-3, 1e3),
)
def test_a_known_edge_step_is_found(step: float, slope: float, bend: float, scale: float) -> None:
    """A step on a line with a parabola above it: edge step, norm and flat are exact, whatever the unit of mu."""
    energy = known_energy()
    x = energy - E0
    above = x > 0
    mu = scale * (1 + slope * x + step * above * (1 + bend * x**2))
    s = Spectrum(energy=energy, mu=mu, label="step")
    n = xs.normalize(s, e0=E0, pre_range=(-150, -30), norm_range=(50, 700), nnorm=2)
    # E0 lies on a grid point but for the rounding of the axis: a parabola's slope there is 0
    assert float(n.edge_step) == pytest.approx(scale * step, rel=1e-6)
    assert np.allclose(n.flat, above, atol=1e-5)
    assert np.allclose(n.norm[~above], 0, atol=1e-5)


def test_the_history_holds_what_was_used(made: Callable[..., Spectrum]) -> None:
    n = xs.normalize(made(), e0=E0, method="polynomial")
    assert isinstance(n, Normalized)
    step = n.history[-1]
    assert step.name == "normalize"
    assert step.settings["e0"] == E0
    assert step.settings["e0_found"] is False
    assert step.settings["pre_range"] == (-195.0, -97.5)
    assert step.settings["norm_range"] == (25.0, 745.0)
    assert step.settings["nnorm"] == 2
    assert xs.normalize(made()).history[-1].settings["e0_found"] is True


def test_short_post_edges_take_a_lower_order(made: Callable[..., Spectrum]) -> None:
    e = known_energy()
    for end, order in ((250, 1), (40, 0)):
        n = xs.normalize(made(energy=e[e < E0 + end]), e0=E0, method="polynomial")
        assert n.history[-1].settings["nnorm"] == order


def test_ranges_beyond_the_scan(made: Callable[..., Spectrum]) -> None:
    s = made()
    with pytest.warns(
        XasuiteWarning, match=r"norm_range = \(150, 900\) eV reaches beyond the scan; used \(150.0, 746"
    ):
        n = xs.normalize(s, e0=E0, norm_range=(150, 900))
    assert n.history[-1].settings["norm_range"][1] == pytest.approx(s.energy[-1] - E0)
    with pytest.raises(RangeError, match=r"pre_range = \(-900, -500\) eV lies outside the scan"):
        xs.normalize(s, e0=E0, pre_range=(-900, -500))
    with pytest.raises(RangeError, match="empty; the lower end comes first"):
        xs.normalize(s, e0=E0, pre_range=(-50, -150))
    with pytest.raises(RangeError, match=r"holds 0 points, fewer than 3"):
        xs.normalize(s, e0=E0, pre_range=(-103, -102))
    with pytest.raises(RangeError, match="nnorm = 9 is not a whole number from 0 to 5"):
        xs.normalize(s, e0=E0, nnorm=9)
    with pytest.raises(ReductionError, match="method = 'area' is not one of"):
        xs.normalize(s, e0=E0, method="area")  # type: ignore[arg-type]


def test_noise_is_no_edge() -> None:
    rng = np.random.default_rng(4)
    e = known_energy()
    with pytest.raises(ReductionError, match=r"no edge at E0|mu falls"):
        xs.normalize(Spectrum(energy=e, mu=1 + 0.1 * rng.normal(size=e.size), label="blank"), e0=E0)


def test_mback_is_larch_s(foil: Callable[[str], Spectrum]) -> None:
    from larch.xafs import mback_norm

    s = foil("Co_foil_QAS.dat")
    ours = xs.normalize(s, e0=7709.0, pre_range=(-150, -50), norm_range=(150, 800), nnorm=2, method="mback")
    group = larch_group(s, e0=7709.0, pre1=-150, pre2=-50, norm1=150, norm2=800, nnorm=2)
    mback_norm(group, z=27, edge="K", e0=7709.0, pre1=-150, pre2=-50, norm1=150, norm2=800, nnorm=2, nvict=0)
    assert float(ours.edge_step) == pytest.approx(group.edge_step, rel=1e-12)
    assert np.allclose(ours.norm, group.norm, atol=1e-12)
    poly = float(xs.normalize(s, e0=7709.0, pre_range=(-150, -50), norm_range=(150, 800), nnorm=2).edge_step)
    # two ways to the step of one foil: MBACK's and the polynomial's differ by a per cent, not by ten
    assert 0 < abs(float(ours.edge_step) / poly - 1) < 0.1


def test_mback_needs_the_element(made: Callable[..., Spectrum]) -> None:
    s = made()
    with pytest.raises(ReductionError, match="MBACK needs the element"):
        xs.normalize(Spectrum(energy=s.energy, mu=s.mu), e0=E0, method="mback")


def test_scaled_and_offset_mu_has_the_same_norm(made: Callable[..., Spectrum]) -> None:
    s = made(noise=1e-3)
    other = Spectrum(energy=s.energy, mu=7 * s.mu - 3)
    a, b = (xs.normalize(x, e0=E0, pre_range=(-150, -50), norm_range=(100, 700)) for x in (s, other))
    assert np.allclose(a.norm, b.norm, atol=1e-9)
    assert float(b.edge_step / a.edge_step) == pytest.approx(7, rel=1e-9)
    assert float(a.edge_step) == pytest.approx(STEP, rel=0.05)
