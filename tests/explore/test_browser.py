"""The page in headless Chromium: it draws, follows a slider, asks for its token, and talks to this machine alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="needs the extra xasuite[explore]")
pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs chromium and chromedriver (apt-get install chromium chromium-driver)",
)

from .test_page import scan  # noqa: E402, F401

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,720", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
)  # fmt: skip
READY = (
    "return window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name('r-data') != null"
)
R_DATA = "return Array.from(Bokeh.documents[0].get_model_by_name('r-data').get_array('data'))"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out") / "explore.toml"


@pytest.fixture(scope="module")
def address(scan: Path, target: Path) -> Iterator[str]:  # noqa: F811
    """A running server's address, in a thread of its own."""
    from xasuite.explorer import page_maker
    from xasuite.explorer.server import serving

    with serving(page_maker(scan, target), title="test") as found:
        yield found


@pytest.fixture(scope="module")
def driver(address: str) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    browser.get(address)
    wait(lambda: browser.execute_script(READY))
    yield browser
    browser.quit()


# Bokeh draws into nested shadow roots, which a selector does not enter
DEEP = """
function deep(root, test) {
  for (const el of root.querySelectorAll('*')) {
    if (test(el)) return el;
    const inner = el.shadowRoot && deep(el.shadowRoot, test);
    if (inner) return inner;
  }
  return null;
}
"""


def click(driver: Any, label: str) -> None:
    """Click the button with that label."""
    found = driver.execute_script(
        DEEP + "const b = deep(document, e => e.tagName === 'BUTTON' && e.textContent.trim() === arguments[0]);"
        "if (b) b.click(); return b !== null;", label
    )  # fmt: skip
    assert found, f"no button {label}"


def model(driver: Any, name: str, what: str) -> Any:
    """A property of a model of the page."""
    return driver.execute_script(f"return Bokeh.documents[0].get_model_by_name('{name}').{what}")


def put(driver: Any, name: str, what: str, value: Any) -> None:
    """Set a property of a model, as a widget does."""
    driver.execute_script(f"Bokeh.documents[0].get_model_by_name('{name}').{what} = arguments[0]", value)


def plot(driver: Any, name: str) -> Any:
    """The element of a plot."""
    return driver.execute_script(
        DEEP + "const id = Bokeh.documents[0].get_model_by_name(arguments[0]).id;"
        "const v = Bokeh.index.find_one_by_id ? Bokeh.index.find_one_by_id(id) : null; return v.el;", name
    )  # fmt: skip


