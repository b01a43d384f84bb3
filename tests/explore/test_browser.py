"""The page in headless Chromium: it draws, follows a slider, asks for its token, and talks to this machine alone."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="needs the extra xasuite[explore]")

from .browser import DEEP, R_DATA, READY, chromium, click, drag, model, needs_chromium, plot, put, wait

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out") / "explore.toml"


@pytest.fixture(scope="module")
def address(scan: Path, target: Path) -> Iterator[str]:
    """A running server's address, in a thread of its own."""
    from xasuite.explorer import page_maker
    from xasuite.explorer.server import serving

    with serving(page_maker(scan, target), title="test") as found:
        yield found


@pytest.fixture(scope="module")
def driver(address: str) -> Iterator[Any]:
    browser = chromium()
    browser.get(address)
    wait(lambda: browser.execute_script(READY))
    yield browser
    browser.quit()


def test_the_token_is_asked_for(address: str) -> None:
    with pytest.raises(HTTPError) as caught:
        urlopen(address.split("?")[0])
    assert caught.value.code == 403
    assert b"lacks its token" in caught.value.read()


def test_a_slider_redraws_what_the_library_gives(driver: Any, scan: Path) -> None:
    import xasuite as xs

    before = driver.execute_script(R_DATA)
    driver.execute_script("Bokeh.documents[0].get_model_by_name('rbkg').value = 1.1")
    wait(lambda: driver.execute_script(R_DATA) != before)
    chi = xs.background(xs.normalize(xs.read(scan).mu()), rbkg=1.1)
    expected = xs.fourier(chi, k=(3, 12), kweight=2, window="hanning", dk=1.0, rmax=8.0).magnitude
    np.testing.assert_allclose(driver.execute_script(R_DATA), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "box", "side", "to"), [("plot-k", "k-range", "right", 10.5), ("plot-r", "r-range", "left", 1.4)]
)
def test_an_edge_dragged_by_the_mouse_is_the_range_of_the_spec(
    driver: Any,
    scan: Path,
    name: str,
    box: str,
    side: str,
    to: float,
) -> None:
    import xasuite as xs

    key, edge = box[0], 0 if side == "left" else 1

    def ranges() -> Any:
        return tomllib.loads(model(driver, "toml", "value"))

    before = ranges()["fit"][key][edge]
    drag(driver, name, box, side, to)
    wait(lambda: before != ranges()["fit"][key][edge] == pytest.approx(model(driver, box, side), abs=0.006))
    spec = ranges()
    assert spec["fit"][key][edge] == pytest.approx(to, abs=0.2), "to the width of a pixel and a half"
    assert model(driver, key, "value") == pytest.approx(spec["fit"][key]), "the slider follows"
    chi = xs.background(xs.normalize(xs.read(scan).mu()), rbkg=spec["reduce"]["rbkg"])
    expected = xs.fourier(chi, k=spec["fit"]["k"], kweight=2, window="hanning", dk=1.0, rmax=8.0).magnitude
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
    expected = xs.fourier(
        chi, k=tomllib.loads(target.read_text())["fit"]["k"], kweight=2, window="hanning", dk=1.0, rmax=8.0
    ).magnitude
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
