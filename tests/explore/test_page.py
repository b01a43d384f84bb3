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
from xasuite.explorer.page import Page
from xasuite.explorer.thumbnails import thumbnails
from xasuite.workflow import fit


@pytest.fixture
def page(scan: Path, tmp_path: Path) -> Page:
    return Page((scan,), "", tmp_path / "explore.toml")


def test_a_moved_slider_is_a_key_of_the_spec(page: Page, scan: Path) -> None:
    page.rbkg.value = 1.1
    assert "rbkg = 1.1" in page.session.history.text
    norm = xs.normalize(xs.read(scan).mu())
    expected = xs.background(norm, rbkg=1.1)
    np.testing.assert_allclose(page.session.view.chi.chi, expected.chi, atol=1e-9)
    drawn = page.plots.sources["r"].data["data"]
    ft = xs.fourier(
        expected, k=page.session.view.loaded.spec.fit.k, kweight=2, window="hanning", dk=1.0, rmax=8.0
    )
    np.testing.assert_allclose(drawn, ft.magnitude, atol=1e-9)


def test_a_whole_move_is_one_step_of_undo(page: Page) -> None:
    before = page.session.history.text
    for value in (0.9, 1.0, 1.1):
        page.rbkg.value = value
    page.settled("value_throttled", 0.8, 1.1)
    assert len(page.session.history.past) == 1
    page.session.step(page.session.history.undo)
    assert page.session.history.text == before
    assert page.rbkg.value == pytest.approx(0.8)
    page.session.step(page.session.history.redo)
    assert page.rbkg.value == pytest.approx(1.1)


def test_ticked_paths_are_fitted_and_the_saved_spec_gives_the_same(page: Page) -> None:
    page.structure.query.value = "Cu"
    assert page.structure.crystals.value == "Cu"
    page.structure.take_crystal()
    page.structure.paths.selected.indices = [0, 1]
    page.structure.take_paths()
    shown = page.session.view.fit
    assert [p.label for p in shown.paths] == ["Cu 2.56", "Cu 3.61"]
    assert "Verdict" in page.fit.table.text
    assert "Errors of the fit alone; the error budget follows" in page.fit.table.text
    page.fit.fit_now()
    assert "Errors and values with the error budget" in page.fit.table.text
    page.session.save()
    again = fit(page.session.target).rows[0]
    made = page.fit.result.fits[0]
    assert made.budget is not None
    # the same program on the same text: equal but for the last digits of a sum
    for own, other in ((made, again), (shown, again.stated)):
        for a, b in zip(own.parameters, other.parameters, strict=True):
            assert a.value.value == pytest.approx(b.value.value, rel=1e-9, abs=1e-9)
            assert a.value.stderr == pytest.approx(b.value.stderr, rel=1e-9, nan_ok=True)
    for p in again.paths:
        assert f">{p.r}<" in page.fit.table.text


def test_comments_of_a_spec_stay(page: Page, scan: Path, tmp_path: Path) -> None:
    text = page.session.history.text.replace("[fit]", "# my own words\n[fit]")
    own = Page((), text, tmp_path / "own.toml")
    own.rbkg.value = 1.1
    assert "# my own words" in own.session.history.text


def test_a_click_replaces_a_point_and_gives_it_back(page: Page) -> None:
    from bokeh.events import Tap

    page.data.deglitch.active = True
    at = float(page.session.view.spectrum.energy[200])
    page.data._tapped(Tap(page.plots.mu, x=at + 0.01, y=0))
    raw = page.session.view.spectrum
    np.testing.assert_array_equal(page.session.view.norm.mu, xs.deglitch(raw, [round(at, 3)]).mu)
    assert page.session.view.norm.mu[200] != raw.mu[200]
    page.data._tapped(Tap(page.plots.mu, x=at + 0.01, y=0))
    np.testing.assert_array_equal(page.session.view.norm.mu, raw.mu)


def test_a_scan_that_ends_early_says_so(page: Page, scan: Path, tmp_path: Path) -> None:
    lines = scan.read_text().splitlines()
    short = tmp_path / "short.xdi"
    head = [n for n, line in enumerate(lines) if line.startswith("#")][-1]
    short.write_text("\n".join(lines[: head + 20]) + "\n")
    own = Page((short, scan), "", tmp_path / "explore.toml")
    assert own.session.view.problems, "one sentence in place of the curves"
    assert "color:#b00020" in own.session.message.text
    own.data.take_file(str(scan))
    assert not own.session.view.problems


def test_a_page_of_thumbnails_holds_forty(scan: Path) -> None:
    many = [scan] * 41
    assert thumbnails(many).count("<svg") == 40
    assert thumbnails(many, 1).count("<svg") == 1


def test_the_view_as_pdf(page: Page) -> None:
    page.write_pdf()
    assert page.session.target.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_an_edited_text_is_taken_or_refused(page: Page) -> None:
    before = page.session.history.text
    page.session.put_text(before.replace("k = [3.0, 12.0]", "k = [3.0, 10.0]"))
    assert page.k.value == (3.0, 10.0)
    page.session.put_text("k = [")
    assert "k = [3.0, 10.0]" in page.session.history.text, "a text that is no spec changes nothing"
    assert "color:#b00020" in page.session.message.text


def test_what_is_on_disk_is_not_overwritten_unasked(page: Page) -> None:
    page.session.save()
    page.session.target.write_text("# mine\n" + page.session.target.read_text())
    page.rbkg.value = 1.0
    page.session.save()
    assert page.session.target.read_text().startswith("# mine")
    assert "was changed on disk" in page.session.message.text
    page.session.save()
    assert "rbkg = 1.0" in page.session.target.read_text()


def test_markup_in_a_name_is_text(scan: Path) -> None:
    assert "cu &lt;foil&gt;.xdi" in thumbnails((scan,))


def test_an_unreadable_file_among_good_ones(scan: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.dat"
    bad.write_text("nothing here")
    page = Page((scan, bad), "", tmp_path / "explore.toml")
    page.data.files.value = str(bad)
    assert page.session.view.spectrum.label, "the good scan stays"
    assert "bad.dat" in page.session.message.text


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
