"""Names of a package that load on first use, so that importing the package costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def by_module(**names: str) -> dict[str, str]:
    """name -> the module that holds it, from each module's names as one string of words."""
    return {name: module for module, held in names.items() for name in held.split()}


def loader(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package, from its public names and the module of each; ``dir`` lists the names.

    "module:other" where the module calls it `other`. A module must not have the name of its own function: importing it would
    hide the function.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, own = modules[name].partition(":")
        value = getattr(importlib.import_module("." + module.lstrip("."), package), own or name)
        setattr(sys.modules[package], name, value)
        return value

    sys.modules[package].__dict__["__dir__"] = lambda: sorted(modules)
    return load
