"""Line numbers of the keys of a TOML text, which tomllib does not keep."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="""
)
_PART = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*\.?""")

Path = tuple[str | int, ...]


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table and key at the start of a line.

    Array tables are numbered: ("path", 1, "sigma2") is the key sigma2 of the second [[path]]. Keys inside an
    inline table have no line of their own; `line_of` falls back to that of what holds them.
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    prefix: Path = ()
    waiting = ""  # what closes the value that is still open: a multi-line string or array
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if waiting:
            if waiting in line:
                waiting = ""
            continue
        if depth:
            depth += _brackets(line)
            continue
        header = _HEADER.match(line)
        if header:
            prefix = _enter(_parts(header[2]), header[1] == "[[", counts)
            found.setdefault(prefix, number)
            continue
        key = _KEY.match(line)
        if not key:
            continue
        path = prefix + _parts(key[1])
        for end in range(len(prefix) + 1, len(path) + 1):
            found.setdefault(path[:end], number)
        value = line[key.end() :]
        for quote in ('"""', "'''"):
            if value.count(quote) == 1:
                waiting = quote
        if not waiting:
            depth = max(0, _brackets(value))
    return found


def line_of(path: Sequence[str | int], lines: dict[Path, int]) -> int:
    """The line of a key, or of the nearest thing that holds it (1 for the file itself)."""
    here = tuple(path)
    while here:
        if here in lines:
            return lines[here]
        here = here[:-1]
    return 1


def _parts(text: str) -> Path:
    return tuple(p.strip("\"'") for p in _PART.findall(text))


def _enter(parts: Path, array: bool, counts: dict[Path, int]) -> Path:
    out: Path = ()
    for i, part in enumerate(parts):
        out = (*out, part)
        last = i == len(parts) - 1
        if last and array:
            counts[out] = counts.get(out, -1) + 1
        if out in counts:
            out = (*out, counts[out])
    return out


def _brackets(text: str) -> int:
    """Opened minus closed brackets outside strings and comments."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\'[^\']*\'', "", text).split("#")[0]
    return sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")
