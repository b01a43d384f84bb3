"""Structures: shipped crystals against bond lengths of the literature, the ways in, and what is refused."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from xasuite.errors import CrystalError, XasuiteWarning
from xasuite.feff import Lattice, available, load_crystal, make_cluster
from xasuite.feff.crystal import Crystal

from .test_sources import CRYSTALS

# crystal, absorber (site), neighbour, {distance in A: atoms} within the radius: textbook or published bond lengths.
BONDS = [
    ("Co_hcp", "Co", "Co", {2.497: 6, 2.507: 6}),
    ("Ru_hcp", "Ru", "Ru", {2.650: 6, 2.704: 6}),
    ("Cu", "Cu", "Cu", {2.556: 12}),
    ("Ni", "Ni", "Ni", {2.492: 12}),
    ("Fe", "Fe", "Fe", {2.482: 8, 2.866: 6}),
    ("CoO", "Co", "O", {2.133: 6}),
    ("NiO", "Ni", "O", {2.084: 6}),
    ("MnO", "Mn", "O", {2.222: 6}),
    ("FeO", "Fe", "O", {2.163: 6}),
    ("Co3O4", "Co1", "O", {1.928: 4}),
    ("Co3O4", "Co2", "O", {1.923: 6}),
    ("LaCoO3", "Co", "O", {1.934: 6}),
    ("RuO2", "Ru", "O", {1.943: 2, 1.984: 4}),
    ("MnO2", "Mn", "O", {1.877: 2, 1.891: 4}),
    ("Mn2O3", "Mn1", "O", {2.003: 6}),
    ("Mn2O3", "Mn2", "O", {1.897: 2, 1.987: 2, 2.242: 2}),
    ("SnO2", "Sn", "O", {2.051: 4, 2.057: 2}),
    ("SnO", "Sn", "O", {2.224: 4}),
    ("Sn", "Sn", "Sn", {3.016: 4, 3.175: 2}),
    ("FeS2", "Fe", "S", {2.264: 6}),
    ("RuCl3", "Ru", "Cl", {2.355: 2, 2.357: 2, 2.358: 2}),
    ("Sr2GdRuO6", "Ru", "O", {1.965: 6}),
    (
        "Sr2GdRuO6",
        "Ru",
        "Gd",
        {4.110: 2, 4.113: 4},
    ),  # c / 2 and the half diagonal of a and b of the published cell
    ("Mn", "Mn1", "Mn", {2.754: 12, 2.811: 4}),
    ("CCRO", "Co", "O", {1.960: 2, 1.962: 2, 1.984: 2}),
    ("CCRO", "Ru", "O", {1.960: 2, 1.962: 2, 1.984: 2}),
    ("Co1-NC", "Co", "N", {1.890: 4}),
    ("Mn1-NC", "Mn", "N", {1.920: 4}),
    ("Co1Mn1-NC", "Co", "N", {1.890: 4}),
    ("Co1Mn1-NC", "Mn", "N", {1.920: 4}),
    ("L-Co1Mn1-NC", "Co", "N", {1.890: 3}),
    ("L-Co1Mn1-NC", "Mn", "N", {1.920: 3}),
    ("L-Co1Mn1-NC", "Co", "Mn", {2.880: 1}),
    ("L-Co1Mn1-NC_planar", "Co", "N", {1.890: 3}),
    ("L-Co1Mn1-NC_planar", "Co", "Mn", {2.500: 1}),
]


def distances(crystal: Crystal, site: str, neighbour: str, radius: float) -> dict[float, int]:
    number = next(n for n, label, element, _ in crystal.sites() if site in (label, element))
    xyz, which = crystal.around(crystal.site.index(number), radius)
    far = np.linalg.norm(xyz, axis=1)
    return dict(
        Counter(
            round(float(d), 3)
            for d, i in zip(far, which, strict=True)
            if d > 0 and crystal.symbols[i] == neighbour
        )
    )


@pytest.mark.parametrize(("name", "site", "neighbour", "expected"), BONDS)
def test_bond_lengths(name: str, site: str, neighbour: str, expected: dict[float, int]) -> None:
    radius = max(expected) + 0.02
    found = distances(load_crystal(name), site, neighbour, radius)
    assert sum(found.values()) == sum(expected.values())
    for distance, atoms in expected.items():
        near = [d for d in found if abs(d - distance) < 0.0015]
        assert near, f"{name}: no {site}-{neighbour} at {distance} A in {found}"
        assert sum(found[d] for d in near) >= atoms


def test_every_shipped_structure_is_tested() -> None:
    assert set(available()) == {name for name, *_ in BONDS} | {path.stem for path in CRYSTALS}


def test_ccro_is_table_s1() -> None:
    """Volume and d(101) of the paper's Table S1; its metal-oxygen distances are rows of BONDS (1.959, 1.962, 1.983)."""
    crystal = load_crystal("CCRO")
    assert crystal.lattice is not None
    assert abs(np.linalg.det(crystal.lattice)) == pytest.approx(224.41, abs=0.01)
    reciprocal = np.linalg.inv(crystal.lattice).T
    d101 = 1 / np.linalg.norm(reciprocal[0] + reciprocal[2])
    assert d101 == pytest.approx(3.836, abs=5e-4)
    assert Counter(crystal.symbols) == {"Ca": 4, "Co": 2, "Ru": 2, "O": 12}


