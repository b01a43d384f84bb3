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


LOGGED = """
{choice}
[[series.log]]
file = "furnace.txt"
time = "seconds"
columns = {{ T = "temperature", H2O = "m18" }}
units = {{ {units} }}
"""


def with_log(make_series, n=6, choice="", units='T = "K"'):
    """A series whose furnace climbs by 10 K a scan; every scan takes 6 min."""
    spec = make_series(n, more="audit = false\n" + LOGGED.format(choice=choice, units=units), plain=True)
    lines = [f"{360 * i},{300 + 10 * i},{1e-9 * (1 + i % 3)}" for i in range(n)]
    (spec.parent / "furnace.txt").write_text("\n".join(["seconds,temperature,m18", *lines]) + "\n")
    return spec


@pytest.fixture(scope="module")
def logged(make_series, tmp_path_factory):
    return series(with_log(make_series), output=tmp_path_factory.mktemp("logged"))


def heads(figure):
    return [a.get_ylabel() for a in figure.axes]


def test_what_was_logged_stands_under_the_parameters(logged):
    from xasuite.xanes.lcf import linear_combination

    assert heads(logged.plot()) == ["N(Co-O)", "T (K)", "H2O"]
    drawn = logged.plot().axes[1].collections[-1].get_offsets()
    np.testing.assert_allclose(drawn[:, 1], 300 + 10 * np.arange(6))
    np.testing.assert_allclose(drawn[:, 0], 6 * np.arange(6))  # min
    assert heads(series_xanes.plot_edges(logged)) == ["E(0.5) (eV)", "T (K)", "H2O"]
    maps = plots.plot_map(logged).axes
    assert [a.get_title() for a in maps if a.get_title()] == ["T (K)", "H2O"]
    assert plots.plot_fits(logged).axes[0].get_title().splitlines() == ["0 min", "T 300 K", "H2O 1e-09"]
    ends = [logged.normalized.row(0), logged.normalized.row(5)]
    parts = linear_combination(logged.normalized, ends, energy_range=(7700, 7780))
    assert heads(series_xanes.plot_components(logged, parts))[1:] == ["Fraction", "T (K)", "H2O"]
    assert "T (K)" in logged.summary().header


def test_parameters_against_a_logged_column(logged, make_series, tmp_path):
    """The column becomes the abscissa with its unit, and no panel of its own: by option, and by the spec."""
    import xasuite as xs

    asked = xs.plot(logged, against="T")
    chosen = series(with_log(make_series, choice='against = "T"'), output=tmp_path)
    for figure in (asked, chosen.plot(), xs.report.figure("parameters", chosen)):
        assert figure.axes[-1].get_xlabel() == "T (K)"
        assert heads(figure) == ["N(Co-O)", "H2O"]
        drawn = max((c.get_offsets() for c in figure.axes[0].collections), key=len)  # the marks
        np.testing.assert_allclose(drawn[:, 0], 300 + 10 * np.arange(6))
    assert chosen.plot(against="time").axes[-1].get_xlabel() == "Time (min)"
    with pytest.raises(SeriesError, match=r"no column 'TT' to plot against; did you mean \"T\"\?"):
        logged.plot(against="TT")


def test_logs_are_in_the_report(logged):
    from xasuite.report.section_series import series_section

    section = series_section(logged.path)
    assert "T (K)" in section.tables[0].header
    assert [(t.name, t.unit) for t in section.stack.trends][-2:] == [("T", "K"), ("H2O", "")]


@pytest.mark.parametrize(
    ("choice", "units", "said"),
    [
        ('against = "Temp"', 'T = "K"', r"\[series\]: against = 'Temp' is no column that logs or names give"),
        ("", 'TC = "K"', r"units: TC is no column of this log; did you mean \"T\"\?"),
    ],
)
def test_a_wrong_column_is_a_mistake_of_the_spec(make_series, choice, units, said):
    from xasuite.errors import SpecError
    from xasuite.specs import SeriesSpec, load_spec

    with pytest.raises(SpecError, match=said):
        load_spec(with_log(make_series, choice=choice, units=units), SeriesSpec)


def test_modulation_of_a_finished_series(logged, capsys):
    """The command on the folder gives what Python gives of the run's chi(k) and spectra; R grows: the drift is taken off."""
    import json

    import xasuite as xs
    from xasuite.cli import main

    for kind, rows in (("chi", logged.chi), ("xanes", logged.normalized)):
        assert rows.status == ("ok",) * 6
        found = xs.phase_sensitive(rows, period=1080)
        with pytest.raises(SystemExit) as caught:
            main(["modulation", str(logged.path.parent), "--period", "1080", "--kind", kind, "--json"])
        assert not caught.value.code
        document = json.loads(capsys.readouterr().out)
        assert document == found.to_dict()
        assert document["facts"]["Periods"] == "2 of 1080 s from 0 s on, 6 rows"
        assert np.isfinite(found.amplitude).all()
