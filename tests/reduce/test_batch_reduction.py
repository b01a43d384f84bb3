"""Normalisation and background of stacks against Larch's pre_edge and autobk, row by row, on measured scans."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import RangeError
from xasuite.records import Normalized, Spectrum
from xasuite.reduce import background, normalize

# pre_edge is the same least squares: rounding alone
LINES = 1e-9
# autobk stops at ftol 1e-6; where its clamp is strong it stalls above the minimum found here
CHI_USUAL, CHI_WORST = 1e-6, 1e-5
E0 = {"Cu": 8979.0, "Co": 7709.0, "Fe": 7112.0}


@lru_cache(maxsize=8)
def foil(root: Path, element: str) -> tuple[np.ndarray, np.ndarray]:
    from xasuite.io import read

    spectrum = read(root / "foils" / f"{element}_foil_QAS.dat").mu()
    return np.array(spectrum.energy), np.array(spectrum.mu)


def stack(root: Path, element: str) -> Spectrum:
    """The foil as measured, thick, and thin with a slope."""
    energy, mu = foil(root, element)
    slope = 1e-4 * (energy - energy[0])
    return Spectrum(energy=energy, mu=np.stack([mu, 3 * mu + 0.2, 0.4 * mu - slope]), label=element)


def larch_lines(energy: np.ndarray, mu: np.ndarray, **settings) -> dict:
    from .. import larch_reduction as reduction

    return reduction.pre_edge(energy, mu, **settings)


def test_simulated_scans_need_no_measured_data() -> None:
    """A step, a slope and one shell's oscillation: lines and chi as Larch gives them, in both clamp modes."""
    from .. import larch_reduction as reduction

    x = np.concatenate(
        [np.linspace(-150, -20, 50), np.linspace(-19, 30, 100), 3.81 * np.linspace(2.9, 14, 220) ** 2]
    )
    k = np.sqrt(np.maximum(x, 0) / 3.81)
    wave = np.sin(2 * 2.3 * k + 1) * np.exp(-0.012 * k**2) / np.maximum(k, 1) / (1 + np.exp((15 - x) / 4))
    mu = 0.3 - 2e-4 * x + (0.5 + np.arctan(x) / np.pi) * (1 - 1e-4 * x) * (1 + 0.5 * wave)
    s = Spectrum(energy=8979 + x, mu=np.stack([mu, 2.5 * mu]))
    settings = {"e0": 8979.0, "pre_range": (-140.0, -40.0), "norm_range": (80.0, 700.0), "nnorm": 2}
    norm = normalize(s, **settings)
    for i in range(2):
        one = larch_lines(s.energy, s.mu[i], **settings)
        for name in ("edge_step", "norm", "flat"):
            assert np.abs(getattr(norm, name)[i] - one[name]).max() <= LINES * np.abs(one[name]).max()
        step = float(one["edge_step"])
        for clamp_scale, scale in (("edge_step", step), ("mu", 1.0)):
            done = background(norm, rbkg=1.0, kweight=2, clamp_scale=clamp_scale)
            larch = reduction.autobk(
                s.energy, s.mu[i] / scale, e0=8979.0, edge_step=step / scale, rbkg=1.0, kweight=2
            )
            assert np.abs(done.chi[i] - larch["chi"]).max() < CHI_WORST


@pytest.mark.parametrize("element", sorted(E0))
@pytest.mark.parametrize("nnorm", [1, 2, 3])
def test_lines_are_larchs(data_root: Path, element: str, nnorm: int) -> None:
    s = stack(data_root, element)
    settings = {"pre_range": (-150.0, -50.0), "norm_range": (100.0, 600.0), "nnorm": nnorm}
    # two rows share an E0, the third has its own
    e0 = E0[element] + np.array([0.0, 0.0, 1.7])
    done = normalize(s, e0=e0, **settings)
    for i in range(3):
        one = larch_lines(s.energy, s.mu[i], e0=float(e0[i]), **settings)
        for name in ("edge_step", "pre_edge", "post_edge", "norm", "flat"):
            found = getattr(done, name)[i]
            assert np.abs(found - one[name]).max() <= LINES * np.abs(one[name]).max(), (name, i)


@pytest.mark.parametrize("element", sorted(E0))
@pytest.mark.parametrize(("rbkg", "kweight"), [(0.8, 3), (1.0, 1), (1.1, 2)])
def test_background_is_autobks(data_root: Path, element: str, rbkg: float, kweight: int) -> None:
    """In both ways of scaling the clamp; Larch's own is given mu as it is, ours mu over the edge step."""
    from .. import larch_reduction as reduction

    s = stack(data_root, element)
    norm = normalize(s, e0=E0[element], pre_range=(-150, -50), norm_range=(100, 600), nnorm=2)
    for clamp_scale in ("edge_step", "mu"):
        done = background(norm, rbkg=rbkg, kweight=kweight, clamp_scale=clamp_scale)
        # the thick sample under Larch's own clamp is where Larch stalls: left to the next test
        for i in (0, 1, 2) if clamp_scale == "edge_step" else (0, 2):
            step = float(norm.edge_step[i])
            scale = step if clamp_scale == "edge_step" else 1.0
            one = reduction.autobk(
                s.energy, s.mu[i] / scale, e0=E0[element], edge_step=step / scale, rbkg=rbkg, kweight=kweight
            )
            np.testing.assert_array_equal(done.k, one["k"])
            assert np.abs(done.chi[i] - one["chi"]).max() < CHI_WORST
            assert np.median(np.abs(done.chi[i] - one["chi"])) < CHI_USUAL
            assert np.abs(done.bkg[i] / scale - one["bkg"]).max() < 3 * CHI_WORST


