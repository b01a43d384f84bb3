"""The acceptance sample: its size, its spread, and what it says of the rows that were not drawn."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import hypergeom

from xasuite._series import series
from xasuite._series.audit import draw, hidden, leverage, sample_size, statement, summary
from xasuite._series.fitting import fit_rows
from xasuite._series.prepare import prepare
from xasuite._series.reduction import reduced
from xasuite.errors import AuditError
from xasuite.specs import SeriesSpec, load_spec


def missed(strata, bad):
    """The largest probability that a sample finds no bad row, by trying every way to hide them in strata (rows, drawn)."""
    ways = itertools.product(*(range(min(rows, bad) + 1) for rows, _ in strata))
    return max(
        np.prod([hypergeom.pmf(0, rows, d, n) for d, (rows, n) in zip(way, strata, strict=True)])
        for way in ways
        if sum(way) == bad
    )


@pytest.mark.parametrize(
    "strata", [[(20, 5), (20, 5)], [(9, 3), (10, 4), (11, 4)], [(50, 48)], [(6, 6), (7, 6)]]
)
def test_the_bound_holds_however_bad_rows_are_hidden(strata):
    """Against the exact probability (hypergeometric), the worst of all ways."""
    bad = hidden(min(n / rows for rows, n in strata)) + 1
    if bad <= sum(rows for rows, _ in strata):
        assert missed(strata, bad) <= 0.05


@pytest.mark.parametrize("rows", [1, 7, 50, 99, 100, 101, 1000, 20_000, 100_000, 1_000_000])
def test_the_sample_supports_the_statement(rows):
    """An infinite lot needs ln 0.05 / ln 0.99 = 298.07 rows, 299; a finite one fewer."""
    n = sample_size(rows)
    assert statement(n, n / rows, rows)["agree"] >= 0.99
    assert n <= 300
    assert n <= rows
    if rows >= 300:
        assert statement(n - 8, (n - 8) / rows, rows)["agree"] < 0.99


def test_a_bad_share_is_found_as_often_as_stated():
    """2 % bad rows, at random: 300 of 30 000 miss them with 0.98^300 = 0.23 %, 1 % with 4.9 %."""
    rng = np.random.default_rng(3)
    halves = np.array_split(np.arange(30_000), 2)
    for share, expected in ((0.01, 0.0490), (0.02, 0.0023)):
        found = 0
        for _ in range(2000):
            bad = np.zeros(30_000, bool)
            bad[rng.choice(30_000, int(share * 30_000), replace=False)] = True
            found += not any(bad[rng.choice(h, 150, replace=False)].any() for h in halves)
        error = np.sqrt(expected * (1 - expected) / 2000)
        assert found / 2000 < expected + 4 * error


def test_rows_are_spread_over_the_run_and_over_leverage(make_series):
    """An equal share of the near and of the far half of every chunk; the same rows whenever they are drawn."""
    plan = prepare(load_spec(make_series(12, chunk=4), SeriesSpec))
    chi = reduced(plan, 0, 4).data
    fit = fit_rows(plan, chi, plan.model)
    sample = draw(plan, 0, fit, np.arange(4))
    assert len(sample) == 4  # of twelve rows all have to agree
    drawn = [int(r) for rows, _, _ in sample.batches for r in rows]
    assert drawn == [0, 1, 2, 3]
    far = leverage(fit)
    x = fit.batches[0].fit.x
    expected = np.einsum("ij,jk,ik->i", x - x.mean(0), np.linalg.pinv(np.cov(x.T)), x - x.mean(0))
    np.testing.assert_allclose(far, expected)


@pytest.mark.parametrize("wanted", [1, 3])
def test_of_a_long_run_one_row_a_stretch_is_drawn(make_series, monkeypatch, wanted):
    """Where a chunk is due less than two rows: as many in all as the run is due, and not one a chunk."""
    from xasuite._series import audit

    plan = prepare(load_spec(make_series(12, chunk=4), SeriesSpec))
    monkeypatch.setattr(audit, "sample_size", lambda rows: wanted)
    drawn = []
    for chunk in range(plan.chunks):
        fit = fit_rows(plan, reduced(plan, *plan.rows_of(chunk)).data, plan.model)
        sample = draw(plan, chunk, fit, np.arange(*plan.rows_of(chunk)))
        drawn += [] if sample is None else [int(r) for rows, _, _ in sample.batches for r in rows]
    assert len(drawn) == wanted
    if wanted == 3:
        assert [r // 4 for r in drawn] == [0, 1, 2]


def test_the_statement_is_printed(make_series, tmp_path, capsys):
    from xasuite.cli import main

    with pytest.raises(SystemExit):
        main(["series", str(make_series(6, {2: "binary"})), "-o", str(tmp_path), "--no-figures"])
    said = " ".join(capsys.readouterr().out.split())
    assert "5 of 5 rows fitted again with Larch: every row agrees with it within 0.01 standard errors" in said


def test_a_script_without_a_guard_runs_once(make_series, tmp_path):
    """Larch's process does not import the script that began it, which would begin the series again."""
    script = tmp_path / "script.py"
    spec = make_series(20, chunk=20)
    script.write_text(
        f"print('begun')\nimport xasuite as xs\nrun = xs.series({str(spec)!r}, output={str(tmp_path)!r}, progress=False)\n"
        "print(run.audit['n'])\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["begun", "20"]


def test_an_audit_process_that_is_killed_costs_nothing_but_time(make_series, tmp_path, monkeypatch):
    from xasuite._series import audit

    plain = series(make_series(17), output=tmp_path / "plain", progress=False)
    monkeypatch.setattr(audit, "begin_beside", os.abort)
    killed = series(make_series(17), output=tmp_path / "killed", progress=False)
    assert killed.audit["n"] == plain.audit["n"] == 17


def test_a_row_that_disagrees_fails_the_run(make_series, tmp_path, monkeypatch):
    from xasuite._series import audit

    def other(sample):
        rows = [int(r) for batch in sample.batches for r in batch[0]]
        found = [{"row": r, "difference": 0.5 if r == 3 else 1e-5, "parameter": "n_o"} for r in rows]
        return {"rows": found, "fraction": sample.fraction}

    monkeypatch.setattr(audit, "refit", other)
    with pytest.raises(AuditError, match=r"row 4 differs from Larch by 0.5 standard errors in n_o"):
        series(make_series(6), output=tmp_path, progress=False)


@pytest.mark.parametrize("more", ["", 'kmax = "noise"\nstart = "mean"'])
def test_what_the_process_of_the_audit_leaves_out_moves_no_value(make_series, monkeypatch, more):
    """Against Larch as it is, at the same tolerance, to the last bit; some rows with a k range of their own."""
    from xasuite._larch import fitting, repeats
    from xasuite._series.audit import begin_beside, refit, sample_of
    from xasuite._series.processes import pool

    spec = make_series(6, more=more, plain=True)
    plan = prepare(load_spec(spec, SeriesSpec))
    fit = fit_rows(plan, reduced(plan, 0, 6).data, plan.model)
    sample = sample_of(fit, np.arange(6), np.arange(6), start=plan.series.start)
    monkeypatch.setattr(fitting, "TOLERANCE", repeats.TOLERANCE)
    plain = refit(sample)
    with pool(1, begin_beside) as process:
        twice = [process.submit(refit, sample).result() for _ in range(2)]
    assert twice == [plain, plain]
    assert 0 < max(r["difference"] for r in plain["rows"]) < 1e-3


def test_a_sample_that_was_not_drawn_states_nothing():
    found = [{"rows": [{"row": 0, "difference": 1e-5, "parameter": "x"}], "fraction": 0.0}]
    assert summary(found, 1000)["statement"] == "1 of 1000 rows fitted again with Larch, and all agree"


def test_every_row_carries_its_certificate(make_series, tmp_path):
    """The length of the next Gauss-Newton step, in standard errors: below 1e-2 in every row that is ok."""
    table = series(make_series(4, {1: "spiked"}), output=tmp_path, progress=False).table
    good = table["status"] == "ok"
    assert (table["step"][good] < 1e-2).all()
    assert table["step"][~good].isna().all()
