"""The notebooks run top to bottom on data the project makes, and what is committed is what they give."""

from __future__ import annotations

import importlib.util
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 400_000


def runner() -> Any:
    """notebooks/run.py, which also writes the committed outputs."""
    spec = importlib.util.spec_from_file_location("run_notebooks", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(cell: Any) -> list[Any]:
    return list(cell.get("outputs", ()))


def results(cell: Any) -> list[tuple[str, ...]]:
    """The kinds of data that a cell's value has; a progress bar is no value."""
    return [tuple(sorted(o["data"])) for o in outputs(cell) if o["output_type"] == "execute_result"]


def columns(cell: Any) -> list[str]:
    """The headers of the tables that a cell's value shows: what may not change unseen, numbers apart."""
    values = [o for o in outputs(cell) if o["output_type"] == "execute_result"]
    html = "".join("".join(o["data"].get("text/html", "")) for o in values)
    return [unescape(re.sub(r"<[^>]+>", "", head)) for head in re.findall(r"<th\b.*?</th>", html, re.S)]


def test_there_are_five() -> None:
    assert [p.name[0] for p in NOTEBOOKS] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_with_outputs(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    notebook = json.loads(path.read_text(encoding="utf-8"))
    shown = [o for cell in notebook["cells"] for o in outputs(cell)]
    assert not [o for o in shown if o["output_type"] == "error"]
    assert any("<img" in "".join(o.get("data", {}).get("text/html", "")) for o in shown), (
        "a record shows itself"
    )
    numbers = [c["execution_count"] for c in notebook["cells"] if c["cell_type"] == "code"]
    assert numbers == list(range(1, len(numbers) + 1)), "run once, in order"
    assert not re.search(r"/(tmp|home|work|root|Users)/", json.dumps(shown)), "no path of somebody's machine"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_ones_own_data_by_one_cell(path: Path) -> None:
    """The first code cell names the data, by a file or a spec, and says so."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    first = next("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    assert first.startswith("# Your own ")
    assert re.search(r"^(FILE|SPECS?) = ", first, re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_to_what_is_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("PyMca5")
    monkeypatch.delenv("XASUITE_DATA", raising=False)  # they need no data but what the project makes
    committed = json.loads(path.read_text(encoding="utf-8"))["cells"]
    fresh, _ = runner().run(path)
    for old, new in zip(committed, fresh.cells, strict=True):
        assert results(old) == results(new)
        assert columns(old) == columns(new), "run notebooks/run.py again and look at the change"
