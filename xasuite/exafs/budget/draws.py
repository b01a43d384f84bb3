"""Draws: a fixed set of other choices that an analyst could have made, about the stated settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..model import FitRange

# background removals: k weight, rbkg (A), shift of E0 (eV); each draw has one of them
BACKGROUNDS = ((2, 0.8, -1.5), (3, 1.0, 1.5), (3, 0.8, 0.0), (2, 1.0, 0.0))
# shifts of the ends of k (1/A) and R (A) relative to the stated fit
_K_MIN, _K_MAX, _R_MIN, _R_MAX = (-0.5, 0.0, 0.5), (-1.0, 0.0, 1.0), (-0.1, 0.0, 0.1, 0.2), (-0.2, 0.0, 0.2)
_KWEIGHT, _DK = (2, 3), (1.0, 2.0, 4.0)
COUNT = 40
# each drawn fit range is combined with this many backgrounds
_BACKGROUNDS_A_RANGE = 2
_SEED = 20
# a draw must have this many more independent points than variables
_SPARE = 1.0
_LEAST_K = 2.0


@dataclass(frozen=True)
class Draw:
    """One set of choices: background removal and fit range. `r` (A) are the shifts of the ends of R."""

    bkg_kweight: int
    rbkg: float
    e0_shift: float
    k: tuple[float, float]
    kweight: int
    dk: float
    r: tuple[float, float]

    def range_of(self, stated: FitRange) -> FitRange:
        """The fit range of this draw, for a fit with the stated range."""
        r = (max(stated.r[0] + self.r[0], 0.5), stated.r[1] + self.r[1])
        return replace(stated, k=self.k, kweight=(self.kweight,), dk=self.dk, r=r)


@lru_cache(maxsize=64)
def draws(stated: FitRange, n_varied: float, kmax: float) -> tuple[Draw, ...]:
    """The draws about a stated range; they are the same for the same arguments.

    Parameters
    ----------
    stated : FitRange
        The stated range of the fit.
    n_varied : float
        Number of variables per data set; a draw must have at least one more independent point.
    kmax : float
        The end of the data, 1/A.

    Returns
    -------
    tuple of Draw
        `COUNT` draws, with all backgrounds equally often.
    """
    rng = np.random.default_rng(_SEED)
    # where the stated range has no independent point to spare, a draw needs as many as the stated range has
    least = min(n_varied + _SPARE, stated.n_idp)
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
