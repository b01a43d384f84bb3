"""The version of the package and of what is installed beside it, in a module that everything may import."""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path

__version__ = "0.1.0"

_SUFFIX = ".dist-info"


def installed(package: str) -> str:
    """The version of an installed package. Raises importlib.metadata.PackageNotFoundError."""
    folder = metadata_folder(package)
    if folder is None:
        import importlib.metadata

        return importlib.metadata.version(package)
    return folder.name.removesuffix(_SUFFIX).partition("-")[2]


def metadata_folder(package: str) -> Path | None:
    """The .dist-info folder of an installed package, whose name ends with the version; None where it has none.

    importlib.metadata finds the same in a tenth of the time that a whole fit takes.
    """
    return _folders().get(_plain(package))


@functools.cache
def _folders() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in reversed(sys.path):  # of two the one that an import finds
        if not os.path.isdir(place or "."):
            continue
        names = [n for n in os.listdir(place or ".") if n.endswith(_SUFFIX)]
        found |= {_plain(n.partition("-")[0]): Path(place, n) for n in names}
    return found


def _plain(package: str) -> str:
    """A package's name as metadata folders have it."""
    return re.sub(r"[-_.]+", "_", package).lower()
