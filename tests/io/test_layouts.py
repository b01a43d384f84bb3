"""Layouts that a user wrote down once: found by the columns, after what the user asks, named in the notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError
from xasuite.io import layouts

from .test_read_rules import ENERGY, columns, mu_of

LAYOUT = """
[[layout]]
name = "line 9"
columns = ["Det 1", "det2", "enc"]
energy = "enc"
units = "keV"
mu = "ln(det_1/det2)"
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "layouts.toml"
    monkeypatch.setattr(layouts, "path", lambda: file)
    file.write_text(LAYOUT)
    return file


def scan_file(folder: Path, labels: str = "det_1 det2 enc aux") -> Path:
    rng = np.random.default_rng(3)
    i0 = rng.poisson(1e6, ENERGY.size) * 1.0
    it = rng.poisson(i0 * np.exp(-mu_of(ENERGY))) * 1.0
    return columns(folder / "a.dat", i0, it, ENERGY / 1000, 0.7 * i0 * mu_of(ENERGY), labels=labels)


def test_a_layout_says_what_the_columns_are(written: Path, tmp_path: Path) -> None:
    scan = io.read(scan_file(tmp_path))
    assert scan.mu_expr == "ln(det_1/det2)"
    assert np.allclose(scan.energy, ENERGY)
    assert 'read by the layout "line 9" of layouts.toml' in scan.notes
    assert io.read(scan_file(tmp_path), mu="aux/det_1").mu_expr == "aux/det_1"  # what is asked goes first
    other = io.read(scan_file(tmp_path, "i0 it energy_keV aux"))
    assert not any("layout" in n for n in other.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[layout]]\ncolumns = ['a']\nmuu = 'a'",
            "layout 1: there is no key 'muu'; there are name, columns, element",
        ),
        ("[[layout]]\nmu = 'a'", "columns is a list of names"),
        ("[[layout]\n", "layouts.toml: Expected"),
    ],
)
def test_a_wrong_layout_is_one_sentence(written: Path, tmp_path: Path, text: str, message: str) -> None:
    written.write_text(text)
    with pytest.raises(ReadError, match=message):
        io.read(scan_file(tmp_path))


def test_the_command_lists_them(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from xasuite.cli import main

    with pytest.raises(SystemExit):
        main(["layouts"])
    out = capsys.readouterr().out
    assert str(written) in out
    assert "line 9: columns Det 1, det2, enc: mu = ln(det_1/det2), energy = enc, units = keV" in out


def test_a_name_that_contradicts_the_jump_is_said(tmp_path: Path) -> None:
    """A metal's name in the name of a file is no evidence: the jump decides, and the difference is noted."""
    noisy = mu_of(ENERGY) + 1e-3 * np.random.default_rng(0).normal(size=ENERGY.size)
    scan = io.read(columns(tmp_path / "Co_foil.dat", ENERGY, noisy, labels="energy mu"))
    assert (scan.element, scan.edge) == ("Fe", "K")
    assert any("file's name suggests Co, and mu jumps at 71" in n for n in scan.notes)


def test_combined_l_edges(tmp_path: Path) -> None:
    energy = np.arange(690.0, 790.0, 0.1)
    white = np.exp(-(((energy - 707) / 1.2) ** 2)) + 0.5 * np.exp(-(((energy - 720) / 1.5) ** 2))
    mu = 0.1 + 0.6 / (1 + np.exp(-(energy - 708) / 0.6)) + 0.3 / (1 + np.exp(-(energy - 721) / 0.6)) + white
    head = "# Element.symbol: Fe\n# Element.edge: L2,3"
    scan = io.read(columns(tmp_path / "a.dat", energy, mu, labels="energy mu", header=head))
    assert (scan.element, scan.edge) == ("Fe", "L3")
    assert any("edge L2,3: the L3 edge is taken" in n for n in scan.notes)


def test_header_name_and_jump_are_held_against_each_other(tmp_path: Path) -> None:
    """A header that says Fe in a file called Co foil: read as Fe, and said; a header of another element too."""
    energy = np.linspace(6900.0, 7900.0, 501)
    mu = 0.5 + np.arctan((energy - 7112) / 2) / np.pi
    rows = "\n".join(f"{e:.2f} {m:.6f}" for e, m in zip(energy, mu, strict=True))
    head = "# XDI/1.0\n# Column.1: energy eV\n# Column.2: mutrans\n# Element.symbol: {}\n# Element.edge: K\n# ---\n"
    notes = {}
    for element in ("Fe", "Co"):
        path = tmp_path / f"Co foil {element}.xdi"
        path.write_text(head.format(element) + rows + "\n")
        scan = io.read(path)
        assert scan.element == element
        notes[element] = " ".join(scan.notes)
    named = tmp_path / "Co_foil.xdi"
    named.write_text(head.format("Fe") + rows + "\n")
    assert "the file's name suggests Co, and mu jumps at 711" in " ".join(io.read(named).notes)
    assert "from the tabulated Co K edge: the energy scale is off or the element is another" in notes["Co"]
