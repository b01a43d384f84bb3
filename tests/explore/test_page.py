"""The page without a browser: every control changes the spec, and the spec gives what the page draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="needs the extra xasuite[explore]")

import xasuite as xs
from xasuite.errors import ReadError
from xasuite.explorer import inputs
from xasuite.explorer.history import History
from xasuite.explorer.page import Page, thumbnails
from xasuite.feff import find_paths, select
from xasuite.io import write
from xasuite.workflow import fit


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated copper foil as a data file."""
    from xasuite.simulate import TruthPath, spectrum

    paths = find_paths("Cu", absorber="Cu", program="feff6l")
    first = select(paths, scatterer="Cu", shell=1)
    made = spectrum([TruthPath(first, n=12, s02=0.9, sigma2=0.008)], element="Cu", noise=3e-4, seed=3)
    return write(tmp_path_factory.mktemp("scans") / "cu <foil>.xdi", made.spectrum)


@pytest.fixture
def page(scan: Path, tmp_path: Path) -> Page:
    return Page((scan,), "", tmp_path, tmp_path / "explore.toml")


def test_a_moved_slider_is_a_key_of_the_spec(page: Page, scan: Path) -> None:
    page.rbkg.value = 1.1
    assert "rbkg = 1.1" in page.history.text
    norm = xs.normalize(xs.read(scan).mu())
    expected = xs.background(norm, rbkg=1.1)
    np.testing.assert_allclose(page.view.chi.chi, expected.chi, atol=1e-9)
    drawn = page.plots.sources["r"].data["data"]
    ft = xs.fourier(expected, k=page.view.loaded.spec.fit.k, kweight=2, window="hanning", dk=1.0, rmax=8.0)
    np.testing.assert_allclose(drawn, ft.magnitude, atol=1e-9)


def test_a_whole_move_is_one_step_of_undo(page: Page) -> None:
    before = page.history.text
    for value in (0.9, 1.0, 1.1):
        page.rbkg.value = value
    page._settled("value_throttled", 0.8, 1.1)
    assert len(page.history.past) == 1
    page._step(page.history.undo)
    assert page.history.text == before
    assert page.rbkg.value == pytest.approx(0.8)
    page._step(page.history.redo)
    assert page.rbkg.value == pytest.approx(1.1)


def test_ticked_paths_are_fitted_and_the_saved_spec_gives_the_same(page: Page) -> None:
    page.query.value = "Cu"
    assert page.crystals.value == "Cu"
    page._list_paths()
    page.path_source.selected.indices = [0, 1]
    page._take_paths()
    shown = page.view.fit
    assert [p.label for p in shown.paths] == ["Cu 2.56", "Cu 3.61"]
    assert "Verdict" in page.table.text
    page._save()
    again = fit(page.target).rows[0]
    for a, b in zip(shown.parameters, again.parameters, strict=True):
        assert a.value.value == pytest.approx(b.value.value, abs=1e-3 * b.value.stderr)


def test_an_edited_text_is_taken_or_refused(page: Page) -> None:
    before = page.history.text
    page.put_text(before.replace("k = [3.0, 12.0]", "k = [3.0, 10.0]"))
    assert page.k.value == (3.0, 10.0)
    page.put_text("k = [")
    assert "k = [3.0, 10.0]" in page.history.text, "a text that is no spec changes nothing"
    assert "color:#b00020" in page.message.text


def test_what_is_on_disk_is_not_overwritten_unasked(page: Page) -> None:
    page._save()
    page.target.write_text("# mine\n" + page.target.read_text())
    page.rbkg.value = 1.0
    page._save()
    assert page.target.read_text().startswith("# mine")
    assert "was changed on disk" in page.message.text
    page._save()
    assert "rbkg = 1.0" in page.target.read_text()


def test_markup_in_a_name_is_text(scan: Path) -> None:
    assert "cu &lt;foil&gt;.xdi" in thumbnails((scan,))


def test_an_unreadable_file_among_good_ones(scan: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.dat"
    bad.write_text("nothing here")
    page = Page((scan, bad), "", tmp_path, tmp_path / "explore.toml")
    page.files.value = str(bad)
    assert page.view.spectrum.label, "the good scan stays"
    assert "bad.dat" in page.message.text


def test_inputs(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"there is no file .*absent\.dat"):
        inputs(tmp_path / "absent.dat")
    (tmp_path / "a.dat").write_text("x")
    (tmp_path / "notes.md").write_text("x")
    assert [p.name for p in inputs(tmp_path)[0]] == ["a.dat"]


def test_history() -> None:
    h = History("a")
    h.put("b")
    h.put("c", merge=True)
    assert (h.undo(), h.redo()) == ("a", "c")
    h.undo()
    h.put("d")
    assert h.redo() == "d", "what was undone is gone after a change"
