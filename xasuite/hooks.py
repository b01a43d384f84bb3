"""How records and results show and plot themselves.

Reports lie above the records, so no record imports them. The package's front fills these two functions in
when it is imported, and `Shown` (records) calls them.
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
