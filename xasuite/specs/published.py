"""Published tables and claims as data: references/published/*.toml read into frozen records."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from ..errors import SpecError, nearest
from ..references import references_dir
from .base import Table
from .claims import Claim
from .figures import Figure
from .load import LoadedSpec
from .studies import StandardsStudy, StructuresStudy, Study

T = TypeVar("T")


class PublishedPath(Table):
    """One printed line: N, R (A), sigma2 (A^2), S02, R factor, with the printed errors."""

    row: str
    edge: str
    path: str
    n: float | None = None
    n_err: float | None = None
    r: float | None = None
    r_err: float | None = None
    sigma2: float | None = None
    sigma2_err: float | None = None
    s02: float | None = None
    s02_err: float | None = None
    rfactor: float | None = None
    fixed: tuple[str, ...] = ()


class Doubt(Table):
    """A printed statement that is itself doubtful, and why."""

    row: str
    text: str


class PublishedTable(Table):
    """A printed table: k range (1/A), k weight by edge, and its lines.

    `model` marks truths of models that no paper printed: their cells are scored and shown, and do not decide.
    """

    title: str
    k: tuple[float, float]
    kweight: dict[str, int]
    cell: tuple[PublishedPath, ...]
    doubt: tuple[Doubt, ...] = ()
    model: bool = False

    def lines(self, row: str) -> tuple[PublishedPath, ...]:
        """The lines of a row (a sample)."""
        return tuple(c for c in self.cell if c.row == row)


class Paper(Table):
    """A paper: citation, tables, claims; `specs` are the folders of fits/ that make its tables again."""

    paper: str
    citation: str
    specs: tuple[str, ...] = ()
    software: str = ""
    notes: str = ""
    table: dict[str, PublishedTable] = Field(default_factory=dict)
    claim: tuple[Claim, ...] = ()
    study: dict[str, Study] = Field(default_factory=dict)
    figure: dict[str, Figure] = Field(default_factory=dict)


def published_file(name: str, folder: Path | None = None) -> Path:
    """The file of a paper. Raises SpecError naming the papers there are."""
    folder = folder or references_dir() / "published"
    path = folder / f"{name}.toml"
    if not path.is_file():
        raise SpecError(
            f'no published paper "{name}" in {folder}{nearest(name, (p.stem for p in folder.glob("*.toml")))}'
        )
    return path


@lru_cache(maxsize=32)
def paper(name: str, folder: Path | None = None) -> Paper:
    """A paper's tables and claims. Raises SpecError."""
    path = published_file(name, folder)
    try:
        return Paper.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as exc:
        raise SpecError(f"{path} is no table of published values: {exc}") from None


def paper_of(loaded: LoadedSpec) -> Paper:
    """The paper that a spec reproduces: from published/ in the spec's folder, else references/published.

    Raises SpecError.
    """
    name = loaded.spec.reproduces.partition("/")[0]
    own = loaded.path.parent / "published"
    return paper(name, own if (own / f"{name}.toml").is_file() else None)


def table_of(loaded: LoadedSpec) -> PublishedTable:
    """The table that a spec's `reproduces = "PAPER/TABLE"` names. Raises SpecError."""
    return _named(paper_of(loaded).table, "table", loaded.spec.reproduces, "reproduces = ")


def study(reference: str) -> StandardsStudy | StructuresStudy:
    """The study that ``"PAPER/STUDY"`` names. Raises SpecError."""
    return _named(paper(reference.partition("/")[0]).study, "study", reference, "--study ")


def figure(reference: str) -> Figure:
    """The figure that ``"PAPER/FIGURE"`` names. Raises SpecError."""
    return _named(paper(reference.partition("/")[0]).figure, "figure", reference, "figure ")


def _named(entries: Mapping[str, T], kind: str, reference: str, key: str) -> T:
    """The entry that a reference names; `key` is what the message of a mistake begins with."""
    name, _, entry = reference.partition("/")
    if entry not in entries:
        raise SpecError(f'{key}"{reference}": {name} has no {kind} "{entry}"{nearest(entry, entries)}')
    return entries[entry]


def papers() -> dict[str, Paper]:
    """Every shipped paper by its name."""
    return {path.stem: paper(path.stem) for path in sorted((references_dir() / "published").glob("*.toml"))}


def spec_folders() -> list[str]:
    """The folders of fits/ that make the tables of the shipped papers again, in the order of the papers' names."""
    return list(dict.fromkeys(name for found in papers().values() for name in found.specs))
