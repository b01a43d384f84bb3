"""From the contour to a spectrum, and a spectrum beside a measurement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from xasuite.errors import FeffError, ReadError, TheoryError
from xasuite.feff import Crystal, load_crystal, make_cluster
from xasuite.feff import potentials as pot
from xasuite.feff.pad import decode
from xasuite.records import Normalized
from xasuite.theory import (
    TheoryXanes,
    broaden,
    compare,
    compute_grid,
    converge,
    difference,
    fit_structure,
    measured_apart,
    rank,
    read_fdmnes,
    read_xmu,
    theory_xanes,
    write_fdmnes,
    write_feff,
)
from xasuite.theory.broadening import fermi_cut
from xasuite.theory.comparison import estimate_noise
from xasuite.theory.fit import move
from xasuite.theory.xanes import LIMITS


def as_measured(
    theory: TheoryXanes, *, gauss: float = 2.0, shift: float = 3.0, noise: float = 0.0
) -> Normalized:
    """A measurement made of a theory: known shift, scale 1 and Gaussian."""
    mu = theory.broadened(gauss=gauss).mu
    mu = mu + np.random.default_rng(3).normal(0, noise, mu.size) if noise else mu
    energy = theory.energy + 7709.0 + shift
    wide = np.concatenate([energy[0] - np.arange(10, 0, -1.0), energy, energy[-1] + np.arange(1, 10.0)])
    flat = np.interp(wide, energy, mu)
    return Normalized(
        energy=wide, mu=flat, norm=flat, flat=flat, e0=np.array(7709.0), edge_step=np.array(1.0), label="made"
    )


@pytest.fixture(scope="module")
def copper() -> TheoryXanes:
    return theory_xanes("Cu", absorber="Cu", radius=4.5, scf=False)


@pytest.fixture(scope="module")
def phases() -> pot.Phases:
    return pot.compute_phases(make_cluster(load_crystal("Cu"), absorber="Cu", radius=7.0), scf=False)


def test_packed_numbers() -> None:
    """Three numbers of FEFF's own file whose values xsect.json and the log give in plain digits."""
    assert decode("Q%%%%%%%") == pytest.approx([0.0])
    assert decode("R1;-}UGi") == pytest.approx([-0.1387900788789557], rel=1e-9)
    with pytest.raises(FeffError, match="no whole number"):
        decode("R1;-}UG")
    with pytest.raises(FeffError, match="outside base 90"):
        decode("R1;-}UG\x10")


def test_phase_file_agrees_with_xsect(phases: pot.Phases) -> None:
    """Two files of FEFF hold the mesh, one packed, one in plain digits."""
    assert phases.energy.shape == (118,)
    assert phases.n_edge == 97
    y = phases.energy.imag[: phases.n_edge] * pot.HARTREE
    assert y == pytest.approx(phases.gamma / 2, rel=1e-6)  # the mesh lies a half width above the axis
    assert phases.energy[phases.n_edge :].real * pot.HARTREE == pytest.approx(phases.fermi, abs=1e-5)
    assert (phases.wavenumber.imag >= 0).all()
    with pytest.raises(FeffError, match=r"phase.pad"):
        pot.parse_phase_pad("not a file of phases\n")
    with pytest.raises(FeffError, match=r"xsect.json"):
        pot.parse_xsect("{}")


@pytest.mark.parametrize("at", [-5.0, 0.0, 1.3, 4.2, 9.0, 30.0])
def test_fermi_cut_is_the_integral(at: float) -> None:
    """A pole below the axis, cut at E_F and widened: against the integral along the real axis."""
    y, fermi = 0.8, 1.3
    mesh = np.concatenate([np.linspace(-12, 160, 3000) + 1j * y, fermi + 1j * np.linspace(0.01, 5, 200)])

    def f(z: complex) -> complex:
        return 1 / (4.2 - z - 1.5j) + 0.3

    out = fermi_cut(mesh, f(mesh)[None], 3000, fermi, np.array([at]))[0, 0].imag

    def kernel(e: float) -> float:
        return f(e).imag * y / ((at - e) ** 2 + y * y) / np.pi

    middle = max(at, fermi) + 20
    expected = (
        quad(kernel, fermi, middle, points=[max(at, fermi + 1e-9)], limit=500)[0]
        + quad(kernel, middle, np.inf)[0]
    )
    assert out == pytest.approx(expected, rel=5e-4)


