"""chi(k) of a FEFF path: the EXAFS equation with e0, deltar and the cumulants to the fourth."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..constants import KTOE
from ..errors import FitError
from ..feff.paths import FeffPath
from ..records import ComplexArray
from .engine.tables import SMALL_ENERGY, PathTables, build, lookup


@lru_cache(maxsize=4096)
def _tables(feff: FeffPath) -> PathTables:
    return build([feff])


def path_chi(
    feff: FeffPath,
    k: ArrayLike,
    n: ArrayLike = 1.0,
    s02: ArrayLike = 1.0,
    e0: ArrayLike = 0.0,
    deltar: ArrayLike = 0.0,
    sigma2: ArrayLike = 0.0,
    third: ArrayLike = 0.0,
    fourth: ArrayLike = 0.0,
) -> ComplexArray:
    """chi(k), complex, of one path; its imaginary part is the EXAFS.

    With q^2 = k^2 - e0/KTOE, p = rep + i/lam (all of feff.dat's columns at q) and R = reff,

    chi = n s02 amp / (q (R + deltar)^2) exp(-2 R Im p - 2 p^2 (sigma2 - p^2 fourth/3)
          + i (2 q R + pha + 2 p (deltar - 2 sigma2/R - 2 p^2 third/3)))

    as FEFF and Larch have it (Newville 2001, J. Synchrotron Rad. 8, 322).

    Parameters
    ----------
    feff: the path; its own degeneracy is not used, `n` is.
    k: (nk,) in 1/A, 0 allowed only as the first of at least three points: chi there is extrapolated.
    n, s02: amplitude; e0 in eV; deltar in A; sigma2, third, fourth in A^2, A^3, A^4: numbers or shape (...).

    Returns
    -------
    Complex array (..., nk). Raises FitError when R + deltar is not positive.
    """
    k = np.asarray(k, float)
    values = np.broadcast_arrays(*(np.asarray(v, float) for v in (n, s02, e0, deltar, sigma2, third, fourth)))
    n_, s02_, e0_, d, ss, c3, c4 = (v[..., None] for v in values)
    if not np.all(feff.reff + d > 0):
        raise FitError(f"path {feff.index}: deltar {d.min():g} A puts the atom behind the absorber")
    # One e0 for all rows is looked up once.
    e0_one = np.unique(e0_)
    energy = k**2 - (e0_one if e0_one.size == 1 else e0_) / KTOE
    energy = np.where(np.abs(energy) < 1.5 * SMALL_ENERGY, SMALL_ENERGY, energy)
    q = np.sign(energy) * np.sqrt(np.abs(energy))
    (amp, pha, rep, lam), _ = lookup(_tables(feff), 0, q)
    p = rep + 1j / lam
    pp = p * p
    r = feff.reff
    exponent = -2 * r * p.imag + 1j * (2 * q * r + pha)
    exponent = exponent - 2 * pp * (ss - pp * c4 / 3) + 2j * p * (d - 2 * ss / r - 2 * pp * c3 / 3)
    out = np.asarray(n_ * s02_ * amp / (q * (r + d) ** 2) * np.exp(exponent))
    if k.size > 2 and k[0] == 0:
        out[..., 0] = 2 * out[..., 1] - out[..., 2]
    return out
