"""Simulated spectra: the truth comes back through the pipeline, noise has the level stated, a series is its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest

from xasuite import feff, reduce, simulate
from xasuite.constants import KTOE
from xasuite.errors import CrystalError, DataError
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff.paths import FeffPath
from xasuite.records import Chi
from xasuite.simulate import Setup, TruthPath
from xasuite.simulate.atomic import background, edge_profile, tabulated_edge
from xasuite.simulate.cluster import debye

N, R, SIGMA2, S02 = 5.8, 1.971, 5.3e-3, 0.77  # Co K, Co-O: Table S4b of the CCRO paper


@pytest.fixture(scope="module", autouse=True)
def feff_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "XASUITE_CACHE" not in os.environ:
            patch.setenv("XASUITE_CACHE", str(tmp_path_factory.mktemp("feff-cache")))
        yield


@pytest.fixture(scope="module")
def paths() -> tuple[FeffPath, ...]:
    return feff.find_paths("CCRO", absorber="Co", radius=4.0)


@pytest.fixture(scope="module")
def truth(paths: tuple[FeffPath, ...]) -> tuple[TruthPath, ...]:
    return simulate.shell(paths, "O", n=N, r=R, sigma2=SIGMA2, s02=S02)


def fit(chi: Chi, path: FeffPath, kweight: int = 3) -> dict[str, float]:
    """A blind one-shell fit by Larch: N, R, sigma2, e0."""
    params = (
        Parameter("n", 4.0),
        Parameter("e0", 0.0, min=-15, max=15),
        Parameter("dr", 0.0),
        Parameter("ss", 4e-3, min=0, max=0.03),
    )
    model = Model(
        params,
        (PathModel("shell", path, parse("n"), parse(S02), parse("e0"), parse("dr"), parse("ss")),),
        FitRange((3.0, 11.0), (1.15, 2.2), (kweight,)),
    )
    found = fit_chi(model, chi).params
    return {
        "n": found["n"].n,
        "r": path.reff + found["dr"].n,
        "sigma2": found["ss"].n,
        "e0": found["e0"].n,
    }


def through_pipeline(made: simulate.Simulated) -> Chi:
    normalized = reduce.normalize(made.spectrum, e0=float(made.truth.e0))
    return reduce.background(normalized)


def test_truth_is_exact_before_the_background(truth: tuple[TruthPath, ...]) -> None:
    """The true chi(k) itself, fitted by Larch: no background, no edge, so nothing but rounding is left."""
    made = simulate.spectrum(truth, element="Co")
    t = made.truth
    found = fit(Chi(k=t.k, chi=t.chi, e0=t.e0, edge_step=t.edge_step), truth[0].feff)
    assert found["n"] == pytest.approx(N, abs=1e-5)
    assert found["r"] == pytest.approx(R, abs=1e-7)
    assert found["sigma2"] == pytest.approx(SIGMA2, abs=1e-8)


def test_pipeline_gives_truth_back(truth: tuple[TruthPath, ...]) -> None:
    """Noise-free mu(E) through normalize, background and a Larch fit, defaults throughout.

    What is left is autobk's own effect; CLOSURE: +-0.2 in N, 0.003 A, well below any published error.
    """
    found = fit(through_pipeline(simulate.spectrum(truth, element="Co")), truth[0].feff)
    assert found["n"] == pytest.approx(N, abs=0.2)
    assert found["r"] == pytest.approx(R, abs=0.003)
    assert found["sigma2"] == pytest.approx(SIGMA2, abs=3e-4)
    assert found["e0"] == pytest.approx(0.0, abs=1.0)


def test_a_changed_truth_is_seen(truth: tuple[TruthPath, ...]) -> None:
    changed = (replace(truth[0], n=N + 2, deltar=truth[0].deltar + 0.1),)
    found = fit(through_pipeline(simulate.spectrum(changed, element="Co")), truth[0].feff)
    assert found["n"] > N + 1.5
    assert found["r"] == pytest.approx(R + 0.1, abs=0.01)


@pytest.mark.parametrize(("element", "edge"), [("Co", "K"), ("Ru", "K"), ("Cu", "K"), ("Sn", "K")])
def test_edge_step_is_the_pipelines_own(truth: tuple[TruthPath, ...], element: str, edge: str) -> None:
    """With the core hole's tails and a falling mu0 the step found is the one stated, 1e-9."""
    for setup in (Setup(), Setup(resolution=1.5, white_line=(0.6, 3.0, 6.0), slope=1e-4)):
        made = simulate.spectrum(truth, element=element, edge=edge, edge_step=0.83, setup=setup)
        normalized = reduce.normalize(made.spectrum, e0=float(made.truth.e0))
        assert float(normalized.edge_step) == pytest.approx(0.83, rel=1e-9)


