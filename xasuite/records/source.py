"""The origin of a record and the steps that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Source:
    """The origin of a record: file, group within the file, hash of the file's bytes, and format."""

    path: str = ""
    group: str = ""
    sha256: str = ""
    format: str = ""

    def __str__(self) -> str:
        return f"{self.path}::{self.group}" if self.group else self.path


def after(record: Any, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a new record takes over from the `record` it is made of, and the history with the new step."""
    kept = {fact: getattr(record, fact) for fact in ("label", "element", "edge", "notes", "source")}
    return kept | {"history": (*record.history, Step(name, settings))}


@dataclass(frozen=True)
class Step:
    """One step of the analysis: name of the function and all its settings."""

    name: str
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Step, (self.name, dict(self.settings)))
