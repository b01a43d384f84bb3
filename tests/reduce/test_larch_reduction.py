"""Everything Larch gets silently wrong in reading, reduction and transforms now raises or is right.

The numbers of the sections are those of docs/notes/larch_silent_failures.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import xasuite as xs
from xasuite._larch import quiet
from xasuite.constants import KTOE
from xasuite.errors import DataError, RangeError, ReductionError, XasuiteError
from xasuite.records import Spectrum

from .conftest import E0

Made = Callable[..., Spectrum]


def test_larch_is_imported_on_first_use() -> None:
    code = (
        "import sys, xasuite._larch, xasuite._larch.checks, xasuite._larch.reduction, xasuite.reduce as r;"
        "r.normalize, r.background, r.align, r.merge, r.deglitch;"
        "bad = {'larch', 'scipy', 'lmfit'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_of_larch_on_the_way_to_chi() -> None:
    """One spectrum from mu(E) to chi(R) by this package's own code."""
    code = (
        "import sys, numpy as np, xasuite as xs; from xasuite.records import Spectrum;"
        "e = np.linspace(7500, 8500, 600); mu = 0.2 + 1 / (1 + np.exp((7709 - e) / 2));"
        "s = Spectrum(energy=e, mu=mu, element='Co', edge='K');"
        "xs.fourier(xs.background(xs.normalize(xs.deglitch(s))), k=(3, 12));"
        "bad = {'larch', 'lmfit', 'pandas', 'matplotlib', 'pymatgen'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_k_is_larchs() -> None:
    """hbar^2 / 2 m_e is Larch's: to rounding where scipy has CODATA 2022, to 1.4e-9 where it has that of 2018."""
    from larch.xafs import xafsutils

    assert pytest.approx(xafsutils.KTOE, rel=2e-9) == KTOE


def test_2_a_changed_e0_changes_chi(made: Made) -> None:
    """Larch keeps the E0 of the first run (ek0); here every call starts anew."""
    from larch import Group
    from larch.xafs import autobk, pre_edge

    s = made()
    group = Group(energy=s.energy.copy(), mu=s.mu.copy())
    pre_edge(group, e0=E0)
    autobk(group)
    first = group.chi.copy()
    group.e0 = E0 + 5
    autobk(group)
    assert np.array_equal(first, group.chi), "Larch has lost this failure: the door may be simpler"

    n = xs.normalize(s, e0=E0)
    a, b = xs.background(n), xs.background(n, e0=E0 + 5)
    assert float(b.e0) == E0 + 5
    m = min(a.k.size, b.k.size)
    assert np.abs(a.chi[:m] - b.chi[:m]).max() > 0.05
    again = xs.background(n)
    assert np.array_equal(a.chi, again.chi)
    renormalised = xs.background(xs.normalize(s, e0=E0 + 5))
    assert float(renormalised.e0) == E0 + 5


def test_2_no_epsilon_is_left_over(made: Made) -> None:
    """The noise belongs to its own chi: a noisy one before does not change that of a clean one after."""
    clean = xs.background(xs.normalize(made(), e0=E0)).epsilon_k
    noisy = xs.background(xs.normalize(made(noise=5e-3, seed=1), e0=E0)).epsilon_k
    assert noisy is not None
    assert clean is not None
    assert noisy > 20 * clean
    assert xs.background(xs.normalize(made(), e0=E0)).epsilon_k == clean


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_3_not_a_number_is_refused(made: Made, bad: float) -> None:
    s = made()
    mu = s.mu.copy()
    mu[37] = bad
    broken = Spectrum(energy=s.energy, mu=mu, label="scan 7")
    for function in (xs.find_e0, xs.normalize, xs.rebin, xs.deglitch):
        with pytest.raises(DataError, match=r"scan 7: mu is not finite at 1 points, the first at index 37"):
            function(broken)


def test_3_descending_energy_is_refused(made: Made) -> None:
    s = made()
    with pytest.raises(DataError, match="energy descends; reverse the arrays"):
        xs.normalize(Spectrum(energy=s.energy[::-1], mu=s.mu[::-1]))
    swapped = s.energy.copy()
    swapped[[50, 51]] = swapped[[51, 50]]
    with pytest.raises(DataError, match="goes back after point 50"):
        xs.normalize(Spectrum(energy=swapped, mu=s.mu))


def test_3_kev_is_refused_with_a_hint(made: Made) -> None:
    s = made()
    with pytest.raises(DataError, match="keV and not eV; multiply it by 1000"):
        xs.normalize(Spectrum(energy=s.energy / 1000, mu=s.mu))


def test_3_repeats_and_shapes_are_refused(made: Made) -> None:
    s = made()
    twice = s.energy.copy()
    twice[80] = twice[79]
    with pytest.raises(DataError, match=r"occurs twice \(1 repeats in all\); average them"):
        xs.normalize(Spectrum(energy=twice, mu=s.mu))
    with pytest.raises(DataError, match="mu has 375 points along energy"):
        xs.normalize(Spectrum(energy=s.energy, mu=s.mu[:-3]))
    with pytest.raises(DataError, match="too few for a spectrum"):
        xs.normalize(Spectrum(energy=s.energy[:5], mu=s.mu[:5]))


def test_4_k_beyond_the_data_is_refused(made: Made) -> None:
    n = xs.normalize(made(), e0=E0)
    with pytest.raises(
        RangeError, match=r"k = \(0, 18\) 1/A is outside the data, which reach from 0 to 14.00"
    ):
        xs.background(n, k=(0, 18))
    with pytest.raises(RangeError, match="16 1/A"):
        xs.fourier(xs.background(n), k=(3, 16))


def test_5_chi_does_not_depend_on_thickness(made: Made) -> None:
    """Clamps weigh chi against absolute mu in Larch: a sample 1e4 times thicker has another chi. Not here."""
    thin, thick = made(), made(scale=1e4)

    def chi(s: Spectrum, how: str) -> np.ndarray:
        return xs.background(xs.normalize(s, e0=E0), rbkg=1, kweight=1, clamp=(0, 1), clamp_scale=how).chi

    scale = np.abs(chi(thin, "edge_step")).max()
    assert np.abs(chi(thin, "edge_step") - chi(thick, "edge_step")).max() < 1e-6 * scale
    assert np.abs(chi(thin, "mu") - chi(thick, "mu")).max() > 1e-3 * scale


def test_5_larch_s_own_clamp_is_an_option(made: Made) -> None:
    from larch import Group
    from larch.xafs import autobk

    s = made(scale=3.7)
    n = xs.normalize(s, e0=E0)
    ours = xs.background(n, rbkg=1, kweight=1, clamp_scale="mu")
    group = Group(energy=s.energy.copy(), mu=s.mu.copy())
    autobk(group, ek0=E0, edge_step=float(n.edge_step), rbkg=1, kweight=1)
    assert np.array_equal(ours.k, group.k)
    # Larch stops when chi-square falls by less than a millionth
    assert np.abs(ours.chi - group.chi).max() < 1e-5 * np.abs(group.chi).max()
    assert np.allclose(ours.bkg, group.bkg, rtol=1e-5)


def test_8_a_mistyped_keyword_is_a_type_error(made: Made) -> None:
    """Larch's xftf ignores it; its autobk prints a line and returns None, with no chi."""
    from larch import Group
    from larch.xafs import autobk

    s = made()
    group = Group(energy=s.energy.copy(), mu=s.mu.copy())
    with quiet("autobk") as printed:
        autobk(group, rbgk=1.0)
    assert "Unrecognized" in printed.getvalue()
    assert not hasattr(group, "chi")

    n = xs.normalize(s, e0=E0)
    with pytest.raises(TypeError, match="rbgk"):
        xs.background(n, rbgk=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="kwieght"):
        xs.fourier(xs.background(n), k=(3, 12), kwieght=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="norm1"):
        xs.normalize(s, norm1=100)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rbkg": -1}, "rbkg = -1 A is not between 0 and 5"),
        ({"kweight": 7}, "kweight = 7 of the background"),
        ({"window": "hamming"}, "window = 'hamming' is not one of hanning, kaiser"),
        ({"k": (9, 3)}, "empty; the lower end comes first"),
        ({"k": "3-9"}, "is not a range; give two numbers"),
        ({"e0": 9000.0}, "E0 9000 eV is outside the data"),
        ({"clamp_scale": "both"}, "is not one of edge_step, mu"),
    ],
)
def test_8_wrong_values_are_range_errors(made: Made, settings: dict, said: str) -> None:
    with pytest.raises(RangeError, match=said):
        xs.background(xs.normalize(made(), e0=E0), **settings)


