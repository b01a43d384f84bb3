"""Mutated specs: whatever a key holds, loading gives a spec or a SpecError whose every line names file and line."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from xasuite.errors import SpecError
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.specs.write import to_toml

VALUES: list[Any] = [
    [], [1], [[1, 2]], [[3.0, 1.0]], {}, {"a": 1}, [{"a": [1]}], -1, 0, 10**18, 1e300, float("nan"), float("inf"), True, "", "x", "1/0",
    "a" * 500, "\x7f\u2028\u202e[bold]", "2024-01-01",
]  # fmt: skip
SPECS = ("foils/co_foil.toml", "comn/lco1mn1_both.toml", "sno2/tpr.toml", "valence/mn.toml")


def keys(tables: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of nested tables, the first two entries of an array."""
    pairs = list(tables.items()) if isinstance(tables, dict) else list(enumerate(tables))[:2]
    for key, value in pairs:
        yield (*before, key)
        if isinstance(value, dict | list | tuple):
            yield from keys(value, (*before, key))


def changed(tables: dict[str, Any], key: tuple[Any, ...], value: Any) -> dict[str, Any]:
    out: Any = copy.deepcopy(tables)
    here = out
    for part in key[:-1]:
        here = here[part]
    here[key[-1]] = value
    return dict(out)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", SPECS)
def test_no_value_of_a_key_gives_another_error(name: str) -> None:
    tables = plain(load_spec(fits_dir() / name, None).spec.tables())
    tried = 0
    for number, key in enumerate(keys(tables)):
        for value in (VALUES[(number + i) % len(VALUES)] for i in range(0, len(VALUES), 6)):
            try:
                text = to_toml(changed(tables, key, value))
            except (TypeError, ValueError):
                continue  # what TOML itself cannot hold
            tried += 1
            try:
                parse_spec(text, "m.toml", None)
            except SpecError as exc:
                assert all(re.match(r"m\.toml:\d+", m) for m in exc.mistakes), (key, value, exc.mistakes)  # noqa: PT017
    assert tried > 100
