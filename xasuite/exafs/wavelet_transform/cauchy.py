"""The Cauchy wavelet of Munoz, Argoul and Farges, Am. Mineral. 88, 694 (2003), as in Larch.

In frequency it is (a omega)^n exp(-a omega) with a = n / (2 R). Its maximum is at omega = 2R, its width is R / sqrt(n) in R and
sqrt(n) / (2 R) in k. In Larch n is the number of R points, so that the resolution changes with the range
that is plotted; here n is a separate setting (docs/decisions/wavelet.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ...records import Array
from .kernel import TAIL


@dataclass(frozen=True)
class Cauchy:
    """Cauchy wavelet of the given order n. Raises DataError when it is below 5."""

    order: int = 200

    default_scaling = "larch"

    def __post_init__(self) -> None:
        if self.order < 5 or self.order != int(self.order):
            raise DataError(
                f"a Cauchy wavelet of order {self.order:g} has no resolution in R; choose a whole number of at "
                "least 5, usually 100 to 300"
            )

    def filter(self, u: Array) -> Array:
        """u^n exp(-n (u - 1)), 0 where u <= 0."""
        out = np.zeros(np.shape(u))
        up = u > 0
        out[up] = np.exp(self.order * (np.log(u[up]) - u[up] + 1))
        return out

    def band(self) -> tuple[float, float]:
        """The range of u in which the filter is above TAIL: the roots of n (ln u - u + 1) = ln TAIL, by Lambert's W."""
        from scipy.special import lambertw

        z = -math.exp(math.log(TAIL) / self.order - 1)
        return float(-lambertw(z, 0).real), float(-lambertw(z, -1).real)

    def reach(self) -> float:
        """2R times the distance in k at which the wavelet [1 + (2 R k / n)^2]^(-(n + 1) / 2) falls below TAIL."""
        return self.order * math.sqrt(TAIL ** (-2 / (self.order + 1)) - 1)

    def admissibility(self) -> float:
        """Integral of filter^2 / u: e^(2n) Gamma(2n) / (2n)^(2n)."""
        n2 = 2.0 * self.order
        return math.exp(n2 + math.lgamma(n2) - n2 * math.log(n2))

    def larch_factor(self) -> float:
        """2 pi n^n e^-n / n!, about sqrt(2 pi / n)."""
        n = float(self.order)
        return 2 * math.pi * math.exp(n * math.log(n) - n - math.lgamma(n + 1))
