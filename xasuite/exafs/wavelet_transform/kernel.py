"""What a wavelet is to this package: a filter in frequency over 2R, how wide it is, and how it is normalised."""

from __future__ import annotations

from typing import Protocol

from ...records import Array

SCALINGS = ("energy", "amplitude", "larch")
# Parts of a filter or of its kernel below this share of its peak are left out; the sums then agree to some 1e-10.
TAIL = 1e-10


class Kernel(Protocol):
    """One mother wavelet. u = omega / 2R is frequency over the one that the row of R stands for."""

    @property
    def default_scaling(self) -> str:
        """The normalisation used unless another is asked for."""
        ...

    def filter(self, u: Array) -> Array:
        """The wavelet's Fourier transform at u, 1 at its peak u = 1."""
        ...

    def band(self) -> tuple[float, float]:
        """The range of u outside of which the filter is below TAIL."""
        ...

    def reach(self) -> float:
        """2R times the distance in k beyond which the wavelet is below TAIL of its peak."""
        ...

    def admissibility(self) -> float:
        """The integral of filter(u)^2 / |u| over all u."""
        ...

    def larch_factor(self) -> float:
        """What Larch multiplies its filter of peak 1 with. Raises DataError where Larch has none."""
        ...
