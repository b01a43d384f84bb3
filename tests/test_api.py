"""The API reference is current, and every public name has the docstring it is made from."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import xasuite

FOLDER = Path(__file__).resolve().parents[1] / "docs"


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_api", FOLDER / "make_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = maker()
NAMES = [(room, name, what) for room, names in MAKE.everything().items() for name, what in names.items()]


def test_the_page_holds_every_public_name() -> None:
    """Names and no words: a docstring may be bettered without making the page again at once."""
    page = (FOLDER / "api.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, re.M) == re.findall(r"^### (\w+)$", MAKE.page(), re.M), (
        "run python docs/make_api.py"
    )


@pytest.mark.parametrize(("room", "name", "what"), NAMES, ids=[f"{r}.{n}" for r, n, _ in NAMES])
def test_every_public_name_says_what_it_gives(room: str, name: str, what: Any) -> None:
    text = inspect.cleandoc(what.__doc__ or "")
    # A dataclass without a docstring gets its signature for one
    assert text, name
    assert not text.startswith(f"{name}("), name
    assert len(text.splitlines()[0]) < 160
    if inspect.isfunction(what):
        assert inspect.signature(what).return_annotation is not inspect.Signature.empty, name


def test_functions_of_the_front_say_what_goes_wrong() -> None:
    silent = [
        n
        for n, what in MAKE.names_of("").items()
        if inspect.isfunction(what) and "rais" not in (what.__doc__ or "").lower()
    ]
    assert silent == []


def test_every_name_of_the_front_is_there() -> None:
    for name in xasuite.__all__:
        assert getattr(xasuite, name) is not None
    assert callable(xasuite.series), "xs.series(spec) runs one, although it is a package"
    assert set(xasuite.__all__) <= set(dir(xasuite))
