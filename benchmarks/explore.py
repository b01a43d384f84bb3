"""The interactive page: from a slider's change to the second frame after new curves, in headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ONLY_WHEN_NAMED = True
CHANGES = 50
SERVER = """
import sys
from xasuite.explorer import page_maker
from xasuite.explorer.server import serve
server, address = serve(page_maker(sys.argv[1], sys.argv[2]))
print(address, flush=True)
server.run_until_shutdown()
"""
SPEC = """xasuite = 2
title = "two shells"
[[data]]
label = "Cu"
example = "PyMca5:EXAFS_Cu.dat"
[sample]
element = "Cu"
[fit]
k = [3, 12]
kweight = [2]
r = [1.0, 3.8]
[params]
s02 = { guess = 0.9, min = 0 }
enot = { guess = 0 }
dr1 = { guess = 0 }
ss1 = { guess = 0.005 }
dr2 = { guess = 0 }
ss2 = { guess = 0.005 }
[[path]]
label = "Cu 1"
crystal = "Cu"
scatterer = "Cu"
n = 12
s02 = "s02"
e0 = "enot"
deltar = "dr1"
sigma2 = "ss1"
[[path]]
label = "Cu 2"
crystal = "Cu"
scatterer = "Cu"
shell = 2
n = 6
s02 = "s02"
e0 = "enot"
deltar = "dr2"
sigma2 = "ss2"
"""
READY = "return !!(window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name('r-data') && Bokeh.documents[0].get_model_by_name('r-data').get_array('data').length)"
LIVE = "for (const m of Bokeh.documents[0]._all_models.values()) if (m.type === 'Toggle' && m.label.startsWith('Fit while')) m.active = true"
TIMES = """
const done = arguments[arguments.length - 1], doc = Bokeh.documents[0], times = [];
const source = doc.get_model_by_name('r-data'), slider = doc.get_model_by_name('rbkg');
let n = 0, start = null;
function next() { if (n >= %d) { done(times); return; } n++; start = performance.now(); slider.value = (n %% 2 ? 0.9 : 0.7) + 0.003 * n; }
source.properties.data.change.connect(() => requestAnimationFrame(() => requestAnimationFrame(() => {
  if (start !== null) { times.push(performance.now() - start); start = null; setTimeout(next, 40); } })));
next();
"""


def run() -> dict[str, Any]:
    """See benchmarks/__init__.py; also "median_ms" and "p90_ms"."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        return {"skipped": "needs chromium and chromedriver"}
    folder = Path(tempfile.mkdtemp())
    (folder / "two.toml").write_text(SPEC)
    server = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SERVER, str(folder / "two.toml"), str(folder / "out.toml")], stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert server.stdout is not None
        times = sorted(_times(server.stdout.readline().strip()))
    finally:
        server.terminate()
    middle, slow = median(times), times[int(0.9 * len(times))]
    return {
        "ratio": round(100 / middle, 2),
        "ours_per_s": round(1e3 / middle, 1),
        "peer_per_s": 10.0,
        "threads": 1,
        "median_ms": round(middle, 1),
        "p90_ms": round(slow, 1),
        "work": f"page: a moved slider to the second frame after, two-shell fit: median {middle:.0f} ms of {len(times)}, 90 % {slow:.0f} ms",
        "peer": "100 ms",
        "wanted": "1",
    }


def _times(address: str) -> list[float]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,820", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"):  # fmt: skip
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        browser.set_script_timeout(300)
        browser.get(address)
        WebDriverWait(browser, 60).until(lambda d: d.execute_script(READY))
        browser.execute_script(LIVE)
        return [float(t) for t in browser.execute_async_script(TIMES % CHANGES)]
    finally:
        browser.quit()
