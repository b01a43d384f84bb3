"""The smooth background mu0(E) and chi(k), by AUTOBK."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from .._larch import checks
from ..choices import BACKGROUNDS, NCLAMP, Background
from ..constants import KTOE
from ..errors import RangeError, ReductionError
from ..notices import warn
from ..records import Array, Chi, Normalized, Series, Step, name_of, sealed
from .autobk_matrices import KSTEP, Settings, SplineMatrices, clamped, spline_matrices
from .ifeffit_spline import remove_ifeffit
from .noise import noise_of
from .stacks import over_series, per_row, plain
from .window import WINDOWS

ClampScale = Literal["edge_step", "mu"]
_PACKED = 64
# rows clamped together, and rows whose points are processed together: small enough for the processor's cache
_ROWS, _BLOCK = 1024, 64
MIN_K = 3.0  # 1/A; below this there is no EXAFS
# A background that differs from mu by more edge steps than SPIKE within NEAR eV of E0 is wrong: the edge itself makes less than 1.3
SPIKE, NEAR = 2.0, 10.0
_CARRIED = ("element", "edge", "label", "notes", "meta", "source", "edge_step", "energy", "mu")


_Ends = tuple[float, float]


@overload
def background(normalized: Normalized, *, rbkg: float = ..., kweight: int = ..., e0: float | Array | None = ...,
    k: _Ends | None = ..., dk: float = ..., window: str = ..., clamp: _Ends = ..., nclamp: int | None = ...,
    clamp_scale: ClampScale = ..., algorithm: Background = ...) -> Chi: ...  # fmt: skip
@overload
def background(normalized: Series, *, rbkg: float = ..., kweight: int = ..., e0: float | Array | None = ...,
    k: _Ends | None = ..., dk: float = ..., window: str = ..., clamp: _Ends = ..., nclamp: int | None = ...,
    clamp_scale: ClampScale = ..., algorithm: Background = ...) -> Series: ...  # fmt: skip
def background(
    normalized: Normalized | Series,
    *,
    rbkg: float = 0.8,
    kweight: int = 3,
    e0: float | Array | None = None,
    k: tuple[float, float] | None = None,
    dk: float = 0.1,
    window: str = "hanning",
    clamp: tuple[float, float] = (0, 1),
    nclamp: int | None = None,
    clamp_scale: ClampScale = "edge_step",
    algorithm: Background = "autobk",
) -> Chi | Series:
    """chi(k) and the background mu0(E): the spline that makes |chi(R)| below rbkg smallest.

    The method is that of Newville et al. 1993, Phys. Rev. B 47, 14126.

    Parameters
    ----------
    normalized : Normalized or Series
        The result of `normalize`, with mu (..., n), or a Series of it.
    rbkg : float
        Distance in A below which chi(R) counts as background.
    kweight : int
        Power of k in the transform that is made small. 3 with rbkg = 0.8 A does not change N
        (docs/decisions/background.md).
    e0 : float or array, optional
        Origin of k in eV, one number or one per row; by default the E0 of the normalisation.
    k : tuple of float, optional
        Range in 1/A of the spline and of the transform; by default from 0 to the end of the data.
    dk : float
        Width in 1/A of the tapers of the transform's window.
    window : str
        Kind of the transform's window.
    clamp : tuple of float
        Strength with which chi is pulled to 0 at its low end and at its high end.
    nclamp : int, optional
        Number of points at each end that are pulled to 0; by default 3, and 5 for "ifeffit".
    clamp_scale : str
        "edge_step" divides mu by the edge step first, so that the clamp's strength does not depend on the
        sample's thickness; "mu" is the behaviour of Larch.
    algorithm : str
        "autobk" is Larch's algorithm; "ifeffit" is the spline of Ifeffit, for projects made with it
        (docs/guide/coming_from.md).

    Returns
    -------
    Chi or Series
        k (nk,) from 0 in steps of 0.05 1/A, chi (..., nk), bkg (..., n), and the noise epsilon_k (...)
        (docs/decisions/noise.md); or a Series of it.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    RangeError
        k beyond the data, E0 outside the scan, or a setting out of bounds.
    ReductionError
        A spectrum that is not normalised, or too few points for the spline.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> chi = xs.background(xs.normalize(spectrum), rbkg=1.0, kweight=2)
    >>> float(chi.k[1])
    0.05
    """
    points = NCLAMP.get(algorithm, 0) if nclamp is None else nclamp
    settings = Settings(rbkg, kweight, k, dk, window, clamp, points, algorithm)
    if isinstance(normalized, Series):
        return over_series(normalized, _background, (e0, settings, clamp_scale), {})
    return _background(normalized, e0, settings, clamp_scale)


def _background(
    normalized: Normalized, e0: float | Array | None, settings: Settings, clamp_scale: ClampScale
) -> Chi:
    if not isinstance(normalized, Normalized):
        raise ReductionError(
            f"{name_of(normalized)}: background needs E0 and the edge step; normalize the spectrum first"
        )
    what, lead = name_of(normalized), normalized.mu.shape[:-1]
    energy, mu = checks.spectrum_arrays(normalized.energy, normalized.mu, what)
    e0s = per_row(normalized.e0 if e0 is None else e0, lead, "e0", what)
    checks.inside(e0s, energy[1], energy[-2], "E0", what, "eV")
    if clamp_scale not in ("edge_step", "mu"):
        raise RangeError(f"{what}: clamp_scale = {clamp_scale!r} is not one of edge_step, mu")
    if settings.algorithm not in BACKGROUNDS:
        raise RangeError(f"{what}: algorithm = {settings.algorithm!r} is not one of {', '.join(BACKGROUNDS)}")
    settings = replace(settings, k=_k_range(energy, e0s, settings, what))
    steps = np.broadcast_to(normalized.edge_step, lead).ravel()
    scale = steps if clamp_scale == "edge_step" else np.ones_like(steps)
    axis, chi, bkg = remove(energy, mu.reshape(-1, energy.size), e0s.ravel(), scale, settings, steps)
    near = slice(*np.searchsorted(energy, [e0s.min(), e0s.max() + NEAR]))
    _warn_of_spikes(bkg[:, near] - mu.reshape(bkg.shape)[:, near], steps, settings, what)
    chi = sealed(chi.reshape(*lead, -1))
    shown = asdict(settings) | {"clamp_scale": clamp_scale, "e0": plain(e0s)}
    return Chi(
        k=axis,
        chi=chi,
        bkg=sealed(bkg.reshape(mu.shape)),
        e0=e0s,
        epsilon_k=noise_of(axis, chi),
        **{name: getattr(normalized, name) for name in _CARRIED},
        history=(*normalized.history, Step("background", shown)),
    )


def _warn_of_spikes(away: Array, steps: Array, settings: Settings, what: str) -> None:
    """Warns where the background differs from mu by more than an edge can; `away` (m, n) is the difference near E0."""
    away = np.abs(away).max(axis=1, initial=0.0) / steps
    wild = np.flatnonzero(away > SPIKE)
    if wild.size:
        warn(
            f"{what}: the background differs from mu by {away.max():.0f} edge steps next to E0"
            f"{f' in {wild.size} of {away.size} spectra' if away.size > 1 else ''}: rbkg = {settings.rbkg:g} with kweight = "
            f"{settings.kweight} leaves it undetermined there, and chi(k) is wrong; lower rbkg or kweight",
        )


def _k_range(energy: Array, e0s: Array, settings: Settings, what: str) -> tuple[float, float]:
    """The k range as numbers. Raises RangeError when a setting is out of bounds or k goes beyond the data."""
    end = float(np.sqrt((energy[-1] - np.max(e0s)) / KTOE))
    if end < MIN_K:
        raise RangeError(
            f"{what}: the scan ends {energy[-1] - np.max(e0s):.0f} eV above E0 (k = {end:.1f} 1/A): a XANES scan has no chi(k)"
        )
    if not 0 < settings.rbkg < 5:
        raise RangeError(f"{what}: rbkg = {settings.rbkg!r} A is not between 0 and 5")
    if settings.kweight not in (0, 1, 2, 3):
        raise RangeError(f"{what}: kweight = {settings.kweight!r} of the background is not 0, 1, 2 or 3")
    if settings.window not in WINDOWS:
        raise RangeError(f"{what}: window = {settings.window!r} is not one of {', '.join(WINDOWS)}")
    if settings.k is None:
        return 0.0, end
    low, high = checks.ordered(settings.k, "k", what, "1/A")
    if low < 0 or high > end + KSTEP:
        raise RangeError(
            f"{what}: k = ({low:g}, {high:g}) 1/A is outside the data, which reach from 0 to {end:.2f} 1/A"
        )
    return low, min(high, end)


def remove(
    energy: Array, mu: Array, e0s: Array, scale: Array, settings: Settings, steps: Array | None = None
) -> tuple[Array, Array, Array]:
    """k (nk,), chi (m, nk) and the background (m, n) of mu (m, n) with E0 (m,).

    This is the minimum that Larch's autobk searches, found by linear algebra: for a fixed E0 the background is linear in mu except for
    one number per spectrum, the strength of the clamp. The clamp acts on mu / scale (m,). chi is mu / steps (m,) less its background;
    without `steps` it is divided by `scale`. Rows with the same E0 share their matrices (docs/decisions/engine_reduction.md).
    """
    assert settings.k is not None
    if settings.algorithm == "ifeffit":
        k, chi, bkg = remove_ifeffit(energy, mu, e0s, scale, settings)
        return k, chi if steps is None else chi * (scale / steps)[:, None], bkg
    bkg, steps = np.empty_like(mu), scale if steps is None else steps
    chi = np.empty(0)
    for value, at in _groups(e0s):
        spline = spline_matrices(energy.tobytes(), value, settings)
        if not chi.size:
            chi = np.empty((len(mu), spline.k.size))
        for part in _parts(at):
            _remove(spline, mu[part], scale[part, None], steps[part, None], chi, bkg, part)
    return spline.k, chi, bkg


def _groups(e0s: Array) -> Iterator[tuple[float, NDArray[np.intp]]]:
    """Each E0 with the rows that have it."""
    values, which = np.unique(e0s, return_inverse=True)
    order = np.argsort(which, kind="stable")
    edges = np.searchsorted(which[order], np.arange(len(values) + 1))
    for i, value in enumerate(values):
        yield float(value), order[edges[i] : edges[i + 1]]


def _parts(at: NDArray[np.intp]) -> Iterator[Any]:
    """Chunks of rows; a slice where the rows follow each other, because numpy does not copy a slice."""
    together = at[-1] - at[0] + 1 == len(at)
    for i in range(0, len(at), _ROWS):
        part = at[i : i + _ROWS]
        yield slice(int(part[0]), int(part[-1]) + 1) if together else part


def _remove(
    spline: SplineMatrices, mu: Array, scale: Array, steps: Array, chi: Array, bkg: Array, at: Any
) -> None:
    """Fill chi, in units of mu / steps, and bkg of the rows `at`; scale and steps are (m, 1)."""
    first, end = spline.points
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(mu), _BLOCK)]
    # the packed matrices take time to make, which is saved again for many rows
    seen, own = spline.packed if len(mu) >= _PACKED else (spline.seen, spline.inside)
    out = np.empty((len(mu), seen.shape[1]))
    for rows in blocks:
        np.matmul(mu[rows, first:end], seen, out=out[rows])
    out *= 1 / scale
    out, ends = out[:, : len(own)], out[:, len(own) :]
    a = out @ own
    if ends.size:
        rest = out - a @ own.T
        outside = np.einsum("ij,ij->i", rest, rest)
        a = clamped(spline, a, ends, outside, spline.low_r.shape[1])
    a *= scale
    made_chi, made_bkg = chi[at], bkg[at]  # the rows themselves where they follow each other
    for rows in blocks:
        left = a[rows] @ spline.bkg_of
        made_bkg[rows, :first], made_bkg[rows, end:] = mu[rows, :first], mu[rows, end:]
        made_bkg[rows, first:end] = left
        np.subtract(mu[rows, first:end], left, out=left)
        left *= 1 / steps[rows]
        for k_part, points, weights in spline.to_chi:
            np.matmul(left[:, points], weights, out=made_chi[rows, k_part])
    if not isinstance(at, slice):
        chi[at], bkg[at] = made_chi, made_bkg
