"""The referee's checks on cases whose fault is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite.cli import main
from xasuite.records import Spectrum
from xasuite.simulate import scan_grid
from xasuite.workflow.checkxas import Checked, check_fits, check_sources, check_spectrum

E0 = 8979.0
SPEC = """
xasuite = 2
title = "A foil"

[[data]]
label = "foil"
file = "cu.dat"

[sample]
element = "Cu"
edge = "K"

[fit]
k = [3.0, 12.0]
r = [1.4, 3.0]

[params]
s02 = { guess = 0.9 }
ss = { guess = 8e-3 }

[[path]]
label = "Cu-Cu"
crystal = "Cu"
scatterer = "Cu"
n = 12
s02 = "s02"
sigma2 = "ss"
"""


def scan(energy: np.ndarray) -> Spectrum:
    """An arctan edge of step 1 with one shell at 2.5 A, damped so that it is above the noise of 1e-4 to k = 14."""
    k = np.sqrt(np.maximum(energy - E0, 0) / 3.81)
    chi = 0.5 * np.sin(5.0 * k) * np.exp(-0.012 * k**2) * (1 - np.exp(-k))
    step = 0.5 + np.arctan((energy - E0) / 1.5) / np.pi
    noise = np.random.default_rng(1).normal(0, 1e-4, energy.size)
    return Spectrum(energy, step * (1 + chi) + 0.3 + noise, "Cu", "K")


def outcomes(done: Checked) -> dict[str, str]:
    return {f.check: f.outcome for f in done.findings}


def test_a_good_scan_fails_nothing() -> None:
    done = check_spectrum(scan(scan_grid(E0)))
    assert done.good, str(done.summary())
    assert outcomes(done)["end of k"] == outcomes(done)["usable k"] == "pass"


def test_a_short_scan_fails_by_its_end() -> None:
    assert outcomes(check_spectrum(scan(scan_grid(E0, kmax=6.0))))["end of k"] == "fail"


def test_few_points_in_the_edge_fail() -> None:
    grid = scan_grid(E0)
    coarse = np.concatenate([grid[grid < E0 - 12], np.arange(E0 - 11, E0 + 12, 3.0), grid[grid > E0 + 12]])
    # E0 is then found 24 eV too high, where the points are dense again
    assert outcomes(check_spectrum(scan(coarse)))["points within 10 eV of the edge"] == "fail"


def test_a_glitch_is_named_with_its_energy() -> None:
    spectrum = scan(scan_grid(E0))
    mu = spectrum.mu.copy()
    at = int(np.searchsorted(spectrum.energy, E0 + 400))
    mu[at] += 0.2
    [found] = [
        f for f in check_spectrum(Spectrum(spectrum.energy, mu, "Cu", "K")).findings if f.check == "glitches"
    ]
    assert found.outcome != "pass"
    assert f"{spectrum.energy[at]:.1f}" in found.found


def fit(**changed: Any) -> dict[str, Any]:
    """A fit's row of result.json, good but for what is changed."""
    value = {"value": 0.9, "stderr": 0.03}
    row = {
        "label": "foil", "kind": "measured", "n_idp": 13.2, "n_varys": 4,
        "params": {"s02": value | {"kind": "varied"}},
        "paths": [{"s02": value, "e0": {"value": 4.7, "stderr": 0.4}}],
        "correlations": [{"a": "enot", "b": "dr", "value": 0.87}],
        "verdict": {"level": "good", "reasons": []},
    }  # fmt: skip
    return {"rows": [row | changed], "variants_table": None}


@pytest.mark.parametrize(
    ("check", "changed"),
    [
        ("variables", {"n_varys": 14}),
        ("S0²", {"paths": [{"s02": {"value": 1.8}, "e0": {"value": 0.0}}]}),
        ("largest E0 shift", {"paths": [{"s02": {"value": 0.9}, "e0": {"value": -30.0}}]}),
        ("largest correlation", {"correlations": [{"a": "n", "b": "s02", "value": -0.99}]}),
        ("errors stated", {"params": {"n": {"kind": "varied", "stderr": None}}}),
        ("verdict", {"verdict": {"level": "not a fit", "reasons": ["why"]}}),
    ],
)
def test_a_fit_fails_by_the_name_of_its_fault(check: str, changed: dict[str, Any]) -> None:
    assert check_fits(fit())[0].good
    done = outcomes(check_fits(fit(**changed))[0])
    assert [name for name, outcome in done.items() if outcome == "fail"] == [check]


def test_the_command_reads_a_folder_and_says_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "result.json").write_text(json.dumps(fit(n_varys=14)))
    with pytest.raises(SystemExit) as ended:
        main(["checkxas", str(tmp_path), "--json"])
    assert ended.value.code == 2
    document = json.loads(capsys.readouterr().out)
    assert document["rows"][0]["outcome"] == "fail"
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(SystemExit) as ended:
        main(["checkxas", str(tmp_path)])
    assert ended.value.code == 1


def test_columns_are_named_as_for_the_other_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file whose columns no name tells: refused as it stands, read in keV with the options, the same as the record."""
    spectrum = scan(scan_grid(E0))
    file = tmp_path / "scan.dat"
    i0 = np.full(spectrum.energy.size, 2e5)
    # counts as they are: an I0 of one value would be taken for a setting
    i0 *= 1 + 0.01 * np.sin(np.arange(i0.size) / 50)
    table = np.column_stack([spectrum.energy / 1000, i0, i0 * np.exp(-spectrum.mu)])
    np.savetxt(file, table, header="enc det1 det2", fmt="%.9g")
    argv = ["checkxas", str(file), "--json", "--mu", "ln(det1/det2)", "--energy", "enc", "--units", "keV"]
    with pytest.raises(SystemExit) as ended:
        main([*argv, "--i0", "det1", "--element", "Cu", "--edge", "K"])
    document = json.loads(capsys.readouterr().out)
    found = {r["check"]: r["outcome"] for r in document["rows"]}
    assert found == outcomes(check_spectrum(spectrum))
    assert not ended.value.code
    (tmp_path / "result.json").write_text(json.dumps(fit()))
    with pytest.raises(SystemExit) as ended:
        main(["checkxas", str(tmp_path), "--energy", "enc"])
    assert ended.value.code == 1
    assert "--energy" in capsys.readouterr().err


def test_the_spectra_of_a_result_are_checked_too(tmp_path: Path) -> None:
    """The file that was fitted is read again as the spec says; another file of that name is not taken for it."""
    made = scan(scan_grid(E0))
    np.savetxt(tmp_path / "cu.dat", np.column_stack([made.energy, made.mu]), header="energy mu", fmt="%.9g")
    spec = tmp_path / "cu.toml"
    spec.write_text(SPEC)
    good = hashlib.sha256((tmp_path / "cu.dat").read_bytes()).hexdigest()
    for checksum, first in ((good, "pre-edge range"), ("0" * 64, "data")):
        data = {"foil": {"path": "cu.dat", "sha256": checksum}}
        [done] = check_sources({"provenance": {"spec": str(spec), "data": data}})
        assert done.findings[0].check == first, done.findings[0].found
