"""feffNNNN.dat as a record, and `xasuite paths` as a user types it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xasuite.cli import main
from xasuite.errors import FeffError
from xasuite.feff import find_paths, parse_feff_dat, read_feff_dat
from xasuite.feff.search import counterpart


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """`xasuite paths ...` in this process: exit code, standard output, standard error."""
    # main puts its own in place; it is given back at the end.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["paths", *words])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.mark.parametrize("program", ["feff8l", "feff6l"])
def test_equals_larchs_reading(program: str, tmp_path: Path) -> None:
    """Columns, geometry and header of single and multiple scattering as Larch reads them."""
    from larch.xafs import feffpath

    paths = find_paths("CoO", absorber="Co", radius=4.0, program=program)
    for path in (paths[0], next(p for p in paths if p.nleg == 3)):
        file = tmp_path / "feff0001.dat"
        file.write_text(path.text)
        theirs = feffpath(str(file))._feffdat
        for name in ("k", "pha", "amp", "lam", "rep"):
            np.testing.assert_allclose(getattr(path, name), getattr(theirs, name), rtol=1e-12)
        assert (path.reff, path.degen, path.nleg) == (theirs.reff, theirs.degen, theirs.nleg)
        assert [leg.symbol for leg in path.legs] == [atom[0] for atom in theirs.geom]
        assert read_feff_dat(file).sha256 == path.sha256


def test_measured_projects_feff_dat(data_root: Path) -> None:
    """feffcu01.dat of Larch's own example: written by another FEFF, 12 Cu at 2.5478 A."""
    path = read_feff_dat(next((data_root / "published" / "Cu").rglob("feffcu01.dat")))
    assert (path.nleg, path.degen) == (2, 12)
    assert path.reff == pytest.approx(2.5478, abs=0.01)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    text = find_paths("Cu", absorber="Cu", radius=3.0)[0].text
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.strip().startswith("---"))
    for damaged in ("", "1 2 3\n", "\n".join(lines[: rule + 3]), "\n".join([*lines[:-1], "0.1 nonsense"])):
        with pytest.raises(FeffError, match=r"here is not a feffNNNN\.dat"):
            parse_feff_dat(damaged, "here")
    with pytest.raises(FeffError, match="cannot be read"):
        read_feff_dat(tmp_path / "absent.dat")


Command = Callable[..., tuple[int, str, str]]


def test_command_lists_paths(command: Command) -> None:
    code, out, err = command("Ru_hcp", "--absorber", "Co", "--radius", "4")
    assert code == 0, err
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert rows[0] == ["1", "Ru", "6", "2.6496", "2", "100.00", "Ru", "1*"]
    assert rows[1][:5] == ["2", "Ru", "6", "2.7039", "2"]


def test_command_prints_one_json_document(command: Command) -> None:
    _, out, _ = command("CCRO", "--absorber", "Ru", "--radius", "3", "--substitute", "Ca=Sr", "--json")
    document = json.loads(out)
    assert list(document) == ["crystal", "origin", "paths"]
    assert document["paths"][0] == {
        "index": 1, "atoms": ["O"], "degeneracy": 2.0, "reff": 1.9595, "legs": 2, "relative_amplitude": 100.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Co_hpc", "--absorber", "Co"), "xasuite: no crystal 'Co_hpc'; did you mean Co_hcp"),
        (
            ("CoO", "--absorber", "Co", "--substitute", "Ru"),
            "xasuite: --substitute 'Ru' is not of the form Ru=Co",
        ),
        (("CCRO", "--absorber", "Fe"), "xasuite: CCRO has no Fe; it has Ca1 (site 1), Ru1 (site 2)"),
    ],
)
def test_mistakes_are_one_line(command: Command, words: tuple[str, ...], says: str) -> None:
    code, out, err = command(*words)
    assert (code, out) == (1, "")
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_paths_of_two_programs_are_matched_by_their_atoms() -> None:
    """FEFF6 and FEFF8 number the paths of rutile each in its own way; half length, elements and count say which belong together."""
    ours, theirs = (
        find_paths("TiO2_rutile", absorber="Ti", radius=4.0, program=p) for p in ("feff8l", "feff6l")
    )
    found = [(path, counterpart(path, theirs)) for path in ours]
    pairs = [(path, other) for path, other in found if other is not None]
    assert len(pairs) > 10
    assert any(path.index != other.index for path, other in pairs)
    for path, other in pairs:
        assert other.reff == pytest.approx(path.reff, abs=1e-3)
        assert sorted(other.scatterers) == sorted(path.scatterers)
        assert other.nleg == path.nleg
    # every single-scattering path is in both
    assert all(other is not None for path, other in found if path.nleg == 2)


def test_a_path_is_known_turned_and_the_other_way_round_and_not_by_its_length_alone() -> None:
    path = next(
        p
        for p in find_paths("TiO2_rutile", absorber="Ti", radius=4.0)
        if p.nleg == 3 and len(set(p.scatterers)) == 2
    )
    turn = Rotation.from_euler("xyz", (0.3, 1.1, -0.7))
    legs = tuple(replace(leg, xyz=tuple(turn.apply(leg.xyz))) for leg in (path.legs[0], *path.legs[:0:-1]))
    turned = replace(path, index=99, legs=legs)
    # the same length and elements with the first bond 0.1 A longer and the second as much shorter
    first, last = (np.array(leg.xyz) for leg in path.legs[1:])
    longer = first * (1 + 0.1 / np.linalg.norm(first)), last * (1 - 0.1 / np.linalg.norm(last))
    legs = (
        path.legs[0],
        *(replace(leg, xyz=tuple(at)) for leg, at in zip(path.legs[1:], longer, strict=True)),
    )
    other = replace(path, index=98, legs=legs)
    assert counterpart(path, [other, turned]) is turned
    assert counterpart(path, [other]) is None


def test_the_nearest_of_paths_that_are_almost_alike() -> None:
    """Co-O of CCRO: two of three distances are 0.0025 A apart."""
    paths = [p for p in find_paths("CCRO", absorber="Co", radius=4.0) if p.nleg == 2][:3]
    assert paths[1].reff - paths[0].reff < 0.003
    theirs = find_paths("CCRO", absorber="Co", radius=4.0, program="feff6l")
    assert [counterpart(p, paths) for p in paths] == paths
    assert [counterpart(p, theirs).reff for p in paths] == pytest.approx([p.reff for p in paths], abs=2e-4)