def wait(true: Any, seconds: float = 60.0) -> Any:
    """Until `true()` is; fails after a long time only."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(0.05)
    raise AssertionError("it never came true")


def test_the_token_is_asked_for(address: str) -> None:
    with pytest.raises(HTTPError) as caught:
        urlopen(address.split("?")[0])
    assert caught.value.code == 403
    assert b"lacks its token" in caught.value.read()


def test_a_slider_redraws_what_the_library_gives(driver: Any, scan: Path) -> None:  # noqa: F811
    import xasuite as xs

    before = driver.execute_script(R_DATA)
    driver.execute_script("Bokeh.documents[0].get_model_by_name('rbkg').value = 1.1")
    wait(lambda: driver.execute_script(R_DATA) != before)
    chi = xs.background(xs.normalize(xs.read(scan).mu()), rbkg=1.1)
    expected = xs.fourier(chi, k=(3, 12), kweight=2, window="hanning", dk=1.0, rmax=8.0).magnitude
    np.testing.assert_allclose(driver.execute_script(R_DATA), expected, atol=1e-9)


def test_markup_in_a_file_name_is_shown_as_text(driver: Any) -> None:
    assert driver.execute_script(DEEP + "return deep(document, e => e.tagName === 'FOIL')") is None
    shown = driver.execute_script(
        DEEP + "const e = deep(document, e => e.tagName === 'OPTION' && e.textContent.endsWith('.xdi')); return e.textContent"
    )  # fmt: skip
    assert shown == "cu <foil>.xdi"


def test_ticked_paths_fitted_and_saved_give_the_same(driver: Any, target: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    from xasuite.workflow import fit

    put(driver, "crystal", "value", "Cu")
    wait(lambda: "Cu" in (model(driver, "found", "value") or ""))
    click(driver, "List its paths (FEFF)")
    wait(
        lambda: driver.execute_script("return Bokeh.documents[0].get_model_by_name('paths').get_length()") > 1
    )
    put(driver, "paths", "selected.indices", [0, 1])
    wait(lambda: model(driver, "paths", "selected.indices.length") == 2)
    click(driver, "Fit the ticked paths")
    wait(lambda: "Errors of the fit alone" in model(driver, "result", "text"))
    wait(lambda: "with the error budget" in model(driver, "result", "text"), 240)
    ActionChains(driver).key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()
    wait(lambda: "written" in model(driver, "message", "text"))
    again = fit(target).rows[0]
    shown = model(driver, "result", "text")
    assert again.budget is not None
    for path in again.paths:
        for value in (path.r, path.sigma2, path.s02, path.e0):
            assert f">{value}<" in shown, "what is printed of a value and its error is the same"
    fit_drawn = driver.execute_script(R_DATA.replace("'data'", "'fit'"))
    curve = again.data[0]
    import xasuite as xs

    chi = xs.Chi(k=curve.k, chi=curve.fit, e0=curve.e0, edge_step=curve.edge_step)
    expected = xs.fourier(chi, k=(3, 12), kweight=2, window="hanning", dk=1.0, rmax=8.0).magnitude
    np.testing.assert_allclose(fit_drawn, expected, atol=1e-7)


def test_undo_and_redo_by_keys(driver: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key: str) -> None:
        ActionChains(driver).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()

    put(driver, "rbkg", "value", 1.2)
    put(driver, "rbkg", "value_throttled", 1.2)
    wait(lambda: "rbkg = 1.2" in model(driver, "toml", "value"))
    press("z")
    wait(lambda: model(driver, "rbkg", "value") == 1.1)
    press("y")
    wait(lambda: model(driver, "rbkg", "value") == 1.2)


def test_a_zoom_is_kept_over_an_update(driver: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    before = model(driver, "plot-r", "x_range.end")
    origin = ScrollOrigin.from_element(plot(driver, "plot-r"))
    ActionChains(driver).scroll_from_origin(origin, 0, -300).perform()
    wait(lambda: model(driver, "plot-r", "x_range.end") != before)
    spans = "x_range.start", "x_range.end", "y_range.start", "y_range.end"
    time.sleep(0.3)  # the wheel's last turn
    zoomed = [model(driver, "plot-r", s) for s in spans]
    drawn = driver.execute_script(R_DATA)
    put(driver, "rbkg", "value", 0.9)
    wait(lambda: driver.execute_script(R_DATA) != drawn)
    assert [model(driver, "plot-r", s) for s in spans] == zoomed


def test_a_click_on_mu_replaces_a_point(driver: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    put(driver, "deglitch", "active", True)
    ActionChains(driver).move_to_element(plot(driver, "plot-mu")).click().perform()
    wait(lambda: "deglitch = [" in model(driver, "toml", "value"))
    put(driver, "deglitch", "active", False)


def test_two_tabs_do_not_overwrite_each_other(driver: Any, address: str, target: Path) -> None:
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    driver.get(address)
    wait(lambda: driver.execute_script(READY))
    put(driver, "rbkg", "value", 1.3)
    wait(lambda: "rbkg = 1.3" in model(driver, "toml", "value"))
    click(driver, "Save explore.toml")
    wait(lambda: "rbkg = 1.3" in target.read_text())
    driver.close()
    driver.switch_to.window(first)
    wait(lambda: "changed on disk" in model(driver, "message", "text"))
    click(driver, "Save explore.toml")
    wait(lambda: "press Save again" in model(driver, "message", "text"))
    assert "rbkg = 1.3" in target.read_text()


def test_in_a_notebook_the_page_runs_without_an_error(scan: Path, tmp_path: Path) -> None:  # noqa: F811
    nbformat = pytest.importorskip("nbformat", reason="needs the extra xasuite[notebooks]")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra xasuite[notebooks]")

    code = f"import xasuite as xs\nxs.explore({str(scan)!r})"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = book.cells[0].outputs
    assert not [o for o in outputs if o.output_type == "error"]
    assert any("bokeh" in str(o.get("data", {})) for o in outputs)


def test_nothing_is_asked_of_the_network_and_the_console_is_clean(driver: Any) -> None:
    import json

    errors = [
        e for e in driver.get_log("browser") if e["level"] == "SEVERE" and "favicon" not in e["message"]
    ]
    assert errors == []
    hosts = set()
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        url = message.get("params", {}).get("request", {}).get("url", "")
        if message["method"] == "Network.requestWillBeSent" and url.startswith(("http", "ws")):
            hosts.add(url.split("/")[2].split(":")[0])
    assert hosts <= {"127.0.0.1", "localhost"}
