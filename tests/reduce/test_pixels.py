"""Pixels to energies: a known polynomial comes back, within the error that is stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite import io
from xasuite.errors import DataError
from xasuite.records import Spectrum
from xasuite.reduce import calibrate_pixels

K = np.arange(8900.0, 9700.0, 0.25)


def foil(energy: np.ndarray, edge: float = 8979.0, frequency: float = 5.1) -> np.ndarray:
    """An edge with two wiggles of EXAFS, those of a metal roughly."""
    k = np.sqrt(np.maximum(energy - edge, 0) * 0.2625)
    wiggles = 0.3 * np.sin(frequency * k) * np.exp(-k / 5) + 0.1 * np.sin(8.9 * k + 1) * np.exp(-k / 6)
    return 0.5 + np.arctan((energy - edge) / 1.5) / np.pi + wiggles * (energy > edge + 3)


REFERENCE = Spectrum(K, foil(K), "Cu", "K", "Cu foil")


@pytest.mark.parametrize("truth", [(8920.0, 0.55, 3e-5), (9600.0, -0.65, 2e-5), (8940.0, 0.31, 0.0)])
@pytest.mark.parametrize("seed", range(3))
def test_a_known_polynomial(truth: tuple[float, ...], seed: int) -> None:
    """Noise 2e-3 of a step, another thickness and slope. What is off is within 2 of the stated rms, a pixel within 4."""
    pixel = np.arange(1024.0)
    energy = np.polynomial.polynomial.polyval(pixel, truth)
    noise = 2e-3 * np.random.default_rng(seed).normal(size=pixel.size)
    made = calibrate_pixels(pixel, 0.6 * foil(energy) + 0.2 - 1e-4 * pixel + noise, REFERENCE)
    off = made.energy(pixel) - energy
    assert np.sqrt(np.mean(off**2)) < 2 * made.rms
    assert np.abs(off).max() < 4 * made.rms
    assert made.rms < 0.2  # eV; a pixel is 0.3 to 0.6 eV


def test_a_cubic_that_a_parabola_cannot_follow_is_seen_in_the_rms() -> None:
    pixel = np.arange(1024.0)
    energy = 8920.0 + 0.6 * pixel + 2e-7 * (pixel - 300) ** 3 / 3
    noise = 5e-4 * np.random.default_rng(0).normal(size=pixel.size)
    rms = [calibrate_pixels(pixel, foil(energy) + noise, REFERENCE, degree).rms for degree in (2, 3)]
    assert rms[0] > 3 * rms[1]


def test_another_metal_is_refused() -> None:
    pixel = np.arange(1024.0)
    other = foil(8950.0 + 0.5 * pixel, edge=9100.0, frequency=3.0)
    with pytest.raises(DataError, match="is not that of Cu foil: the best calibration leaves"):
        calibrate_pixels(pixel, np.random.default_rng(0).normal(size=pixel.size), REFERENCE)
    with pytest.raises(DataError, match="is not that of Cu foil"):
        calibrate_pixels(pixel, other[::-1] * np.linspace(0, 1, 1024), REFERENCE)


def test_foils_of_two_beamlines(data_root: Path) -> None:
    """The APS foil on made-up pixels against the QAS foil: what is off is the two scales, 1.2 eV and 0.1 to 0.2 %."""
    aps, qas = (io.read(data_root / f"foils/Fe_foil_{n}").mu() for n in ("APS.xdi", "QAS.dat"))
    pixel = np.arange(1024.0)
    energy = 7050.0 + 0.45 * pixel + 2e-5 * pixel**2
    made = calibrate_pixels(pixel, np.interp(energy, aps.energy, aps.mu), qas)
    off = made.energy(pixel) - energy
    assert np.std(off) < 0.8
    assert made.left < 0.03