def test_mixed_site_becomes_rock_salt() -> None:
    """Half Co, half Ru: each Co's six metal neighbours across oxygen are Ru, and the note says what was done."""
    crystal = load_crystal("CCRO")
    near = distances(crystal, "Co", "Ru", 3.9)
    assert sum(near.values()) == 6
    assert not distances(crystal, "Co", "Co", 3.9)
    assert crystal.notes == ("site of Co 0.5 Ru 0.5: 2 Co, 2 Ru of 4 positions, like atoms farthest apart",)


def test_vacancies_are_rounded_to_whole_atoms(tmp_path) -> None:
    text = (load_path("FeO")).read_text().replace("Fe1 Fe 0 0 0 1", "Fe1 Fe 0 0 0 0.75")
    file = tmp_path / "wustite.cif"
    file.write_text(text)
    crystal = load_crystal(file)
    assert Counter(crystal.symbols) == {"Fe": 3, "O": 4}
    assert "1 vacant" in crystal.notes[0]


def load_path(name: str):
    from xasuite.references import references_dir

    return references_dir() / "crystals" / f"{name}.cif"


def test_amcsd_offline() -> None:
    """CoO, number 11296: Wyckoff's 4.260 A or so, six oxygens at half of it."""
    crystal = load_crystal("amcsd:11296")
    assert Counter(crystal.symbols) == {"Co": 4, "O": 4}
    assert crystal.lattice is not None
    half = float(np.linalg.norm(crystal.lattice[0])) / 2
    assert distances(crystal, "Co", "O", half + 0.01) == {round(half, 3): 6}


def test_space_group_and_lattice_give_the_same_crystal() -> None:
    lattice = Lattice("Fm-3m", 4.2667, ("Co", "O"), ((0, 0, 0), (0.5, 0.5, 0.5)), name="rock salt")
    ours, shipped = load_crystal(lattice), load_crystal("CoO")
    for crystal in (ours, shipped):
        assert distances(crystal, "Co", "Co", 3.1) == {3.017: 12}
    hcp = load_crystal(Lattice(194, 2.5071, ("Co",), ((1 / 3, 2 / 3, 0.25),), c=4.0686, gamma=120))
    assert distances(hcp, "Co", "Co", 2.6) == {2.497: 6, 2.507: 6}


