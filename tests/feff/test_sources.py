"""The shipped crystals against the American Mineralogist database, entry by entry: cells as their sources have them."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite.feff import load_crystal

# The number under which the database has what the crystal's comment cites
SOURCES = {
    "Co3O4": 7469, "FeO": 13893, "Mn": 9377, "Mn2O3": 9391, "MnO": 7528, "SnO": 9724, "SnO2": 9162, "CoO": 11296,
    "NiO": 11371, "Co_hcp": 11169, "Ru_hcp": 11191, "Sn": 11248, "Ni": 11153, "Cu": 11145, "MnO2": 11760, "RuO2": 9414,
}  # fmt: skip
WRITTEN = 5e-4  # A; a cell is written with four digits, the database has up to five


@pytest.mark.parametrize("name", SOURCES)
def test_cell_is_the_sources(name: str) -> None:
    ours, theirs = load_crystal(name), load_crystal(f"amcsd:{SOURCES[name]}")
    lengths = [np.sort(np.linalg.norm(c.lattice, axis=1)) for c in (ours, theirs)]
    assert lengths[0] == pytest.approx(lengths[1], abs=WRITTEN)
    # as many metal atoms a cell; the database counts bixbyite's iron apart
    if name != "Mn2O3":
        assert sorted(ours.symbols) == sorted(theirs.symbols)
