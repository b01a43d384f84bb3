"""sigma2 of a path at a temperature, by the Einstein and the correlated Debye model.

Both are sums of a / (theta tanh(w theta / 2 T)), in which a and w depend only on the path, so that expressions of a fit
have derivatives by theta and T.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..edges import atomic_mass
from ..errors import FeffError
from ..records import Array
from .paths import FeffPath

# hbar^2 / (2 k_B u) in A^2 K, CODATA 2022
EINSTEIN = 24.2543670566
# FEFF's 3 hbar^2 / (2 k_B u) in A^2 K, and (9 pi / 2)^(1/3) / bohr in 1/A: the constants of its own code
_DEBYE, _WAVE = 72.7630804732553, 4.5693349700844
# points of the integral over the Debye spectrum: 1e-8 down to T = theta / 30
_NODES = 48

Terms = tuple[tuple[float, float], ...]


@lru_cache(maxsize=4096)
def einstein_terms(path: FeffPath) -> Terms:
    """(a, w) of the Einstein model, sigma2 = hbar^2 / (2 k_B mu theta) coth(theta / 2 T); 1/mu is the sum of 1/m of the path's atoms."""
    return ((EINSTEIN * sum(1 / atomic_mass(leg.symbol) for leg in path.legs), 1.0),)


@lru_cache(maxsize=4096)
def debye_terms(path: FeffPath) -> Terms:
    """(a, w) of the correlated Debye model (Sevillano, Meuth and Rehr 1979, Phys. Rev. B 20, 4908), as in FEFF.

    Correlations C_ij = 3 hbar^2 / (2 k_B theta sqrt(m_i m_j)) int_0^1 sin(w k_D r) / (k_D r) coth(w theta / 2 T) dw
    of every pair of atoms, with k_D from FEFF's mean Norman radius. Raises FeffError if the path's text does not have it.
    """
    radius = _norman_radius(path)
    at = np.array([leg.xyz for leg in path.legs])
    mass = np.array([atomic_mass(leg.symbol) for leg in path.legs])
    w, weight = _nodes()
    x = _WAVE * np.linalg.norm(at[:, None] - at, axis=-1) / radius
    correlation = (_DEBYE / np.sqrt(mass[:, None] * mass))[..., None] * w * np.sinc(w * x[..., None] / np.pi)
    # a leg leads from one atom to the next
    start, end = np.arange(len(at)), np.roll(np.arange(len(at)), -1)
    legs = at[start] - at[end]
    legs /= np.linalg.norm(legs, axis=1)[:, None]
    by_start, by_end = correlation[start], correlation[end]
    pairs = by_start[:, start] + by_end[:, end] - by_start[:, end] - by_end[:, start]
    total = 0.5 * np.einsum("ij,ijw->w", legs @ legs.T, pairs)
    return tuple(zip((0.5 * weight * total).tolist(), w.tolist(), strict=True))


@lru_cache(maxsize=1)
def _nodes() -> tuple[Array, Array]:
    """Points and weights of Gauss-Legendre integration from 0 to 1."""
    nodes, weight = np.polynomial.legendre.leggauss(_NODES)
    return 0.5 * (nodes + 1), 0.5 * weight


def sigma2(terms: Terms, temperature: float, theta: float) -> float:
    """sigma2 in A^2 at a temperature and an Einstein or Debye temperature in K.

    Raises FeffError where one of them is not positive.
    """
    if not (temperature > 0 and theta > 0):
        raise FeffError(
            f"sigma2 needs temperatures above 0 K, found T = {temperature:g} and theta = {theta:g}"
        )
    a, w = np.array(terms).T
    return float((a / np.tanh(0.5 * w * theta / temperature)).sum() / theta)


def _norman_radius(path: FeffPath) -> float:
    """FEFF's mean Norman radius in bohr."""
    for line in path.text.splitlines():
        if "rnrmav" in line:
            return float(line.split()[3])
    raise FeffError(
        f"{path.origin or 'path'}: its feff.dat has no Norman radius, which the Debye model needs"
    )
