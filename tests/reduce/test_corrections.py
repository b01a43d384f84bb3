"""Corrections of fluorescence: Larch's fluo_corr, Booth's equation, counts made by a detector with dead time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xraydb

import xasuite as xs
from xasuite import reduce
from xasuite.errors import ChannelError, ReductionError
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths, load_crystal, select
from xasuite.records import Chi, Scan
from xasuite.reduce import Geometry, correct_overabsorption

from .conftest import E0, KTOE, known_chi, known_energy

K = np.arange(0, 14, 0.05)


def chi_of(values: np.ndarray, element: str = "Cu") -> Chi:
    return Chi(k=K, chi=values, e0=8979.0, edge_step=1.0, element=element, edge="K", label="made")


def booth_forward(chi: np.ndarray, d_um: float, angle_in: float, angle_out: float) -> np.ndarray:
    """Equation 3 of Booth and Bridges (2005) for copper: what a foil of d micrometre shows of chi.

    Cross sections from the sum over the element, not from the code under test.
    """
    energy = 8979.0 + KTOE * K**2
    below = np.polyfit(
        np.log(np.linspace(8400, 8950, 40)), np.log(xraydb.mu_elam("Cu", np.linspace(8400, 8950, 40))), 1
    )
    total = 8.96 * xraydb.mu_elam("Cu", energy)
    own = total - 8.96 * np.exp(np.polyval(below, np.log(energy)))
    line = 8.96 * float(xraydb.mu_elam("Cu", np.array([xraydb.xray_line("Cu", "Ka").energy]))[0])
    alpha = total + line * np.sin(np.deg2rad(angle_in)) / np.sin(np.deg2rad(angle_out))
    way = d_um * 1e-4 / np.sin(np.deg2rad(angle_in))
    seen = (1 + chi) * alpha / (alpha + own * chi)
    return seen * (1 - np.exp(-(alpha + own * chi) * way)) / (1 - np.exp(-alpha * way)) - 1


@pytest.mark.parametrize("formula", ["Fe2O3", "Fe3O4"])
@pytest.mark.parametrize("angles", [(45, 45), (30, 60)])
def test_xanes_is_larch_s_fluo_corr(data_root: Path, formula: str, angles: tuple[float, float]) -> None:
    from larch import Group
    from larch.xafs import fluo_corr

    s = xs.read(data_root / "formats/beamlines/PF9A_2022.dat").mu()
    group = Group(energy=s.energy.copy(), mu=s.mu.copy())
    fluo_corr(
        group.energy, group.mu, formula, "Fe", group=group, anginp=angles[0], angout=angles[1], e0=7122.0, pre1=-150,
        pre2=-30, norm1=100, norm2=1000, nnorm=1,
    )  # fmt: skip
    ranges = {"e0": 7122.0, "pre_range": (-150, -30), "norm_range": (100, 1000), "nnorm": 1}
    ours = correct_overabsorption(xs.normalize(s, **ranges), Geometry(formula, *angles))
    assert np.abs(ours.mu - group.mu_corr).max() < 1e-6 * np.ptp(ours.mu)
    assert np.abs(xs.normalize(ours, **ranges).norm - group.norm_corr).max() < 1e-6


@pytest.mark.parametrize(
    ("thickness", "angles"), [(1, (45, 45)), (4, (45, 45)), (4, (30, 60)), (20, (80, 10))]
)
def test_exafs_comes_back_from_booth_s_equation(thickness: float, angles: tuple[float, float]) -> None:
    """To 1 % of the correction: Elam's jump is here a difference of totals, there of photoabsorption."""
    chi = known_chi(K)
    seen = booth_forward(chi, thickness, *angles)
    back = correct_overabsorption(chi_of(seen), Geometry("Cu", *angles, thickness=thickness, density=8.96))
    assert np.abs(back.chi - chi).max() < 0.012 * np.abs(chi).max()
    assert np.abs(back.chi - chi).max() < 0.05 * np.abs(seen - chi).max()


