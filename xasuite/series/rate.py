"""Spectra a second and the time left, for a line of progress."""

from __future__ import annotations

import time


class Rate:
    """The rate since the first call: rows that a resumed run finds done do not count."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._first: int | None = None

    def per_second(self, done: int) -> float:
        """Rows a second, 0 before any is done."""
        if self._first is None:
            self._first, self._begun = done, time.perf_counter()
        spent = time.perf_counter() - self._begun
        return (done - self._first) / spent if spent > 0 else 0.0

    def text(self, done: int) -> str:
        """The rate in words, "" before there is one."""
        rate = self.per_second(done)
        return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.2g}/s" if rate > 0 else ""

    def left(self, done: int, total: int) -> str:
        """The time left in words."""
        rate = self.per_second(done)
        if rate <= 0:
            return ""
        seconds = int((total - done) / rate)
        return f", {seconds // 60} min {seconds % 60} s left" if seconds >= 60 else f", {seconds} s left"
