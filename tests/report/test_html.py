"""The report: what it holds, its size, and, in headless Chromium, that the slider moves every figure."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite import specs, workflow
from xasuite.cli import main
from xasuite.errors import ReadError
from xasuite.exafs.model import FitRange
from xasuite.records.table import Table
from xasuite.references import fits_dir
from xasuite.report.html import render, write_report
from xasuite.report.results import write_results
from xasuite.report.sections import CLOSURE_NOTE, Section, find_inputs
from xasuite.report.viewer import Stack, Trend, packed, payload, thinned, unpacked

MANY = 500
HANGS = 120  # s after which the browser is taken to do nothing more; no test asks how long a thing took
TEN_MB = 10_000_000
ROWS = 9  # of the closure series
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,1500",
)  # fmt: skip
PLOTS = (
    "xanes",
    "chik",
    "chir",
    "map",
    "trends",
)  # of a series; a fit has the lines of the normalisation as well
# What every plot shows: the y of lines, the z of the map, where the mark of the trends stands
SHOWN = """
const v = arguments[0], out = {};
for (const n of ["xanes", "chik", "chir"]) out[n] = [...v.querySelector("." + n).data].map(t => [...t.y]);
out.map = v.querySelector(".map").data[0].z.map(r => [...r]);
const trends = v.querySelector(".trends");
out.trends = trends && trends.layout.shapes.map(s => s.type === "line" ? [s.x0, s.x1] : [s.xanchor, s.yanchor]);
out.text = v.querySelector("output").textContent + v.querySelector("table.now").textContent;
return out;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a fit (Table S9, cobalt) and of a closure series between Table S7's first and last row."""
    where = tmp_path_factory.mktemp("results")
    write_results(
        workflow.run_spec(specs.load_spec(fits_dir() / "ccro" / "s9_co.toml"), variants=False),
        where,
        figures=False,
    )
    text = (fits_dir() / "ccro" / "s7_co.toml").read_text()
    text = re.sub(r"\[\[data\]\]\n.*?\n\n", "", text, flags=re.S)
    text = re.sub(r"\[\[variant\]\]\n.*?(\n\n|\Z)", "", text, flags=re.S)
    rows = '[["OCP", 0], ["120 min", 120]]'
    text += (
        f'\n[series]\ntime_unit = "min"\nsimulate = {{ rows = {rows}, n = {ROWS}, noise = 3e-4, seed = 1 }}\n'
    )
    here = where / "specs" / "ccro_series.toml"
    here.parent.mkdir()
    here.write_text(text)
    from xasuite._series import series

    series(here, output=where)
    return where


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of both."""
    return write_report([folder], tmp_path_factory.mktemp("report") / "report.html", title="Both")


def many(m: int) -> Stack:
    """A stack of m made-up spectra on the grids of a real series; row 7 was not fitted."""
    rng = np.random.default_rng(0)
    energy, k = np.arange(7500.0, 8500.0, 0.5), np.arange(0, 15.0, 0.05)
    grow = np.linspace(0, 1, m)[:, None]
    norm = 1 / (1 + np.exp(-(energy - 7715 - 3 * grow) / 1.5)) + 1e-3 * rng.standard_normal((m, energy.size))
    chi = np.sin(2 * k * (1.6 + 0.05 * grow)) * np.exp(-0.01 * k**2) + 1e-3 * rng.standard_normal((m, k.size))
    fit = chi.copy()
    fit[min(7, m - 1)] = np.nan
    trends = tuple(
        Trend(f"p{i}", "", rng.standard_normal(m), np.full(m, 0.1), rng.random(m) < 0.1) for i in range(6)
    )
    return Stack(
        x=np.arange(m, dtype=float), xlabel="Time (min)", labels=tuple(f"scan {i:04d}.dat" for i in range(m)),
        status=("ok",) * m, energy=energy, norm=norm, k=k, chi=chi, fit=fit,
        range=FitRange((3.0, 12.0), (1.0, 3.0)), trends=trends,
    )  # fmt: skip


def section(stack: Stack, title: str = "many") -> Section:
    """A section around a stack."""
    facts = (("Spectra", str(len(stack))), ("k", "3 to 12"), ("R", "1 to 3"), ("R factor", "0.01"))
    table = Table.of("t", ("row", "n"), (("1", "5.8(6)"),))
    return Section(title, "measured", facts, (), (table,), stack, (("Spec", "x"),), "xasuite = 1")


def test_packing_keeps_16_bits() -> None:
    values = np.random.default_rng(1).normal(size=(4, 50))
    values[2] = np.nan
    back = unpacked(packed(values))
    span = np.nanmax(values) - np.nanmin(values)
    assert np.isnan(back[2]).all()
    assert np.nanmax(np.abs(back - values)) <= span / 65534
    assert np.nanmax(np.abs(unpacked(packed(values, 8)) - values)) <= span / 254
    assert unpacked(packed(np.ones((2, 3)))) == pytest.approx(np.ones((2, 3)))


def test_the_page_stands_by_itself(report: Path) -> None:
    text = report.read_text()
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.S)  # plotly.js names addresses it never calls
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!#|data:)[^\"'>\s]", page)
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert len(text) < TEN_MB


def test_what_a_reader_has_to_know_is_there(report: Path, folder: Path) -> None:
    text = re.sub(r"<script.*?</script>", "", report.read_text(), flags=re.S)
    document = json.loads((folder / "ccro" / "s9_co" / "result.json").read_text())
    assert CLOSURE_NOTE in text
    assert "3.1 ± 0.5" in text  # published, beside ours
    assert document["provenance"]["spec_sha256"] in text
    assert document["provenance"]["versions"]["xraylarch"] in text
    assert all(h in text for h in document["provenance"]["feff"].values())
    assert "[[path]]" in text
    assert "fitted again with Larch" in text


@pytest.mark.parametrize(
    "part",
    [
        "Read this first", "Coordination table", "publ.", "Quality of the fit", "Reduced chi-square (χ²/ν) compares",
        "Verdict", "Parameters", "fitted", "held with its error from", "Error: noise", "Error: choices",
        "Correlations of 0.5 and more", "Methods, to be pasted", "fitted in R space, not corrected for phase",
        "Hanning window with dk =", "Parameters along the series", "Spectra by status", "The spec",
        "R(Co-O) (Å)", "Time (min)",
    ],
)  # fmt: skip
def test_what_a_referee_asks_for_is_there(report: Path, part: str) -> None:
    assert part in re.sub(r"<script.*?</script>", "", report.read_text(), flags=re.S)


def test_the_page_is_read_aloud_and_reached_by_keys(report: Path) -> None:
    text = re.sub(r"<script.*?</script>", "", report.read_text(), flags=re.S)
    assert len(re.findall(r"<h1\b", text)) == 1, "the title once"
    assert len(re.findall(r'<section[^>]*id="provenance"', text)) == 1, "provenance once"
    assert text.startswith("<!DOCTYPE html>\n<html lang=") or '<html lang="en"' in text
    assert 'class="skip"' in text
    inside = set(re.findall(r'href="#([^"]+)"', text))
    assert inside
    assert inside <= set(re.findall(r'id="([^"]+)"', text)), "the table of contents leads somewhere"
    plots = re.findall(r'<div class="plot [^>]*>', text)
    assert plots
    assert all("aria-label=" in p for p in plots), "each figure says what it is"
    sliders = re.findall(r"<input[^>]*range[^>]*>", text)
    assert sliders
    assert all("aria-label=" in s for s in sliders)


def test_five_hundred_spectra_under_ten_megabytes(tmp_path: Path) -> None:
    page = render([section(many(MANY))], "many")
    assert len(page.encode()) < TEN_MB
    # of a longer series the curves are thinned, the parameters are not
    held = payload(many(3 * MANY))
    assert len(held["labels"]) == MANY
    assert held["total"] == 3 * MANY
    assert len(held["trends"]["x"]) == 3 * MANY
    assert list(thinned(10, 4)) == [0, 3, 6, 9]


def test_chir_and_map_are_those_of_the_analysis() -> None:
    from xasuite.exafs import fourier, wavelet
    from xasuite.records import Chi

    stack = many(12)
    held = payload(stack)
    one = Chi(k=stack.k, chi=stack.chi[5], e0=0.0, edge_step=1.0)
    made = fourier(one, k=(3.0, 12.0), kweight=2, dk=1.0)
    r = np.array(held["r"])
    expected = np.interp(r, made.r, made.magnitude)
    assert unpacked(held["chir"])[5] == pytest.approx(expected, abs=1e-3 * expected.max())
    assert np.isnan(unpacked(held["chirfit"])[7]).all()
    w = wavelet(one, k=(3.0, 12.0), kweight=2, r=(0.8, 5.0), nr=40)
    at = [int(np.argmin(np.abs(w.k - x))) for x in held["mapk"]]
    height = unpacked(held["map"])[5].reshape(len(held["mapr"]), -1)
    assert height == pytest.approx(w.magnitude[:, at], abs=w.magnitude.max() / 100)


def test_a_label_cannot_break_the_page() -> None:
    from dataclasses import replace

    bad = "</script><script>alert(1)</script>"
    page = render([section(replace(many(3), labels=(bad, "b", "c")), title=bad)], bad)
    assert bad not in page


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReadError, match="no such file"):
        find_inputs([tmp_path / "absent"])
    with pytest.raises(ReadError, match=r"no result\.json"):
        find_inputs([tmp_path])
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path), "-o", str(tmp_path / "r.html")])
    assert "fit its spec again" in capsys.readouterr().err


def test_tables_by_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main_ok(["report", str(folder / "ccro"), "-o", str(tmp_path / "t.tex"), "--errors", "plus-minus"])
    assert r"\pm" in (tmp_path / "t.tex").read_text()
    main_ok(["report", str(folder), "-o", str(tmp_path / "all.md")])
    assert sorted(p.name for p in tmp_path.glob("all*")) == ["all_1.md", "all_2.md"]


def main_ok(args: list[str]) -> None:
    """A command that has to succeed."""
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert not stop.value.code


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium under Selenium; skips where one of them is not there."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    binary = next(
        (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
    )
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs chromium and chromedriver (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


def opened(browser: Any, page: Path) -> None:
    """Open a page whose script ran to its end, which it says by data-ready."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(page.as_uri())
    assert browser.execute_script("return document.body.dataset.ready")


