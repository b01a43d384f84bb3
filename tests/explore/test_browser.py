"""The page in headless Chromium: it draws, follows a slider, asks for its token, and talks to this machine alone."""

from __future__ import annotations

import shutil
import threading
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
R_DATA = "return Array.from(Bokeh.documents[0].get_model_by_name('r-data').get_array('data'))"


@pytest.fixture(scope="module")
def address(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: F811
    """A running server's address, in a thread of its own."""
    from xasuite.explorer import page_maker
    from xasuite.explorer.server import serve

    ready, held = threading.Event(), {}
    target = tmp_path_factory.mktemp("out") / "explore.toml"

    def run() -> None:
        import asyncio

        asyncio.set_event_loop(asyncio.new_event_loop())
        server, held["address"] = serve(page_maker(scan, target))
        held["server"] = server
        ready.set()
        server.io_loop.start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    yield held["address"]
    held["server"].io_loop.add_callback(held["server"].io_loop.stop)
    thread.join(20)


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
    wait(
        lambda: browser.execute_script(
            "return window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name('r-data') != null"
        )
    )
    yield browser
    browser.quit()


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
