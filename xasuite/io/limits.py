"""Limits for files of unknown origin, and the reading of bytes within them (docs/guide/security.md).

A file may be a device that never ends, or unpack to a thousand times its size.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path

from ..errors import ReadError

HDF5, GZIP = b"\x89HDF\r\n\x1a\n", b"\x1f\x8b"  # how such files begin
LIMIT_ENV = "XASUITE_MAX_BYTES"
_USUAL = 2_000_000_000
# Tables of numbers shrink to a third or a fifth, the most regular HDF5 files to a fiftieth
MOST_PACKED, UNSUSPECTED = 100, 50_000_000
MAX_LINE = 1_000_000  # characters: a row of 64 detectors with 2048 channels each has 800 000
_CHUNK = 1 << 20


def max_bytes() -> int:
    """The most bytes that a file, what it unpacks to, or an array that it declares may have.

    2e9, or what the environment variable XASUITE_MAX_BYTES says. Raises ReadError when that is no number.
    """
    text = os.environ.get(LIMIT_ENV, "")
    try:
        return int(float(text)) if text else _USUAL
    except (ValueError, OverflowError):
        raise ReadError(f"{LIMIT_ENV} = {text!r} is no number of bytes, such as 4e9") from None


def contents(file: Path, first: int = 0) -> bytes:
    """The bytes of a regular file, or only the `first` ones.

    Raises ReadError for a device, a pipe or a file larger than `max_bytes`; OSError where it cannot be opened.
    """
    with open(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as handle:
        state = os.fstat(handle.fileno())
        mode = state.st_mode
        if not stat.S_ISREG(mode):
            kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
            raise ReadError(f"{file} is {kind} and not a regular file; copy what it gives into a file first")
        if not first and state.st_size > max_bytes():
            raise ReadError(f"{file} is larger than {_said()}")
        # files of /proc say that they are empty, and some of them have nothing to give now
        return handle.read(first or max(state.st_size, _CHUNK)) or b""


def unpacked(packed: bytes, name: str) -> bytes:
    """Gzipped bytes, unpacked. Raises ReadError where they are damaged, or unpack to more than data ever do."""
    most = max_bytes()
    suspected = max(UNSUSPECTED, MOST_PACKED * len(packed))
    out, size = [], 0
    try:
        with gzip.open(io.BytesIO(packed)) as unzipped:
            while piece := unzipped.read(_CHUNK):
                out.append(piece)
                size += len(piece)
                if size > most:
                    raise ReadError(f"{name} unpacks to more than {_said()}")
                if size > suspected and LIMIT_ENV not in os.environ:
                    raise ReadError(
                        f"{name} unpacks to more than {MOST_PACKED} times its size, as no data do; "
                        f"if you trust it, unpack it first or set {LIMIT_ENV}"
                    )
    except EOFError:
        raise ReadError(f"{name} is gzipped and damaged: it ends before its end") from None
    except (OSError, zlib.error) as exc:
        raise ReadError(f"{name} is gzipped and damaged: {exc}") from None
    return b"".join(out)


def check_lines(lines: Sequence[str], name: str) -> None:
    """Raises ReadError where a line is longer than any row of a scan."""
    longest = max(map(len, lines), default=0)
    if longest > MAX_LINE:
        at = next(i for i, line in enumerate(lines) if len(line) == longest)
        raise ReadError(
            f"{name}:{at + 1}: a line of {longest} characters; a row of a scan has at most {MAX_LINE}"
        )


def check_size(size: int, what: str) -> None:
    """Raises ReadError where `size` bytes are more than a file may ask for."""
    if size > max_bytes():
        raise ReadError(f"{what} would take {size / 1e9:.3g} GB, more than {_said()}")


def _said() -> str:
    return f"{max_bytes() / 1e9:g} GB; split it, or raise the limit with {LIMIT_ENV}"