def test_fermi_cut_of_a_constant_is_an_arctangent() -> None:
    y, fermi = 0.9, 0.0
    mesh = np.concatenate([np.linspace(-10, 90, 400) + 1j * y, 1j * np.linspace(0.05, 5, 20)])
    energy = np.linspace(-9, 80, 50)
    out = fermi_cut(mesh, np.full((1, mesh.size), 1j), 400, fermi, energy)[0].imag
    assert out == pytest.approx(0.5 + np.arctan(energy / y) / np.pi, abs=1e-12)


def test_broadening_keeps_what_it_must() -> None:
    energy = np.arange(-10, 80.1, 0.25)
    flat = np.ones_like(energy)
    assert broaden(energy, flat, gauss=2.0, lorentz=0.1) == pytest.approx(flat)
    step = (energy >= 20).astype(float)
    from scipy.special import ndtr

    smooth = broaden(energy, step, gauss=2.0)
    assert smooth == pytest.approx(
        ndtr((energy - 19.875) / 2.0), abs=2e-3
    )  # the step lies between two points


def test_bare_atom_has_no_structure(copper: TheoryXanes) -> None:
    late = copper.energy > 20
    assert copper.atom[late].std() < 0.2 * copper.mu[late].std()
    assert np.abs(copper.mu[copper.energy < -8]).max() < 0.1
    assert copper.limits == LIMITS
    assert copper.meta["kind"] == "theory"


def test_cached_spectrum_is_the_same(copper: TheoryXanes) -> None:
    again = theory_xanes("Cu", absorber="Cu", radius=4.5, scf=False)
    assert np.array_equal(again.mu, copper.mu)
    assert again.key == copper.key


def test_compare_recovers_what_was_put_in(copper: TheoryXanes) -> None:
    c = compare(copper, as_measured(copper, shift=3.3), gauss=2.0)
    assert c.values["shift"] == pytest.approx(3.3, abs=0.02)
    assert c.values["scale"] == pytest.approx(1.0, abs=1e-3)
    assert c.rfactor < 1e-6 < 1e-3 < c.rfactor_atom
    assert c.fitted == ("shift", "scale")


def test_compare_fits_gauss_and_stretch(copper: TheoryXanes) -> None:
    made = as_measured(copper, gauss=1.4)
    c = compare(copper, made, gauss=2.5, free=("shift", "scale", "gauss", "stretch"))
    assert c.values["gauss"] == pytest.approx(1.4, abs=0.05)
    assert c.values["stretch"] == pytest.approx(1.0, abs=0.002)
    assert set(c.stderr) <= {"shift", "scale", "gauss", "stretch"}
    with pytest.raises(TheoryError, match="'width' cannot be fitted"):
        compare(copper, made, free=("width",))


def test_noise_of_r_is_what_repeats_show(copper: TheoryXanes) -> None:
    """The spread of R_a - R_b over repeated noise against the formula of `rank`."""
    other = theory_xanes("Cu", absorber="Cu", radius=2.7, scf=False)
    other = replace(other, label="13 atoms")
    made = as_measured(copper)
    noise, rng, found = 0.02, np.random.default_rng(8), []
    predicted = rank([copper, other], made, noise=noise)[1].noise
    on_grid = np.arange(made.energy[0], made.energy[-1], 0.5)
    clean = np.interp(on_grid, made.energy, made.flat)
    for _ in range(40):
        flat = clean + rng.normal(0, noise, on_grid.size)
        noisy = Normalized(
            energy=on_grid, mu=flat, norm=flat, flat=flat, e0=np.array(7709.0), edge_step=np.array(1.0)
        )
        found.append(compare(other, noisy).rfactor - compare(copper, noisy).rfactor)
    # 40 repeats give a standard deviation to 11 %; three of those.
    assert np.std(found) == pytest.approx(predicted, rel=0.34)


def test_rank_and_difference(copper: TheoryXanes) -> None:
    other = replace(theory_xanes("Fe", absorber="Fe", radius=4.2, scf=False), label="Fe")
    ranked = rank([other, copper], as_measured(copper, noise=0.005))
    assert [r.comparison.label for r in ranked] == ["Cu", "Fe"]
    assert ranked[1].excluded
    assert not ranked[0].excluded
    d = difference(copper, other)
    assert d.rms > 0.01
    assert difference(copper, copper).rms < 1e-6


def test_noise_is_estimated() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(0, 70, 141)
    assert estimate_noise(np.sin(x / 5) + rng.normal(0, 0.01, x.size)) == pytest.approx(0.01, rel=0.3)


