"""docs/testing.md names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "testing.md"


def test_every_row_names_a_test_that_is_there() -> None:
    """Third column: a file, a piece of the name of a test, or both (file: piece)."""
    named = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    rows = [
        line.split(" | ")[-1].rstrip(" |")
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.count(" | ") >= 2
    ]
    told = [word for row in rows for cell in row.split(", ") for word in cell.split(": ") if re.fullmatch(r"[a-z_0-9/]*_[a-z_0-9]+", word)]  # fmt: skip
    assert len(told) > 60
    for word in told:
        assert (TESTS / f"{word}.py").is_file() or any(word in name for name in named), word
