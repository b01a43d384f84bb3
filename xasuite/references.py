"""Where the shipped crystals, clusters, published tables and specs are.

In a checkout they are the folders references/ and fits/ next to the package; in a wheel they are inside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def references_dir() -> Path:
    """The folder of crystals/, clusters/, published/ and standards.toml."""
    return _folder("references")


def fits_dir() -> Path:
    """The folder of the specs this project ships."""
    return _folder("fits")
