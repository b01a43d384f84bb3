"""The noise of chi(k), and the k from which the signal is below the noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._larch import checks
from ..errors import DataError
from ..records import Array, Chi, Series
from .stacks import over_series

R_NOISE = (15.0, 30.0)  # A; no shell contributes there, only noise
R_SIGNAL = (1.0, 6.0)  # A; where shells contribute
NFFT = 2048
KWEIGHT = 1
_ROWS = 64  # rows processed together: small enough for the processor's cache
K_FIRST = 4.0  # 1/A; below, rests of the edge and of the background disturb the comparison
# The signal is lost if its envelope is below the noise over this length; a node between beating shells is shorter
LASTING = 1.0  # 1/A


def noise_of(k: Array, chi: Array) -> Array:
    """Standard deviation epsilon_k (...) of chi (..., nk) on k (nk,) in 1/A.

    This is the root mean square of the real and imaginary parts of chi(R) between 15 and 30 A, where no shell
    contributes, divided by the value that white noise of 1 has there with the same k weight and window (Newville,
    Boyanov and Sayers 1999, J. Synchrotron Rad. 6, 264). White noise of standard deviation s gives epsilon_k = s:
    docs/decisions/noise.md.

    Parameters
    ----------
    k : array
        k (nk,) in 1/A, ascending.
    chi : array
        chi(k) (..., nk), not weighted.

    Returns
    -------
    array
        epsilon_k (...), one value per row of chi.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.reduce import noise_of
    >>> noisy = np.random.default_rng(0).normal(0, 1e-3, k.size)
    >>> 5e-4 < float(noise_of(k, noisy)) < 2e-3
    True
    """
    k = checks.axis(k, "k", "chi")
    even, odd, white = _high_r(k.tobytes())
    rows, half, weight = np.reshape(chi, (-1, k.size)), k.size // 2, _weight(k)
    size2 = np.empty(len(rows))
    for i in range(0, len(rows), _ROWS):
        # |chi(R)| does not depend on the origin of k: about the middle of k, sums and differences of mirrored points separate
        weighted = rows[i : i + _ROWS] * weight
        front, back = weighted[:, : k.size - half], weighted[:, : half - 1 : -1]
        sums, differences = (front + back) @ even, (front[:, :half] - back[:, :half]) @ odd
        size2[i : i + _ROWS] = np.einsum("ij,ij->i", sums, sums)
        size2[i : i + _ROWS] += np.einsum("ij,ij->i", differences, differences)
    return np.asarray(np.sqrt(size2 / white).reshape(chi.shape[:-1]))


@lru_cache(maxsize=8)
def _high_r(k_bytes: bytes) -> tuple[Array, Array, float]:
    """Two matrices for the sums and the differences of mirrored weighted chi(k), and the result for white noise of 1.

    The squares of both products add up to |chi(R)|^2 at R from 15 to 30 A in steps of pi/(2 kmax), the resolution of data that end
    at kmax: closer points are not independent. Singular values below 1e-12 of the largest are left out.
    """
    k = np.frombuffer(k_bytes)
    half, phase = k.size // 2, 2 * np.outer(k - k[-1] / 2, np.arange(*R_NOISE, np.pi / (2 * k[-1])))
    parts = np.cos(phase[: k.size - half]), np.sin(phase[:half])
    if k.size % 2:
        parts[0][-1] /= 2  # the middle is its own mirror
    white = float(np.sum(_weight(k) ** 2) * phase.shape[1])
    out = []
    for part in parts:
        left, size, _ = np.linalg.svd(part, full_matrices=False)
        kept = size > 1e-12 * size[0]
        out.append(np.ascontiguousarray(left[:, kept] * size[kept]))
    return out[0], out[1], white


def usable_k(chi: Chi | Series) -> Array:
    """The k (...) in 1/A from which the signal is below the noise; the end of the data where it never is.

    The envelope of chi(k) is the modulus of its part between 1 and 6 A (Fourier filter). The signal is lost where
    the envelope is below the noise epsilon_k (see `noise_of`) over 1 1/A, or to the end of the data.

    Parameters
    ----------
    chi : Chi or Series
        chi(k) (..., nk).

    Returns
    -------
    array
        k (...) in 1/A, one value per row of chi.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.reduce import usable_k
    >>> 4 < float(usable_k(chi)) < 16
    True
    """
    if isinstance(chi, Series):
        return over_series(chi, usable_k, (), {})
    if not isinstance(chi, Chi):
        raise DataError(f"usable_k takes a Chi, not {type(chi).__name__}; background gives one")
    k = chi.k
    epsilon = noise_of(k, chi.chi) if chi.epsilon_k is None else chi.epsilon_k
    below = (envelope(k, chi.chi) < np.asarray(epsilon)[..., None]) & (k >= K_FIRST)
    length = max(1, round(LASTING / (k[1] - k[0])))
    return k[np.minimum(_first_lasting(below, length), k.size - 1)]


def envelope(k: Array, chi: Array) -> Array:
    """The modulus (..., nk) of the part of chi between 1 and 6 A: the amplitude of its oscillation at each k."""
    inner, outer = _between(k.tobytes())
    analytic = (chi @ inner) @ outer
    return np.hypot(analytic[..., : k.size], analytic[..., k.size :])


@lru_cache(maxsize=8)
def _between(k_bytes: bytes) -> tuple[Array, Array]:
    """Matrices (nk, n) and (n, 2 nk) from chi to the real and imaginary part of its analytic signal between 1 and 6 A.

    Transform, window and back transform are one linear map. The part between 1 and 6 A has few independent points, so the map is
    the product of two narrow matrices (singular values above 1e-12 of the largest), which takes a third of the time.
    """
    k = np.frombuffer(k_bytes)
    weight, step, nfft = np.maximum(k, k[1]) ** KWEIGHT, float(k[1] - k[0]), max(NFFT, 2 * k.size)
    r = np.pi / (step * nfft) * np.arange(nfft)  # that of negative R follows
    chir = step / np.sqrt(np.pi) * np.fft.fft(np.diag(weight), n=nfft, axis=-1)
    low, high = R_SIGNAL
    # cosine edges 1 A wide, as far as R = 0 allows
    window = np.clip(np.minimum(r - low + 0.5, high + 0.5 - r), 0, 1)
    analytic = np.fft.ifft(chir * np.sin(np.pi / 2 * window) ** 2, axis=-1)[:, : k.size]
    analytic *= 2 * np.sqrt(np.pi) / step / weight
    left, size, right = np.linalg.svd(np.hstack([analytic.real, analytic.imag]), full_matrices=False)
    kept = size > 1e-12 * size[0]
    return np.ascontiguousarray(left[:, kept] * size[kept]), np.ascontiguousarray(right[kept])


def _weight(k: Array) -> Array:
    """k times a Hann window over the whole range: without it the ends of the data would add to the noise."""
    return k**KWEIGHT * np.sin(np.pi * k / k[-1]) ** 2


def _first_lasting(below: NDArray[np.bool_], length: int) -> NDArray[np.intp]:
    """First index (...) from which `below` (..., n) holds over `length` points, or to the end; n when there is none."""
    # a tail shorter than the length counts when it reaches the end; the last place stands for none
    ends = [(0, 0)] * (below.ndim - 1)
    count = np.cumsum(np.pad(below, [*ends, (1, length)], constant_values=True), axis=-1, dtype=np.int32)
    held = count[..., length:] - count[..., :-length] == length
    return np.argmax(held, axis=-1)