def test_a_thin_sample_needs_none_and_a_thick_one_is_the_limit() -> None:
    chi = 0.3 * known_chi(K)
    thin = correct_overabsorption(chi_of(chi), Geometry("Cu", thickness=0.001, density=8.96))
    assert np.allclose(thin.chi, chi, atol=1e-3)
    dilute = correct_overabsorption(chi_of(chi), Geometry("CuC9000O9000"))
    assert np.allclose(dilute.chi, chi, rtol=0.03, atol=1e-4)
    thick, deep = (
        correct_overabsorption(chi_of(chi), g)
        for g in (Geometry("CuO"), Geometry("CuO", thickness=5000, density=6.3))
    )
    assert np.allclose(thick.chi, deep.chi, atol=1e-9)


def test_the_error_is_said_and_kept() -> None:
    c = correct_overabsorption(chi_of(0.2 * known_chi(K)), Geometry("Cu", thickness=4, density=8.96))
    factor = c.history[-1].settings["factor"]
    assert factor == pytest.approx(1.78, abs=0.05)
    assert 0.01 < reduce.correction_error(c) < 0.05
    assert "over-absorption taken off: Cu, 45 degrees in, 45 out, 4 um" in c.notes[-1]
    assert reduce.correction_error(chi_of(known_chi(K))) == 0


def test_mistakes_are_said() -> None:
    made = chi_of(known_chi(K))
    with pytest.raises(
        ReductionError, match="over-absorption at the Cu K edge of Fe2O3: name the sample's formula"
    ):
        correct_overabsorption(made, Geometry("Fe2O3"))
    with pytest.raises(ReductionError, match="formula = 'Xy3' is no chemical formula"):
        correct_overabsorption(made, Geometry("Xy3"))
    with pytest.raises(ReductionError, match="formula = 'CuEs' is no chemical formula"):
        correct_overabsorption(made, Geometry("CuEs"))
    with pytest.raises(ReductionError, match="angle_in = 0 is not above 0"):
        Geometry("Cu", angle_in=0)
    with pytest.raises(ReductionError, match=r"needs thickness \(um\) and density"):
        Geometry("Cu", thickness=4)
    with pytest.raises(ReductionError, match=r"no chi\(k\) has this fluorescence"):
        correct_overabsorption(chi_of(6 * known_chi(K)), Geometry("Cu"))


def test_a_copper_foil_in_fluorescence(data_root: Path) -> None:
    """4 um of copper at 30 K beside a foil in transmission at 50 K: S02 over transmission's is 0.45 before, 0.8 after.

    The file holds k chi(k) (its k weight of 1 is in the header). Its angles are not stated, 45 degrees are assumed; 10
    degrees more or less are 0.07 of it, and the foil is rolled.
    """
    table = np.loadtxt(data_root / "fluorescence/Cu_foil_30K_fluorescence_chi.dat")
    seen = chi_of(np.interp(K, table[:, 0], table[:, 1] / table[:, 0], left=0.0))
    whole = xs.read(data_root / "fluorescence/Cu_foil_50K_transmission.dat").mu()
    transmission = xs.background(xs.normalize(whole, method="atomic"), rbkg=1.0, kweight=2)
    path = select(find_paths(load_crystal("Cu"), absorber="Cu"), scatterer="Cu")
    values = [parse(v) for v in ("s02", "enot", "dr", "ss")]
    params = tuple(Parameter(n, v) for n, v in (("s02", 0.9), ("enot", 3.0), ("dr", 0.0), ("ss", 0.004)))
    model = Model(
        params, (PathModel("Cu-Cu", path, parse(12.0), *values),), FitRange((3, 13.5), (1.6, 2.75), (2,))
    )

    def s02(chi: Chi) -> float:
        return fit_chi(model, chi).parameter("s02").value.value

    full = s02(transmission)
    assert full == pytest.approx(0.90, abs=0.03)
    assert s02(seen) / full == pytest.approx(0.46, abs=0.03)
    corrected = correct_overabsorption(seen, Geometry("Cu", thickness=4, density=8.96))
    assert s02(corrected) / full == pytest.approx(0.82, abs=0.06)


