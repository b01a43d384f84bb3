"""A page of made-up spectra, and the time until its slider works in headless Chromium, as the page itself says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._measure import Skipped

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,1500",
)  # fmt: skip


def page_of(m: int) -> str:
    """The report of m made-up spectra: 2000 energies, 300 k, a fit each, six parameters along time."""
    from xasuite.exafs.model import FitRange
    from xasuite.records.table import Table
    from xasuite.report.html import render
    from xasuite.report.sections import Section
    from xasuite.report.viewer import Stack, Trend

    rng = np.random.default_rng(0)
    energy, k, along = np.arange(7500.0, 8500.0, 0.5), np.arange(0, 15.0, 0.05), np.linspace(0, 1, m)[:, None]
    edge = 1 / (1 + np.exp(-(energy - 7715 - 3 * along) / 1.5))
    clean = np.sin(2 * k * (1.6 + 0.05 * along)) * np.exp(-0.01 * k**2)
    trends = tuple(
        Trend(f"p{i}", "", rng.standard_normal(m), np.full(m, 0.1), rng.random(m) < 0.1) for i in range(6)
    )
    stack = Stack(
        x=np.arange(m, dtype=float), xlabel="Time (min)", labels=tuple(f"scan {i:04d}.dat" for i in range(m)),
        status=("ok",) * m, energy=energy, norm=edge + 1e-3 * rng.standard_normal(edge.shape), k=k,
        chi=clean + 1e-3 * rng.standard_normal(clean.shape), fit=clean, range=FitRange((3.0, 12.0), (1.0, 3.0)),
        trends=trends,
    )  # fmt: skip
    facts = (("Spectra", str(m)), ("k", "3 to 12"), ("R", "1 to 3"))
    table = Table.of("Parameters", ("row", "n"), (("1", "5.8(6)"),))
    section = Section("made up", "closure", facts, (), (table,), stack, (("Spec", "none"),), "xasuite")
    return render([section], f"{m} made-up spectra")


def ready_ms(page: Path, turns: int) -> list[float]:
    """The ms after which the slider of a page works, by the page's own clock, each time it is opened."""
    try:
        from selenium import webdriver
    except ImportError:
        raise Skipped("needs selenium") from None
    binary = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        raise Skipped("needs chromium and chromedriver")
    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            found = []
            for _ in range(turns):
                browser.get("about:blank")
                browser.get(page.as_uri())
                found.append(float(browser.execute_script("return document.body.dataset.ready")))
            return found
        finally:
            browser.quit()
