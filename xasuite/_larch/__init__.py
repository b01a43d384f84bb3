"""The door: the only folder that imports larch, and only when something is asked of it.

Larch takes seconds to import, prints to standard output, warns, and returns None where it fails. `larch(name)`
imports a module of it on first use; `quiet()` keeps its printing and warnings away from the user, and turns
what it raises into an exception of this package.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

from ..errors import ReductionError, XasuiteError


def larch_version() -> str:
    """Version of the installed Larch, read from its metadata without importing it."""
    from importlib.metadata import version

    return version("xraylarch")


def larch(module: str = "larch.xafs") -> Any:
    """A module of Larch, imported on first use and in silence. Raises ImportError when it is not installed."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


@contextlib.contextmanager
def quiet(what: str, error: type[XasuiteError] = ReductionError) -> Iterator[io.StringIO]:
    """Run Larch inside: what it prints goes to the buffer given, what it raises becomes `error`.

    Parameters
    ----------
    what : the job and the spectrum, the start of the message ("autobk of co_foil").
    error : the exception raised in place of Larch's own.
    """
    printed = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield printed
    except XasuiteError:
        raise
    except Exception as exc:
        said = " ".join(printed.getvalue().split())
        raise error(f"{what} failed in Larch: {exc}{f' (it printed: {said[:200]})' if said else ''}") from exc
