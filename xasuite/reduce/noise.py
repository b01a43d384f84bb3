"""The noise of chi(k), and where the signal falls below it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import RangeError
from ..model import Array, Chi, Series
from .common import name_of

R_NOISE = (15.0, 30.0)  # A; no shell is seen there, so what is left is noise
KSTEP = 0.05  # 1/A
NFFT = 2048


def noise_of(k: Array, chi: Array, kweight: int = 1) -> Array:
    """epsilon_k (...) of chi (..., nk) on k (nk,) in 1/A: docs/decisions/noise.md."""
    from scipy.fft import fft

    step = float(k[1] - k[0])
    kmax = float(k[-1])
    signal = np.asarray(chi, float) * k**kweight
    transform = step / np.sqrt(np.pi) * fft(signal, n=NFFT, axis=-1)
    r = np.pi / (step * NFFT) * np.arange(NFFT)
    high = transform[..., (r >= R_NOISE[0]) & (r <= R_NOISE[1])]
    epsilon_r = np.sqrt(np.mean(np.abs(high) ** 2, axis=-1) / 2)
    w = 2 * kweight + 1
    return epsilon_r * np.sqrt(2 * np.pi * w / (step * kmax**w))
