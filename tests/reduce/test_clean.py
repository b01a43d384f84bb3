"""Rebinning, repeated energies and glitches: analytic curves, glitches put in by hand, a measured QEXAFS scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xasuite as xs
from xasuite.errors import DataError, RangeError, ReductionError, XasuiteWarning
from xasuite.records import Spectrum
from xasuite.reduce import average_repeats, deglitch, find_glitches, rebin

from .conftest import E0, KTOE, known_energy

Made = Callable[..., Spectrum]
Foil = Callable[[str], Spectrum]
FOILS = ("Co_foil_QAS.dat", "Ru_foil_QAS.dat", "Mn_foil_QAS.dat", "Ni_foil_QAS.dat", "Cu_foil_QAS.dat")


def test_repeats_are_averaged() -> None:
    """Means of 3, 1 and 2 readings, the errors over the root of their number, in ascending order."""
    base = np.arange(8000.0, 8020.0)
    energy = np.concatenate([base, [8003.0, 8003.0, 8010.0]])
    mu = np.concatenate([np.zeros(20), [3.0, 6.0, 4.0]])
    s = Spectrum(energy=energy, mu=mu, mu_err=np.full(23, 0.6), reference=2 * mu)
    done = average_repeats(s)
    assert np.array_equal(done.energy, base)
    assert done.mu[3] == pytest.approx(3.0)
    assert done.mu[10] == pytest.approx(2.0)
    assert np.allclose(done.reference, 2 * done.mu)
    assert done.mu_err[[3, 10, 0]] == pytest.approx([0.6 / np.sqrt(3), 0.6 / np.sqrt(2), 0.6])
    assert done.notes == ("averaged 3 repeated energies",)
    assert average_repeats(done) is done


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_averaging_does_not_depend_on_the_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    energy = rng.integers(8000, 8030, size=60).astype(float)
    mu = rng.normal(size=60)
    mix = rng.permutation(60)
    a = average_repeats(Spectrum(energy=energy, mu=mu))
    b = average_repeats(Spectrum(energy=energy[mix], mu=mu[mix]))
    assert np.allclose(a.mu, b.mu)
    assert (np.diff(a.energy) > 0).all()


def test_the_grid_has_three_regions(made: Made) -> None:
    done = rebin(made(), e0=E0)
    x = done.energy - E0
    pre, xanes, exafs = x[x < -30.01], x[(x > -29.9) & (x < 14.9)], x[x > 15.1]
    assert np.allclose(np.diff(pre), 2.0)
    assert np.allclose(np.diff(xanes), 0.3)  # 7709/25000 cut to a multiple of 0.05
    k = np.sqrt(exafs / KTOE)
    assert np.allclose(np.diff(k), 0.05, atol=1e-6)
    assert np.allclose(k / 0.05, np.round(k / 0.05), atol=1e-4)
    assert done.history[-1].settings["xanes_step"] == pytest.approx(0.3)


def test_a_smooth_curve_is_kept() -> None:
    """A parabola sampled densely and unevenly: bins of up to 40 points, no bias from where they fell.

    Larch gives the bin's mean to the grid's energy, which shifts a slope by the points' offset.
    """
    rng = np.random.default_rng(2)
    energy = np.sort(rng.uniform(7500, 8600, 20_000))
    curve = 1 + 1e-3 * (energy - 7709) + 1e-6 * (energy - 7709) ** 2
    done = rebin(Spectrum(energy=energy, mu=curve), e0=7709.0)
    truth = 1 + 1e-3 * (done.energy - 7709) + 1e-6 * (done.energy - 7709) ** 2
    # a mean over a bin of width w adds its curvature, 1e-6 w^2 / 12: 3e-6 for the widest, 6 eV
    assert np.abs(done.mu - truth).max() < 5e-6

    from larch import Group
    from larch.xafs import rebin_xafs

    raw = Group(energy=energy, mu=curve, __name__="raw")
    rebin_xafs(raw, e0=7709.0)
    x = raw.rebinned.energy - 7709
    assert np.abs(raw.rebinned.mu - (1 + 1e-3 * x + 1e-6 * x**2))[5:-5].max() > 1e-4


def test_errors_shrink_with_the_number_of_points() -> None:
    """White noise of 0.01 on 0.1 eV steps: the scatter after rebinning is mu_err, 20 points a bin of 2 eV."""
    energy = np.arange(7500, 8600, 0.1)
    rng = np.random.default_rng(5)
    stack = 1 + 0.01 * rng.normal(size=(60, energy.size))
    s = Spectrum(energy=energy, mu=stack, mu_err=np.full(stack.shape, 0.01))
    done = rebin(s, e0=7709.0)
    pre = (done.energy < 7675) & (done.energy > 7505)
    assert done.mu_err[:, pre].mean() == pytest.approx(0.01 / np.sqrt(20), rel=0.02)
    assert done.mu[:, pre].std() == pytest.approx(done.mu_err[:, pre].mean(), rel=0.1)


def test_a_stack_rebins_as_its_rows(made: Made) -> None:
    rows = [made(noise=1e-3, seed=i) for i in range(3)]
    stack = replace(rows[0], mu=np.stack([r.mu for r in rows]))
    done = rebin(stack, e0=E0)
    for i, r in enumerate(rows):
        assert np.array_equal(done.mu[i], rebin(r, e0=E0).mu)


def test_a_measured_quick_scan(data_root: Path) -> None:
    """4980 uneven points with repeats become a standard grid; the edge stays within 0.1 eV."""
    raw = data_root / "series/SnO2_TPR/raw/20210614_SnO2_H2_TPR_Sn_EXAFS_92.tra_0005.txt"
    s = xs.read(raw).mu()
    done = rebin(s)
    assert done.energy.size < 700 < s.energy.size
    before, after = (
        xs.normalize(average_repeats(x), e0=29205.0, pre_range=(-150, -50), norm_range=(100, 700))
        for x in (s, done)
    )

    def half(n: xs.Normalized) -> float:
        edge = (n.norm > 0.3) & (n.norm < 0.7) & (np.abs(n.energy - 29200) < 15)
        return float(np.polyval(np.polyfit(n.norm[edge], n.energy[edge], 3), 0.5))

    assert half(after) == pytest.approx(half(before), abs=0.1)
    # the post-edge polynomial now sees points even in k where they were even in energy: 0.6 % of the step
    assert float(after.edge_step) == pytest.approx(float(before.edge_step), rel=0.01)


def test_grids_that_cannot_be(made: Made) -> None:
    s = made()
    with pytest.raises(RangeError, match="the grid 7000 to 8000 eV is outside the data"):
        rebin(s, energy=np.arange(7000.0, 8001.0))
    with pytest.raises(RangeError, match="steps of the grid must be positive"):
        rebin(s, e0=E0, kstep=0)
    with pytest.raises(RangeError, match="xanes must end above E0"):
        rebin(s, e0=E0, xanes=(-50, -10))
    with pytest.raises(RangeError, match="E0 9000 eV is outside"):
        rebin(s, e0=9000.0)


GLITCHES = ((30, 0.03), (120, -0.02), (121, -0.03), (180, 0.015))


def test_glitches_put_in_are_found(made: Made) -> None:
    """Four points off by 1.5-3 % of mu, two of them side by side, in noise of 5e-4: these and no others."""
    s = made(noise=5e-4, seed=8)
    free = np.flatnonzero(s.energy > E0 + 45)
    at = [int(free[i]) for i, _ in GLITCHES]
    mu = s.mu.copy()
    for i, (_, size) in zip(at, GLITCHES, strict=True):
        mu[i] += size
    broken = replace(s, mu=mu)
    assert np.flatnonzero(find_glitches(broken)).tolist() == sorted(at)
    done = deglitch(broken)
    assert np.abs(done.mu - s.mu).max() < 3e-3
    assert np.array_equal(np.delete(done.mu, at), np.delete(broken.mu, at))
    assert done.history[-1].settings["replaced"] == pytest.approx(sorted(s.energy[at]))
    assert "deglitched 4 points at" in done.notes[-1]


@pytest.mark.parametrize("name", FOILS)
def test_good_foils_have_few_glitches(foil: Foil, name: str) -> None:
    """The rule does not eat EXAFS: at most 1 % of the points of a clean measured foil."""
    s = foil(name)
    assert np.count_nonzero(find_glitches(s)) <= 0.01 * s.energy.size


def test_named_glitches(made: Made) -> None:
    s = made()
    rows = replace(s, mu=np.stack([s.mu, 2 * s.mu]), mu_err=np.full((2, s.mu.size), 0.1))
    done = deglitch(rows, [E0 + 100.0, (E0 + 200, E0 + 210)])
    changed = np.flatnonzero((done.mu != rows.mu).any(axis=0))
    energies = s.energy[changed] - E0
    assert (((energies > 199.9) & (energies < 210.1)) | (np.abs(energies - 100) <= 4)).all()
    assert np.allclose(done.mu[1], 2 * done.mu[0])
    with pytest.raises(RangeError, match="the glitch 9000 eV is outside"):
        deglitch(s, [9000.0])
    with pytest.raises(RangeError, match="too few are left"):
        deglitch(s, [(s.energy[0], s.energy[-1])])


def test_noise_is_not_deglitched_away() -> None:
    """A scan of nothing but spikes is said to be noise, not cleaned into a line."""
    rng = np.random.default_rng(0)
    e = known_energy()
    spiky = 1 / (1 + np.exp(-(e - E0) / 2)) + 1e-2 * rng.standard_cauchy(size=e.size)
    with pytest.raises(ReductionError, match="this scan is noise"):
        deglitch(Spectrum(energy=e, mu=spiky, element="Co", edge="K"), threshold=2)
    with pytest.raises(DataError, match="too few to tell"):
        find_glitches(Spectrum(energy=e[:12], mu=e[:12]))


def test_a_broken_reference_does_not_stop_the_sample(made: Made) -> None:
    """A reference detector that saturates gives inf: it is left out, said so, and mu goes on."""
    s = made()
    reference = s.mu.copy()
    reference[10] = np.inf
    with pytest.warns(XasuiteWarning, match="the reference is not finite everywhere and is left out"):
        done = rebin(replace(s, reference=reference), e0=E0)
    assert done.reference is None
    assert np.array_equal(done.mu, rebin(s, e0=E0).mu)
