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
    """To 1e-8 of a value: matrix products over fewer rows add in another order, no more.

    What the budget carries along the run comes from other rows, so that it agrees to a share of its own error.
    """
    others = [i for i in range(N) if i not in DAMAGED]
    assert (hurt.table["status"][others] == "ok").all()
    a, b = clean.table.iloc[others], hurt.table.iloc[others]
    carried = {n[: -len("_stated")] for n in a.columns if n.endswith("_stated")}
    for name in a.select_dtypes(float).columns:
        of = name.partition("_err")[0]
        if of not in carried:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-8, atol=1e-12, err_msg=name)
        elif name == of:
            assert np.nanmax(np.abs(a[name] - b[name]) / a[f"{name}_err"], initial=0) < 0.2, name
        else:
            np.testing.assert_allclose(a[name], b[name], rtol=0.2, err_msg=name)
    for curve in ("chi", "fit", "norm"):
        np.testing.assert_allclose(clean.curves(curve)[1][others], hurt.curves(curve)[1][others], atol=1e-6)


def test_no_good_scan_is_called_damaged(clean):
    assert (clean.table["status"] == "ok").all()


def test_the_growth_is_recovered(clean):
    """R was made to grow by 2 mA a scan; one shell of another program's phase table: 0.1 mA a scan is enough."""
    slope = np.polyfit(np.arange(N), clean.table["Co-O.r"], 1)[0]
    assert slope == pytest.approx(2e-3, abs=1e-4)


def test_the_parts_of_an_error(clean, make_series, tmp_path):
    """Own and common add in quadrature; N s02 is what a fit determines: 2.6 % of s02 are at least 2.6 % of N."""
    for table in (
        clean.table,
        series(make_series(4, more="audit = false", plain=True), output=tmp_path).table,
    ):
        total = np.hypot(table["n_o_err_own"], table["n_o_err_common"])
        np.testing.assert_allclose(table["n_o_err"], total, rtol=1e-9)
        share = table["n_o_err_common"] / table["n_o"]
        if table is clean.table:
            assert (share > 0.02 / 0.77).all()
            assert (np.abs(table["n_o"] - 5.8) < table["n_o_err"]).all()  # the truth
        else:
            np.testing.assert_allclose(share, 0.02 / 0.77, rtol=1e-3)
            assert "n_o_stated" not in table


def test_every_run_is_audited(clean):
    assert clean.audit["n"] >= 5
    assert 0 < clean.audit["largest"] < 0.01
