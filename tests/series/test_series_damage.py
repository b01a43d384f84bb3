"""A fifth of the scans damaged in eight ways: each is named, and the others are as in a clean series."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite._series import series

from .damage import DAMAGES

N = 40
# eight ways in 40 scans, one of them the first scan: nothing may rest on any one scan being good
DAMAGED = {5 * i: way for i, way in enumerate(DAMAGES)}


@pytest.fixture(scope="module")
def clean(make_series, tmp_path_factory):
    return series(make_series(N, chunk=7), output=tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def hurt(make_series, tmp_path_factory):
    with pytest.warns(match="grid and energy scale are taken from scan_2"):
        return series(make_series(N, DAMAGED, chunk=7), output=tmp_path_factory.mktemp("hurt"))


def test_a_fifth_is_damaged():
    assert len(DAMAGED) == 8 == N // 5


@pytest.mark.parametrize("row", DAMAGED)
def test_each_damage_is_named(hurt, row):
    """The status is the word that the damage stands for, and the reason says what and where."""
    status, reason = hurt.table.loc[row, ["status", "reason"]]
    assert status in DAMAGES[DAMAGED[row]][1]
    assert any(c.isdigit() for c in reason) or "binary" in reason
    assert np.isnan(hurt.table.loc[row, "n_o"])


def test_the_others_are_as_in_a_clean_series(clean, hurt):
    """To 1e-8 of a value: matrix products over fewer rows add in another order, no more."""
    others = [i for i in range(N) if i not in DAMAGED]
    assert (hurt.table["status"][others] == "ok").all()
    a, b = clean.table.iloc[others], hurt.table.iloc[others]
    for name in a.select_dtypes(float).columns:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-8, atol=1e-12, err_msg=name)
    for curve in ("chi", "fit", "norm"):
        np.testing.assert_allclose(clean.curves(curve)[1][others], hurt.curves(curve)[1][others], atol=1e-6)


def test_no_good_scan_is_called_damaged(clean):
    assert (clean.table["status"] == "ok").all()


def test_the_growth_is_recovered(clean):
    """R was made to grow by 2 mA a scan; one shell of another program's phase table: 0.1 mA a scan is enough."""
    slope = np.polyfit(np.arange(N), clean.table["Co-O.r"], 1)[0]
    assert slope == pytest.approx(2e-3, abs=1e-4)


def test_s02_is_in_the_error(clean):
    """N s02 is what a fit determines: a 2.6 % error of s02 is a 2.6 % error of N."""
    share = clean.table["n_o_err_common"] / clean.table["n_o"]
    np.testing.assert_allclose(share, 0.02 / 0.77, rtol=1e-3)
    total = np.hypot(clean.table["n_o_err_own"], clean.table["n_o_err_common"])
    np.testing.assert_allclose(clean.table["n_o_err"], total, rtol=1e-9)


def test_every_run_is_audited(clean):
    assert clean.audit["n"] >= 5
    assert 0 < clean.audit["largest"] < 0.01
