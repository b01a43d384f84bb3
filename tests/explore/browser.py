"""What the tests of the page do in headless Chromium."""

from __future__ import annotations

import shutil
import time
from typing import Any

import pytest

needs_chromium = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs chromium and chromedriver (apt-get install chromium chromium-driver)",
)
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
)  # fmt: skip
READY = (
    "return window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name('r-data') != null"
)
R_DATA = "return Array.from(Bokeh.documents[0].get_model_by_name('r-data').get_array('data'))"


def chromium(size: str = "1280,720") -> Any:
    """A headless Chromium with a window of that size, which logs its console and its network."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (*ARGUMENTS, f"--window-size={size}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


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


def drag(driver: Any, name: str, box: str, side: str, to: float) -> None:
    """Drag an edge of a plot's box to a value of its axis, by the mouse, below its legend."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    place = (
        "const doc = Bokeh.documents[0], v = Bokeh.index.find_one_by_id(doc.get_model_by_name(arguments[0]).id);"
        "const r = v.canvas_view.el.getBoundingClientRect(), x = v.frame.x_scale;"
        "const here = doc.get_model_by_name(arguments[1])[arguments[2]];"
        "return [r.left + x.compute(here), r.left + x.compute(arguments[3]), r.top + 0.2 * v.frame.bbox.top + 0.8 * v.frame.bbox.bottom];"
    )
    start, end, y = driver.execute_script(place, name, box, side, to)
    mouse = ActionBuilder(driver, duration=20)  # ms a move: what rests for a quarter of a second is a press
    pointer = mouse.pointer_action
    pointer.move_to_location(round(start), round(y)).pointer_down()
    for part in (0.25, 0.5, 0.75, 1.0):
        pointer.move_to_location(round(start + part * (end - start)), round(y)).pause(0.05)
    pointer.pointer_up()
    mouse.perform()
