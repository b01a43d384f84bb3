"""The FEFF programs that come with Larch, found without importing Larch."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ..errors import FeffError

# XASUITE_FEFF names a folder of FEFF programs that is used instead of Larch's.
FEFF_ENV = "XASUITE_FEFF"
_FOLDERS = {"linux": "linux64", "darwin": "darwin64", "win32": "win64"}


def feff_folder() -> Path:
    """The folder of FEFF programs: that of XASUITE_FEFF, else larch/bin of this platform.

    Raises FeffError when larch or its folder is absent.
    """
    chosen = os.environ.get(FEFF_ENV)
    if chosen:
        return Path(chosen)
    larch = importlib.util.find_spec("larch")
    platform = _FOLDERS.get(sys.platform)
    if larch is None or larch.origin is None or platform is None:
        raise FeffError(
            f"FEFF's programs come with xraylarch, which has none for {sys.platform}; "
            f"install xraylarch or name a folder of FEFF programs in {FEFF_ENV}"
        )
    return Path(larch.origin).parent / "bin" / platform


def feff_binary(name: str) -> Path:
    """The program `name` (feff6l, feff8l_pot, ...). Raises FeffError when it is absent or cannot run."""
    path = feff_folder() / (f"{name}.exe" if sys.platform == "win32" else name)
    if not path.is_file():
        raise FeffError(
            f"FEFF's program {path} is missing; reinstall xraylarch or name a folder of FEFF programs in {FEFF_ENV}"
        )
    if not os.access(path, os.X_OK):
        raise FeffError(f"FEFF's program {path} is not executable; make it so with chmod +x")
    return path
