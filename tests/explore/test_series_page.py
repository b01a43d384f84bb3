"""The page of a series: what it draws is what the run holds, and it follows a folder that is watched."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="needs the extra xasuite[explore]")

from xasuite._series import series
from xasuite._series.live import Watch
from xasuite._series.store import Folder
from xasuite.errors import PageError, ReadError
from xasuite.explorer.notebook import series_results
from xasuite.explorer.series import CHIR, SeriesPage
from xasuite.explorer.server import serving
from xasuite.report.plots.series import transform
from xasuite.specs import SeriesSpec, load_spec

from ..series.conftest import co_o, make_series  # noqa: F401

N, BAD = 6, 3


@pytest.fixture(scope="module")
def spec(make_series) -> Path:  # noqa: F811
    return make_series(N, {BAD: "truncated"}, chunk=6, name="page")


@pytest.fixture(scope="module")
def run(spec, tmp_path_factory):
    return series(spec, output=tmp_path_factory.mktemp("run"))


@pytest.fixture
def page(run) -> SeriesPage:
    return SeriesPage(run.path)


def test_a_row_is_drawn_as_the_run_holds_it(page, run):
    page.row.value = 2
    magnitude = transform(run, run.curves("chi", [1]))[1]
    np.testing.assert_allclose(page.chir.data["data"], magnitude[0])
    np.testing.assert_allclose(page.chir.data["fit"], transform(run, run.curves("fit", [1]))[1][0])
    np.testing.assert_allclose(page.norm.data["data"], run.curves("norm", [1])[1][0])
    assert "scan_2" in page.message.text
    page.what.active = CHIR
    assert page.map.xaxis.axis_label.startswith("R (")
    assert page.image.data["image"][0].shape[0] == N


def test_bad_rows_have_their_reason_and_no_curve(page, run):
    bad = run.table.iloc[BAD]
    assert bad["status"] != "ok"
    assert page.bad.data["row"] == [BAD + 1]
    assert page.bad.data["reason"] == [bad["reason"]]
    page.bad.selected.indices = [0]
    assert page.row.value == BAD + 1, "a click on a bad row shows it"
    assert bad["reason"] in page.message.text


def test_parameters_against_another_column(page, run):
    page.names[0].value = "n_o"
    page.against.value = "e0"
    np.testing.assert_array_equal(page.values[0].data["x"], run.table["e0"])
    np.testing.assert_array_equal(page.values[0].data["y"], run.table["n_o"])
    half = (page.values[0].data["high"] - page.values[0].data["low"]) / 2
    np.testing.assert_allclose(half, run.table["n_o_err"], atol=1e-12)


def test_a_folder_or_a_spec_names_the_results(run, spec, tmp_path, monkeypatch):
    assert series_results(run.path.parent) == run.path
    assert series_results([run.path]) == run.path
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadError, match="run xasuite series"):
        series_results(spec)


@pytest.fixture
def watched(spec, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    own = shutil.copy(spec, tmp_path / "grow.toml")
    return folder, Watch(
        folder, load_spec(own, SeriesSpec), Folder(tmp_path / "out"), settle=0.0, patience=60
    )


def test_the_page_follows_a_watched_folder(watched, spec):
    folder, watcher = watched
    page = SeriesPage(watcher.output.h5, watcher)
    assert page.run is None
    for i in (1, 2):
        shutil.copy(spec.parent / "scans" / f"scan_{i}.txt", folder)
        watcher.step()
        watcher.write()
        page.look()
        assert len(page.run) == i
        assert page.row.value == i, "who looks at the last row sees the new last row"
    half = (spec.parent / "scans" / "scan_5.txt").read_bytes()
    (folder / "scan_5 <b>.txt").write_bytes(half[: len(half) // 2])
    watcher.step()
    page.look()
    assert "not whole yet: scan_5 &lt;b&gt;.txt" in page.status.text
    assert "2 scans, 2 rows" in page.status.text
    page.row.value = 1
    shutil.copy(spec.parent / "scans" / "scan_3.txt", folder)
    watcher.step()
    watcher.write()
    page.look()
    assert page.row.value == 1, "who looks at another row stays there"
    assert SeriesPage(watcher.output.h5, watcher).row.value == 3, "a new browser shows what there is"


def test_the_server_asks_for_its_token_and_says_when_a_port_is_taken(run):
    with serving(lambda doc: SeriesPage(run.path).show(doc), title="test") as address:
        assert address.startswith("http://127.0.0.1:")
        with urlopen(address) as answer:
            assert answer.status == 200
        port = int(address.split(":")[2].split("/")[0])
        with (
            pytest.raises(PageError, match=f"port {port}"),
            serving(lambda doc: None, port=port, title="test"),
        ):
            pass