# Dead time


def counted(true: np.ndarray, tau: float, model: str) -> np.ndarray:
    return true * np.exp(-true * tau) if model == "paralysable" else true / (1 + true * tau)


@pytest.mark.parametrize("model", ["paralysable", "nonparalysable"])
def test_dead_time_comes_back(model: str) -> None:
    energy = known_energy()
    true = 2e5 + 6e5 * (energy > E0)
    rate = counted(true, 4e-7, model)
    scan = Scan(
        energy=energy, channels={"fluor": 0.2 * rate, "icr": rate, "i0": np.ones_like(rate)}, label="s"
    )
    done = reduce.correct_deadtime(scan, ["fluor"], rates=["icr"], tau=4e-7, model=model)
    assert np.allclose(done.channel("fluor"), 0.2 * true, rtol=1e-9)
    assert np.allclose(done.channel("icr"), rate)
    assert "dead time of 4e-07 s" in done.notes[-1]
    assert 0.01 < reduce.correction_error(done.mu("fluor / i0")) < 0.05


def test_a_rate_that_no_detector_shows() -> None:
    energy = known_energy()
    scan = Scan(energy=energy, channels={"fluor": np.full(energy.size, 1e6)}, label="s")
    with pytest.raises(
        ReductionError, match=r"s: fluor: rate times dead time reaches 0\.40, above the 0\.37"
    ):
        reduce.correct_deadtime(scan, ["fluor"], rates=["fluor"], tau=4e-7)
    with pytest.raises(ChannelError):
        reduce.correct_deadtime(scan, ["fluor"], rates=["icr"], tau=4e-7)
    with pytest.raises(ReductionError, match="1 channels and 2 rates"):
        reduce.correct_deadtime(scan, ["fluor"], rates=["fluor", "fluor"], tau=4e-7)


# Elements


def test_elements_count_by_their_edge_over_their_noise(made) -> None:  # type: ignore[no-untyped-def]
    """One good element, one of as many counts that are scatter, one noisy: the mean's error is that of the best weights."""
    clean = made().mu
    clean = (clean - clean.min()) / np.ptp(clean)
    energy = known_energy()
    rng = np.random.default_rng(5)
    steps, backgrounds, noises = (1.0, 0.3, 1.0), (0.1, 2.0, 0.1), (2e-3, 2e-3, 1e-2)
    channels = {
        f"e{i}": s * clean + b + n * rng.normal(size=energy.size)
        for i, (s, b, n) in enumerate(zip(steps, backgrounds, noises, strict=True))
    }
    scan = Scan(
        energy=energy,
        channels=channels | {"i0": np.ones_like(energy)},
        element="Co",
        edge="K",
        label="elements",
    )
    merged = reduce.merge_elements(scan, ["e0", "e1", "e2"])
    alone = reduce.merge_elements(scan, ["e0", "e1", "e2"], weights=[1, 1, 1])
    normal = xs.normalize(replace(scan.mu("e0 / i0"), mu=clean), e0=E0)
    truth, above = normal.norm, energy > E0 + 100
    best = (
        1 / np.sqrt(sum((s / n) ** 2 for s, n in zip(steps, noises, strict=True))) / float(normal.edge_step)
    )
    # third differences: the lines of normalisation, which noise of the pre-edge tilts, are not of interest here
    off, off_equal = (np.std(np.diff((m.mu - truth)[above], 3)) / np.sqrt(20) for m in (merged, alone))
    assert off < 1.2 * best
    assert off_equal > 1.3 * off
    assert merged.mu_err is not None