def reached(viewer: Any, row: int) -> None:
    """Wait until a viewer shows a row: it draws in the browser's next frame."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(viewer, HANGS, 0.02).until(
        lambda v: v.get_attribute("data-row") == str(row), f"the slider did not move to row {row}"
    )


def moved(browser: Any, viewer: Any, row: int) -> dict[str, Any]:
    """What a viewer shows after its slider was moved to a row."""
    slider = viewer.find_element("css selector", "input")
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", slider, row
    )
    reached(viewer, row)
    return browser.execute_script(SHOWN, viewer)


def test_slider_moves_every_figure(browser: Any, report: Path, folder: Path, tmp_path: Path) -> None:
    from xasuite._series import open_run

    opened(browser, report)
    viewers = browser.find_elements("css selector", ".viewer")
    assert len(viewers) == 2
    series = viewers[-1]
    browser.execute_script("arguments[0].scrollIntoView()", series)
    reached(series, 0)
    before, after = browser.execute_script(SHOWN, series), moved(browser, series, ROWS - 1)
    for name in (*PLOTS, "text"):
        assert after[name] != before[name], f"{name} did not move"
    assert moved(browser, series, 0) == before
    # what is drawn is what was measured and fitted
    run = open_run(next(folder.rglob("series.h5")))
    k, chi = run.curves("chi", slice(ROWS - 1, ROWS))
    drawn = np.array(after["chik"][0], float)
    kept = (k >= 0.5) & (k <= 13.0)
    assert drawn == pytest.approx((chi[0] * k**3)[kept], abs=2e-4 * np.abs(drawn).max())
    assert after["trends"][0][0] == pytest.approx(120.0)
    # the arrow keys step
    series.find_element("css selector", "input").send_keys("\ue014")
    reached(series, 1)
    assert browser.save_screenshot(str(tmp_path / "report.png"))


def test_no_request_and_no_complaint(browser: Any, report: Path) -> None:
    opened(browser, report)
    for viewer in browser.find_elements("css selector", ".viewer"):
        browser.execute_script("arguments[0].scrollIntoView()", viewer)
        reached(viewer, 0)
        moved(browser, viewer, 0)
    assert [m for m in browser.get_log("browser") if m["level"] in ("SEVERE", "WARNING")] == []
    events = [json.loads(m["message"])["message"] for m in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    outside = [
        u for u in asked if not u.startswith(("data:", "blob:", "chrome:", "about:")) and u != report.as_uri()
    ]
    assert report.as_uri() in asked
    assert outside == []


def test_five_hundred_spectra_open(browser: Any, tmp_path: Path) -> None:
    """`python -m benchmarks report_500` shows after how many ms."""
    page = tmp_path / "many.html"
    page.write_text(render([section(many(MANY))], "many"), encoding="utf-8")
    opened(browser, page)
    viewer = browser.find_element("css selector", ".viewer")
    before, after = browser.execute_script(SHOWN, viewer), moved(browser, viewer, MANY - 1)
    assert not [name for name in (*PLOTS, "text") if after[name] == before[name]], "what did not move"


# What reaches beyond the window and is not inside something that scrolls
WIDE = """
const out = [];
for (const e of document.querySelectorAll('body *')) {
  const r = e.getBoundingClientRect();
  if (r.width === 0 || r.right <= innerWidth + 0.5) continue;
  let held = false;
  for (let p = e.parentElement; p; p = p.parentElement) held ||= getComputedStyle(p).overflowX !== 'visible';
  if (!held) out.push(e.tagName + '.' + e.className);
}
return out;
"""


def test_nothing_is_wider_than_a_phone(browser: Any, report: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    page = tmp_path / "long.html"
    long = "a_file_of_a_beamtime_" * 12
    labels = tuple(f"{long}{i}.dat" for i in range(3))
    page.write_text(render([section(replace(many(3), labels=labels), title=long)], long), encoding="utf-8")
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for one in (report, page):
            opened(browser, one)
            assert browser.execute_script("return innerWidth") == 390
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
            assert browser.execute_script(WIDE) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_no_table_is_cut(browser: Any, report: Path) -> None:
    """A4 less its margins is 703 px wide; what scrolls on a screen would be lost."""
    paper = {"width": 703, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        opened(browser, report)
        cut = "return [...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > 704).length"
        assert browser.execute_script(cut) == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_prints_to_a_pdf(browser: Any, report: Path) -> None:
    import base64

    opened(browser, report)
    browser.execute_script(
        "window.addEventListener('beforeprint', () => { window.sizes = [...document.querySelectorAll('.main-svg:not(.printed *)')]"
        ".map(s => Number(s.getAttribute('width'))); })"
    )
    settings = {"preferCSSPageSize": True, "printBackground": True}
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", settings)["data"])
    assert pdf.startswith(b"%PDF")
    # every plot was drawn, and to the page's width (186 mm are 703 px)
    sizes = browser.execute_script("return window.sizes")
    assert (
        len(sizes) == 2 * len(PLOTS) * 3
    )  # a single spectrum has no trends, but the lines of its normalisation
    assert max(sizes) <= 703


def test_every_row_is_printed(browser: Any, tmp_path: Path) -> None:
    """On paper there is no slider: each row's fit in k and R stands there by name, and is gone from the page afterwards."""
    page = tmp_path / "rows.html"
    page.write_text(render([section(many(3))], "rows"), encoding="utf-8")
    opened(browser, page)
    browser.execute_script(
        "window.addEventListener('beforeprint', () => { window.names = [...document.querySelectorAll('.printed figcaption')]"
        ".map(s => s.textContent); window.lines = document.querySelectorAll('.printed .scatterlayer .trace').length; })"
    )
    browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert browser.execute_script("return window.names") == [
        f"{i + 1} of 3: {many(3).labels[i]}" for i in (1, 2)
    ]
    # data, fit, difference in k; the same and each path in R
    assert browser.execute_script("return window.lines") == 2 * (3 + 3 + len(many(3).paths))
    assert browser.execute_script("return document.querySelectorAll('.printed').length") == 0
