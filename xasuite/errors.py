"""What can go wrong, one exception a cause.

Every message is one sentence that says what is wrong, where (file, line, column, scan) and what to do.
The command line prints it as one line and exits with 1; in Python it is raised as the type below.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message: '; did you mean "x"?' for the nearest known name, else the list of what there is."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6) or [
        n for n in names if n.startswith(word)
    ]
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; there are {', '.join(names)}" if names else ""


class XasuiteError(Exception):
    """Base of every error this package raises on purpose."""


class ReadError(XasuiteError):
    """A file cannot be read as XAFS data: missing, binary, not XAFS, damaged; the message says which."""


class ChannelError(XasuiteError):
    """A channel or an expression of channels names something that the scan does not hold."""


class DataError(XasuiteError):
    """Arrays that no analysis can use: NaN, unsorted energy, keV, too few points, wrong shapes."""


class RangeError(XasuiteError):
    """A range (energy, k or R) lies outside what the data hold, or is empty."""


class ReductionError(XasuiteError):
    """E0, normalisation, background, alignment or merging failed."""


class CrystalError(XasuiteError):
    """A crystal is absent, cannot be parsed, or lacks the absorber or scatterer that was asked for."""


class FeffError(XasuiteError):
    """FEFF failed, ran out of time, or left no usable output; the message quotes what FEFF said."""


class ExpressionError(XasuiteError):
    """An expression is not arithmetic of known names and functions."""


class SpecError(XasuiteError):
    """A spec is wrong; `mistakes` holds every mistake, one line each (file:line: what and what instead)."""

    def __init__(self, mistakes: list[str] | str) -> None:
        self.mistakes = [mistakes] if isinstance(mistakes, str) else list(mistakes)
        super().__init__("\n".join(self.mistakes))


class FitError(XasuiteError):
    """A fit cannot be made: more variables than independent points, no data in range, no path."""


class CalibrationError(XasuiteError):
    """A valence calibration or an inverse prediction cannot be made from what was given."""


class ComponentError(XasuiteError):
    """A linear combination, PCA, MCR-ALS or peak fit cannot be made from what was given."""


class SeriesError(XasuiteError):
    """A series cannot be started, run or resumed."""


class TheoryError(XasuiteError):
    """A theoretical spectrum cannot be computed: structure, edge, potentials or phases."""


class WriteError(XasuiteError):
    """An output cannot be written: folder absent, not writable, or a file in its place."""


class PageError(XasuiteError):
    """The interactive page cannot be served on this machine."""


class AuditError(XasuiteError):
    """The batched engine and Larch disagree on a row by more than the audit allows."""


class XasuiteWarning(UserWarning):
    """Something a scientist should know before publishing; raised through `warnings`."""