def test_stated_ranges_are_used_for_the_step(truth: tuple[TruthPath, ...]) -> None:
    ranges = {"pre_range": (-180.0, -40.0), "norm_range": (100.0, 600.0), "nnorm": 1}
    made = simulate.spectrum(truth, element="Ru", setup=Setup(normalization=ranges))
    e0 = float(made.truth.e0)
    assert float(reduce.normalize(made.spectrum, e0=e0, **ranges).edge_step) == pytest.approx(1.0, rel=1e-9)
    assert abs(float(reduce.normalize(made.spectrum, e0=e0).edge_step) - 1) > 1e-4


def test_relative_to_the_atom_costs_what_the_study_found(truth: tuple[TruthPath, ...]) -> None:
    """mu0 (1 + chi) with a falling mu0 adds 0.2-0.7e-3 A^2 to sigma2 (McMaster's correction): the trap, and its size."""
    step = fit(through_pipeline(simulate.spectrum(truth, element="Co")), truth[0].feff)
    atom = fit(
        through_pipeline(simulate.spectrum(truth, element="Co", setup=Setup(relative_to="atomic"))),
        truth[0].feff,
    )
    assert 2e-4 < atom["sigma2"] - step["sigma2"] < 8e-4


def test_atomic_background_is_the_tables() -> None:
    """Between 50 and 500 eV above Co's edge, mu of the K electrons falls as Elam's table does, to 0.5 %."""
    import xraydb

    e0, _ = tabulated_edge("Co", "K")
    above = np.array([50.0, 150.0, 300.0, 500.0])
    _, factor = background(e0 + above, e0, "Co", "K", Setup())
    jump = [
        xraydb.mu_elam("Co", e0 + x, kind="photo")
        - xraydb.mu_elam("Co", e0 * 0.97, kind="photo") * (0.97 * e0 / (e0 + x)) ** 2.73
        for x in above
    ]
    np.testing.assert_allclose(factor / factor[0], np.array(jump) / jump[0], rtol=0.005)


def test_edge_profile_limits() -> None:
    """Arctangent, error function, and between them the integral of the Voigt profile (against a direct sum)."""
    from scipy.integrate import cumulative_trapezoid
    from scipy.special import ndtr, voigt_profile

    x = np.linspace(-40, 40, 161)
    np.testing.assert_allclose(edge_profile(x, 3.0, 0.0), 0.5 + np.arctan(x / 1.5) / np.pi)
    np.testing.assert_allclose(edge_profile(x, 0.0, 1.2), ndtr(x / 1.2))
    fine = np.linspace(-3000, 3000, 600001)
    tail = 1.5 / (np.pi * 3000)
    area = tail + cumulative_trapezoid(voigt_profile(fine, 1.2, 1.5), fine, initial=0.0)
    np.testing.assert_allclose(edge_profile(x, 3.0, 1.2), np.interp(x, fine, area), atol=1e-5)


def test_resolution_damps_chi_as_a_gaussian(paths: tuple[FeffPath, ...]) -> None:
    """A wave in E broadened by sigma falls by exp(-(sigma dphi/dE)^2 / 2), phi = 2 k R + FEFF's phase, slowly varying."""
    one = TruthPath(paths[0], n=1, sigma2=0.003)
    sharp, broad = (
        simulate.spectrum([one], element="Co", setup=Setup(resolution=s, atomic="flat", core_hole=0.0))
        for s in (0.0, 4.0)
    )
    e0 = float(sharp.truth.e0)
    k = np.sqrt(np.clip(sharp.spectrum.energy - e0, 0, None) / KTOE)
    at = (k > 6) & (k < 12)

    def wave(made: simulate.Simulated) -> np.ndarray:
        y = made.spectrum.mu[at]
        base = np.polynomial.Polynomial.fit(k[at], y, 4)(k[at])
        return y - base

    a, b = wave(sharp), wave(broad)
    ratio = np.sum(a * b) / np.sum(a * a)
    phase = 2 * k[at] * paths[0].reff + np.interp(k[at], paths[0].k, paths[0].pha)
    phase_per_ev = np.gradient(phase, k[at]) / (2 * k[at] * KTOE)
    expected = np.average(np.exp(-((4.0 * phase_per_ev) ** 2) / 2), weights=a * a)
    assert ratio == pytest.approx(expected, abs=0.004)
    assert ratio < 0.985


