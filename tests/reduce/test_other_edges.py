"""Another element's edge in a scan is found where there is one, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite import reduce
from xasuite.records import Spectrum

from .test_edge_step import known

CLEAN = (
    "foils/Co_foil_QAS.dat", "foils/Cu_foil_QAS.dat", "foils/Fe_foil_APS.xdi", "foils/Mn_foil_QAS.dat", "foils/Ru_foil_QAS.dat",
    "standards/Co_oxides.prj::CoO", "standards/Ni_oxide.prj::NiO", "standards/Fe_xdi/FeO_rt_01.xdi",
    "standards/Mn_oxides.prj::Rhodochrosite", "formats/xdi/pt_metal_rt.xdi", "formats/beamlines/PF9A_2022.dat",
)  # fmt: skip


@pytest.mark.parametrize(("jump", "seen"), [(0.02, True), (0.0, False)])
def test_a_jump_that_was_put_in(jump: float, seen: bool) -> None:
    s = known("Mn", "K", end=900, noise=2e-4, step=1.0)
    with_iron = replace(s, mu=s.mu + jump * (0.5 + np.arctan((s.energy - 7114) / 2) / np.pi))
    found = reduce.other_edges(xs.normalize(with_iron, e0=6539.0))
    assert [e.element for e in found] == (["Fe"] if seen else [])
    if seen:
        assert found[0].jump == pytest.approx(jump, rel=0.25)
        assert found[0].k == pytest.approx(12.26, abs=0.02)
        assert "a K edge of Fe at 7112 eV" in str(found[0])


@pytest.mark.parametrize("name", CLEAN)
def test_foils_and_pure_oxides_have_none(data_root: Path, name: str) -> None:
    assert reduce.other_edges(xs.normalize(xs.read(f"{data_root}/{name}").mu())) == ()


def test_iron_in_a_manganese_oxide(data_root: Path) -> None:
    found = reduce.other_edges(xs.normalize(xs.read(f"{data_root}/standards/Mn_oxides.prj::MnO").mu()))
    assert [(e.element, round(e.jump, 2)) for e in found] == [("Fe", 0.02)]


def test_a_spectrum_of_no_element_has_none() -> None:
    s = known("Mn", "K")
    plain = Spectrum(energy=s.energy, mu=s.mu)
    assert reduce.other_edges(xs.normalize(plain, e0=6539.0)) == ()
