"""E0, calibration and alignment: measured foils, the drifting NiO series, and known shifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xasuite as xs
from xasuite.errors import DataError, ReductionError, XasuiteWarning
from xasuite.records import Series, Spectrum
from xasuite.reduce import align, calibrate, find_e0, inflections, shift, tabulated_e0

from .conftest import E0, known_energy

Made = Callable[..., Spectrum]
Foil = Callable[[str], Spectrum]


def half_jump(s: Spectrum, e0: float) -> float:
    """Energy at half the edge jump from a cubic through the edge's middle: another road than alignment's."""
    n = xs.normalize(s, e0=e0, pre_range=(-150, -50), norm_range=(100, 600))
    middle = (n.norm > 0.25) & (n.norm < 0.7) & (n.energy < e0 + 18)
    return float(np.polyval(np.polyfit(n.norm[middle], n.energy[middle], 3), 0.5))


@pytest.mark.parametrize("name", ["Ru_foil_QAS.dat", "Ru_foil_CLS_raw.dat"])
def test_ruthenium_takes_the_first_of_two_inflections(foil: Foil, name: str) -> None:
    """Tabulated 22117 eV, the second is 8-10 eV above; Larch's find_e0 takes that."""
    s = foil(name)
    both = [i for i in inflections(s) if i.strength > 0.6]
    assert len(both) == 2
    assert 8 <= both[1].energy - both[0].energy <= 10
    assert float(find_e0(s)) == pytest.approx(22117, abs=1.0)
    assert float(find_e0(s, which="maximum")) == pytest.approx(both[1].energy, abs=1.0)
    assert float(find_e0(replace(s, element="", edge=""))) > 22124, "no element, no foil: as Larch"


@pytest.mark.parametrize("name", ["Co", "Mn", "Fe", "Ni", "Cu"])
def test_foils_of_the_iron_group_lie_at_the_table(foil: Foil, name: str) -> None:
    """QAS's scale is calibrated: within 1 eV of the table and of Larch's own find_e0."""
    s = foil(f"{name}_foil_QAS.dat")
    e0 = float(find_e0(s))
    assert e0 == pytest.approx(tabulated_e0(name), abs=1.0)
    assert e0 == pytest.approx(float(find_e0(s, which="maximum")), abs=1e-9)


def test_compounds_keep_larch_s_choice(data_root) -> None:  # type: ignore[no-untyped-def]
    """A pre-edge peak or a shoulder of an oxide is not a metal's first inflection."""
    files = ["RuO2.prj", "Co_oxides.prj", "Mn_oxides.prj", "Fe_oxides.prj", "Ni_oxide.prj"]
    seen = 0
    for file in files:
        for scan in xs.read_all(data_root / "standards" / file):
            if "foil" in scan.label.lower() or "mu" not in scan.channels:
                continue
            s = scan.mu()
            assert float(find_e0(s)) == float(find_e0(s, which="maximum")), scan.label
            seen += 1
    assert seen > 15


@pytest.mark.parametrize(
    "name", ["Ru_foil_QAS.dat", "Ru_foil_CLS_raw.dat", "Co_foil_QAS.dat", "Fe_foil_APS.xdi"]
)
def test_calibrated_foils_have_the_tabulated_e0(foil: Foil, name: str) -> None:
    s = foil(name)
    done = calibrate(s)
    expected = tabulated_e0(s.element)
    # find_e0 gives a point of the scan (0.5 eV apart at most), calibration lies between points
    assert float(find_e0(done, which="first")) == pytest.approx(expected, abs=0.5)
    assert inflections(done, significant=0.6)[0].energy == pytest.approx(expected, abs=0.02)
    step = done.history[-1]
    assert step.name == "calibrate"
    assert step.settings["by"] == pytest.approx(float(done.energy[0] - s.energy[0]), abs=1e-9)


def test_calibration_by_the_reference(drift: list[Spectrum]) -> None:
    """The sample follows its foil: NiO moved so that nickel lies at 8333 eV (8332.8 tabulated)."""
    done = calibrate(drift[3])
    assert done.history[-1].settings["use"] == "reference"
    foil = Spectrum(energy=done.energy, mu=done.reference, element="Ni", edge="K")
    assert inflections(foil, significant=0.6)[0].energy == pytest.approx(tabulated_e0("Ni"), abs=0.02)


def test_a_calibration_that_moves_far_warns(made: Made) -> None:
    with pytest.warns(XasuiteWarning, match=r"moves the energy by \+40.0 eV; is the mu a foil of Co"):
        calibrate(made(shift=tabulated_e0("Co") - E0), e0=7709.0, tabulated=7749.0)
    with pytest.raises(ReductionError, match="needs the element and edge, or tabulated"):
        calibrate(replace(made(), element=""))
    with pytest.raises(ReductionError, match="no tabulated energy for 'Xx'"):
        tabulated_e0("Xx")
    with pytest.raises(ReductionError, match="holds no reference channel"):
        calibrate(made(), use="reference")


def test_ten_references_agree_within_a_tenth(drift: list[Spectrum]) -> None:
    """Scales that drift by 5 eV and more: after alignment each edge within 0.1 eV of their mean."""
    before = np.array(
        [half_jump(replace(s, mu=s.reference), float(find_e0(replace(s, mu=s.reference)))) for s in drift]
    )
    assert np.ptp(before) > 4
    done = [align(s, drift[0]) for s in drift]
    assert all(a.used == "reference" for a in done)
    e0 = float(find_e0(replace(drift[0], mu=drift[0].reference)))
    after = np.array([half_jump(replace(a.spectrum, mu=a.spectrum.reference), e0) for a in done])
    assert np.abs(after - after.mean()).max() < 0.1
    errors = np.array([float(a.stderr) for a in done[1:]])
    assert (errors > 1e-3).all()
    assert (errors < 0.05).all()
    # by way of another scan: the shifts add up, to a few of their standard errors
    middle = align(drift[5], drift[0])
    for s, a in zip(drift, done, strict=True):
        around = float(align(s, drift[5]).shift + middle.shift)
        assert abs(around - float(a.shift)) < 5 * np.hypot(0.015, float(a.stderr))


