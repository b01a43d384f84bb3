"""SnO2_TPR, measured: from raw scans to N(Sn-O) and N(Sn-Sn) against time and temperature.

Its seconds are shown by `python -m benchmarks sno2_series`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite._series import series

SPEC = Path(__file__).parents[2] / "fits/sno2/tpr.toml"


@pytest.fixture(scope="module")
def run(data_root, tmp_path_factory):
    return series(SPEC, data_root=data_root, output=tmp_path_factory.mktemp("sno2"))


def test_all_scans_are_ingested(run):
    table = run.table
    assert len(table) == 50
    assert (table["fit_status"] != "not fitted").all()
    assert run.kind == "measured"


def test_reference_shifts(run):
    """A feasibility study of these scans found shifts of 0.05 eV standard deviation."""
    assert np.std(run.table["shift"]) == pytest.approx(0.05, abs=0.015)


def test_edge_energies(run):
    """The data's index states E(0.5) 29199.28 -> 29195.68 (another choice: 29199.52 -> 29195.64)."""
    at = run.table["E(0.5)"].to_numpy()
    assert at[:5].mean() == pytest.approx(29199.40, abs=0.15)
    assert at[-5:].mean() == pytest.approx(29195.70, abs=0.15)


def test_oxygen_leaves(run):
    """N(Sn-O) from about 6 to below 1, R near 2.05 A while it is seen (cassiterite: 4 x 2.05, 2 x 2.06 A)."""
    table = run.table
    first, last = table.iloc[:5], table.iloc[-5:]
    assert abs(first["n_o"].mean() - 6) < 2 * first["n_o_err"].mean()
    assert (last["n_o"] < 1).all()
    assert (last["n_o"] > 0).all()
    assert first["Sn-O.r"].mean() == pytest.approx(2.05, abs=0.01)
    middle = table.iloc[30]  # the study's scan 31: 4.3(4), 2.042(9)
    assert middle["n_o"] == pytest.approx(4.3, abs=2 * 0.4)


def test_tin_appears_and_is_molten(run):
    """The study's last scan: Sn-Sn 3.7(1.7), sigma2 0.036. No metal is seen before the oxide is going."""
    table = run.table
    seen = table["Sn-Sn metal.seen"] == 1
    assert not seen.iloc[:35].any()
    assert seen.iloc[-8:].all()
    assert abs(table["n_m"].iloc[-1] - 3.7) < 1.7
    assert table["T"].iloc[-1] > 232  # C, tin's melting point


def test_what_is_not_determined_is_marked(run):
    """R and sigma2 of Sn-O mean nothing once its N cannot be told from zero: the rows say so.

    N is 2 of its own errors from zero where the mark begins. Of the last ten scans one or two lie there, 1.99 or 2.01
    with the last digit of a bin's edge: so not a given scan is asked for, but the rule in every row and most of the ten.
    """
    table = run.table
    lost = table["undetermined"].str.contains("dr_o")
    unseen = table["n_o"] < 2 * table["n_o_err_own"]
    assert (lost | ~unseen).all()
    assert lost.iloc[-10:].sum() >= 7
    assert not lost.iloc[:30].any()
    assert (table["status"][lost] != "ok").all()
    assert table["reason"][lost].str.startswith("Sn-O is not seen (N = ").iloc[-1]


def test_enot_is_held_with_its_error(run):
    """Held from the first ten scans: its own error is in every row's N and R."""
    table = run.table
    assert table["enot"].nunique() == 1
    assert table["enot"].iloc[0] == pytest.approx(9.6, abs=1.0)
    assert 0.1 < table["enot_err"].iloc[0] < 1.0
    assert (table["dr_o_err"].iloc[:30] > table["dr_o_err_own"].iloc[:30]).all()
    held = {p["name"]: p for p in run.parameters}
    assert held["enot"]["origin"] == "weighted mean of 10 fits, rows 1-10"


def test_usable_k_falls(run):
    """The study: 15.7 1/A in scan 1, 8.4 in scan 50. No fit reaches beyond its own."""
    table = run.table
    assert table["usable_k"].iloc[:5].mean() == pytest.approx(15.7, abs=0.5)
    assert np.median(table["usable_k"].iloc[-6:]) == pytest.approx(8.4, abs=1.5)
    assert (table["kmax"] <= np.maximum(table["usable_k"], 8.0) + 1e-9).all()


def test_figures(run, tmp_path):
    from xasuite.report.plots.series import write_figures

    written = {p.name for p in write_figures(run, tmp_path)}
    assert {
        "parameters.png",
        "edge.png",
        "xanes_map.png",
        "chir_map.png",
        "xanes_waterfall.png",
        "fits.png",
    } <= written
    figure = run.plot("n_o", against="T")
    assert figure.axes[0].get_ylabel() == "N(Sn-O)"
    assert figure.axes[0].get_xlabel() == "T (°C)"
