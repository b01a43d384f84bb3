"""The choices an analyst could have made instead: a fixed set of draws about the stated settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..model import FitRange

# background removal: k weight, rbkg (A), and by how much E0 is moved (eV); each draw takes one
BACKGROUNDS = ((2, 0.8, -1.5), (3, 1.0, 1.5), (3, 0.8, 0.0), (2, 1.0, 0.0))
# about the stated fit: ends of k (1/A) and R (A) moved by one of these
_K_MIN, _K_MAX, _R_MIN, _R_MAX = (-0.5, 0.0, 0.5), (-1.0, 0.0, 1.0), (-0.1, 0.0, 0.1, 0.2), (-0.2, 0.0, 0.2)
_KWEIGHT, _DK = (2, 3), (1.0, 2.0, 4.0)
COUNT = 40
# each fit range is drawn once and taken with so many of the backgrounds
_BACKGROUNDS_A_RANGE = 2
_SEED = 20
# independent points that a draw must have beyond the number of variables
_SPARE = 1.0
_LEAST_K = 2.0


@dataclass(frozen=True)
class Draw:
    """One set of choices: background removal and fit range. `r` (A) says how far the ends of R are moved."""

    bkg_kweight: int
    rbkg: float
    e0_shift: float
    k: tuple[float, float]
    kweight: int
    dk: float
    r: tuple[float, float]

    def range_of(self, stated: FitRange) -> FitRange:
        """The fit range of this draw for a fit with the stated one."""
        r = (max(stated.r[0] + self.r[0], 0.5), stated.r[1] + self.r[1])
        return replace(stated, k=self.k, kweight=(self.kweight,), dk=self.dk, r=r)


@lru_cache(maxsize=64)
def draws(stated: FitRange, n_varied: float, kmax: float) -> tuple[Draw, ...]:
    """The draws about a stated range, the same for the same arguments.

    Parameters
    ----------
    stated : FitRange
    n_varied : float
        Variables of the fit, for each data set; a draw whose range holds fewer than one more independent points is passed over.
    kmax : float
        The end of the data, 1/A.

    Returns
    -------
    tuple of Draw
        `COUNT` of them, each background as often as the others.
    """
    rng = np.random.default_rng(_SEED)
    least = min(
        n_varied + _SPARE, stated.n_idp
    )  # where the stated range has no point to spare, its own size is all there is
    made: list[Draw] = []
    tried = 0
    while len(made) < COUNT:
        low = max(stated.k[0] + rng.choice(_K_MIN), min(stated.k[0], _LEAST_K))
        high = min(stated.k[1] + rng.choice(_K_MAX), max(kmax, stated.k[1]))
        draw = Draw(
            0, 0.0, 0.0, (float(low), float(high)), int(rng.choice(_KWEIGHT)), float(rng.choice(_DK)),
            (float(rng.choice(_R_MIN)), float(rng.choice(_R_MAX))),
        )  # fmt: skip
        tried += 1
        if draw.range_of(stated).n_idp >= least or tried > 50 * COUNT:
            for _ in range(_BACKGROUNDS_A_RANGE):
                kw, rbkg, shift = BACKGROUNDS[len(made) % len(BACKGROUNDS)]
                made.append(replace(draw, bkg_kweight=kw, rbkg=rbkg, e0_shift=shift))
    return tuple(made)