@pytest.mark.parametrize("level", [3e-4, 2e-3, 1e-2])
def test_noise_comes_out_as_stated(truth: tuple[TruthPath, ...], level: float) -> None:
    """epsilon_k of chi(k) by the pipeline's own estimate, mean of 60 seeds, to 5 % (scatter of one is 8 %)."""
    made = simulate.series(truth, element="Co", noise=level, seed=range(60))
    chi = reduce.background(reduce.normalize(made.spectrum, e0=np.full(60, float(made.truth.e0)))).data
    assert np.sqrt(np.mean(chi.epsilon_k**2)) == pytest.approx(level, rel=0.05)


def test_noise_is_white_in_mu(truth: tuple[TruthPath, ...]) -> None:
    quiet = simulate.spectrum(truth, element="Co")
    loud = simulate.spectrum(truth, element="Co", noise=5e-3, seed=4)
    difference = loud.spectrum.mu - quiet.spectrum.mu
    sigma = float(loud.truth.sigma_mu)
    n = difference.size
    assert np.std(difference) == pytest.approx(sigma, rel=4 / np.sqrt(2 * n))
    assert abs(np.corrcoef(difference[1:], difference[:-1])[0, 1]) < 4 / np.sqrt(n)
    np.testing.assert_array_equal(loud.spectrum.mu_err, sigma)


def test_counted_photons(truth: tuple[TruthPath, ...]) -> None:
    """Poisson: (mu - mu_true)/mu_err has unit variance, above and below the edge."""
    clean = simulate.spectrum(truth, element="Co", edge_step=1.2)
    made = simulate.series(truth, element="Co", edge_step=1.2, counts=1e5, rows=80)
    pull = (made.spectrum.data.mu - clean.spectrum.mu) / made.spectrum.data.mu_err
    for part in (pull[:, :20], pull[:, -100:]):
        assert np.std(part) == pytest.approx(1.0, abs=5 / np.sqrt(2 * part.size))
    with pytest.raises(DataError, match="leave none behind"):
        simulate.spectrum(truth, element="Co", edge_step=8.0, counts=50)


