"""FEFF's packed numbers (PAD files): eight printable characters per real number, in base 90.

The first character is the power of ten, the second the sign (odd is positive) and the leading digit, the
other six are the rest of the mantissa. A line of real numbers begins with ``!``, a line of complex numbers with ``$``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import FeffError
from ..records import Array

WIDTH = 8  # characters per number
BASE = 90
_ZERO = 37  # character code of the digit 0
_EXPONENT = 82  # character code of 10^0 with a mantissa between 0.1 and 1
REAL, COMPLEX = "!", "$"


def decode(text: str) -> Array:
    """The numbers (n,) in a text of packed characters without line marks.

    Raises FeffError if the length is not a multiple of eight or a character is outside base 90.
    """
    codes = np.frombuffer(text.encode("latin-1"), np.uint8).astype(int)
    if codes.size % WIDTH:
        raise FeffError(f"{codes.size} packed characters are no whole number of {WIDTH}-character reals")
    digits = codes.reshape(-1, WIDTH) - _ZERO
    if (digits[:, 1:] < 0).any() or (digits[:, 1:] >= BASE).any():
        raise FeffError("a packed number holds a character outside base 90")
    power = codes.reshape(-1, WIDTH)[:, 0] - _EXPONENT
    lead = digits[:, 1] // 2
    sign = 2.0 * (digits[:, 1] % 2) - 1.0
    mantissa = lead / BASE + digits[:, 2:] @ (1.0 / BASE ** np.arange(2.0, WIDTH))
    return 2.0 * sign * mantissa * 10.0**power


class PadReader:
    """Reader of a PAD file, line by line: words, real numbers, complex numbers."""

    def __init__(self, text: str, origin: str) -> None:
        self.lines = text.splitlines()
        self.origin = origin
        self.at = 0

    def words(self) -> list[str]:
        """The words of the next plain line."""
        if self.at >= len(self.lines):
            raise FeffError(f"{self.origin} ends after line {self.at}; it was not written to its end")
        line = self.lines[self.at]
        self.at += 1
        return line.split()

    def reals(self, count: int) -> Array:
        """The next `count` packed reals, over as many lines as they take."""
        return self._run(count, REAL)

    def complexes(self, count: int) -> NDArray[np.complex128]:
        """The next `count` packed complex numbers."""
        return self._run(2 * count, COMPLEX).view(np.complex128)

    def _run(self, count: int, mark: str) -> Array:
        held: list[str] = []
        have = 0
        while have < count:
            if self.at >= len(self.lines) or not self.lines[self.at].startswith(mark):
                raise FeffError(
                    f"{self.origin}: line {self.at + 1} should hold packed numbers ({have} of {count} read)"
                )
            packed = self.lines[self.at][1:].rstrip("\n")
            held.append(packed)
            have += len(packed) // WIDTH
            self.at += 1
        return decode("".join(held))[:count]
