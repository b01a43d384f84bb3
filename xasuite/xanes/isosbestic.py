"""Isosbestic points: energies that all spectra of a series pass through, found and tested against the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..errors import ComponentError
from ..records import Array, Normalized, Series
from .matrix import matrix

SHARE = 0.1  # least height of the lobes on both sides of a crossing, as a share of the largest change
LEVEL = 0.01  # probability below which a point does not hold


@dataclass(frozen=True)
class Isosbestic:
    """One crossing: energy (eV) with its error, the spread of the m spectra there, the noise, and the test.

    `p` is the probability that the noise alone spreads the spectra as much; `holds` says p is above 1 %.
    """

    energy: float
    stderr: float
    value: float
    spread: float
    noise: float
    p: float
    holds: bool

    @property
    def text(self) -> str:
        """One sentence."""
        word = "holds" if self.holds else "does not hold: more than two species, or normalisation drifts"
        return (
            f"{self.energy:.2f}({self.stderr:.2f}) eV, spread {self.spread:.4f} against noise {self.noise:.4f}, "
            f"p = {self.p:.2g}: {word}"
        )


def isosbestic_points(
    records: Normalized | Series | Sequence[Normalized],
    *,
    energy_range: tuple[float, float],
    array: str = "norm",
    noise: float | Array | None = None,
) -> tuple[Isosbestic, ...]:
    """Energies in a range where the spectra of a series cross, each tested against the noise.

    A candidate is where the first principal component of the series (mean subtracted) passes through zero between two lobes. There the variance
    over the m spectra is compared with that of the noise by chi-square with m - 1 degrees of freedom. With two species every candidate holds.

    Parameters
    ----------
    records : Normalized, Series or sequence of Normalized
        Three spectra or more.
    energy_range : tuple of float
        Range in eV, absolute.
    array : str
        "norm" or "flat".
    noise : float or array, shape (m,), optional
        Standard deviation of a point; by default estimated from the pre-edge of each spectrum.

    Returns
    -------
    tuple of Isosbestic
        Each crossing with its error and whether it holds.

    Raises
    ------
    ComponentError
        Fewer than three spectra, or a noise that is not positive.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 0.5)
    >>> def mix(x):
    ...     two = [0.5 + np.arctan((energy - e) / 1.5) / np.pi + h * np.exp(-((energy - 7725) / 6) ** 2) for e, h in ((7708, 0), (7711, 0.4))]
    ...     mu = (1 - x) * two[0] + x * two[1]
    ...     return xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7709.0, norm_range=(80, 280))
    >>> points = isosbestic_points([mix(x) for x in (0.0, 0.3, 0.6, 1.0)], energy_range=(7705, 7740), noise=1e-3)
    >>> all(p.holds for p in points), len(points) > 0
    (True, True)
    """
    from scipy.stats import chi2

    m = matrix(records, energy_range=energy_range, array=array)
    if len(m.rows) < 3:
        raise ComponentError(
            f"{len(m.rows)} spectra always cross somewhere; an isosbestic point needs three or more"
        )
    sigma = np.broadcast_to(m.noise if noise is None else np.asarray(noise, float), len(m.rows))
    if np.any(sigma <= 0):
        raise ComponentError("the noise must be positive; give noise = the standard deviation of a point")
    change, weights = _first_change(m.rows)
    found = []
    for i in _crossings(change):
        at = m.energy[i] - change[i] * (m.energy[i + 1] - m.energy[i]) / (change[i + 1] - change[i])
        share = (at - m.energy[i]) / (m.energy[i + 1] - m.energy[i])
        values = (1 - share) * m.rows[:, i] + share * m.rows[:, i + 1]
        point = sigma * np.sqrt(share**2 + (1 - share) ** 2)
        mean = np.average(values, weights=1 / point**2)
        q = float(np.sum(((values - mean) / point) ** 2))
        p = float(chi2.sf(q, len(values) - 1))
        slope = abs((change[i + 1] - change[i]) / (m.energy[i + 1] - m.energy[i]))
        noise_here = float(np.sqrt(np.mean(point**2)))
        error = float(noise_here / np.linalg.norm(weights) / slope) if slope > 0 else np.inf
        spread = float(values.std(ddof=1))
        found.append(Isosbestic(float(at), error, float(mean), spread, noise_here, p, p > LEVEL))
    return tuple(found)


def _first_change(rows: Array) -> tuple[Array, Array]:
    u, s, v = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    return v[0], u[:, 0] * s[0]


def _crossings(change: Array) -> list[int]:
    """Sign changes between two lobes that both stand out."""
    limit = SHARE * float(np.abs(change).max())
    signs = np.flatnonzero(np.sign(change[:-1]) * np.sign(change[1:]) < 0)
    edges = np.concatenate([[0], signs + 1, [change.size]])
    lobes = [float(np.abs(change[a:b]).max(initial=0)) for a, b in pairwise(edges)]
    return [int(i) for k, i in enumerate(signs) if lobes[k] > limit and lobes[k + 1] > limit]
