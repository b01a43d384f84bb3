"""``xasuite wavelet``: the lobe of a measured foil as JSON, files written, mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xasuite.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["wavelet", *arguments])
    return int(end.value.code or 0)


def test_foil(data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Co foil's lobe lies at its nearest neighbours: |chi(R)| of hcp Co peaks at 2.2 A, its phase uncorrected."""
    file = data_root / "foils" / "Co_foil_QAS.dat"
    code = run(str(file), "--kweight", "3", "--resamples", "10", "--json", "-o", str(tmp_path))
    assert code == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["settings"]["kweight"] == 3
    lobe = found["lobes"][0]
    assert abs(lobe["r"] - 2.18) < 0.04
    assert 7 < lobe["k"] < 9
    assert 0 < lobe["k_err"] < 0.05
    folder = tmp_path / "wavelet-Co_foil_QAS"
    assert sorted(p.name for p in folder.iterdir()) == ["lobes.csv", "wavelet.pdf", "wavelet.png"]
    assert (folder / "lobes.csv").read_text().startswith("label,k,k_err,r,r_err,")


def test_mistakes(data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(data_root / "foils" / "Co_foil_QAS.dat")
    for arguments, words in (
        (("--k", "3,30"), "kmax = 30 1/A lies beyond the data"),
        (("--kind", "haar"), "no wavelet 'haar'; choose one of morlet, cauchy"),
        (("--difference",), "--difference compares two maps, these are 1"),
    ):
        assert run(file, *arguments, "--resamples", "2", "-o", str(tmp_path)) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert words in said[0]
    assert list(tmp_path.iterdir()) == []
