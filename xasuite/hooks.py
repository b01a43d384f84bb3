"""How records and results show and plot themselves.

Records cannot import report/, which is built on them. `xasuite/__init__.py` provides the two functions, and `Shown`
(records) calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_functions: dict[str, Callable[..., Any]] = {}


def provide(**functions: Callable[..., Any]) -> None:
    """Set the functions: `mimebundle` (object -> {mime type: text}) and `plot` (object, options -> Figure)."""
    _functions.update(functions)


def call(name: str, *args: Any, **options: Any) -> Any:
    """Call the function that was provided under that name."""
    return _functions[name](*args, **options)
