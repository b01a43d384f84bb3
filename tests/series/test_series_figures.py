"""What the figures of a series say: bands, hollow marks, components and valence along it."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite._series import series
from xasuite.errors import SeriesError
from xasuite.report.plots import series as plots
from xasuite.report.plots import series_xanes


@pytest.fixture(scope="module")
def run(make_series, tmp_path_factory):
    damaged = {3: "spiked", 7: "binary"}
    return series(make_series(12, damaged, more="audit = 0.0"), output=tmp_path_factory.mktemp("figures"))


def test_a_panel_a_parameter(run):
    figure = run.plot("n_o", "Co-O.r")
    assert [a.get_ylabel() for a in figure.axes] == ["N(Co-O)", "R(Co-O) (Å)"]
    assert figure.axes[-1].get_xlabel() == "Time (min)"
    drawn = figure.axes[0].collections[-1].get_offsets()
    assert len(drawn) == 10  # the two damaged rows are not


def test_an_unknown_column_is_named(run):
    with pytest.raises(SeriesError, match=r"there is no column 'n_0' to plot; did you mean"):
        run.plot("n_0")
    with pytest.raises(SeriesError, match="there is no column 'T' to plot against"):
        run.plot("n_o", against="T")


def test_what_is_not_seen_is_hollow(run):
    changed = run.table.copy()
    changed["Co-O.seen"] = np.where(np.arange(12) > 8, 0.0, changed["Co-O.seen"])
    run.__dict__["table"] = changed
    try:
        axis = plots.plot_parameters(run, ["Co-O.n"]).axes[0]
    finally:
        del run.__dict__["table"]
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["not seen"]


def test_maps_leave_bad_rows_empty(run):
    mesh = plots.plot_map(run, "xanes").axes[0].collections[0]
    rows = np.ma.getmaskarray(np.ma.masked_invalid(mesh.get_array())).all(axis=1)
    assert list(np.flatnonzero(rows)) == [3, 7]


def test_fits_at_chosen_times(run):
    figure = plots.plot_fits(run, times=[0, 30, 66])
    assert [a.get_title() for a in figure.axes[:3]] == ["0 min", "30 min", "66 min"]


@pytest.mark.filterwarnings("ignore:energy scale unproven", "ignore:All-NaN slice")
def test_components_and_valence_along_time(run):
    """LCF of the first and last spectrum; a calibration line through them reads the first's own valence."""
    from xasuite.records import Series
    from xasuite.xanes import Standard, calibrate_valence
    from xasuite.xanes.lcf import linear_combination

    normal = run.normalized
    assert isinstance(normal, Series)
    assert normal.ok.sum() == 10
    found = linear_combination(normal, [normal.row(0), normal.row(11)], energy_range=(7700, 7780))
    left, right = series_xanes.plot_components(run, found).axes
    assert len(left.lines) == len(right.lines) == 2
    assert [t.get_text() for t in left.get_legend().get_texts()] == [
        run.table["label"][0],
        run.table["label"][11],
    ]
    at = run.table["E(0.5)"]
    standards = [
        Standard(n, v, float(at[0]) + 3.0 * (v - 3), 0.05)
        for n, v in (("a", 2), ("b", 3), ("c", 4), ("d", 5))
    ]
    line = calibrate_valence(standards, element="Co", fraction=0.5)
    read = series_xanes.valence_along(run, line)
    assert read["valence"][0] == pytest.approx(3.0, abs=0.01)
    assert np.isnan(read["valence"][[3, 7]]).all()
    assert (read["valence_err"][[0, 1, 2]] > 0).all()
    assert series_xanes.plot_edges(run, line).axes[-1].get_ylabel() == "Formal valence"


def test_every_figure_is_written(run, tmp_path):
    names = {p.stem for p in plots.write_figures(run, tmp_path)}
    assert names == {
        "parameters", "parameters_all", "edge", "xanes_map", "xanes_waterfall", "chir_map", "chir_waterfall",
        "xanes_difference", "fits",
    }  # fmt: skip
