"""From complex energies to a spectrum: the Fermi cut with the core hole's width in closed form, then broadening.

mu(w) = (1/pi) integral from E_F of f(E) y / ((w - E)^2 + y^2) dE, f analytic above the real axis. The path
goes from E_F up to E_F + i y and on along the mesh; f is linear between points and each piece is integrated
against the two poles in closed form. The constant f(w + i y) is subtracted first and gives
1/2 + arctan((w - E_F) / y) / pi, so that the pole on the mesh causes no singularity.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import TheoryError
from ..records import Array, ComplexArray


def fermi_cut(
    mesh: ComplexArray, values: ComplexArray, n_edge: int, fermi: float, energy: Array
) -> ComplexArray:
    """The complex absorption at real energies after the Fermi cut, the core hole's width included.

    Parameters
    ----------
    mesh: (ne,) complex energies, the first n_edge along E + i y, the rest on the vertical above fermi.
    values: f (..., ne) on the mesh.
    fermi: E_F in the mesh's unit.
    energy: (n,) real energies within the mesh.

    Returns
    -------
    Array (..., n); its imaginary part is the absorption. Raises TheoryError when `energy` leaves the mesh.
    """
    along, up = mesh[:n_edge], mesh[n_edge:]
    y = float(along.imag[0])
    if energy.min() < along.real[0] - 1e-9 or energy.max() > along.real[-1] + 1e-9:
        raise TheoryError(
            f"energies {energy.min():.2f} to {energy.max():.2f} lie outside the mesh, which runs from "
            f"{along.real[0]:.2f} to {along.real[-1]:.2f}"
        )
    path, f = _path(along, up, values, n_edge, fermi, y)
    at = _linear(along.real, values[..., :n_edge], energy)
    out = at * (0.5 + np.arctan((energy - fermi) / y) / np.pi)
    rest = f[..., None, :] - at[..., None]
    z1, z2 = path[:-1], path[1:]
    slope = (rest[..., 1:] - rest[..., :-1]) / (z2 - z1)
    total = np.zeros(out.shape, complex)
    for sign, pole in ((1, energy + 1j * y), (-1, energy - 1j * y)):
        a, b = z1 - pole[:, None], z2 - pole[:, None]
        on = (np.abs(a.imag) < 1e-9 * y) & (np.abs(b.imag) < 1e-9 * y) & (a.real <= 0) & (b.real >= 0)
        corner = (np.abs(a) < 1e-9 * y) | (np.abs(b) < 1e-9 * y)
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.where(on | corner, 0.0, np.log(b / a))
        # The value of the linear piece at the pole; zero where the pole lies on it.
        value = rest[..., :-1] - slope * a
        total += sign * (slope * (z2 - z1) + value * log).sum(-1)
        tail = path[-1] - pole
        # Beyond the mesh f is constant; the terms of both poles together converge.
        with np.errstate(divide="ignore", invalid="ignore"):
            end = np.where(np.abs(tail) < 1e-9 * y, 0.0, np.log(tail))
        total -= sign * rest[..., -1] * end
    return out + total / (2j * np.pi)


def _path(
    along: ComplexArray, up: ComplexArray, values: ComplexArray, n_edge: int, fermi: float, y: float
) -> tuple[ComplexArray, ComplexArray]:
    """The points of the path and f on them: E_F, the vertical up to y, the mesh above E_F."""
    inside = (up.imag > 0) & (up.imag < y * (1 - 1e-6))
    order = np.argsort(up.imag[inside])
    vertical = up[inside][order]
    f_up = values[..., n_edge:][..., inside][..., order]
    after = along.real > fermi + 1e-9
    corner = _linear(along.real, values[..., :n_edge], np.array([fermi]))
    known = np.concatenate([vertical, [fermi + 1j * y]])
    f_known = np.concatenate([f_up, corner], axis=-1)
    # f at E_F itself, from the two lowest points of the vertical.
    step = known[0].imag / (known[1].imag - known[0].imag) if len(known) > 1 else 0.0
    second = f_known[..., 1:2] if len(known) > 1 else f_known[..., :1]
    bottom = f_known[..., :1] - step * (second - f_known[..., :1])
    path = np.concatenate([[fermi + 0j], known, along[after]])
    return path, np.concatenate([bottom, f_known, values[..., :n_edge][..., after]], axis=-1)


def _linear(x: Array, values: NDArray[np.complex128], at: Array) -> NDArray[np.complex128]:
    """Values (..., n) interpolated linearly at `at`."""
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    w = (at - x[i]) / (x[i + 1] - x[i])
    return values[..., i] * (1 - w) + values[..., i + 1] * w


def broaden(energy: Array, mu: Array, *, gauss: float = 0.0, lorentz: float = 0.0) -> Array:
    """mu broadened by a Gaussian and by a Lorentzian that widens with the energy above the Fermi level.

    Parameters
    ----------
    energy : array, shape (n,)
        eV from the Fermi level, in equal steps.
    mu : array, shape (..., n)
        Absorption.
    gauss : float
        Standard deviation of the monochromator's Gaussian, eV.
    lorentz : float
        Growth of the Lorentzian's full width, eV for each eV above the Fermi level.

    Returns
    -------
    array, shape (..., n)
        Broadened; outside the grid mu is taken to be constant.

    Examples
    --------
    >>> energy = np.arange(-20.0, 60.0, 0.5)
    >>> step = (energy > 0).astype(float)
    >>> bool(np.diff(broaden(energy, step, gauss=2.0)).max() < np.diff(step).max())
    True
    """
    return mu @ broadening_matrix(energy, gauss, lorentz).T


def broadening_matrix(energy: Array, gauss: float, lorentz: float) -> Array:
    """The linear operator (n, n) of `broaden`: rows sum to one."""
    from scipy.special import ndtr

    step = float(energy[1] - energy[0])
    out = np.eye(len(energy))
    if lorentz > 0:
        half = np.maximum(0.5 * lorentz * np.maximum(energy, 0.0), 1e-3 * step)
        out = _binned(energy, step, half[:, None], _lorentz_cdf)
    if gauss > 0:
        out = _binned(energy, step, gauss, ndtr) @ out
    return out


def _lorentz_cdf(x: Array) -> Array:
    return 0.5 + np.arctan(x) / np.pi


def _binned(energy: Array, step: float, width: Array | float, cdf: Callable[[Array], Array]) -> Array:
    """Rows of a kernel integrated over the bins of the grid; the outermost bins reach to infinity."""
    edges = np.append(energy - step / 2, energy[-1] + step / 2)
    edges[0], edges[-1] = -np.inf, np.inf
    return np.diff(cdf((edges - energy[:, None]) / width), axis=1)


def maxima(energy: Array, mu: Array, least: float = 0.01) -> tuple[float, ...]:
    """Energies of the maxima of mu that stand out by `least`, each from a parabola through three points."""
    from scipy.signal import find_peaks

    found, _ = find_peaks(mu, prominence=least)
    out = []
    for i in found:
        a, b, c = mu[i - 1 : i + 2]
        out.append(float(energy[i] + 0.5 * (a - c) / (a - 2 * b + c) * (energy[1] - energy[0])))
    return tuple(out)