def test_radius_study() -> None:
    study = converge("Cu", absorber="Cu", most=6.3, tolerance=0.03, shells=5, scf=False)
    assert study.change[-1] == 0
    assert study.change[0] > study.change[-2]
    assert all(a < b for a, b in zip(study.atoms, study.atoms[1:], strict=False))
    assert "edge jump" in str(study)


def test_sites_are_averaged_by_multiplicity() -> None:
    """Hematite-like cell with two inequivalent Fe (4 to 2): the average is that of the single sites."""
    from xasuite.feff import Lattice

    cell = Lattice(
        "P4/mmm", 3.9, ("Fe", "Fe", "O"), ((0, 0, 0), (0.5, 0, 0.5), (0.5, 0.5, 0)), c=4.0, name="two"
    )
    crystal = load_crystal(cell)
    both = theory_xanes(crystal, absorber="Fe", radius=3.0, scf=False)
    counts = {label: n for _, label, _, n in crystal.sites("Fe")}
    assert len(counts) == 2
    total = sum(counts.values())
    assert dict(both.sites) == pytest.approx({k: n / total for k, n in counts.items()})
    parts = [theory_xanes(crystal, absorber="Fe", radius=3.0, scf=False, site=s) for s in counts]
    low, high = (
        np.minimum(*(p.broadened(gauss=3).mu for p in parts)),
        np.maximum(*(p.broadened(gauss=3).mu for p in parts)),
    )
    middle = both.broadened(gauss=3).mu
    # Sites are shifted by their own edge energies before the sum, so the envelope holds but for that shift.
    assert ((middle > low - 0.1) & (middle < high + 0.1)).all()


def bond(r: float) -> Crystal:
    xyz = np.array([[0, 0, 0], [2, 0, 0], [-2, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 2], [0, 0, -2.0]])
    crystal = Crystal(
        "CoO6", ("Co", *"OOOOOO"), xyz, None, tuple(range(1, 8)), tuple(f"a{i}" for i in range(7))
    )
    return move(crystal, range(1, 7), r)


def test_a_bond_length_is_fitted() -> None:
    """A spectrum computed at 2.03 A between grid points, blind: found within its error and 0.01 A."""
    grid = compute_grid(
        bond, {"r": [1.9, 1.95, 2.0, 2.05, 2.1]}, absorber="Co", label="CoO6", radius=4, scf=False
    )
    truth = theory_xanes(bond(2.03), absorber="Co", radius=4, scf=False)
    fit = fit_structure(grid, as_measured(truth, noise=0.01))
    best = fit.best
    assert best.determined["r"]
    assert best.best["r"] == pytest.approx(2.03, abs=0.01)
    x, p = best.marginal("r")
    assert np.trapezoid(p, x) == pytest.approx(1)
    between = broaden(grid.energy, grid.at(r=2.03), gauss=2.0)
    assert between == pytest.approx(truth.broadened(gauss=2.0).mu, abs=0.03)
    with pytest.raises(TheoryError, match="outside the computed grid"):
        grid.at(r=2.5)


def test_a_fit_says_when_it_cannot_tell() -> None:
    """Two models that are the same one cannot be told apart, and a narrow grid says nothing."""
    grid = compute_grid(
        bond, {"r": [1.999, 2.0, 2.001, 2.002]}, absorber="Co", label="A", radius=4, scf=False
    )
    truth = theory_xanes(bond(2.0), absorber="Co", radius=4, scf=False)
    fit = fit_structure([grid, replace(grid, label="B")], as_measured(truth, noise=0.05))
    assert fit.best.probability == pytest.approx(0.5)
    assert any("cannot tell A from B" in s for s in fit.sentences)
    assert any("cannot tell r between" in s for s in fit.sentences)


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(TheoryError, match="K edges, not L3"):
        theory_xanes("Cu", absorber="Cu", edge="L3", scf=False)
    with pytest.raises(TheoryError, match=r"no atom lies within 1 A of the absorber.*2.56 A"):
        theory_xanes("Cu", absorber="Cu", radius=1.0, scf=False)
    from xasuite.errors import CrystalError

    with pytest.raises(CrystalError, match="has no Zn"):
        theory_xanes("CCRO", absorber="Zn", scf=False)
    near = Crystal("near", ("Co", "O"), np.array([[0, 0, 0], [0, 0, 0.4]]), None, (1, 2), ("Co1", "O1"))
    with pytest.raises(CrystalError, match="overlap"):
        theory_xanes(near, absorber="Co", scf=False)
    heavy = Crystal("heavy", ("Cf", "O"), np.array([[0, 0, 0], [0, 0, 2.4]]), None, (1, 2), ("Cf1", "O1"))
    with pytest.raises(TheoryError, match=r"Cf \(Z = 98\) lies beyond feff8l's tables"):
        theory_xanes(heavy, absorber="Cf", scf=False)


