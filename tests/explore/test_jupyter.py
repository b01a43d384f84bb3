"""The page inside a notebook: from a kernel alone, and in JupyterLab, driven in headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="needs the extra xasuite[explore]")
nbformat = pytest.importorskip("nbformat", reason="needs the extra xasuite[notebooks]")
nbclient = pytest.importorskip("nbclient", reason="needs the extra xasuite[notebooks]")

import xasuite as xs  # noqa: E402

from .browser import DEEP, R_DATA, READY, chromium, model, needs_chromium, put, wait  # noqa: E402

pytestmark = needs_chromium
FRAME = "iframe[src*='token=']"


@pytest.fixture
def browser() -> Iterator[Any]:
    driver = chromium("1280,900")
    yield driver
    driver.quit()


def notebook(scan: Path, kernel: str = "python3") -> Any:
    """A notebook of one cell, which shows the page of a scan that was read."""
    code = f"import xasuite as xs\nscan = xs.read({str(scan)!r})\nxs.explore(scan)"
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code)],
        metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
    )


def magnitude(scan: Path, rbkg: float) -> Any:
    chi = xs.background(xs.normalize(xs.read(scan).mu()), rbkg=rbkg)
    return xs.fourier(chi, k=(3, 12), kweight=2, window="hanning", dk=1.0, rmax=8.0).magnitude


def test_a_notebook_that_ran_shows_a_page_that_works(scan: Path, tmp_path: Path, browser: Any) -> None:
    book = notebook(scan)
    client = nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        client.execute_cell(book.cells[0], 0)
        outputs = book.cells[0].outputs
        assert not [o for o in outputs if o.output_type == "error"]
        (html,) = [o["data"]["text/html"] for o in outputs if "text/html" in o.get("data", {})]
        browser.get(html.split('src="')[1].split('"')[0])
        wait(lambda: browser.execute_script(READY))
        before = browser.execute_script(R_DATA)
        put(browser, "rbkg", "value", 1.1)
        wait(lambda: browser.execute_script(R_DATA) != before)
        np.testing.assert_allclose(browser.execute_script(R_DATA), magnitude(scan, 1.1), atol=1e-9)


@pytest.fixture
def lab(scan: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a notebook in a running JupyterLab, whose kernel is this Python."""
    program = shutil.which("jupyter-lab")
    if program is None:
        pytest.skip("needs jupyterlab (pip install jupyterlab)")
    spec = tmp_path / "data" / "kernels" / "this-python" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    path = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python", "env": path}))
    (tmp_path / "work").mkdir()
    nbformat.write(notebook(scan, "this-python"), tmp_path / "work" / "book.ipynb")
    own = {f"JUPYTER_{what}_DIR": str(tmp_path / what.lower()) for what in ("DATA", "CONFIG", "RUNTIME")}
    server = subprocess.Popen(
        [program, "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=secret",
         f"--ServerApp.root_dir={tmp_path / 'work'}"],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | own,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        (found,) = wait(lambda: list((tmp_path / "runtime").glob("jpserver-*.json")))
        wait(lambda: found.read_text().endswith("}"))
        yield f"{json.loads(found.read_text())['url']}lab/tree/book.ipynb?token=secret"
    finally:
        server.terminate()
        server.wait(60)


def test_in_jupyterlab_a_slider_that_moves_changes_the_curve(
    lab: str, scan: Path, tmp_path: Path, browser: Any
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def found(selector: str) -> Any:
        return wait(
            lambda: [e for e in browser.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()], 40
        )[0]

    browser.get(lab)
    wait(lambda: list((tmp_path / "runtime").glob("kernel-*.json")))
    found(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    found("[data-command='notebook:run-cell-and-select-next']").click()
    browser.switch_to.frame(found(FRAME))
    wait(lambda: browser.execute_script(READY))
    np.testing.assert_allclose(browser.execute_script(R_DATA), magnitude(scan, 0.8), atol=1e-9)
    put(browser, "tabs", "active", 1)
    handle = DEEP + (
        "const v = Bokeh.index.find_one_by_id(Bokeh.documents[0].get_model_by_name('rbkg').id);"
        "return v && v.shadow_el && deep(v.shadow_el, e => e.getAttribute('role') === 'slider')"
    )
    before = browser.execute_script(R_DATA)
    wait(lambda: browser.execute_script(handle))
    browser.execute_script(handle.replace("return v", "const h = v", 1) + "; h.focus()")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT * 4).perform()
    wait(lambda: browser.execute_script(R_DATA) != before)
    wait(lambda: "rbkg = 1" in model(browser, "toml", "value"))
    assert model(browser, "rbkg", "value") == pytest.approx(1.0), "four steps of 0.05"
    np.testing.assert_allclose(browser.execute_script(R_DATA), magnitude(scan, 1.0), atol=1e-9)