def test_an_e0_outside_the_scan_is_no_longer_replaced(made: Made) -> None:
    """Larch's pre_edge looks for another E0 without a word."""
    with pytest.raises(RangeError, match="E0 8979 eV is outside the data"):
        xs.normalize(made(), e0=8979)


def test_mu_that_falls_at_the_edge_is_refused(made: Made) -> None:
    """Larch gives the edge step of ln(it/i0) a positive sign."""
    from larch import Group
    from larch.xafs import pre_edge

    s = made()
    group = Group(energy=s.energy.copy(), mu=-s.mu)
    pre_edge(group, e0=E0)
    assert group.edge_step > 0
    with pytest.raises(ReductionError, match="mu falls at E0 7709 eV"):
        xs.normalize(Spectrum(energy=s.energy, mu=-s.mu), e0=E0)


def test_10_epsilon_is_the_standard_deviation_of_chi() -> None:
    """White noise of known deviation: the mean of 200 estimates within 3 standard errors (bias under 2 %).

    Larch's estimate_noise scales by the window's mean and is some 15 % high on the same data.
    """
    rng = np.random.default_rng(10)
    k = np.arange(0, 14.001, 0.05)
    noise = 1e-3 * rng.normal(size=(200, k.size))
    ours = xs.reduce.noise_of(k, noise)
    assert ours.shape == (200,)
    assert abs(ours.mean() / 1e-3 - 1) < 3 * ours.std() / 1e-3 / np.sqrt(200)

    from larch import Group
    from larch.xafs import estimate_noise

    groups = [Group(k=k, chi=y) for y in noise[:20]]
    for group in groups:
        estimate_noise(group, kmin=0, kmax=14, kweight=1, dk=4)
    assert np.mean([group.epsilon_k for group in groups]) / 1e-3 > 1.05


def test_nothing_is_printed_and_input_stays(made: Made, capfd: pytest.CaptureFixture[str]) -> None:
    s = made(noise=1e-3)
    before = s.energy.copy(), s.mu.copy()
    n = xs.normalize(s)
    chi = xs.background(n)
    xs.fourier(chi, k=(3, 12))
    xs.rebin(s, e0=E0)
    assert capfd.readouterr() == ("", "")
    assert np.array_equal(before[0], s.energy)
    assert np.array_equal(before[1], s.mu)


def test_what_larch_raises_has_our_type() -> None:
    def inside(error: Exception) -> None:
        with quiet("autobk of x"):
            print("a line")  # noqa: T201
            raise error

    with pytest.raises(ReductionError, match=r"autobk of x failed in Larch: boom \(it printed: a line\)"):
        inside(ValueError("boom"))
    with pytest.raises(XasuiteError, match="ours"):
        inside(DataError("ours"))
