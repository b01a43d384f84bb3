"""The expressions of docs/guide/phases.md: counted particles, two phases, polarised crystals."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import CrystalError, SpecError
from xasuite.exafs.audits import audit_fit
from xasuite.exafs.equation import path_chi
from xasuite.expressions import parse
from xasuite.feff import find_paths, select
from xasuite.specs import parse_spec
from xasuite.workflow import run_spec
from xasuite.workflow.resolve import Context

GUIDE = (Path(__file__).parents[2] / "docs/guide/phases.md").read_text(encoding="utf-8")
FCC = np.array([(a, b, c) for a in range(-16, 17) for b in range(-16, 17) for c in range(-16, 17) if (a + b + c) % 2 == 0])  # fmt: skip


def expression(word: str) -> str:
    """The expression for n in the row of the guide's table that begins with a word."""
    found = re.search(rf'^\| {word}[^|]*\| `n = "([^"]+)"', GUIDE, re.M)
    assert found
    return found[1]


def mean_n(atoms: np.ndarray, distance2: int) -> float:
    """The mean number of neighbours at a distance, by counting pairs; fcc in units of half the lattice constant."""
    apart = ((atoms[:, None] - atoms[None]) ** 2).sum(axis=2)
    return float((np.abs(apart - distance2) < 1e-9).sum() / len(atoms))


@pytest.mark.parametrize(("distance2", "degen"), [(2, 12), (4, 6), (6, 24)])
@pytest.mark.parametrize("d", [5.0, 8.0])
def test_spheres_are_counted(distance2: int, degen: int, d: float) -> None:
    """Pairs over atoms of spheres with random centres in a lattice: the formula within the counting error of 400 spheres."""
    rng = np.random.default_rng(1)
    pairs = atoms = 0.0
    for centre in rng.uniform(0, 2, (400, 3)):
        inside = FCC[((FCC - centre) ** 2).sum(axis=1) < (d / 2) ** 2]
        pairs += mean_n(inside, distance2) * len(inside)
        atoms += len(inside)
    n = parse(expression("sphere"))({"degen": degen, "reff": np.sqrt(distance2), "d": d})
    assert pairs / atoms == pytest.approx(n, rel=0.03)


@pytest.mark.parametrize(
    ("shells", "atoms", "printed"), [(1, 13, 5.54), (2, 55, 7.85), (3, 147, 8.98), (4, 309, 9.63)]
)
def test_cuboctahedra_are_counted(shells: int, atoms: int, printed: float) -> None:
    size = np.abs(FCC)
    inside = FCC[(size.max(axis=1) <= shells) & (size.sum(axis=1) <= 2 * shells)]
    assert len(inside) == atoms
    n = parse(expression("fcc cuboctahedron"))({"l": shells})
    assert n == pytest.approx(mean_n(inside, 2), rel=1e-12)
    assert n == pytest.approx(printed, abs=0.006)


def test_fractions_of_two_phases(tmp_path: Path) -> None:
    """chi(k) is Larch's own, 0.3 of CoO and 0.7 of Co: the guide's two [[shells]] give the share back."""
    from larch.xafs import feffpath, path2chi

    k = 0.05 * np.arange(281)
    total = np.zeros(k.size)
    for crystal, share, s2, alpha in (("CoO", 0.3, 0.008, 0.004), ("Co_hcp", 0.7, 0.006, -0.002)):
        for p in find_paths(crystal, absorber="Co", radius=6.0):
            if p.reff > 3.2 or p.relative_amplitude < 2.5:
                continue
            (tmp_path / "feff.dat").write_text(p.text)
            theirs = feffpath(
                str(tmp_path / "feff.dat"),
                degen=share * p.degen,
                s02=0.8,
                e0=1.0,
                deltar=alpha * p.reff,
                sigma2=s2,
            )
            path2chi(theirs, k=k)
            total += theirs.chi
    np.savetxt(tmp_path / "co.chi", np.column_stack([k, total]), header="k chi")
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE, re.S)[0]
    params = "".join(f"{n} = {{ guess = {v} }}\n" for n, v in (("e_oxide", 0.0), ("e_metal", 0.0), ("a_oxide", 0.0), ("a_metal", 0.0), ("ss_oxide", 0.007), ("ss_metal", 0.007)))  # fmt: skip
    head, tail = blocks.split("[[shells]]", 1)
    text = (
        'xasuite = 2\ntitle = "mixture"\nerrors = "fit"\n[[data]]\nlabel = "mix"\nfile = "co.chi"\nkind = "chi"\n[sample]\n'
        f'element = "Co"\n[fit]\nk = [3, 13]\nr = [1.2, 3.2]\n{head}s02 = {{ value = 0.8 }}\n{params}[[shells]]{tail}'
    )
    fit = run_spec(parse_spec(text, tmp_path / "mix.toml"), Context(tmp_path)).rows[0]
    assert fit.parameter("x").value.value == pytest.approx(0.3, abs=1e-3)
    assert fit.parameter("a_metal").value.value == pytest.approx(-0.002, abs=1e-4)


BIMODAL = {"half": 2 / 3, "gap": 0.22, "ss": 0.004, "dr": 0.02}


