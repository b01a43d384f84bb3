"""Valence and components along a series whose truth is known: edges that move, edges that are mixed."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from xasuite._series import series
from xasuite.errors import SeriesError, SpecError
from xasuite.report.plots.series_xanes import plot_components, plot_edges
from xasuite.specs import SeriesSpec, load_spec

from .conftest import scan_of
from .damage import write_scan

N = 12
EV = 3.0  # eV a unit of valence
SHARE = np.linspace(0, 1, N)
VALENCE = """
xasuite = 2
title = "edges of known shift"
[calibration]
element = "Co"
pre_range = [-150, -50]
norm_range = [150, 690]
"""
STANDARD = """
[[standard]]
label = "{label}"
valence = {valence}
files = "standards/{label}.txt"
mu = "ln(i0/it)"
offset = 0.0
offset_source = "made here"
"""


@pytest.fixture(scope="module")
def moved(make_series, co_o, tmp_path_factory):
    """Edges that move by 3 eV from valence 2 to 3, between standards of 2, 3, 4 and 5; the seventh scan is lost."""
    more = "valence = { spec = 'valence.toml' }\nedge_fraction = [0.5, 0.8]"
    spec = make_series(
        N, {6: "binary"}, more=more, name="moved", scan=lambda i: scan_of(co_o, 0, shift=EV * SHARE[i])
    )
    text = VALENCE
    for valence in (2, 3, 4, 5):
        label = f"Co{valence}"
        write_scan(
            spec.parent / "standards" / f"{label}.txt", scan_of(co_o, 0, shift=EV * (valence - 2)), "", seed=1
        )
        text += STANDARD.format(label=label, valence=valence)
    (spec.parent / "valence.toml").write_text(text)
    return series(spec, output=tmp_path_factory.mktemp("moved"))


@pytest.fixture(scope="module")
def mixed(make_series, co_o, tmp_path_factory):
    """mixed(components) -> a run of scans whose edge goes over to one 4 eV higher, share by share."""

    def scan(i):
        return scan_of(co_o, i, r=1.97, shift=4.0, share=SHARE[i])

    def run(components):
        spec = make_series(N, {6: "spiked"}, more=f"components = {components}", name="mixed", scan=scan)
        return series(spec, output=tmp_path_factory.mktemp("mixed"))

    return run


def test_valence_follows_the_edge(moved):
    """A row's edge moved by s eV has valence 2 + s/3. The normalisation of an edge 9 eV higher than the grid's E0 moves
    E(0.5) by hundredths of an eV: 0.02 of a unit is twice that."""
    read = moved.table["valence"].to_numpy()
    good = np.arange(N) != 6
    np.testing.assert_allclose(read[good], 2 + SHARE[good], atol=0.02)
    assert np.isnan(read[6])
    low, high = (moved.table[f"valence_{end}"].to_numpy()[good] for end in ("low", "high"))
    assert ((low < read[good]) & (read[good] < high)).all()
    assert (moved.table["valence_err"].to_numpy()[good] > 0).all()


def test_the_figure_has_the_valence_below_the_edges(moved):
    axes = plot_edges(moved).axes
    assert [a.get_ylabel() for a in axes] == ["E(0.5) (eV)", "E(0.8) (eV)", "Formal valence"]
    names = {p.stem for p in (moved.path.parent).glob("figures/*")}
    assert not names  # the library draws when it is asked; the command does


def test_given_components_are_the_shares(mixed):
    """Rows 1 and 12 are the pure edges: each row's weight of row 12 is its share of the second edge.

    With one E0 for all rows the steps of edges 4 eV apart are found half a per cent apart, which moves a share in the
    middle by a quarter of that; 2e-3 is twice as much, noise (1e-4) included.
    """
    run = mixed(f"{{ rows = [1, {N}] }}")
    good = np.arange(N) != 6
    np.testing.assert_allclose(run.table[f"x(row {N})"][good], SHARE[good], atol=2e-3)
    np.testing.assert_allclose(run.table["x(row 1)"][good], 1 - SHARE[good], atol=2e-3)
    assert run.table["x(row 1)"].isna().to_numpy().nonzero()[0].tolist() == [6]
    assert (run.table[f"x(row {N})_err"][good] >= 0).all()
    assert (run.table["lcf_rfactor"][good] < 1e-6).all()


def test_found_components_are_the_shares(mixed):
    """MCR-ALS knows no end member, so the shares are known up to a rotation; the truth lies within its bounds."""
    run = mixed("{ n = 2 }")
    good = np.arange(N) != 6
    facts = json.loads(run.components["facts"])
    assert facts["method"] == "MCR-ALS"
    assert facts["rms"] == pytest.approx(facts["rms_least"], rel=0.2)
    assert run.components["spectra"].shape == (2, run.components["energy"].size)
    second = "2" if run.table["x(2)"].iloc[-1] > 0.5 else "1"
    low, high = (run.table[f"x({second})_{end}"][good] for end in ("low", "high"))
    assert (low - 0.02 <= SHARE[good]).all()
    assert (high + 0.02 >= SHARE[good]).all()
    left, right = plot_components(run).axes
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["component 1", "component 2"]
    assert right.get_xlabel() == "Time (min)"


def test_the_same_by_files(mixed, make_series, co_o, tmp_path):
    """References read from files and normalised as the series is."""
    run = mixed("{ rows = [1, 12] }")
    spec = run.provenance["spec_text"].replace("rows = [1, 12]", "references = ['pure/*.txt']")
    folder = make_series(
        N, name="files", scan=lambda i: scan_of(co_o, i, r=1.97, shift=4.0, share=SHARE[i])
    ).parent
    (folder / "grow.toml").write_text(spec)
    for name, share in (("a", 0.0), ("b", 1.0)):
        write_scan(
            folder / "pure" / f"{name}.txt", scan_of(co_o, 5, r=1.97, shift=4.0, share=share), "", seed=9
        )
    found = series(folder / "grow.toml", output=tmp_path).table
    np.testing.assert_allclose(found["x(b.txt)"], SHARE, atol=2e-3)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("components = { n = 2, rows = [1, 2] }", "needs exactly one of n"),
        ("components = { n = 2 }\nkeep = ['chi']", 'leave "norm" in keep'),
        (
            "valence = { spec = 'v.toml', fraction = 0.7 }",
            r"fraction = 0.7 is none of edge_fraction = \[0.5\]",
        ),
    ],
)
def test_mistakes_are_named(make_series, more, why):
    with pytest.raises(SpecError, match=why):
        load_spec(make_series(1, more=more, name="wrong"), SeriesSpec)


def test_what_cannot_be_found_is_named(make_series, tmp_path):
    missing = make_series(3, more="valence = { spec = 'nowhere.toml' }", name="nowhere")
    with pytest.raises(
        SpecError, match=r'valence: spec = "nowhere.toml" is no spec in the folder of this one'
    ):
        series(missing, output=tmp_path / "a")
    few = make_series(3, more="components = { n = 3 }", name="few")
    with pytest.raises(SeriesError, match="3 components of 3 spectra"):
        series(few, output=tmp_path / "b")


def test_the_shell_prints_both_ends(moved, mixed, capsys):
    from xasuite.cli.common import present

    present(False, moved)
    printed = capsys.readouterr().out
    first, last = moved.table["valence"].dropna().iloc[[0, -1]]
    assert re.search(rf"Valence +{first:.2f}", printed)
    assert f"at the end {last:.2f}" in printed
    present(False, mixed("{ n = 2 }"))
    printed = capsys.readouterr().out
    assert "MCR-ALS, rms" in printed
    assert "component 2: share" in printed
