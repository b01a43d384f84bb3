"""The page of the benchmarks and which of them run; what they measure is theirs to show, and no test's."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest


@pytest.fixture(scope="module")
def command() -> Any:
    """benchmarks/__main__.py."""
    return importlib.import_module("benchmarks.__main__")


def test_what_takes_minutes_runs_only_when_named(command: Any) -> None:
    assert set(command.names()) - set(command.usual()) == {
        "ensemble_programs",
        "explore",
        "long_series",
        "many_files",
        "watch_delay",
        "watch_scans",
    }


def test_the_page_keeps_what_was_not_measured_again(command: Any) -> None:
    compared = {
        "ratio": 5.46,
        "ours_per_s": 1234.5,
        "peer_per_s": 2.26,
        "threads": 1,
        "work": "w",
        "peer": "p",
    }
    alone = {"fits": 324, "work": "fits", "wanted": "200 fits", "seconds_in_all": 9.9}
    first = command.page({"mu_to_fit": compared, "agreement": alone})
    rows = {r.split("|")[1].strip(): r for r in first.splitlines() if r.startswith("| ")}
    assert list(rows) == ["name", "agreement", "mu_to_fit"]
    assert "| **5.5** |" in rows["mu_to_fit"]
    assert "| 1234 | 2.26 | 1 |" in rows["mu_to_fit"]
    assert "| fits 324 | 200 fits |" in rows["agreement"]
    assert {len(re.findall(r"\|", r)) for r in rows.values()} == {10}
    again = command.page({"mu_to_fit": compared | {"ratio": 7.0}, "agreement": {"skipped": "no data"}}, first)
    assert rows["agreement"] in again.splitlines()
    assert "| **7.0** |" in again
    assert "**5.5**" not in again


def test_a_benchmark_that_is_not_there(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["nothing"]) == 1
    assert "no benchmark 'nothing'; there are agreement" in capsys.readouterr().err
