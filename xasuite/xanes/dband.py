"""The d-band centre of an XPS valence band: Fermi level, cut, Shirley background, centroid, its errors.

Energies are binding energies in eV, the Fermi level at 0 after calibration; a centre is given as E - E_F, which is
negative for filled states (docs/decisions/dband.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import DataError, FitError, RangeError
from ..records import Array
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table
from ..scatter import point_noise

ENDS = 0.3  # eV, width of each end whose mean is the background there
VARIED = (-0.5, 0.0, 0.5)  # eV by which the ends of the cut are moved to find their error
NOISE_COPIES = 40
KT_ROOM = 0.025  # eV


@dataclass(frozen=True, eq=False)
class DBand(Presented):
    """d-band centre E_d (...) in eV from the Fermi level, with its error from noise and from the cut's ends.

    `binding` (n,) is in eV; `band` (..., n) is `intensity` less the Shirley `background` (..., n).
    `width` (...) is the square root of the second moment about the centre.
    """

    binding: Array
    intensity: Array
    background: Array
    band: Array
    centre: Array
    noise_err: Array
    ends_err: Array
    width: Array
    fermi: float
    cut: tuple[float, float]

    @property
    def stderr(self) -> Array:
        """Noise and choice of ends in quadrature."""
        return np.hypot(self.noise_err, self.ends_err)

    def summary(self) -> Table:
        """The centre with its error, the parts of the error, and the width."""
        centre = Quantity("centre", "E_d", "eV", "E_d")
        ends = Quantity("ends_err", "from the ends", "eV", form=".3f")
        width = Quantity("width", "Width", "eV", form=".3f")
        values = (self.centre, self.stderr, self.noise_err, self.ends_err, self.width)
        rows = ((Entry(c, e), *more) for c, e, *more in np.atleast_2d(np.stack(values, axis=-1)))
        return Table.of("d-band centre from the Fermi level", (centre, "noise_err", ends, width), rows)


@dataclass(frozen=True)
class FermiEdge:
    """A fitted Fermi edge: position and its error, and the width (standard deviation) of the instrument, eV."""

    position: float
    stderr: float
    width: float


def fermi_level(
    binding: Array, intensity: Array, *, fit_range: tuple[float, float] = (-1.0, 1.0), kt: float = KT_ROOM
) -> FermiEdge:
    """Fermi level of a metal's valence band: a Fermi function widened by the instrument on a sloping band.

    Parameters
    ----------
    binding : array, shape (n,)
        Binding energies in eV as recorded.
    intensity : array, shape (n,)
        The spectrum.
    fit_range : tuple of float
        Range in eV in which the edge is fitted.
    kt : float
        k_B T in eV.

    Returns
    -------
    FermiEdge
        Position with its standard error, and the width of the instrument, eV.

    Raises
    ------
    RangeError
        The range holds fewer than eight points.
    FitError
        There is no edge.

    Examples
    --------
    >>> binding = np.arange(-2.0, 2.0, 0.02)
    >>> edge = 1 / (1 + np.exp(-(binding - 0.1) / 0.05))
    >>> round(fermi_level(binding, edge).position, 2)
    0.1
    """
    from lmfit import Model

    e, y = _sorted(binding, intensity)
    inside = (e >= fit_range[0]) & (e <= fit_range[1])
    if np.count_nonzero(inside) < 8:
        raise RangeError(
            f"the Fermi edge is looked for from {fit_range[0]:g} to {fit_range[1]:g} eV, which holds "
            f"{np.count_nonzero(inside)} points; choose another range"
        )
    x, v = e[inside], y[inside]
    step = 4 * np.hypot(kt, 0.1)

    def edge(x: Array, position: float, height: float, slope: float, floor: float, width: float) -> Array:
        scale = np.hypot(width * 0.6, kt)  # a logistic 0.6 sigma wide is a Gaussian step within 1 %
        return floor + (height + slope * (x - position)) / (1 + np.exp(-(x - position) / scale))

    rise = float(v[-max(3, v.size // 6) :].mean() - v[: max(3, v.size // 6)].mean())
    guess = float(x[np.argmax(np.gradient(v, x))])
    model = Model(edge)
    params = model.make_params(position=guess, height=rise, slope=0.0, floor=float(v[:3].mean()), width=0.1)
    params["width"].set(min=0.0, max=step)
    params["position"].set(min=fit_range[0], max=fit_range[1])
    fit = model.fit(v, params, x=x)
    p = fit.params
    if rise <= 0 or p["position"].stderr is None or p["height"].value <= 3 * (p["height"].stderr or np.inf):
        raise FitError(
            f"no Fermi edge rises between {fit_range[0]:g} and {fit_range[1]:g} eV; give the Fermi level, or a range that "
            "holds the edge of a metal in contact with the sample"
        )
    return FermiEdge(float(p["position"].value), float(p["position"].stderr), float(p["width"].value))


def shirley(
    binding: Array, intensity: Array, *, ends: float = ENDS, tolerance: float = 1e-7, most: int = 100
) -> Array:
    """Shirley background: at each energy proportional to the band's area at lower binding energy.

    Parameters
    ----------
    binding : array, shape (n,)
        Binding energies, eV.
    intensity : array, shape (..., n)
        A spectrum or a stack.
    ends : float
        Width of each end that is averaged, eV.
    tolerance : float
        The iteration ends when the background changes by less than this part of the step.
    most : int
        Iterations at most.

    Returns
    -------
    array, shape (..., n)
        The background (Shirley, Phys. Rev. B 5, 4709 (1972); Proctor and Sherwood, Anal. Chem. 54, 13 (1982)).

    Raises
    ------
    FitError
        The iteration does not converge.

    Examples
    --------
    >>> binding = np.arange(-2.0, 10.0, 0.1)
    >>> background = shirley(binding, np.exp(-((binding - 3.0) ** 2) / 2) + (binding > 3.0) * 0.1)
    >>> bool(background[0] < background[-1])
    True
    """
    from scipy.integrate import cumulative_trapezoid

    e, y = np.asarray(binding, float), np.asarray(intensity, float)
    low = y[..., e <= e[0] + ends].mean(-1)[..., None]
    high = y[..., e >= e[-1] - ends].mean(-1)[..., None]
    background = np.broadcast_to(low, y.shape).copy()
    scale = float(np.max(np.abs(high - low))) or 1.0
    for _ in range(most):
        band = y - background
        area = cumulative_trapezoid(band, e, axis=-1, initial=0)
        total = area[..., -1:]
        share = np.divide(area, total, out=np.zeros_like(area), where=total != 0)
        new = low + (high - low) * share
        change = float(np.max(np.abs(new - background)))
        background = new
        if change < tolerance * scale:
            return background
    raise FitError(
        f"the Shirley background did not converge in {most} rounds; move the ends of the cut to where the band is flat"
    )


def d_band_centre(
    binding: Array,
    intensity: Array,
    *,
    fermi: float | FermiEdge = 0.0,
    cut: tuple[float, float] = (-2.0, 10.0),
    ends: float = ENDS,
    sigma: float | Array | None = None,
) -> DBand:
    """d-band centre E_d = integral N(e) e de / integral N(e) de above a Shirley background, e = E - E_F.

    Parameters
    ----------
    binding : array, shape (n,)
        Binding energies in eV, in either direction.
    intensity : array, shape (..., n)
        A spectrum or a stack of them.
    fermi : float or FermiEdge
        Recorded binding energy of the Fermi level in eV, or a fitted edge.
    cut : tuple of float
        Binding energies from the Fermi level that are kept, eV.
    ends : float
        Width of each end that is averaged, eV.
    sigma : float or array, shape (n,), optional
        Standard deviation of the intensity; left out, estimated from the data.

    Returns
    -------
    DBand
        The centre in eV with its error from noise (40 noisy copies through the whole treatment) and from moving either end of the cut by
        0.5 eV (standard deviation of the nine choices).

    Raises
    ------
    DataError
        NaN in the data, or a negative sigma.
    RangeError
        The cut lies outside the data.
    FitError
        There is no band above the background.

    Examples
    --------
    >>> binding = np.arange(-4.0, 12.0, 0.05)
    >>> band = np.exp(-((binding - 3.0) ** 2) / 2)
    >>> round(float(d_band_centre(binding, band, sigma=1e-3).centre), 2)
    -3.0
    """
    if sigma is not None and np.any(np.asarray(sigma) < 0):
        raise DataError("sigma is negative; a standard deviation of the intensity cannot be")
    zero = fermi.position if isinstance(fermi, FermiEdge) else float(fermi)
    e, y = _sorted(binding, intensity)
    e = e - zero
    if cut[0] < e[0] - 1e-9 or cut[1] > e[-1] + 1e-9 or cut[0] >= cut[1]:
        raise RangeError(
            f"the cut {cut[0]:g} to {cut[1]:g} eV does not lie within the data, {e[0]:.2f} to {e[-1]:.2f} eV "
            "from the Fermi level"
        )
    x, v, background, band = _cut(e, y, cut, ends)
    centre, width = _moments(x, band)
    noise = point_noise(v)[..., None]
    if sigma is not None:
        noise = np.broadcast_to(np.asarray(sigma, float), y.shape)[..., : v.shape[-1]]
    fermi_err = fermi.stderr if isinstance(fermi, FermiEdge) else 0.0
    return DBand(
        binding=x,
        intensity=v,
        background=background,
        band=band,
        centre=centre,
        noise_err=np.hypot(_noise_spread(x, v, noise, ends), fermi_err),
        ends_err=_ends_spread(e, y, cut, ends),
        width=width,
        fermi=zero,
        cut=cut,
    )


def _noise_spread(x: Array, v: Array, noise: Array, ends: float) -> Array:
    """Standard deviation of the centre over noisy copies, each with a background of its own."""
    rng = np.random.default_rng(0)
    copies = []
    for _ in range(NOISE_COPIES):
        noisy = v + noise * rng.standard_normal(v.shape)
        copies.append(_moments(x, noisy - shirley(x, noisy, ends=ends))[0])
    return np.std(np.array(copies), axis=0)


def _ends_spread(e: Array, y: Array, cut: tuple[float, float], ends: float) -> Array:
    """Standard deviation of the centre over cuts whose ends are moved, as far as the data go."""
    choices = []
    for a, b in product(VARIED, VARIED):
        other = (max(cut[0] + a, float(e[0])), min(cut[1] + b, float(e[-1])))
        choices.append(_moments(*_cut(e, y, other, ends)[::3])[0])
    return np.std(np.array(choices), axis=0)


def _sorted(binding: Array, intensity: Array) -> tuple[Array, Array]:
    e, y = np.asarray(binding, float), np.asarray(intensity, float)
    if e.ndim != 1 or y.shape[-1] != e.size or e.size < 10:
        raise DataError(f"binding energies {e.shape} and intensity {y.shape} do not belong together")
    if not (np.isfinite(e).all() and np.isfinite(y).all()):
        raise DataError("the valence band holds values that are not finite; take them out")
    order = np.argsort(e, kind="stable")
    if np.any(np.diff(e[order]) <= 0):
        raise DataError("a binding energy stands twice; average the repeated points")
    return e[order], y[..., order]


def _cut(e: Array, y: Array, cut: tuple[float, float], ends: float) -> tuple[Array, Array, Array, Array]:
    inside = (e >= cut[0] - 1e-9) & (e <= cut[1] + 1e-9)
    x, v = e[inside], y[..., inside]
    background = shirley(x, v, ends=ends)
    return x, v, background, v - background


def _moments(x: Array, band: Array) -> tuple[Array, Array]:
    area = np.trapezoid(band, x, axis=-1)
    if np.any(area <= 0):
        raise FitError("nothing is left above the Shirley background; check the cut and the Fermi level")
    mean = np.asarray(np.trapezoid(band * x, x, axis=-1) / area, np.float64)
    second = np.trapezoid(band * (x - mean[..., None]) ** 2, x, axis=-1) / area
    return -mean, np.sqrt(np.clip(second, 0, None))
