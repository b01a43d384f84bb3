"""Larch's audit of a spec's fits, and that nothing of Larch stands between a spec and its printed table."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from xasuite import workflow
from xasuite.cli import main
from xasuite.exafs.audits import Difference
from xasuite.specs import load_spec
from xasuite.workflow import audit as audits

SPEC = Path(__file__).resolve().parents[2] / "fits" / "foils" / "cu_pymca.toml"
needs_data = pytest.mark.skipif(importlib.util.find_spec("PyMca5") is None, reason="needs the package PyMca5")


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@needs_data
def test_the_first_fit_is_audited_and_the_next_takes_it_over(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = workflow.run_spec(load_spec(SPEC))
    first = workflow.audit_spec(result)
    assert first is not None
    assert first.passed
    # both stop within 1e-4 standard errors of the minimum
    assert first.difference < 1e-3
    assert first.stderr < 1e-3
    asked: list[str] = []

    def other(fit: object, *args: object, **kwargs: object) -> Difference:
        asked.append("again")
        return Difference(0.5, "enot", 0.0, 0.0)

    monkeypatch.setattr(audits, "audit_fit", other)
    assert workflow.audit_spec(result) == first
    assert asked == []
    worse = workflow.audit_spec(result, again=True)
    assert worse is not None
    assert not worse.passed
    assert "Larch differs by 0.5 standard errors in enot of Cu foil PyMca" in str(worse)


@needs_data
def test_other_data_are_audited_anew(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "audit_fit", lambda *a, **k: Difference(0.001, "enot", 0.0, 0.0))
    result = workflow.run_spec(load_spec(SPEC))
    workflow.audit_spec(result)
    monkeypatch.setattr(audits, "audit_fit", lambda *a, **k: Difference(0.002, "enot", 0.0, 0.0))
    row = next(iter(result.provenance.data))
    changed = {row: {**result.provenance.data[row], "sha256": "other"}}
    found = workflow.audit_spec(replace(result, provenance=replace(result.provenance, data=changed)))
    assert found is not None
    assert found.difference == 0.002


@needs_data
def test_an_audit_that_fails_marks_the_result_and_the_exit_code(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audits, "audit_fit", lambda *a, **k: Difference(0.5, "enot", 0.0, 0.0))
    out = own_cache / "results"
    with pytest.raises(SystemExit) as stop:
        main(["fit", str(SPEC), "-o", str(out), "--no-figures"])
    assert stop.value.code == 2
    assert "Larch differs by 0.5 standard errors in enot" in capsys.readouterr().out
    kept = json.loads((out / "foils" / "cu_pymca" / "result.json").read_text())["audit"]
    assert kept["passed"] is False
    assert "Larch differs" in (out / "foils" / "cu_pymca" / "table.md").read_text()
    with pytest.raises(SystemExit) as stop:
        main(["fit", str(SPEC), "-o", str(out), "--no-figures", "--no-audit"])
    assert stop.value.code == 0
    assert "Larch" not in capsys.readouterr().out


@needs_data
def test_a_spec_can_be_fitted_by_larch(own_cache: Path) -> None:
    text = SPEC.read_text().replace("[fit]\n", '[fit]\nengine = "larch"\n')
    (own_cache / "spec.toml").write_text(text)
    result = workflow.run_spec(load_spec(own_cache / "spec.toml"))
    ours = workflow.run_spec(load_spec(SPEC))
    assert [f.engine for f in result.rows] == ["larch"]
    assert workflow.audit_spec(result) is None
    for p in ours.rows[0].parameters:
        other = result.rows[0].parameter(p.name).value
        assert abs(p.value.value - other.value) < 1e-3 * other.stderr


@needs_data
def test_nothing_heavy_is_imported_before_the_table(own_cache: Path) -> None:
    """FEFF's paths and the crystal in the cache: neither Larch nor what is slow to import is needed for the table."""
    script = """
import sys
import xasuite.cli
from xasuite.cli import fit

shown = fit.print_result


def then_tell(result):
    shown(result)
    heavy = {"larch", "lmfit", "pymatgen", "pandas", "matplotlib", "scipy", "numba", "h5py", "xraydb", "sqlalchemy"}
    print("heavy:", sorted(heavy & sys.modules.keys()))
    raise SystemExit


fit.print_result = then_tell
xasuite.cli.main(["fit", SPEC, "-o", OUT])
"""
    plain = own_cache / "plain.toml"  # without the error budget, which runs some hundred fits of its own
    plain.write_text(
        SPEC.read_text(encoding="utf-8").replace("\ntitle", '\nerrors = "fit"\ntitle', 1), encoding="utf-8"
    )
    script = script.replace("SPEC", repr(str(plain))).replace("OUT", repr(str(own_cache / "out")))
    for _ in range(2):  # the first run fills the cache
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert "2.539" in done.stdout, done.stderr
    assert "heavy: []" in done.stdout