def bimodal(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """chi(k) of two Gaussian peaks of distances: Larch's own waves at 31 distances of each, by Gauss-Hermite quadrature."""
    from larch.xafs import feffpath, path2chi

    t, k = BIMODAL, 0.05 * np.arange(301)
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    (folder / "feff.dat").write_text(
        select(find_paths("LaMnO3", absorber="Mn", radius=6.0), scatterer="O").text
    )
    total = np.zeros(k.size)
    short, long = t["dr"] - t["gap"] * (1 - t["half"]), t["dr"] + t["gap"] * t["half"]
    for n, at in ((6 * t["half"], short), (6 * (1 - t["half"]), long)):
        for x, w in zip(nodes, weights / weights.sum(), strict=True):
            where = {"deltar": at + x * np.sqrt(t["ss"]), "degen": n * w, "s02": 0.85, "e0": 1.0}
            wave = feffpath(str(folder / "feff.dat"), **where)
            path2chi(wave, k=k)
            total += wave.chi
    return k, total


def test_a_bimodal_shell_comes_back(tmp_path: Path) -> None:
    """The guide's two paths on a distribution of known truth, without noise and with ten draws of it; each fit is Larch's too."""
    k, truth = bimodal(tmp_path)
    params, paths = re.findall(r"```toml\n(.*?)```", GUIDE, re.S)[1].split("[[path]]", 1)
    paths = paths.replace('sigma2 = "ss"', 'sigma2 = "ss"\ns02 = 0.85\ne0 = "enot"')
    text = (
        'xasuite = 2\ntitle = "two"\nerrors = "fit"\n[[data]]\nlabel = "two"\nfile = "two.chi"\nkind = "chi"\n[sample]\n'
        f'element = "Mn"\n[fit]\nk = [3, 13]\nr = [0.8, 2.4]\n{params}dr = {{ guess = 0.0 }}\nss = {{ guess = 0.005 }}\n'
        f"enot = {{ guess = 0.0 }}\n[[path]]{paths}"
    )
    values, errors = [], []
    for seed in range(11):
        noise = np.random.default_rng(seed).normal(0, 1e-3, k.size) if seed else 0.0
        np.savetxt(tmp_path / "two.chi", np.column_stack([k, truth + noise]), header="k chi")
        result = run_spec(parse_spec(text, tmp_path / "two.toml"), Context(tmp_path))
        fit = result.rows[0]
        assert audit_fit(fit, [result.inputs["two"].chi]).difference < 0.01
        values.append([fit.parameter(n).value.value for n in BIMODAL])
        errors.append([fit.parameter(n).value.stderr for n in BIMODAL])
    # without noise what is left is 1/R^2 over the width of a peak, which a cumulant does not hold
    assert values[0] == pytest.approx(list(BIMODAL.values()), rel=3e-3, abs=3e-4)
    drawn = np.array(values[1:])
    scatter = drawn.std(axis=0, ddof=1)
    assert (np.abs(drawn.mean(axis=0) - values[0]) < 3 * scatter / np.sqrt(10)).all()
    # errors of few degrees of freedom, scaled by the misfit: within a factor of 2 in the mean of ten
    assert (np.abs(np.log2(np.mean(errors[1:], axis=0) / scatter)) < 1).all()


@pytest.mark.parametrize("program", ["feff8l", "feff6l"])
def test_a_polarised_cubic_crystal_is_the_mean(program: str) -> None:
    """A second-rank average over a cubic shell is isotropic: the paths of a polarised run add up to the unpolarised chi(k)."""
    k = np.arange(3.0, 14.0, 0.05)
    sums = {}
    for field in ((), (0, 0, 1), (1, 0, 0)):
        paths = find_paths("Cu", absorber="Cu", radius=4.0, program=program, polarization=field)
        first = [p for p in paths if p.nleg == 2 and p.reff < 3]
        sums[field] = sum(path_chi(p, k, n=p.degen, sigma2=0.006).imag for p in first)
        if field == (0, 0, 1):
            assert [p.degen for p in first] == [4, 8]  # at a right angle to the field, and at 45 degrees
            assert "polarization 0 0 1" in first[0].origin
    scale = np.abs(sums[()]).max()
    # FEFF prints amplitudes to four digits, and its own angular average is to 1e-3
    assert np.abs(sums[(0, 0, 1)] - sums[()]).max() < 0.01 * scale
    assert np.abs(sums[(1, 0, 0)] - sums[()]).max() < 0.01 * scale


def test_what_polarisation_refuses() -> None:
    with pytest.raises(CrystalError, match="is no direction"):
        find_paths("Cu", absorber="Cu", radius=4.0, polarization=(0, 0, 0))
    spec = (
        'xasuite = 2\ntitle = "x"\n[[data]]\nlabel = "a"\nfile = "a"\n[sample]\nelement = "Cu"\n[fit]\nk = [3, 12]\nr = [1, 3]\n'
        '[params]\ns = { guess = 1 }\n[[path]]\nlabel = "p"\ncrystal = "Cu"\nscatterer = "Cu"\npolarization = [0, 0, 1]\ns02 = "s"\n'
    )
    with pytest.raises(SpecError, match="differ by their angle"):
        parse_spec(spec, "s.toml")
    with pytest.raises(SpecError, match="is no direction"):
        parse_spec(spec.replace("[0, 0, 1]", "[0, 1]"), "s.toml")