def test_a_stack_is_aligned_row_by_row(drift: list[Spectrum]) -> None:
    n = min(s.energy.size for s in drift)
    same = [s for s in drift if s.energy.size == n and np.allclose(s.energy, drift[0].energy, atol=0.02)]
    assert len(same) >= 3
    stack = replace(
        drift[0],
        mu=np.stack([s.mu for s in same]),
        reference=np.stack([s.reference for s in same]),
        energy=same[0].energy,
    )
    done = align(stack, drift[0])
    assert done.shift.shape == done.stderr.shape == (len(same),)
    single = [float(align(replace(s, energy=same[0].energy), drift[0]).shift) for s in same]
    assert np.allclose(done.shift, single, atol=1e-9)
    edges = [half_jump(Spectrum(energy=done.spectrum.energy, mu=r), 8331.7) for r in done.spectrum.reference]
    assert np.ptp(edges) < 0.2


@settings(max_examples=12, deadline=None)
@given(by=st.floats(-6, 6), gain=st.floats(0.2, 5), offset=st.floats(-1, 1))
def test_a_known_shift_is_found(made: Made, by: float, gain: float, offset: float) -> None:
    """Whatever gain and offset the other channel has; noise-free, to a hundredth of a step."""
    fine = known_energy(0.5)
    target = made(energy=fine)
    other = made(energy=fine, shift=by)
    other = replace(other, mu=gain * other.mu + offset)
    done = align(other, target)
    assert float(done.shift) == pytest.approx(-by, abs=5e-3)


def test_the_standard_error_is_the_spread(made: Made) -> None:
    """40 seeds: the spread of the shifts over the mean standard error, 1 within its own error (11 %, three times)."""
    target = made()
    done = [align(made(noise=5e-3, seed=i, shift=1.3), target) for i in range(40)]
    shifts, errors = (np.array([float(getattr(a, name)) for a in done]) for name in ("shift", "stderr"))
    assert shifts.mean() == pytest.approx(-1.3, abs=4 * errors.mean() / np.sqrt(40) + 5e-3)
    assert 0.67 < shifts.std(ddof=1) / errors.mean() < 1.45


def test_nothing_is_aligned_in_silence(made: Made, drift: list[Spectrum]) -> None:
    """Larch's energy_align turns any of these into a shift of 0."""
    target = made()
    with pytest.raises(ReductionError, match="no shift within 5 eV aligns them"):
        align(made(shift=9.0), target, max_shift=5)
    noise = replace(target, mu=np.random.default_rng(0).normal(size=target.mu.size) + 1)
    with pytest.raises(ReductionError, match=r"still unlike|no shift within"):
        align(noise, target)
    with pytest.raises(ReductionError, match="they share 0 points"):
        align(drift[0], target, use="mu")
    with pytest.raises(ReductionError, match="no reference channel"):
        align(target, target, use="reference")
    with pytest.raises(DataError, match="is a stack"):
        align(target, replace(target, mu=np.stack([target.mu, target.mu])))


@settings(max_examples=20, deadline=None)
@given(a=st.floats(-5, 5), b=st.floats(-5, 5))
def test_shifts_add(made: Made, a: float, b: float) -> None:
    s = made()
    assert np.allclose(shift(shift(s, a), b).energy, shift(s, a + b).energy, atol=1e-9)
    assert np.array_equal(shift(s, a).mu, s.mu)


def test_rows_of_a_stack_shift_by_their_own(made: Made) -> None:
    fine = known_energy(0.5)
    rows = [made(energy=fine, shift=d) for d in (-2.0, 0.0, 3.0)]
    stack = replace(rows[0], mu=np.stack([r.mu for r in rows]), mu_err=np.full((3, fine.size), 0.1))
    done = shift(stack, np.array([2.0, 0.0, -3.0]))
    assert done.energy[0] >= fine[0] + 2
    assert done.energy[-1] <= fine[-1] - 3
    assert np.abs(done.mu - done.mu[1]).max() < 2e-4
    assert np.allclose(done.mu_err, 0.1)
    with pytest.raises(DataError, match="give one number, or one per row"):
        shift(stack, np.array([1.0, 2.0]))


def test_a_bad_row_of_a_series_is_marked(made: Made) -> None:
    rows = [made(noise=1e-3, seed=i, shift=0.5 * i) for i in range(4)]
    mu = np.stack([r.mu for r in rows])
    mu[2, 40] = np.nan
    series = Series(
        data=replace(rows[0], mu=mu),
        table=pd.DataFrame({"label": list("abcd")}),
        status=("ok", "ok", "ok", "dark"),
        reason=("", "", "", "no beam"),
    )
    done = align(series, made())
    assert done.spectrum.status == ("ok", "ok", "failed", "dark")
    assert "mu is not finite at 1 points" in done.spectrum.reason[2]
    assert np.isnan(done.shift[2:]).all()
    assert np.allclose(done.shift[:2], [0, -0.5], atol=0.03)
    e0 = find_e0(series)
    assert e0.shape == (4,)
    assert np.isfinite(e0).tolist() == [True, True, False, False]
    with pytest.raises(ReductionError, match="which = 'middle'"):
        find_e0(series, which="middle")