def test_scf_that_does_not_converge_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two iterations are too few for anything; both mixings are tried and named."""
    monkeypatch.setattr(pot, "SCF_ITERATIONS", 2)
    cluster = make_cluster(load_crystal("Ni"), absorber="Ni", radius=3.0)
    with pytest.raises(
        TheoryError, match=r"SCF does not converge with any mixing of 0.2, 0.05; correct the structure"
    ):
        pot.compute_phases(cluster, scf_radius=2.6)


def test_self_consistent_potentials() -> None:
    phases = pot.compute_phases(make_cluster(load_crystal("Cu"), absorber="Cu", radius=3.0), scf_radius=2.6)
    assert phases.scf
    assert "self-consistent after" in phases.notes[-1]


def test_input_for_others(tmp_path: Path) -> None:
    (path,) = write_feff("CoO", tmp_path / "feff.inp", absorber="Co", radius=5.0)
    text = path.read_text()
    for card in ("XANES 5.0", "FMS 5", "COREHOLE RPA", "POTENTIALS", "ATOMS"):
        assert card in text
    job, names = write_fdmnes("CoO", tmp_path / "job.inp", absorber="Co", radius=5.0)
    said = job.read_text()
    assert "Z_absorber" in said
    assert "27" in said
    assert "Crystal" in said
    assert names.read_text().splitlines() == ["1", "job.inp"]
    with pytest.raises(TheoryError, match="feff9, feff10 and fdmnes"):
        write_feff("CoO", tmp_path / "x.inp", absorber="Co", program="feff11")


def test_output_of_others(tmp_path: Path, copper: TheoryXanes) -> None:
    e = np.linspace(-10, 80, 200)
    mu, mu0 = np.interp(e, copper.energy, copper.mu), np.interp(e, copper.energy, copper.atom)
    xmu = tmp_path / "xmu.dat"
    rows = np.column_stack([e + 8979, e, np.sqrt(np.abs(e)), mu * 3, mu0 * 3, mu - mu0])
    np.savetxt(xmu, rows, header="XMU.DAT  omega e k mu mu0 chi")
    read = read_xmu(xmu, absorber="Cu")
    assert compare(read, as_measured(copper)).rfactor < 1e-4
    out = tmp_path / "job_conv.txt"
    np.savetxt(out, np.column_stack([e, mu]), header="Energy <xanes>", comments="   ")
    assert compare(read_fdmnes(out), as_measured(copper)).correlation > 0.999
    with pytest.raises(ReadError, match=r"xmu\.dat"):
        read_xmu(out)
    # photon energies, under the first line that FDMNES writes (its keys shortened)
    first = (
        f"{8979.0:.4E}  29  1  1  0.0E+00 = E_edge, Z, n_edge, j_edge, Abs_before_edge\n   Energy    <xanes>"
    )
    np.savetxt(out, np.column_stack([e + 8979, mu]), header=first, comments="")
    assert compare(read_fdmnes(out), as_measured(copper)).correlation > 0.999
    np.savetxt(out, np.column_stack([e + 8979, mu]), header="Energy <xanes>", comments="   ")
    with pytest.raises(ReadError, match="are photon energies, and no first line with E_edge"):
        read_fdmnes(out)


def test_a_given_shift_is_held(copper: TheoryXanes) -> None:
    made = as_measured(copper, shift=3.3)
    right, wrong = compare(copper, made, shift=3.3), compare(copper, made, shift=1.3)
    assert right.values["shift"] == 3.3
    assert right.fitted == wrong.fitted == ("scale",)
    assert right.rfactor < 1e-6 < 1e-3 < wrong.rfactor


def test_measured_spectra_apart(copper: TheoryXanes) -> None:
    """A spectrum moved and scaled is none apart from itself; copper's edge on a bare atom's is."""
    one, moved = as_measured(copper), as_measured(copper, shift=2.0)
    moved = replace(moved, norm=1.1 * moved.norm, flat=1.1 * moved.flat)
    assert measured_apart(one, moved) < 1e-5
    bare = as_measured(replace(copper, mu=copper.atom))
    assert measured_apart(one, bare) == pytest.approx(compare(copper, one).rfactor_atom, rel=0.1)
