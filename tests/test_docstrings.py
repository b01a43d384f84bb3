"""Public docstrings: numpydoc's rules, and examples that run."""

from __future__ import annotations

import doctest
import inspect
from typing import Any

import pytest
from numpydoc.validate import validate

from .test_api import NAMES

# Rules that are not asked for: a See Also section, an extended summary, and the infinitive in the first line (this package's first
# lines say what is given, as "The shift of a spectrum against another").
LEFT_OUT = {
    "SA01",
    "ES01",
    "EX01",
    "SS02",
    "SS03",
    "SS05",
    "SS06",
    "GL01",
    "GL02",
    "GL03",
    "GL08",
    "RT03",
    "RT04",
    "RT05",
    "PR08",
    "PR09",
    "YD01",
}


def where(what: Any) -> str:
    return f"{what.__module__}.{what.__qualname__}"


@pytest.mark.parametrize(("room", "name", "what"), NAMES, ids=[f"{r}.{n}" for r, n, _ in NAMES])
def test_numpydoc(room: str, name: str, what: Any) -> None:
    left_out = (
        LEFT_OUT if inspect.isfunction(what) else LEFT_OUT | {"PR01", "PR02"}
    )  # a record says its fields in words
    errors = [f"{code} {text}" for code, text in validate(where(what))["errors"] if code not in left_out]
    assert errors == []


@pytest.mark.parametrize(("room", "name", "what"), NAMES, ids=[f"{r}.{n}" for r, n, _ in NAMES])
def test_examples_run(room: str, name: str, what: Any) -> None:
    tests = [t for t in doctest.DocTestFinder(recurse=False).find(what, name, globs={}) if t.examples]
    if inspect.isfunction(what):
        assert tests, f"{where(what)} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in tests:
        exec("import numpy as np\nimport xasuite as xs", test.globs)
        exec(f"from {what.__module__} import *", test.globs)
        assert runner.run(test).failed == 0
