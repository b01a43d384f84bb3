"""The background against Larch, and against chi(k) that was put in."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import RangeError, ReductionError, XasuiteWarning
from xasuite.records import Spectrum

from .conftest import E0, KTOE, known_chi, known_energy


@pytest.mark.parametrize("name", ["Co_foil_QAS.dat", "Ru_foil_CLS_raw.dat", "Co_foil_APS13ID.xdi"])
@pytest.mark.parametrize("settings", [{}, {"rbkg": 1.0, "kweight": 1}, {"rbkg": 1.1, "kweight": 2}])
def test_chi_is_larch_s_of_mu_over_the_edge_step(
    foil: Callable[[str], Spectrum], name: str, settings: dict
) -> None:
    """Larch stops when chi-square falls by less than a millionth: chi then agrees to a millionth of its largest value."""
    from larch import Group
    from larch.xafs import autobk

    n = xs.normalize(foil(name))
    ours = xs.background(n, **settings)
    step = float(n.edge_step)
    group = Group(energy=n.energy.copy(), mu=n.mu / step)
    autobk(
        group, ek0=float(n.e0), edge_step=1.0, rbkg=settings.get("rbkg", 0.8),
        kweight=settings.get("kweight", 3), kmax=float(ours.history[-1].settings["k"][1]),
    )  # fmt: skip
    assert np.array_equal(ours.k, group.k)
    assert np.abs(ours.chi - group.chi).max() < 1e-6 * np.abs(group.chi).max()
    assert np.allclose(ours.bkg, group.bkg * step, rtol=1e-5)  # the k weight leaves k = 0 free


def test_the_chi_that_was_put_in_comes_out(made: Callable[..., Spectrum]) -> None:
    """One shell at 2.2 A on a smooth background: |chi(R)| of its peak within 1 %, its R within 0.01 A.

    chi is by convention over the edge step at E0, so the known chi carries the fall of the atomic absorption.
    """
    n = xs.normalize(made(), e0=E0, pre_range=(-150, -50), norm_range=(100, 740))
    chi = xs.background(n)
    known = known_chi(chi.k) * np.exp(-KTOE * chi.k**2 / 4000)
    fine = (chi.k > 3) & (chi.k < 13)
    window = np.hanning(np.count_nonzero(fine)) * chi.k[fine] ** 2

    def peak(values: np.ndarray) -> tuple[float, float]:
        r = np.arange(1.2, 3.5, 0.005)
        ft = np.abs(np.exp(2j * np.outer(r, chi.k[fine])) @ (values[fine] * window))
        return float(r[ft.argmax()]), float(ft.max())

    (r, height), (r0, height0) = peak(chi.chi), peak(known)
    assert abs(r - r0) < 0.01
    assert abs(height / height0 - 1) < 0.01


def test_background_is_smooth_through_mu(made: Callable[..., Spectrum]) -> None:
    n = xs.normalize(made(), e0=E0)
    chi = xs.background(n)
    above = chi.energy > E0 + 30
    chie = (n.mu - chi.bkg)[above] / float(n.edge_step)
    k = np.sqrt((chi.energy[above] - E0) / KTOE)
    assert np.allclose(np.interp(k, chi.k, chi.chi), chie, atol=2e-3 * np.abs(chie).max() + 1e-4)
    assert np.array_equal(chi.bkg[chi.energy < E0 - 5], n.mu[chi.energy < E0 - 5])


def test_the_record_says_how_it_was_made(made: Callable[..., Spectrum]) -> None:
    chi = xs.background(xs.normalize(made(), e0=E0))
    step = chi.history[-1]
    assert [s.name for s in chi.history] == ["normalize", "background"]
    assert step.settings["rbkg"] == 0.8
    assert step.settings["kweight"] == 3
    assert step.settings["e0"] == E0
    assert step.settings["k"] == pytest.approx((0, 14.0), abs=1e-6)
    assert chi.k[0] == 0
    assert np.allclose(np.diff(chi.k), 0.05)
    assert chi.element == "Co"


def test_what_cannot_give_chi_is_refused(made: Callable[..., Spectrum]) -> None:
    with pytest.raises(ReductionError, match="normalize the spectrum first"):
        xs.background(made())  # type: ignore[arg-type]
    e = known_energy()
    xanes = xs.normalize(made(energy=e[e < E0 + 30]), e0=E0)
    with pytest.raises(RangeError, match="a XANES scan has no chi"):
        xs.background(xanes)


def test_noise_goes_through_at_its_size(made: Callable[..., Spectrum]) -> None:
    """Noise of mu over the edge step is the noise of chi: the estimates' mean over 12 seeds within 20 %.

    mu is measured every 0.05 1/A above k = 2.8 as chi is, so that interpolation does not smooth it.
    """
    chis = [xs.background(xs.normalize(made(noise=1.6e-3, seed=i), e0=E0)) for i in range(12)]
    epsilon = np.array([float(c.epsilon_k) for c in chis])
    assert epsilon.mean() == pytest.approx(1.6e-3 / 0.8, rel=0.2)


def test_a_background_that_spikes_at_e0_is_said(foil: Callable[[str], Spectrum]) -> None:
    """Large rbkg and k^3 leave the spline free at k = 0 (Larch's autobk has the same minimum): chi(k) is off by 20 %."""
    n = xs.normalize(foil("Cu_foil_QAS.dat"))
    with pytest.warns(
        XasuiteWarning, match=r"background differs from mu by \d+ edge steps next to E0: rbkg = 1.98"
    ):
        spiked = xs.background(n, rbkg=1.98)
    assert spiked.bkg.min() < -100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xs.background(n)