def test_seed_and_reproducibility(truth: tuple[TruthPath, ...]) -> None:
    a, b, c = (simulate.spectrum(truth, element="Co", noise=1e-3, seed=s).spectrum.mu for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.any(a != c)


def test_glitches_are_where_the_truth_says(truth: tuple[TruthPath, ...]) -> None:
    clean = simulate.spectrum(truth, element="Co")
    made = simulate.spectrum(truth, element="Co", setup=Setup(glitches=5), seed=3)
    off = np.flatnonzero(made.spectrum.mu != clean.spectrum.mu)
    assert tuple(off) == made.truth.glitches[0]
    size = np.abs(made.spectrum.mu - clean.spectrum.mu)[off]
    assert np.all((size > 0.019) & (size < 0.21))


def test_drift_moves_the_spectrum(truth: tuple[TruthPath, ...]) -> None:
    """Recorded energies 0.7 eV too high: the drifted spectrum is the true one, read 0.7 eV lower."""
    plain = simulate.spectrum(truth, element="Co")
    drifted = simulate.spectrum(truth, element="Co", setup=Setup(drift=0.7))
    moved = simulate.spectrum(
        truth, element="Co", energy=plain.spectrum.energy - 0.7, e0=float(plain.truth.e0)
    )
    np.testing.assert_allclose(drifted.spectrum.mu, moved.spectrum.mu, atol=2e-4)
    assert float(drifted.truth.e0) == float(plain.truth.e0)


def test_series_rows_equal_singles(paths: tuple[FeffPath, ...], truth: tuple[TruthPath, ...]) -> None:
    """N, R, E0, drift and edge step change from row to row; row i is the single spectrum of its values.

    2e-6: where the edge moves, unchanged paths are read from a table (relative 1e-7 of chi's largest values).
    """
    m = 4
    t = np.linspace(0, 1, m)
    moving = replace(truth[0], n=N - t, deltar=0.02 * t, sigma2=SIGMA2 + 1e-3 * t)
    far = simulate.rest(paths, beyond=2.5, s02=S02)
    e0, step, drift = 7709.0 + 2 * t, 1 + 0.2 * t, 0.3 * t
    made = simulate.series(
        [moving, *far], element="Co", e0=e0, edge_step=step,
        table={"time": 60 * t}, setup=Setup(drift=drift, resolution=0.8),
    )  # fmt: skip
    assert list(made.spectrum.table["time"]) == [0, 20, 40, 60]
    assert len(made.spectrum) == m
    for i in range(m):
        single = simulate.spectrum(
            [moving.take(i), *far], element="Co", e0=e0[i], edge_step=step[i],
            energy=made.spectrum.data.energy, setup=Setup(drift=drift[i], resolution=0.8),
        )  # fmt: skip
        np.testing.assert_allclose(made.spectrum.row(i).mu, single.spectrum.mu, atol=2e-6)


def test_noise_of_rows_equals_that_of_singles(truth: tuple[TruthPath, ...]) -> None:
    level = np.array([3e-4, 1e-3, 4e-3])
    made = simulate.series(truth, element="Co", noise=level, seed=5)
    for i in range(3):
        single = simulate.spectrum(truth, element="Co", noise=level[i], seed=5 + i)
        np.testing.assert_allclose(made.spectrum.row(i).mu, single.spectrum.mu, rtol=1e-14)
    counted = simulate.series(truth, element="Co", counts=1e6, seed=(7, 9))
    single = simulate.spectrum(truth, element="Co", counts=1e6, seed=9)
    np.testing.assert_allclose(counted.spectrum.row(1).mu, single.spectrum.mu, rtol=1e-14)


def test_blocks_do_not_show(truth: tuple[TruthPath, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    from xasuite.simulate import make

    m = 7
    moving = replace(truth[0], n=np.linspace(4, 6, m))
    whole = simulate.series([moving], element="Co", noise=1e-3).spectrum.data.mu
    monkeypatch.setattr(make, "_BLOCK", 3)
    np.testing.assert_allclose(
        simulate.series([moving], element="Co", noise=1e-3).spectrum.data.mu, whole, rtol=1e-13
    )


def test_truth_is_not_on_the_spectrum(truth: tuple[TruthPath, ...]) -> None:
    made = simulate.spectrum(truth, element="Co", noise=1e-3)
    assert dict(made.spectrum.meta) == {}
    assert made.spectrum.history == ()
    assert made.spectrum.notes == ("simulated",)
    held = [getattr(made.spectrum, f.name) for f in fields(made.spectrum)]
    assert not any(isinstance(v, (simulate.Truth, TruthPath)) for v in held)


def test_scan_grid_is_a_scan() -> None:
    """10 eV before the edge, 0.25-0.5 eV across it, 0.05 1/A beyond, to the k asked for."""
    grid = simulate.scan_grid(7709.0, 12.0) - 7709.0
    steps = np.diff(grid)
    assert np.all(steps > 0)
    assert steps[grid[:-1] < -35] == pytest.approx(10)
    near = steps[(grid[:-1] > -14) & (grid[:-1] < 30)]
    assert near.min() == pytest.approx(0.25)
    assert near.max() == pytest.approx(0.5)
    k = np.sqrt(grid[grid > 40] / KTOE)
    assert np.diff(k) == pytest.approx(0.05)
    assert k[-1] == pytest.approx(12.0)


def test_shell_keeps_mean_and_spread(paths: tuple[FeffPath, ...]) -> None:
    """Three distances, 2+2+2: N in proportion, the mean R and the total variance as asked."""
    parts = simulate.shell(paths, "O", n=5.8, r=1.971, sigma2=5.3e-3, distances=3)
    n = np.array([float(p.n) for p in parts])
    r = np.array([float(p.r) for p in parts])
    assert n == pytest.approx([5.8 / 3] * 3)
    assert np.average(r, weights=n) == pytest.approx(1.971)
    assert np.average((r - 1.971) ** 2, weights=n) + float(parts[0].sigma2) == pytest.approx(5.3e-3)
    with pytest.raises(DataError, match="spreads by"):
        simulate.shell(paths, "O", n=6, r=2, sigma2=1e-5, distances=3)
    with pytest.raises(CrystalError, match="distances of O"):
        simulate.shell(paths, "O", n=6, r=2, sigma2=1e-3, number=80)


def test_debye_model_is_coppers() -> None:
    """Cu at 295 K, 315 K: 0.0083-0.0090 A^2 measured (Larch's example: 0.00867(31)), a quarter less at 150 K or so."""
    first = feff.find_paths("Cu", absorber="Cu", radius=4.0)[0]
    assert 0.0083 < debye(first, 295, 315) < 0.0092
    assert debye(first, 150, 315) < 0.65 * debye(first, 295, 315)
    far = simulate.rest([first], temperature=295, theta=315)
    assert float(far[0].sigma2) == debye(first, 295, 315)


def peaks_of(crystal: str, absorber: str) -> list[float]:
    """Where |chi(R)| of a cluster's paths (k^3, k = 3-12) has maxima above a fifth of its highest, A."""
    from xasuite.exafs import fourier

    found = feff.find_paths(crystal, absorber=absorber, radius=5.0)
    made = simulate.spectrum(
        [TruthPath(p, n=p.degen, sigma2=0.005 if p.reff < 2.1 else 0.007) for p in found], element=absorber
    ).truth
    t = fourier(Chi(k=made.k, chi=made.chi, e0=made.e0, edge_step=1.0), k=(3, 12), kweight=3)
    m = t.magnitude
    top = np.flatnonzero((m[1:-1] > m[:-2]) & (m[1:-1] > m[2:]) & (m[1:-1] > 0.2 * m.max())) + 1
    return [float(r) for r in t.r[top] if r < 2.8]


@pytest.mark.parametrize("absorber", ["Co", "Mn"])
def test_diatomic_site_has_the_published_peaks(absorber: str) -> None:
    """1.4 and 2.5 A, with metals 2.60 A apart in projection; the flat site of 2.50 A has no peak at 2.5."""
    peaks = np.array(peaks_of("L-Co1Mn1-NC", absorber))
    for published in (1.4, 2.5):
        assert np.abs(peaks - published).min() < 0.08
    atoms = feff.load_crystal("L-Co1Mn1-NC")
    apart = atoms.xyz[atoms.symbols.index("Co")] - atoms.xyz[atoms.symbols.index("Mn")]
    assert 2.4 <= np.hypot(*apart[:2]) <= 2.6001
    flat = np.array(peaks_of("L-Co1Mn1-NC_planar", absorber))
    assert np.abs(flat - 2.5).min() > 0.2


MISTAKES = [
    ({"element": "Qq"}, "no K edge of 'Qq' is tabulated"),
    ({"element": "Co", "edge": "Z9"}, "no Z9 edge of 'Co'"),
    ({"element": "Co", "noise": 1e-3, "counts": 1e6}, "not both"),
    ({"element": "Co", "kmax": 2.0}, "kmax = 2 1/A of a simulated scan"),
    ({"element": "Co", "edge_step": -1.0}, "must be positive"),
    ({"element": "Co", "energy": np.linspace(8000, 9000, 300)}, "do not span the edge"),
    ({"element": "Co", "energy": np.linspace(9000, 7000, 300)}, "one ascending row"),
]


@pytest.mark.parametrize(("how", "says"), MISTAKES)
def test_mistakes(truth: tuple[TruthPath, ...], how: dict, says: str) -> None:
    with pytest.raises(DataError) as caught:
        simulate.spectrum(truth, **how)
    assert says in str(caught.value)


def test_mistakes_of_series(paths: tuple[FeffPath, ...], truth: tuple[TruthPath, ...]) -> None:
    three = replace(truth[0], n=np.ones(3))
    with pytest.raises(DataError, match=r"simulate\.series makes them"):
        simulate.spectrum([three], element="Co")
    with pytest.raises(DataError, match="different numbers of rows: 2, 3"):
        simulate.series([three, replace(truth[0], n=np.ones(2))], element="Co")
    with pytest.raises(DataError, match="series of 3, 5 rows"):
        simulate.series([three], element="Co", rows=5)
    with pytest.raises(DataError, match="needs its number of rows"):
        simulate.series(truth, element="Co")
    with pytest.raises(DataError, match="sigma2 is neither"):
        TruthPath(paths[0], sigma2=np.nan)
    for wrong in ({"atomic": "mcmaster"}, {"relative_to": "edge"}, {"resolution": -1}, {"onset": (2, 1)}):
        with pytest.raises(DataError):
            Setup(**wrong)
