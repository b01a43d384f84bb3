"""Writing so that nothing is lost: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import WriteError


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """A temporary path to write to; on success it takes `target`'s place, on failure it is removed.

    Folders are made. Raises WriteError when the folder cannot be made or written.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}-", suffix=target.suffix, dir=target.parent
        )
    except OSError as exc:
        raise WriteError(
            f"{target} cannot be written: {exc.strerror or exc}; choose another folder"
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as exc:
        # other libraries have words of their own for the same number
        why = os.strerror(exc.errno) if exc.errno else exc.strerror or exc
        raise WriteError(f"{target} cannot be written: {why}") from exc
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> Path:
    """Write text as UTF-8 under a temporary name and rename. Raises WriteError."""
    with replacing(target) as temporary:
        # half of a character, which the name of a file or a project may hold, is written as what it is: \\udcff
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return Path(target)


def sha256(path: str | Path) -> str:
    """Hex hash of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
