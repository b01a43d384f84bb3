"""The energies of a dispersive spectrometer's pixels, from a foil measured on pixels and one measured on energies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from ..records import Array, Spectrum

# eV per pixel that are tried, with both signs; dispersive spectrometers have 0.1 to 2
_DISPERSION = np.geomspace(0.03, 6.0, 90)
_OFFSETS = np.arange(-15.0, 16.0, 3.0)  # eV: the steepest point of the two spectra may differ
_STARTS = 8
_INSIDE = 0.5  # share of the pixels that the reference must cover
# largest share of the foil's structure that the best fit may leave unexplained; above it the foils are different
ALIKE = 0.2
_WINDOWS = 12  # parts of the spectrum whose shifts against the reference give the rms error
_CERTAIN = 2.0  # eV: a part whose shift has a larger error has too little structure and is not used


@dataclass(frozen=True, eq=False)
class PixelCalibration:
    """E(pixel) in eV as a polynomial with `coefficients`, the constant first, and its error.

    `rms` in eV is the root mean square error over the pixels. Two parts add in quadrature: the error by noise (covariance of the fit),
    and the shifts of `windows` parts of the spectrum against the reference, weighted by their inverse variance and corrected for the
    number of coefficients (NaN if there are no more parts than coefficients). The error of the reference's energy scale is not
    included. `left` is the share of the foil's structure that the fit does not explain.
    """

    coefficients: tuple[float, ...]
    rms: float
    windows: int
    left: float

    def energy(self, pixel: Array) -> Array:
        """Energies in eV of pixels."""
        return np.asarray(np.polynomial.polynomial.polyval(pixel, self.coefficients))

    def __str__(self) -> str:
        terms = " ".join(f"{c:+.8g}" + (f" p^{i}" if i else "") for i, c in enumerate(self.coefficients))
        error = f"rms error {self.rms:.2g} eV over {self.windows} parts of the spectrum"
        return (
            f"E = {terms} eV, {error if np.isfinite(self.rms) else 'error not known: too little structure'}"
        )


def calibrate_pixels(pixel: Array, mu: Array, reference: Spectrum, degree: int = 2) -> PixelCalibration:
    """The polynomial from pixel to energy, from a foil measured on pixels and the same foil measured on energies.

    mu on pixels is fitted by a factor times the reference's mu at E(pixel) plus a straight line in the pixel. Slopes of
    both signs are tried, starting at the edge of the foil; the best ones are refined by least squares.

    Parameters
    ----------
    pixel : array, shape (n,)
        Pixels, ascending.
    mu : array, shape (n,)
        Absorption of the foil at these pixels.
    reference : Spectrum
        The same foil on energies.
    degree : int
        Degree of the polynomial.

    Returns
    -------
    PixelCalibration
        The polynomial and its error.

    Raises
    ------
    DataError
        The two are not spectra of the same foil, or they have too small a range in common.

    Examples
    --------
    >>> energy = np.arange(8900.0, 9300.0, 0.5)
    >>> mu = 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi + 0.1 * np.sin((energy - 8979.0) / 20) * (energy > 8979)
    >>> pixel = np.arange(512.0)
    >>> on_pixels = np.interp(8920.0 + 0.6 * pixel, energy, mu)
    >>> made = calibrate_pixels(pixel, on_pixels, xs.Spectrum(energy, mu, "Cu", "K"), degree=1)
    >>> [round(c, 2) for c in made.coefficients]
    [8920.0, 0.6]
    """
    from scipy.optimize import least_squares

    middle, half = 0.5 * (pixel[0] + pixel[-1]), 0.5 * (pixel[-1] - pixel[0])
    x = (pixel - middle) / half
    match = _Match(x, mu, reference)
    found: list[tuple[float, Any]] = []
    for start in _starts(match, pixel, half, degree):
        scale = np.maximum(np.abs(start) * 1e-3, half * 1e-2)
        fit = least_squares(match.residual, start, x_scale=scale, max_nfev=300)
        found.append((match.left(fit.x), fit))
    left, fit = min(found, key=lambda pair: pair[0], default=(np.inf, None))
    if fit is None or not left < ALIKE:
        raise DataError(
            f"the spectrum on pixels is not that of {reference.label or 'the reference'}: the best calibration leaves "
            f"{min(left, 1.0):.0%} of its structure; give the foil that was measured, with energies that cover it"
        )
    shifts, weights = match.shifts(fit.x)
    freedom = 1 - (degree + 1) / max(shifts.size, 1)
    systematic = np.average(shifts**2, weights=weights) / freedom if freedom > 0 else np.nan
    powers = np.vander(x, degree + 1, increasing=True)
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac) * 2 * fit.cost / (x.size - degree - 4)
    random = np.einsum("ij,jk,ik->i", powers, covariance, powers).mean()
    rms = float(np.sqrt(systematic + random))
    inside = np.polynomial.Polynomial(fit.x, domain=[pixel[0], pixel[-1]], window=[-1, 1]).convert()
    coefficients = tuple(float(c) for c in np.pad(inside.coef, (0, degree + 1 - inside.coef.size)))
    return PixelCalibration(coefficients, rms, int(shifts.size), float(left))


class _Match:
    """A foil on scaled pixels x (n,) in [-1, 1] against its reference on energies."""

    def __init__(self, x: Array, mu: Array, reference: Spectrum) -> None:
        self.x, self.mu = x, mu
        self.energy, self.reference = reference.energy, reference.mu
        line = np.stack([np.ones_like(x), x], axis=-1)
        self.structure = float(np.std(mu - line @ np.linalg.lstsq(line, mu, rcond=None)[0]))

    def _fitted(self, coefficients: Array, here: Any) -> tuple[Array, Array]:
        """The residual of mu at the pixels `here` after a factor and a line, and the factor, offset and slope."""
        at = np.polynomial.polynomial.polyval(self.x[here], coefficients)
        basis = np.stack(
            [np.interp(at, self.energy, self.reference), np.ones(at.size), self.x[here]], axis=-1
        )
        line = np.linalg.lstsq(basis, self.mu[here], rcond=None)[0]
        return self.mu[here] - basis @ line, line

    def inside(self, coefficients: Array) -> Any:
        """The pixels that the reference covers."""
        at = np.polynomial.polynomial.polyval(self.x, coefficients)
        return (at >= self.energy[0]) & (at <= self.energy[-1])

    def residual(self, coefficients: Array) -> Array:
        """Residuals (n,), 0 outside the reference."""
        out, here = np.zeros_like(self.x), self.inside(coefficients)
        if here.mean() > _INSIDE:
            out[here] = self._fitted(coefficients, here)[0]
            return out
        return out + self.structure

    def left(self, coefficients: Array) -> float:
        """The unexplained share of the foil's structure; infinite if the factor is negative or too few pixels are covered."""
        here = self.inside(coefficients)
        step = np.diff(np.polynomial.polynomial.polyval(self.x, coefficients))
        if here.mean() <= _INSIDE or not (np.all(step > 0) or np.all(step < 0)):
            return np.inf
        rest, line = self._fitted(coefficients, here)
        return float(np.std(rest)) / max(self.structure, 1e-300) if line[0] > 0 else np.inf

    def shifts(self, coefficients: Array) -> tuple[Array, Array]:
        """The shifts in eV of the parts of the spectrum with enough structure against the reference, and their weights."""
        here = np.flatnonzero(self.inside(coefficients))
        rest, line = self._fitted(coefficients, here)
        at = np.polynomial.polynomial.polyval(self.x[here], coefficients)
        slope = line[0] * np.interp(at, self.energy, np.gradient(self.reference, self.energy))
        found = []
        for part in np.array_split(np.arange(here.size), _WINDOWS):
            basis = np.stack([slope[part], np.ones(part.size), self.x[here][part]], axis=-1)
            solved, _, rank, _ = np.linalg.lstsq(basis, rest[part], rcond=None)
            if rank < 3 or part.size < 6:
                continue
            noise = np.sqrt(np.sum((rest[part] - basis @ solved) ** 2) / (part.size - 3))
            error = noise * np.sqrt(np.linalg.inv(basis.T @ basis)[0, 0])
            if error < _CERTAIN:
                found.append((solved[0], error**-2))
        made = np.array(found).reshape(-1, 2)
        return made[:, 0], made[:, 1]


def _starts(match: _Match, pixel: Array, half: float, degree: int) -> list[Array]:
    """The best straight lines through the edge, as coefficients in the scaled pixel."""
    edge = float(match.energy[np.argmax(np.gradient(match.reference, match.energy))])
    width = max(3, pixel.size // 200)
    smooth = np.convolve(match.mu, np.ones(width) / width, mode="same")
    slope = np.gradient(smooth, match.x)
    slope[:width], slope[-width:] = 0.0, 0.0
    tried: list[tuple[float, Array]] = []
    for sign in (1.0, -1.0):
        at = float(match.x[np.argmax(sign * slope)])
        for dispersion in _DISPERSION:
            for offset in _OFFSETS:
                line = np.zeros(degree + 1)
                line[1] = sign * dispersion * half
                line[0] = edge + offset - line[1] * at
                tried.append((match.left(line), line))
    tried.sort(key=lambda pair: pair[0])
    return [line for left, line in tried[:_STARTS] if np.isfinite(left)]
