"""One section of the report, the search for result files, and what sections of fits and of series share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReadError
from ..records.table import Table
from .viewer import Stack

GOOD_RFACTOR = 0.02  # fits below are usually called good
CLOSURE_NOTE = (
    "Closure: these spectra were simulated from published numbers and fitted blind. They show what the data and "
    "ranges can determine; they say nothing about the sample."
)


@dataclass(frozen=True, eq=False)
class Section:
    """The section of one result: `tables` holds its main table first, `details` the tables shown further down."""

    title: str
    kind: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]
    stack: Stack | None
    provenance: tuple[tuple[str, str], ...]
    spec_text: str
    details: tuple[Table, ...] = ()
    audit: tuple[str, ...] = ()
    methods: str = ""


def find_inputs(paths: Sequence[str | Path]) -> list[Path]:
    """The files named in `paths`, and the result.json and series.h5 files of the folders named, at any depth.

    Raises ReadError when a path does not exist or a folder holds no results.
    """
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise ReadError(f"{path}: there is no such file or folder of results")
        here = sorted([*path.rglob("result.json"), *path.rglob("series.h5")])
        if not here:
            raise ReadError(
                f"{path} holds no result.json and no series.h5; run xasuite fit, reproduce or series first"
            )
        found += here
    return list(dict.fromkeys(found))
