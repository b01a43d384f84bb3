"""The Morlet wavelet as EXAFS uses it: a wave of frequency eta in a Gaussian of width sigma.

    psi(t) = [exp(i eta t) - exp(-eta^2 sigma^2 / 2)] exp(-t^2 / (2 sigma^2)),   t = (k' - k) / a,   a = eta / (2 R)

after Funke, Scheinost and Chukalina, Phys. Rev. B 71, 094110 (2005). The second term makes the mean zero.
At R the Gaussian has a width of eta sigma / (2 R) in k and R / (eta sigma) in R (standard deviations of the
amplitude): only the product of eta and sigma matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ...records import Array
from .kernel import TAIL

# Below this the term that makes the mean zero is as large as the wave, and R is no longer a distance.
SMALLEST_PRODUCT = 2.0


@dataclass(frozen=True)
class Morlet:
    """Morlet wavelet of frequency `eta` and Gaussian width `sigma`. Raises DataError when their product is below 2."""

    eta: float = 10.0
    sigma: float = 1.0

    default_scaling = "energy"

    def __post_init__(self) -> None:
        if not (self.eta > 0 and self.sigma > 0 and self.product >= SMALLEST_PRODUCT):
            raise DataError(
                f"a Morlet wavelet with eta = {self.eta:g} and sigma = {self.sigma:g} has no resolution in R; "
                f"choose both positive with a product of at least {SMALLEST_PRODUCT:g}, usually 5 to 15"
            )

    @property
    def product(self) -> float:
        """eta sigma, which fixes the shape."""
        return self.eta * self.sigma

    def filter(self, u: Array) -> Array:
        """exp(-(eta sigma)^2 (u - 1)^2 / 2) less the part that makes the mean zero."""
        s2 = self.product**2
        out = np.exp(-0.5 * s2 * (u - 1) ** 2) - np.exp(-0.5 * s2 * (u**2 + 1))
        return out / -math.expm1(-s2)

    def band(self) -> tuple[float, float]:
        """About seven standard deviations around 1; it begins below 0 for a small eta sigma, where the second term matters."""
        half = math.sqrt(-2 * math.log(TAIL)) / self.product
        return (1 - half if half < 1 else -math.sqrt(half**2 - 1)), 1 + half

    def reach(self) -> float:
        """2R times the distance in k at which the Gaussian falls below TAIL."""
        return self.product * math.sqrt(-2 * math.log(TAIL))

    def admissibility(self) -> float:
        """Integral of filter^2 / |u|, by quadrature: it has no closed form."""
        from scipy.integrate import quad

        def weight(u: float) -> float:
            return float(self.filter(np.asarray(u)) ** 2 / abs(u)) if u else 0.0

        low, high = self.band()
        total = quad(weight, max(low, 0.0), 1.0, limit=200)[0] + quad(weight, 1.0, high, limit=200)[0]
        return float(total) + (quad(weight, low, 0.0, limit=200)[0] if low < 0 else 0.0)

    def larch_factor(self) -> float:
        """Raises DataError: Larch has no Morlet wavelet."""
        raise DataError('scaling = "larch" is for the Cauchy wavelet; Larch has no Morlet: use "energy"')
