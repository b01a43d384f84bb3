"""references/standards.toml against the crystal database that its sources name, and against the shipped specs."""

from __future__ import annotations

import re
import tomllib

import pytest

from xasuite.references import fits_dir, references_dir

COMPOUNDS = tomllib.loads((references_dir() / "standards.toml").read_text())["compound"]
LISTED = [c for c in COMPOUNDS if "AMCSD" in c["source"]]


def plain(symbol: str) -> str:
    """A Hermann-Mauguin symbol without blanks, bars, underscores, and the ones of a full monoclinic symbol."""
    parts = symbol.split(":")[0].split()
    full = "".join(p for p in parts if p != "1") if len(parts) == 4 else "".join(parts)
    return re.sub(r"[\s_-]", "", full).lower()


@pytest.mark.parametrize("compound", LISTED, ids=lambda c: c["name"])
def test_the_source_is_of_that_compound_and_space_group(compound: dict) -> None:
    from larixite.amcsd import get_amcsd

    number = int(re.search(r"AMCSD (\d+)", compound["source"]).group(1))
    entry = get_amcsd().get_cif(number)
    symbol = re.search(r"space_group_name_H-M\s+'([^']+)'", entry.ciftext).group(1)
    assert plain(symbol) == plain(compound["space_group"])
    assert str(entry.publication.year) in compound["source"]
    assert str(entry.publication.page_first) in compound["source"]
    assert entry.publication.authors[0].split()[0].lower() in compound["source"].lower()
    assert compound["element"] in re.findall(r"[A-Z][a-z]?", str(entry.formula))


def test_most_compounds_have_a_source_that_can_be_looked_up() -> None:
    assert len(LISTED) >= 15
    assert len({c["name"] for c in COMPOUNDS}) == len(COMPOUNDS)


@pytest.mark.parametrize("compound", COMPOUNDS, ids=lambda c: c["name"])
def test_formal_valences_agree_with_the_specs(compound: dict) -> None:
    """A spec that calls a standard by this name gives it the same formal valence."""
    for path in (fits_dir() / "valence").glob("*.toml"):
        spec = tomllib.loads(path.read_text())
        if spec["calibration"]["element"] == compound["element"]:
            for standard in spec["standard"]:
                if standard["label"].split(" (")[0] == compound["name"]:
                    assert standard["valence"] == pytest.approx(compound["valence"], abs=1e-3), path.name


@pytest.mark.parametrize("name", ["FeO", "CoO", "Co3O4", "MnO", "MnO2", "RuO2", "SnO2"])
def test_the_shipped_crystal_has_the_same_space_group(name: str) -> None:
    compound = next(c for c in COMPOUNDS if c["name"] == name)
    path = references_dir() / "crystals" / f"{name}.cif"
    symbol = re.search(r"space_group_name_H-M\s+'([^']+)'", path.read_text()).group(1)
    assert plain(symbol) == plain(compound["space_group"])
