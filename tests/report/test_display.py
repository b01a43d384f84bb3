"""Records show themselves in Jupyter: what stands in the table is the record's own number, the figure is an image."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html import unescape

import numpy as np
import pandas as pd
import pytest

import xasuite as xs
from xasuite.errors import DataError
from xasuite.records import OK, Series
from xasuite.records.quantities import as_printed
from xasuite.report import cards, display

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def spectrum() -> xs.Spectrum:
    """An edge with an oscillation of one distance, 2 A, written down here."""
    energy = np.concatenate(
        [np.arange(8780, 8960, 5.0), np.arange(8960, 9030, 0.5), np.arange(9030, 9700, 2.0)]
    )
    k = np.sqrt(np.clip(energy - 8979, 0, None) * 0.2624682917)
    wave = np.where(k > 1, 0.1 * np.sin(4 * k) * np.exp(-0.02 * k**2), 0)
    mu = 0.5 + 1e-5 * (9000 - energy) + (0.5 + np.arctan((energy - 8979) / 1.5) / np.pi) * (1 + wave)
    return xs.Spectrum(energy=energy, mu=mu, element="Cu", edge="K", label="made <here> & now")


def parts(html: str) -> tuple[str, list[bytes]]:
    """The text without tags, and the bytes of every image."""
    images = [base64.b64decode(x) for x in re.findall(r'src="data:image/png;base64,([^"]+)"', html)]
    return unescape(re.sub(r"<[^>]+>", " ", html)), images


def test_each_stage_shows_a_table_and_a_small_figure(spectrum: xs.Spectrum) -> None:
    norm = xs.normalize(spectrum)
    chi = xs.background(norm)
    stages = {
        "8780.0 to 9698.0 eV": spectrum,
        f"{float(norm.e0):.2f} eV": norm,
        f"to {chi.k[-1]:.2f} 1/Å": chi,
        "3 to 11 1/Å, weight 2": xs.fourier(chi, k=(3, 11)),
        "morlet, k weight 2": xs.wavelet(chi, k=(3, 11), r=(1, 4)),
    }
    for expected, record in stages.items():
        html = record._repr_html_()
        text, images = parts(html)
        assert expected in text
        assert [i[:8] for i in images] == [PNG], type(record).__name__
        assert len(html) < 120_000, "small enough to be kept in a notebook"


def test_a_terminal_gets_a_few_lines_of_text(spectrum: xs.Spectrum) -> None:
    """IPython asks for a bundle; the arrays' own repr would fill pages."""
    plain = xs.normalize(spectrum)._repr_mimebundle_()["text/plain"]
    assert plain.splitlines()[0] == "made <here> & now, Cu K edge, normalised"
    assert len(plain) < 400


def test_text_is_escaped(spectrum: xs.Spectrum) -> None:
    html = spectrum._repr_html_()
    assert "made &lt;here&gt; &amp; now" in html
    assert "<here>" not in html


def test_a_series_counts_its_bad_rows(spectrum: xs.Spectrum) -> None:
    stack = xs.Spectrum(energy=spectrum.energy, mu=np.stack([spectrum.mu] * 3), label="three")
    table = pd.DataFrame({"label": ["a", "b", "c"], "time": [0.0, 1.0, 2.0]})
    series = Series(stack, table, (OK, "glitch", OK), ("", "one point off", ""), label="run 7")
    text, images = parts(series._repr_html_())
    assert "run 7 of 3 spectra" in text
    assert "2 ok, 1 glitch" in text
    assert "2: one point off" in text
    assert images


def test_a_figure_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch, spectrum: xs.Spectrum) -> None:
    def refuse(record: object) -> object:
        raise DataError("there is nothing to draw")

    monkeypatch.setattr("xasuite.report.plots.dispatch.plot", refuse)
    assert "no figure: there is nothing to draw" in spectrum._repr_html_()


def test_every_kind_of_record_has_a_function_with_a_sentence() -> None:
    for kind, function in cards.KINDS.items():
        assert function.__doc__, kind


def test_a_record_without_a_card_of_its_own_shows_its_arrays(spectrum: xs.Spectrum) -> None:
    found = xs.xanes.edge_energy(xs.normalize(spectrum), fraction=0.5)
    text, _ = parts(found._repr_html_())
    assert as_printed(float(found.value), float(found.stderr)) in text
    shown = cards.anything(spectrum)
    assert ("energy", str(spectrum.energy.size)) in shown.facts


def test_a_type_without_a_card_is_named() -> None:
    with pytest.raises(DataError, match="a object has no table"):
        display.html(object())


def test_records_do_not_load_the_reports_until_shown() -> None:
    code = "import sys, xasuite.records; assert 'xasuite.report' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_fit_shows_its_coordination_table() -> None:
    pytest.importorskip("PyMca5")
    from xasuite.references import fits_dir

    result = xs.fit(fits_dir() / "foils" / "cu_pymca.toml")
    fitted = result.rows[0]
    text, images = parts(fitted._repr_html_())
    assert str(fitted.path("Cu-Cu").r) in text
    assert "12*" in text, "N was held"
    assert f"{fitted.rfactor:.4f}" in text
    assert images
    whole, _ = parts(result._repr_html_())
    assert "k = 3-15 1/Å" in whole
    assert "measured" in whole
