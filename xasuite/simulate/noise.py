"""Noise of a simulated spectrum: white in mu at a level stated for chi(k), or counted photons; single bad points."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..constants import KTOE
from ..errors import DataError
from ..records import Array
from ..reduce.noise import noise_of

# Size of glitches as a share of the edge step, least and largest.
_GLITCH = (0.02, 0.2)
# Step in k of the chi(k) that `background` gives, 1/A.
KSTEP = 0.05
# Noise spectra from which the ratio of noise in chi to noise in mu is found, to well below 1 %.
_DRAWS = 400


def sigma_mu(epsilon_k: Array | float, energy: Array, e0: float, edge_step: Array | float) -> Array:
    """Standard deviation of white noise in mu that gives the noise epsilon_k in chi(k) as `noise_of` estimates it.

    chi(k) is mu over the edge step, interpolated by a cubic spline from the scan's own points to steps of
    0.05 1/A: the ratio depends on the scan's points and is found from simulated noise. docs/decisions/simulated_noise.md.
    """
    above = energy[energy > e0] - e0
    ratio = _ratio(tuple(np.round(above, 6)))
    return np.asarray(epsilon_k, float) * np.asarray(edge_step, float) / ratio


@lru_cache(maxsize=32)
def _ratio(above: tuple[float, ...]) -> float:
    from scipy.interpolate import make_interp_spline

    k = np.sqrt(np.array(above) / KTOE)
    even = KSTEP * np.arange(1, int(k[-1] / KSTEP) + 1)
    even = even[even >= k[0]]
    if even.size < 60:
        raise DataError(
            "a scan that ends below k = 4 1/A has no noise in chi(k) to be stated; state it in counts"
        )
    unit = np.random.default_rng(0).standard_normal((k.size, _DRAWS))
    drawn = make_interp_spline(k, unit, k=3)(even).T
    full = np.concatenate([np.zeros((_DRAWS, round(float(even[0]) / KSTEP))), drawn], axis=1)
    return float(np.sqrt(np.mean(noise_of(np.asarray(KSTEP * np.arange(full.shape[1]), float), full) ** 2)))


def counted(mu: Array, counts: Array | float, generators: list[np.random.Generator]) -> tuple[Array, Array]:
    """mu (m, n) from counted photons: `counts` before the sample, counts exp(-mu) behind it, both Poisson.

    Returns mu and its standard deviation. Raises DataError when a detector counts nothing.
    """
    before = np.broadcast_to(np.asarray(counts, float)[..., None], mu.shape)
    behind = before * np.exp(-mu)
    i0 = np.stack([g.poisson(b) for g, b in zip(generators, before, strict=True)])
    it = np.stack([g.poisson(b) for g, b in zip(generators, behind, strict=True)])
    if not (i0.min() > 0 and it.min() > 0):
        raise DataError(
            f"{np.min(before):.3g} counts leave none behind a sample of mu = {mu.max():.2f} at some energy; count longer"
        )
    return np.log(i0 / it), np.sqrt(1 / before + 1 / behind)


def glitches(
    shape: tuple[int, int], edge_step: Array, n: int, generators: list[np.random.Generator]
) -> tuple[Array, tuple[tuple[int, ...], ...]]:
    """The offsets (m, n) to add to mu for n single bad points per row, and the indices of these points."""
    out = np.zeros(shape)
    where = []
    for row, (step, g) in enumerate(zip(edge_step, generators, strict=True)):
        points = np.sort(g.choice(np.arange(2, shape[1] - 2), size=n, replace=False))
        out[row, points] = step * g.uniform(*_GLITCH, size=n) * g.choice([-1.0, 1.0], size=n)
        where.append(tuple(int(p) for p in points))
    return out, tuple(where)