def objective(chi: np.ndarray, k: np.ndarray, rbkg: float, kweight: int) -> float:
    """What autobk minimises, from its chi (in units of mu): |chi(R)|^2 below rbkg and the clamp's term."""
    from xasuite.reduce.window import ft_window

    kmax, step = k[-1], np.pi / (0.05 * 2048)
    knots = 1 + int(2 * rbkg * kmax / np.pi)
    n_r = int(1 + (knots - 1) * np.pi / (2 * step * kmax))
    window = k**kweight * ft_window(k, (0.0, kmax), dx=0.1)
    out = 0.05 / np.sqrt(np.pi) * np.fft.fft(chi * window, 2048)[:n_r]
    size = float(np.sum(np.abs(out) ** 2))
    return size + (0.1 + 10 * size / (2 * n_r)) ** 2 * float(np.sum(chi[-3:] ** 2))


def test_where_larch_stalls_ours_lies_lower(data_root: Path) -> None:
    from .. import larch_reduction as reduction

    s = stack(data_root, "Cu")
    norm = normalize(s, e0=E0["Cu"], pre_range=(-150, -50), norm_range=(100, 600), nnorm=2)
    # the whole range on both sides, so that k ends alike
    for rbkg, kweight in ((1.0, 2), (0.8, 3)):
        done = background(norm, rbkg=rbkg, kweight=kweight, clamp_scale="mu")
        for i in range(3):
            step = float(norm.edge_step[i])
            one = reduction.autobk(s.energy, s.mu[i], e0=E0["Cu"], edge_step=step, rbkg=rbkg, kweight=kweight)
            ours = objective(np.asarray(done.chi[i]) * step, np.asarray(done.k), rbkg, kweight)
            larch = objective(one["chi"] * step, one["k"], rbkg, kweight)
            assert ours <= larch * (1 + 1e-6)


def test_thickness_does_not_change_chi(data_root: Path) -> None:
    """Under the clamp by edge step; under Larch's own it does (docs/notes/larch_silent_failures.md, 5)."""
    energy, mu = foil(data_root, "Cu")
    s = Spectrum(energy=energy, mu=np.stack([mu, 100 * mu]))
    norm = normalize(s, e0=E0["Cu"], pre_range=(-150, -50), norm_range=(100, 600), nnorm=2)
    free = background(norm).chi
    assert np.abs(free[0] - free[1]).max() < 1e-9
    bound = background(norm, clamp_scale="mu").chi
    assert np.abs(bound[0] - bound[1]).max() > 1e-4


def test_row_i_of_a_stack_is_the_single_result(data_root: Path) -> None:
    """Through the public functions, with an E0 for each row."""
    s = stack(data_root, "Co")
    e0 = E0["Co"] + np.array([0.0, 0.8, 1.6])
    k = (0.0, 13.0)
    many = background(normalize(s, e0=e0, pre_range=(-150, -50), norm_range=(100, 600)), k=k)
    for i in range(3):
        single = Spectrum(energy=s.energy, mu=s.mu[i])
        norm = normalize(single, e0=float(e0[i]), pre_range=(-150, -50), norm_range=(100, 600))
        assert isinstance(norm, Normalized)
        one = background(norm, k=k)
        assert np.abs(many.chi[i] - one.chi).max() < CHI_WORST
        assert many.epsilon_k[i] == pytest.approx(float(one.epsilon_k), rel=1e-4)


def test_strong_clamps_reach_the_lowest_minimum(data_root: Path) -> None:
    """The clamped objective has one unknown a row: no other strength along a fine grid does better."""
    s = stack(data_root, "Fe")
    norm = normalize(s, e0=E0["Fe"], pre_range=(-150, -50), norm_range=(100, 600), nnorm=2)
    weak, strong = (background(norm, clamp=(0, c), clamp_scale="mu") for c in (1, 500))
    assert np.isfinite(strong.chi).all()
    assert np.abs(strong.chi[:, -3:]).max() < np.abs(weak.chi[:, -3:]).max()


def test_e0_outside_the_scan_is_an_error(data_root: Path) -> None:
    norm = normalize(
        stack(data_root, "Cu"), e0=E0["Cu"], pre_range=(-150, -50), norm_range=(100, 600), nnorm=2
    )
    with pytest.raises(RangeError, match="E0 5000 eV is outside the data"):
        background(norm, e0=5000.0)
