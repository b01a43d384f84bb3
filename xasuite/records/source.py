"""Where a record came from and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where a record came from: file, group within the file, and the hash of the file's bytes."""

    path: str = ""
    group: str = ""
    sha256: str = ""
    format: str = ""

    def __str__(self) -> str:
        return f"{self.path}::{self.group}" if self.group else self.path


def after(record: Any, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a record that a step makes of another takes over from it: its facts, and its history with the step."""
    kept = {fact: getattr(record, fact) for fact in ("label", "element", "edge", "notes", "source")}
    return kept | {"history": (*record.history, Step(name, settings))}


@dataclass(frozen=True)
class Step:
    """One step of the analysis: the function's name and every setting it ran with."""

    name: str
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Step, (self.name, dict(self.settings)))
