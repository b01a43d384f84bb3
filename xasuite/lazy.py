"""Names of a room that load on first use, so that importing the package costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def loader(room: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package: name -> the module of the package that holds it; ``dir`` lists the names.

    A module must not bear the name of its own function: importing it would hide the function.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(importlib.import_module("." + modules[name].lstrip("."), room), name)
        setattr(sys.modules[room], name, value)
        return value

    sys.modules[room].__dict__["__dir__"] = lambda: sorted(modules)
    return load
