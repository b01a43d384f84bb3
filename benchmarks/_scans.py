"""mu(E) of known truth on one grid: pre-edge, step, a smooth background and chi."""

from __future__ import annotations

import numpy as np

from benchmarks._shells import NOISE, SEED, K, clean_chi, truth
from xasuite.constants import KTOE
from xasuite.records import Array, Spectrum

E0 = 8979.0
EDGE_STEP = 1.1


def grid() -> Array:
    """400 energies, denser at the edge, even in k above it; from -150 eV to k = 15 1/A."""
    below = np.linspace(-150, -20, 60)
    edge = np.linspace(-19, 25, 90)
    above = KTOE * np.linspace(2.6, 15.1, 250) ** 2
    return E0 + np.concatenate([below, edge, above])


def scans(shells: int, m: int) -> Spectrum:
    """mu (m, 400) with the series' chi and noise."""
    return scans_of(shells, truth(shells, m), SEED + 1)


def scans_of(shells: int, values: Array, seed: int) -> Spectrum:
    """mu (m, 400) of parameters (m, nv), with noise."""
    rng = np.random.default_rng(seed)
    energy = grid()
    x = energy - E0
    k = np.sqrt(np.maximum(x, 0) / KTOE)
    chi = clean_chi(shells, values)
    at = np.clip(k / (K[1] - K[0]), 0, K.size - 1.001)
    low = at.astype(int)
    here = chi[:, low] * (1 - (at - low)) + chi[:, low + 1] * (at - low)
    # chi fades in over the first 20 eV, where the EXAFS equation does not hold
    fade = 1 / (1 + np.exp(-(x - 15) / 4))
    atomic = 0.5 + np.arctan((x - 1) / 1.5) / np.pi
    smooth = 1 - 1.2e-4 * x + 3e-8 * x**2 + 0.01 * np.exp(-(((x - 120) / 150) ** 2))
    mu = 0.4 - 2e-4 * x + EDGE_STEP * atomic * smooth * (1 + fade * here)
    mu = mu + 0.2 * NOISE * rng.normal(size=mu.shape)
    return Spectrum(energy=energy, mu=mu, element="Cu", edge="K", label="series")
