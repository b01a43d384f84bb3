"""Every project in the data folder as specs: all groups are converted, checked, and those of a known crystal fitted."""

from __future__ import annotations

from pathlib import Path

import pytest

import xasuite as xs
from xasuite.errors import SpecError
from xasuite.io.projects import read_project
from xasuite.workflow import check_spec
from xasuite.workflow.convert import convert

# each Athena project with a crystal that has its element, and how many groups it holds
PROJECTS = {
    "formats/athena/athena_json.prj": ("Au", 17),
    "formats/athena/fe_athena.prj": ("FeO", 3),
    "series/NiO_drift/NiO.prj": ("NiO", 24),
    "series/SnO2_TPR/catxas_results/Sn Refs vs Spectra vs MCRALS ES.prj": ("SnO2", 14),
    "standards/Co_oxides.prj": ("CoO", 3),
    "standards/Fe_oxides.prj": ("FeO", 4),
    "standards/Mn_oxides.prj": ("MnO", 16),
    "standards/Ni_oxide.prj": ("NiO", 2),
    "standards/RuO2.prj": ("RuO2", 1),
}
# groups that are a shipped crystal
FITTED = [
    ("formats/athena/athena_json.prj", "Au foil", "Au"),
    ("series/NiO_drift/NiO.prj", "NiO.001", "NiO"),
    ("series/SnO2_TPR/catxas_results/Sn Refs vs Spectra vs MCRALS ES.prj", "SnFoil_20210614_merge", "Sn"),
    ("series/SnO2_TPR/catxas_results/Sn Refs vs Spectra vs MCRALS ES.prj", "SnO2_20210614_merge", "SnO2"),
    ("standards/Co_oxides.prj", "Co-foil", "Co_hcp"),
    ("standards/Co_oxides.prj", "CoO", "CoO"),
    ("standards/Fe_oxides.prj", "Fe foil", "Fe"),
    ("standards/Mn_oxides.prj", "MnO", "MnO"),
    ("standards/Mn_oxides.prj", "Pyrolusite", "MnO2"),
    ("standards/Ni_oxide.prj", "Ni_foil", "Ni"),
    ("standards/Ni_oxide.prj", "NiO", "NiO"),
    ("standards/RuO2.prj", "RuO2", "RuO2"),
]
pytestmark = pytest.mark.filterwarnings("ignore::xasuite.errors.XasuiteWarning")


def test_no_project_is_left_out(data_root: Path) -> None:
    there = {str(p.relative_to(data_root)) for p in data_root.rglob("*.prj")}
    assert there == PROJECTS.keys()


@pytest.mark.parametrize("project", PROJECTS)
def test_every_group(project: str, data_root: Path, tmp_path: Path) -> None:
    crystal, groups = PROJECTS[project]
    done = convert(data_root / project, tmp_path / "bare")
    assert (len(done.specs), dict(done.refused), done.runs) == (groups, {}, False)
    for spec in done.specs:
        with pytest.raises(SpecError) as caught:
            check_spec(xs.load_spec(spec))
        assert len(caught.value.mistakes) == 1
        assert "no [[path]] and no [[shells]]: write one" in caught.value.mistakes[0]
    done = convert(data_root / project, tmp_path / "whole", crystal=crystal)
    assert (len(done.specs), dict(done.refused), done.runs) == (groups, {}, True)
    for spec, group in zip(done.specs, read_project(data_root / project).groups, strict=True):
        check_spec(xs.load_spec(spec))
        text = spec.read_text(encoding="utf-8")
        for sentence in group.lost:
            assert f"# Not carried over: {sentence}.\n" in text


@pytest.mark.parametrize(("project", "group", "crystal"), FITTED, ids=[f"{g} {c}" for _, g, c in FITTED])
def test_known_crystals(project: str, group: str, crystal: str, data_root: Path, tmp_path: Path) -> None:
    """R of the first shell is the crystal's within 0.03 A: what beamlines' energy scales and FEFF's phases leave."""
    spec = xs.load_spec(convert(f"{data_root / project}::{group}", tmp_path, crystal=crystal).specs[0]).spec
    result = xs.fit(spec, data_root=tmp_path)
    row = result.rows[0]
    first = row.model.paths[0].feff.crystal[1]
    assert row.paths[0].r.value == pytest.approx(first, abs=0.03)
    assert row.rfactor < 0.02
