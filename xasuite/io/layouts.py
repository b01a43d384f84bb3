"""Layouts: the user states once what the columns of a beamline's files are; files are recognised by their columns' names.

The file is layouts.toml in the user's configuration folder::

    [[layout]]
    name = "my beamline"
    columns = ["det1", "det2", "enc"]     # a file that has all of these is of this layout
    energy = "enc"
    units = "keV"
    mu = "ln(det1/det2)"
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ReadError
from . import names
from .axis import Asked

SAID = tuple(f.name for f in fields(Asked))


@dataclass(frozen=True)
class Layout:
    """A layout: its name, the columns that a file of it has, and what is said of them."""

    name: str
    columns: tuple[str, ...]
    says: Asked


def path() -> Path:
    """Where the user's layouts are kept; the file need not be there."""
    import platformdirs

    return Path(platformdirs.user_config_dir("xasuite")) / "layouts.toml"


def layouts() -> tuple[Layout, ...]:
    """The user's layouts, in their order. Raises ReadError where the file cannot be understood."""
    file = path()
    try:
        return _parsed(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        return ()
    except OSError as exc:
        raise ReadError(f"{file} cannot be read: {exc.strerror or exc}") from None


@lru_cache(maxsize=2)
def _parsed(file: Path, changed: int) -> tuple[Layout, ...]:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ReadError(f"{file}: {exc}") from None
    return tuple(_layout(file, i, entry) for i, entry in enumerate(found.get("layout", []), start=1))


def _layout(file: Path, number: int, entry: dict[str, Any]) -> Layout:
    where = f"{file}: layout {number}"
    if unknown := sorted(set(entry) - {"name", "columns", *SAID}):
        raise ReadError(
            f"{where}: there is no key {unknown[0]!r}; there are name, columns, {', '.join(SAID)}"
        )
    columns = entry.get("columns", [])
    if not columns or not all(isinstance(v, str) for v in (*columns, *(entry.get(n, "") for n in SAID))):
        raise ReadError(f'{where}: columns is a list of names such as ["det1", "det2"], all else is text')
    return Layout(
        str(entry.get("name", f"layout {number}")),
        tuple(map(str, columns)),
        Asked(**{n: entry[n] for n in SAID if n in entry}),
    )


def completed(asked: Asked, columns: Sequence[str], notes: list[str]) -> Asked:
    """What the user states, completed by the first layout whose columns the file has, with a note."""
    held = {names.plain(c) for c in columns}
    layout = next((x for x in layouts() if {names.plain(c) for c in x.columns} <= held), None)
    if layout is None:
        return asked
    notes.append(f'read by the layout "{layout.name}" of {path().name}')
    said = asdict(layout.says)
    if asked.i0 and not asked.mu:  # a mu of the layout's would hide the intensity that was asked for
        said["mu"] = ""
    return replace(asked, **{n: v for n, v in said.items() if v and not getattr(asked, n)})
