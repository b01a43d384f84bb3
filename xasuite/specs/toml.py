"""TOML text of specs: read, the lines of its keys, format 1 rewritten as format 2."""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import ReadError, SpecError, nearest
from ..io.limits import contents

Key = tuple[str | int, ...]

# Format 1 to 2: the tables that lead to a key ("*" for every entry of an array), its old and its new name
RENAMED: tuple[tuple[Key, str, str], ...] = (
    *(
        ((*tables, old), old, f"{old}_range")
        for tables in (("reduce",), ("variant", "*", "reduce"), ("calibration",), ("standard", "*"), ("unknown", "*"))
        for old in ("pre", "norm")
    ),
    (("series", "align", "window"), "window", "fit_range"),
    (("series", "bin", "range"), "range", "energy_range"),
    (("series", "bin", "xanes"), "xanes", "xanes_range"),
    (("series", "components", "span"), "span", "fit_range"),
)  # fmt: skip


def read_text(path: str | Path) -> str:
    """The text of a spec file of any kind. Raises SpecError when it is absent, a folder, or not text."""
    path = Path(path)
    if path.is_dir():
        raise SpecError(f"{path} is a folder; name one of the spec files (.toml) in it")
    try:
        return contents(path).decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        folder = path.parent
        specs = [p.name for p in folder.glob("*.toml")]
        hint = nearest(path.name, specs) if folder.is_dir() else f", nor a folder {folder}"
        raise SpecError(f"{path}: there is no such spec{hint}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not UTF-8 text, so it is no spec{_of_data(path)}") from None
    except OSError as exc:
        raise SpecError(f"{path} cannot be read: {exc.strerror}") from None
    except ReadError as exc:
        raise SpecError(str(exc)) from None


def parse_toml(text: str, path: str | Path) -> dict[str, Any]:
    """The tables of a TOML text. Raises SpecError with line and column."""
    try:
        tables = tomllib.loads(text)
        repr(tables)  # raises where tables are nested deeper than can be worked on
        return tables
    except tomllib.TOMLDecodeError as exc:
        if hint := _of_data(Path(path)):
            raise SpecError(f"{path} is no spec{hint}") from None
        what, _, where = str(exc).partition(" (at ")
        lines, at = text.splitlines() or [""], re.findall(r"\d+", where)
        if not at:
            raise SpecError(f"{Path(path).name}:{len(lines)}: not TOML: {what}") from None
        shown = lines[int(at[0]) - 1].strip()[:60]
        raise SpecError(f"{Path(path).name}:{':'.join(at)}: not TOML: {what} in {shown!r}") from None
    except (RecursionError, ValueError) as exc:
        raise SpecError(f"{Path(path).name}: not TOML that can be read: {exc}") from None


def _of_data(path: Path) -> str:
    """What to do with a file that does not have the name of a spec."""
    if path.suffix.lower() in (".toml", ""):
        return ""
    if path.suffix.lower() == ".zip":
        return "; a deposition is run by xasuite reproduce, in Python by xasuite.deposit.reproduce_bundle"
    return f"; where it holds data, xasuite new {path} --crystal NAME makes a spec of them"


def holds(tables: Any, key: Sequence[str | int]) -> bool:
    """Whether nested tables hold a key."""
    for part in key:
        in_list = isinstance(part, int) and isinstance(tables, list | tuple) and part < len(tables)
        if not in_list and not (isinstance(tables, dict) and part in tables):
            return False
        tables = tables[part]
    return True


def line_of(key: Sequence[str | int], text: str) -> int:
    """The line (from 1) where a key or table begins; of the nearest one that holds it where the key is absent.

    The key is there from some line on: that line is found by bisection over the beginnings of the text that are
    complete TOML, so that no second parser is needed.
    """
    lines = text.replace("\r\n", "\n").split("\n")

    def complete(n: int) -> tuple[int, dict[str, Any]]:
        for m in range(n, 0, -1):  # a value of several lines: back to where it begins
            try:
                return m, tomllib.loads("\n".join(lines[:m]))
            except tomllib.TOMLDecodeError:
                continue
        return 0, {}

    whole = complete(len(lines))[1]
    key = tuple(key)
    while key and not holds(whole, key):
        key = key[:-1]
    first = bisect.bisect_left(range(1, len(lines)), True, key=lambda n: holds(complete(n)[1], key)) + 1
    return complete(first - 1)[0] + 1


def upgraded(text: str) -> str:
    """The text of a spec of format 1 as format 2, comments and layout kept. Raises tomllib.TOMLDecodeError."""
    tables, lines = tomllib.loads(text), text.split("\n")
    for pattern, old, new in (*RENAMED, (("xasuite",), r"xasuite\s*=\s*1", "xasuite = 2")):
        for key in _matching(tables, pattern):
            at = line_of(key, text) - 1
            lines[at] = re.sub(rf"\b{old}(?=\s*=|\s*(#|$))", new, lines[at], count=1)
    return "\n".join(lines)


def _matching(tables: Any, pattern: Key, before: Key = ()) -> Iterator[Key]:
    """The keys that a pattern names."""
    if not pattern:
        yield before
    elif pattern[0] == "*" and isinstance(tables, list):
        for i, entry in enumerate(tables):
            yield from _matching(entry, pattern[1:], (*before, i))
    elif holds(tables, pattern[:1]):
        yield from _matching(tables[pattern[0]], pattern[1:], (*before, pattern[0]))
