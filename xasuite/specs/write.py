"""A spec as TOML text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import InlineTable, Item, Table

from .toml import Key

COLUMN = 38  # where comments begin


def to_toml(tables: Mapping[str, Any], comments: Mapping[Key, str] | None = None) -> str:
    """The text of a spec's tables, which loads as the same spec.

    Parameters
    ----------
    tables : mapping
        Tables by name; None is left out.
    comments : mapping, optional
        What is written behind a key, by the keys that lead to it: ("fit", "k"), ("path", 0, "n").
    """
    document, said = tomlkit.document(), comments or {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            document.add(name, _table(value, (name,), said))
        elif isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value):
            array = tomlkit.aot()
            for i, entry in enumerate(value):
                array.append(_table(entry, (name, i), said))
            document.add(name, array)
        elif value is not None:
            document.add(name, _plain(value))
    return tomlkit.dumps(document)


def _table(values: Mapping[str, Any], key: Key, said: Mapping[Key, str]) -> Table:
    table = tomlkit.table()
    if key in said:
        _comment(table, said[key], len(str(key[0])) + (4 if len(key) > 1 else 2))
    for name, value in values.items():
        if value is None:
            continue
        table.add(name, _plain(value))
        if (*key, name) in said:
            _comment(table[name], said[(*key, name)], len(f"{name} = {table[name].as_string()}"))
    return table


def _comment(item: Item, text: str, width: int) -> None:
    """Write a comment behind an item whose own text is `width` long, all of them from one column on."""
    item.comment(text)
    item.trivia.comment_ws = " " * max(2, COLUMN - width)


def _plain(value: Any) -> Any:
    """A value as TOML: tables within tables stand in one line."""
    if isinstance(value, Mapping):
        inline: InlineTable = tomlkit.inline_table()
        for name, inner in value.items():
            if inner is not None:
                inline.add(name, _plain(inner))
        return inline
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for inner in value:
            array.append(_plain(inner))
        return array
    return value
