"""The referee's checks on a series whose faults are known: one row is damaged, one is drowned in noise."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xasuite._series import series
from xasuite._series.checks import check_series
from xasuite.cli import main
from xasuite.report.html import section_of

from .conftest import scan_of


@pytest.fixture(scope="module")
def run(make_series, co_o, tmp_path_factory):
    spec = make_series(
        6, {2: "binary"}, more="audit = false", scan=lambda i: scan_of(co_o, i, noise=2e-2 if i == 4 else 2e-4), plain=True
    )  # fmt: skip
    return series(spec, output=tmp_path_factory.mktemp("checks"))


def test_each_check_counts_its_rows(run):
    found = {f.check: f for f in check_series(run).findings}
    # scans begin 160 eV before the edge and end at k = 13.6 (conftest); binning may take a point at either end
    assert found["pre-edge range"].outcome == "pass"
    assert float(found["pre-edge range"].found.split()[0]) == pytest.approx(160, abs=3)
    assert float(found["end of k"].found.split()[0]) == pytest.approx(13.6, abs=0.15)
    assert found["E0 against the table"].outcome == "pass"
    # noise of 2e-2 reaches the oscillations long before k = 8
    noisy = run.table["label"].iloc[4]
    assert found["usable k"].outcome == "fail"
    assert noisy in found["usable k"].found
    assert "4 pass" in found["usable k"].found
    assert "1 fail" in found["usable k"].found
    # the damaged row has no fit
    assert found["verdict"].outcome == "fail"
    assert run.table["status"].iloc[2] != "ok"
    assert float(found["S0²"].found.split(";")[0]) == pytest.approx(run.table["s02"].iloc[0], abs=0.005)


def test_rows_one_by_one_give_the_same_counts(run):
    """E0 shifts and variables counted from the table that was written."""
    found = {f.check: f for f in check_series(run).findings}
    shifts = run.table["enot"].abs().dropna()
    assert f"{np.median(shifts):.1f} eV" in found["largest E0 shift"].found
    share = sum(p["vary"] for p in run.parameters) / run.table["n_idp"].dropna()
    for word, rows in (
        ("pass", share <= 2 / 3),
        ("note", (share > 2 / 3) & (share < 1)),
        ("fail", share >= 1),
    ):
        assert (f"{rows.sum()} {word}" in found["variables"].found) == bool(rows.any())


def test_command_and_report_show_them(run, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["checkxas", str(run.path.parent), "--json"])
    assert ended.value.code == 2
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {r["check"] for r in rows} >= {"usable k", "verdict", "S0²", "variables"}
    asked = next(t for t in section_of(run.path).details if t.title == "What a referee asks")
    assert [r[1:4] for r in asked.rows] == [(r["check"], r["outcome"], r["found"]) for r in rows]
