"""Spectra of known truth: every number of them is set here, none comes from the code under test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.records import Array, Spectrum

KTOE = 3.8099819442818976  # hbar^2 / 2 m_e, eV A^2 (CODATA)
E0 = 7709.0
STEP = 0.8


def known_chi(k: Array) -> Array:
    """One shell at 2.2 A with a Debye-Waller factor: chi (nk,)."""
    kk = np.maximum(k, 0.05)
    return (
        2.4 * np.exp(-2 * kk**2 * 0.006) / (kk * 2.2**2) * np.sin(2 * kk * 2.2 + 1.0) * (1 - np.exp(-(kk**4)))
    )


def known_energy(step: float = 1.0) -> Array:
    """Energies (n,) of an ordinary scan: 5 eV, then fine through the edge, then 0.05 1/A."""
    k = np.arange(2.8, 14.0001, 0.05)
    fine = np.arange(E0 - 30, E0 + KTOE * 2.8**2 - step / 2, 0.5 * step)
    return np.concatenate([np.arange(E0 - 200, E0 - 30, 5.0 * step), fine, E0 + KTOE * k**2])


@pytest.fixture(scope="session")
def made() -> Callable[..., Spectrum]:
    """spectrum(noise=..., seed=..., shift=..., scale=...): an edge of step 0.8 on a sloping background, with chi."""

    def make(
        noise: float = 0.0, seed: int = 0, shift: float = 0.0, scale: float = 1.0, energy: Array | None = None
    ) -> Spectrum:
        e = known_energy() if energy is None else energy
        x = e - shift - E0
        edge = 1 / (1 + np.exp(-x / 1.2))
        k = np.sqrt(np.maximum(x, 0) / KTOE)
        mu = 0.5 - 2e-4 * x + STEP * edge * (1 + known_chi(k) * (x > 0)) * np.exp(-np.maximum(x, 0) / 4000)
        mu = scale * (mu + noise * np.random.default_rng(seed).normal(size=e.size))
        return Spectrum(energy=e, mu=mu, element="Co", edge="K", label=f"made {seed}")

    return make


@pytest.fixture(scope="session")
def foil(data_root: Path) -> Callable[[str], Spectrum]:
    """foil("Co_foil_QAS.dat"): a measured foil's mu(E)."""
    return lambda name: xs.read(data_root / "foils" / name).mu()


@pytest.fixture(scope="session")
def drift(data_root: Path) -> list[Spectrum]:
    """The ten NiO scans with their nickel reference; their scales drift by 4-6 eV."""
    scans = {s.label: s for s in xs.read_all(data_root / "series/NiO_drift/NiO.prj")}
    found = [s.mu() for label, s in scans.items() if label.startswith("NiO.")]
    assert len(found) == 10
    return found
