"""xasuite show: the table, the JSON, and one line for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.records import Spectrum


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    from xasuite.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["show", *args])
    out = capsys.readouterr()
    return int(stop.value.code or 0), out.out, out.err


@pytest.fixture
def project(tmp_path: Path) -> Path:
    energy = np.arange(6912.0, 7900.0, 2.0)
    mu = 0.5 + np.arctan((energy - 7115) / 1.5) / np.pi
    records = [
        Spectrum(energy=energy, mu=mu * f, element="Fe", edge="K", label=n)
        for f, n in ((1, "Fe foil"), (2, "FeO"))
    ]
    return io.write(tmp_path / "x.prj", records)


def test_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, str(project))
    assert code == 0
    assert "Fe foil" in out
    assert "FeO" in out
    assert "Fe K" in out
    assert "6912.0" in out


def test_one_scan_has_a_summary(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, f"{project}::FeO")
    # Twice an arctangent of height 1, less what its tails take in 40-400 eV; k = sqrt((7898 - 7112) / 3.80998).
    assert "edge step about 1.9" in out
    assert "k = 14.4 1/A" in out


def test_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, str(project), "--json")
    document = json.loads(out)
    assert [g["label"] for g in document["groups"]] == ["Fe foil", "FeO"]
    assert document["groups"][0]["points"] == 494
    assert document["groups"][0]["energy"] == [6912.0, 7898.0]
    assert len(document["sha256"]) == 64
    assert set(document["groups"][0]) == {
        "group", "label", "element", "edge", "points", "energy", "channels", "mu", "reference", "notes"
    }  # fmt: skip


def test_mistakes(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.dat").write_text("")
    for argument, message in (
        (str(tmp_path / "x.pjr"), "near it lie x.prj"),
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "empty.dat"), "is empty"),
        (f"{project}::Feo4", "the nearest are"),
    ):
        code, out, err = run(capsys, argument)
        assert code == 1
        assert out == ""
        assert message in err
        assert err.count("\n") == 1
    code, _, err = run(capsys, str(project), "--mu", "ln(i0/it)")
    assert code == 1
    assert "needs channel" in err


def test_reading_loads_no_heavy_library(project: Path) -> None:
    """Larch, scipy and pandas take seconds to load and have no part in reading."""
    code = (
        "import sys; from xasuite import read_all; read_all(sys.argv[1]); "
        "bad = {'larch', 'scipy', 'pandas', 'xraydb', 'matplotlib', 'h5py'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code, str(project)], check=True)