def test_around_counts_like_the_cell_volume() -> None:
    """Atoms in a large sphere times the volume per atom fill the sphere to 2 %, in a skewed cell too."""
    for name in ("Co_hcp", "RuCl3"):
        crystal = load_crystal(name)
        assert crystal.lattice is not None
        xyz, _ = crystal.around(0, 15.0)
        per_atom = abs(np.linalg.det(crystal.lattice)) / len(crystal.symbols)
        assert len(xyz) * per_atom == pytest.approx(4 / 3 * math.pi * 15.0**3, rel=0.02)


def test_substitution_of_absorber_and_of_all() -> None:
    ru = load_crystal("Ru_hcp")
    one = make_cluster(ru, absorber="Co", radius=5)
    assert one.absorber == "Co"
    assert set(one.symbols[1:]) == {"Ru"}
    every = make_cluster(ru, absorber="Co", radius=5, substitute={"Ru": "Co"})
    assert set(every.symbols) == {"Co"}
    by_label = make_cluster(load_crystal("CCRO"), absorber="Co", radius=4, substitute={"Ru1": "Mn"})
    assert {"Mn", "Co", "Ca", "O"} == set(by_label.symbols)


def test_sites_are_selected_and_the_choice_is_said() -> None:
    spinel = load_crystal("Co3O4")
    assert [site[1:] for site in spinel.sites("Co")] == [("Co1", "Co", 8), ("Co2", "Co", 16)]
    with pytest.warns(XasuiteWarning, match="site Co1; it could be Co2 too"):
        first = make_cluster(spinel, absorber="Co", radius=2.2)
    assert len(first.symbols) == 5
    for site in (2, "2", "Co2"):
        assert len(make_cluster(spinel, absorber="Co", radius=2.2, site=site).symbols) == 7
    assert make_cluster(spinel, absorber="Fe", radius=2.2, site="Co2").absorber == "Fe"


MISTAKES = [
    (lambda: load_crystal("Co_hpc"), "no crystal 'Co_hpc'; did you mean Co_hcp"),
    (lambda: load_crystal("absent.cif"), "absent.cif is no file"),
    (lambda: load_crystal("amcsd:CoO"), "amcsd:CoO is no AMCSD number"),
    (lambda: load_crystal("amcsd:99999999"), "has no crystal 99999999"),
    (lambda: load_crystal(Lattice("Q", 4, ("Co",), ((0, 0, 0),))), "space group Q and this cell make no crystal"),
    (lambda: make_cluster(load_crystal("CCRO"), absorber="Fe"), "CCRO has no Fe; it has Ca1 (site 1)"),
    (lambda: make_cluster(load_crystal("CoO"), absorber="Qq"), "'Qq' is no element"),
    (lambda: make_cluster(load_crystal("CoO"), absorber="Co", site=7), "CoO has no site '7'"),
    (lambda: make_cluster(load_crystal("CoO"), absorber="Co", substitute={"Ru": "Co"}), "it has no 'Ru'"),
    (lambda: make_cluster(load_crystal("CoO"), absorber="Co", radius=1.0), "no atom lies within 1 A"),
]  # fmt: skip


@pytest.mark.parametrize(("do", "says"), MISTAKES, ids=lambda v: v[:25] if isinstance(v, str) else "")
def test_mistakes(do, says: str) -> None:
    with pytest.raises(CrystalError) as caught:
        do()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overlapping_atoms_are_named(tmp_path) -> None:
    file = tmp_path / "bad.xyz"
    file.write_text("3\noverlap\nCo 0 0 0\nO 1.9 0 0\nO 1.9 0.3 0\n")
    with pytest.raises(CrystalError, match=r"atoms O and O are 0\.300 A apart"):
        make_cluster(load_crystal(file), absorber="Co")


def test_files_that_are_no_structure(tmp_path) -> None:
    cif, xyz = tmp_path / "a.cif", tmp_path / "a.xyz"
    cif.write_text("energy mu\n1 2\n")
    xyz.write_text("3\ntwo atoms\nCo 0 0 0\nO 1 1\n")
    for file in (cif, xyz):
        with pytest.raises(CrystalError, match=str(file.name)):
            load_crystal(file)
