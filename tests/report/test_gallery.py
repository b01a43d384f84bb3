"""The gallery: every figure type has its block and its image, the blocks run, and the kinds refuse what they cannot draw."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import xasuite as xs
from xasuite.cli import main
from xasuite.errors import DataError, SpecError
from xasuite.report import figures
from xasuite.report.plots import paper, style
from xasuite.report.plots.paper import transform_of
from xasuite.report.samples import samples
from xasuite.specs.published import papers

DOCS = Path(__file__).resolve().parents[2] / "docs"
MM = 25.4
# Part A's figures and those of Fig. 2 of part B
WANTED = (
    "s07",
    "s08",
    "s09",
    "s10",
    "s11",
    "s23",
    "s24",
    "s25",
    "s26",
    "s27",
    "s28",
    "s29",
    "s31",
    "s32",
    "s36",
)
SECOND = (
    *(f"fig2-{kind}-{edge}" for kind in ("xanes", "ft", "wavelets") for edge in ("co", "mn")),
    "fig2-theory",
)
QUICK = ("s23-xanes-time", "s25-ft-time-co", "s36-lines")  # of a second or two each


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """docs/make_gallery.py as a module."""
    spec = importlib.util.spec_from_file_location("make_gallery", DOCS / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_gallery"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    """The page's text."""
    return (DOCS / "gallery.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def closure() -> tuple:
    """Table S7's six cobalt spectra, not fitted."""
    return samples("fits/ccro/s7_co.toml")


def test_every_figure_type_is_there(page: str, maker: ModuleType) -> None:
    made = [n for block in maker.blocks(page) for n in maker.names(block)]
    assert len(made) == len(set(made))
    for want in (*WANTED, *SECOND):
        assert any(n.startswith(want) for n in made), want
    # what is made is shown, and what is shown is there
    shown = re.findall(r"!\[.*?\]\(gallery/([\w-]+)\.png\)", page)
    assert sorted(shown) == sorted(made)


def test_every_figure_is_an_entry_of_a_paper(page: str, maker: ModuleType) -> None:
    entries = {name for of in papers().values() for name in of.figure}
    made = {n for block in maker.blocks(page) for n in maker.names(block)}
    assert made <= entries
    for name in made:
        assert f'figure("{"comn" if name.startswith("fig2") else "ccro"}/{name}")' in page


def test_a_published_figure_takes_no_other_inputs() -> None:
    with pytest.raises(DataError, match="has its own inputs"):
        figures.figure("ccro/s36-lines", "other.xdi")
    with pytest.raises(SpecError, match="did you mean"):
        figures.figure("ccro/s36-line")


def test_images_are_small_and_not_blank(page: str) -> None:
    from PIL import Image

    total = 0
    for name in re.findall(r"\(gallery/([\w-]+\.png)\)", page):
        path = DOCS / "gallery" / name
        size = path.stat().st_size
        total += size
        assert size < (200_000 if name == "contact_sheet.png" else 150_000), f"{name}: {size / 1e3:.0f} kB"
        pixels = np.asarray(Image.open(path).convert("L"))
        assert pixels.shape[1] >= 700, name
        assert 0.005 < (pixels < 200).mean() < 0.8, name
    assert total < 3_000_000


@pytest.mark.parametrize("name", QUICK)
def test_blocks_run(
    name: str, page: str, maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = next(b for b in maker.blocks(page) if name in maker.names(b))
    monkeypatch.chdir(tmp_path)
    exec(compile(block, name, "exec"), {})
    for kind in figures.FORMATS:
        assert (tmp_path / f"{name}.{kind}").stat().st_size > 3000
    assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_file_has_a_journals_width_resolution_and_fonts(closure: tuple, tmp_path: Path) -> None:
    from PIL import Image

    made = figures.figure("ft", *closure)
    assert made.get_size_inches()[0] * MM == pytest.approx(85, abs=0.5)
    png, svg = figures.save_figure(made, tmp_path / "a", ("png", "svg"))
    assert Image.open(png).width / 300 * MM == pytest.approx(85, abs=1.0)
    assert "<text" in svg.read_text()  # text stays text, which a journal can set in its own font
    other = figures.figure("ft", *closure)
    figures.save_figure(other, tmp_path / "b", ("pdf",), width=style.DOUBLE)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", (tmp_path / "b.pdf").read_bytes())
    assert box is not None
    assert float(box[1]) / 72 * MM == pytest.approx(178, abs=1.0)
    # Type 42 fonts are embedded whole, as journals ask
    assert b"/Type3" not in (tmp_path / "b.pdf").read_bytes().replace(b" ", b"")


def test_ft_shows_what_fourier_gives(closure: tuple) -> None:
    axis = figures.figure("ft", *closure, stacked=False).axes[0]
    expected = xs.fourier(closure[0].chi, k=(3, 11), kweight=3, dk=closure[0].range.dk)
    drawn = axis.lines[0]
    assert drawn.get_ydata() == pytest.approx(expected.magnitude[: len(drawn.get_ydata())])
    assert len(axis.lines) == 6
    # Co-O at 1.97 A lies near 1.5 A before the phase is corrected
    assert 1.3 < drawn.get_xdata()[np.argmax(drawn.get_ydata())] < 1.7


def test_wavelets_side_by_side_share_range_and_weight(closure: tuple) -> None:
    """A record has a range and weight of its own (k to 12, k^2); beside a spec's rows it takes theirs (3 to 11, k^3)."""
    other = xs.simulate.spectrum(
        xs.simulate.rest(xs.find_paths("CoO", absorber="Co"), s02=0.77), element="Co", label="CoO"
    )
    found = samples("fits/ccro/s4b_co.toml", other)
    assert found[0].range.k != found[1].range.k
    made = paper.maps_of(found, None, (0.5, 4.0))
    assert [w.kweight for w in made] == [3, 3]
    assert {dict(w.history[-1].settings)["k"] for w in made} == {(3.0, 11.0)}
    maps = [a for a in figures.figure("wavelet", *found).axes if a.get_xlabel().startswith("k")]
    assert {a.get_xlim() for a in maps} == {(2.0, 12.0)}


def test_kind_is_said(closure: tuple) -> None:
    assert "closure" in [figures.figure("ft", *closure).axes[0].get_title(loc="right")]


def test_colours_follow_time_and_are_told_apart(closure: tuple) -> None:
    made = figures.figure("xanes", *closure, times=[0, 1, 30, 60, 90, 120]).axes[0]
    lightness = [sum(c[:3]) for c in (np.array(line.get_color()) for line in made.lines)]
    assert lightness == sorted(lightness)
    assert len(set(style.COLORS)) == len(style.COLORS) >= 8


def test_fit_is_drawn_from_results_as_from_the_spec(tmp_path: Path) -> None:
    from xasuite import specs, workflow
    from xasuite.references import fits_dir
    from xasuite.report.results import write_results

    loaded = specs.load_spec(fits_dir() / "foils" / "co_foil_closure.toml")
    write_results(workflow.run_spec(loaded, variants=False), tmp_path, figures=False)
    direct, kept = samples(loaded.path, fit=True)[0], samples(tmp_path, fit=True)[0]
    assert kept.range == direct.range
    for a, b in ((direct.fit, kept.fit),):
        assert a is not None
        assert b is not None
        first, second = (transform_of(direct, x.fit).magnitude for x in (a, b))
        assert second == pytest.approx(first, abs=1e-5 * first.max())
    drawn = paper.k_and_r([kept]).axes
    assert [line.get_color() for line in drawn[1].lines] == [style.DATA, style.FIT]


@pytest.mark.parametrize(
    ("kind", "inputs", "options", "said"),
    [
        ("wavelt", (), {}, 'did you mean "wavelet"'),
        ("ft", (), {}, "nothing to draw"),
        ("valence", (), {}, "one valence spec"),
        ("xanes", None, {"times": [1, 2]}, "6 spectra and 2 times"),
        ("ft", None, {"rows": ["1 h"]}, "there is no '1 h'"),
        ("fit", None, {}, "OCP has no fit to draw"),
    ],
)
def test_refusals(closure: tuple, kind: str, inputs: tuple | None, options: dict, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        figures.figure(kind, *(closure if inputs is None else inputs), **options)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*args: str) -> int:
        with pytest.raises(SystemExit) as stop:
            main(["figure", *args])
        return int(stop.value.code or 0)

    stem = tmp_path / "s25"
    assert (
        run(
            "ft",
            "fits/ccro/s7_co.toml",
            "--row",
            "OCP",
            "--row",
            "120 min",
            "-o",
            str(stem),
            "--format",
            "svg",
        )
        == 0
    )
    assert stem.with_suffix(".svg").is_file()
    assert run() == 0
    assert "wavelet maps against time" in capsys.readouterr().out
    assert run("ft", "fits/ccro/s7_co.toml", "--width", "page") == 1
    assert run("ft", "fits/ccro/s7_co.toml", "--times", "a,b") == 1
    assert run("ft", "fits/ccro/s7_co.toml", "--format", "bmp", "-o", str(stem)) == 1
    assert "pdf, svg, png, not as 'bmp'" in capsys.readouterr().err
