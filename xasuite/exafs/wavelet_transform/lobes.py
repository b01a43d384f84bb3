"""The lobes (local maxima) of a wavelet transform: position in k and R, height, widths, and their errors by noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, RangeError
from ...notices import warn
from ...records import Array, Chi, Wavelet
from ...records.table import Entry, Presented, Table
from .transform import iter_wavelet, wavelet

# If fewer than this share of the resamples have the lobe, its errors are not those of the lobe, and there is a warning.
LASTING = 0.9
# A lobe lower than this many standard errors of its height may be noise, which has maxima everywhere.
SIGNIFICANT = 4.0
# Two maxima closer than this in both k (1/A) and R (A) are one.
_SAME_K, _SAME_R = 0.2, 0.08
# Largest step in grid points towards the top of one parabola.
_STRIDE = 4
VALUES = ("k", "r", "height", "width_k", "width_r")


@dataclass(frozen=True)
class Lobe:
    """One local maximum of |W|: k (1/A), r (A, not corrected for phase), height, full widths at half maximum.

    A width is NaN where |W| does not fall to half before the edge of the map. `errors` holds the standard
    deviation of each value over the resamples, NaN without resampling; `found` the share of resamples that
    have a maximum within the lobe.
    """

    k: float
    r: float
    height: float
    width_k: float
    width_r: float
    errors: tuple[float, ...] = (np.nan,) * len(VALUES)
    found: float = 1.0

    def error(self, name: str) -> float:
        """Standard error of "k", "r", "height", "width_k" or "width_r"."""
        return self.errors[VALUES.index(name)]

    @property
    def significance(self) -> float:
        """Height over its standard error; NaN without resampling."""
        return self.height / self.error("height") if self.error("height") > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Lobes(Presented):
    """The lobes of one spectrum, highest first; `samples` (resamples, lobes, 5) in the order of VALUES.

    `epsilon_k` is the noise that was added in resampling, 0 without.
    """

    lobes: tuple[Lobe, ...]
    label: str
    epsilon_k: float
    resamples: int
    seed: int
    samples: Array

    def __iter__(self) -> Any:
        return iter(self.lobes)

    def __len__(self) -> int:
        return len(self.lobes)

    def __getitem__(self, i: int) -> Lobe:
        return self.lobes[i]

    def near(self, r: float) -> Lobe:
        """The highest lobe within 0.4 A of r. Raises DataError naming the lobes there are."""
        close = [lobe for lobe in self.lobes if abs(lobe.r - r) <= 0.4]
        if not close:
            known = ", ".join(f"R {lobe.r:.2f}" for lobe in self.lobes) or "none"
            raise DataError(f"{self.label}: no lobe within 0.4 A of R = {r:g} A; there are {known}")
        return close[0]

    def summary(self) -> Table:
        """One row per lobe: values with errors, and the share of resamples that keep it."""
        rows = (
            (self.label, *(Entry(getattr(x, n), x.error(n)) for n in VALUES), x.found) for x in self.lobes
        )
        by = (
            f"Errors by {self.resamples} resamples with noise of χ(k) {self.epsilon_k:.2g}, seed {self.seed}."
        )
        notes = ("R is not corrected for phase.", *([by] if self.resamples else []))
        return Table.of(f"{self.label}, lobes of |W(k, R)|", ("label", *VALUES, "found"), rows, notes=notes)


def maxima(
    transform: Wavelet,
    *,
    threshold: float = 0.1,
    within_k: tuple[float, float] | None = None,
    within_r: tuple[float, float] | None = None,
    limit: int = 8,
) -> tuple[Lobe, ...]:
    """Local maxima of |W| of one spectrum, highest first, interpolated between grid points.

    Parameters
    ----------
    transform : Wavelet of one spectrum, wt (nr, nk).
    threshold : maxima below this share of the highest are left out.
    within_k, within_r : ranges in 1/A and A in which maxima are searched.
    limit : largest number of lobes.

    Returns
    -------
    Lobes without errors. A parabola through the logarithms of 3 x 3 points gives position and height, exactly for
    a Gaussian lobe. A maximum on the edge of the map or of the ranges is not a lobe.

    Raises DataError for a stack, RangeError for a range that holds no 3 x 3 points.
    """
    if transform.wt.ndim != 2:
        raise DataError(
            f"{transform.label}: lobes are found one spectrum at a time, wt is {transform.wt.shape}"
        )
    z = transform.magnitude
    rows, cols = _inside(transform.r, within_r, "R"), _inside(transform.k, within_k, "k")
    part = z[rows, cols]
    ends_r, ends_k = (transform.r[rows][[0, -1]], transform.k[cols][[0, -1]])
    least = max(threshold * part.max(), 0)
    at = [(i, j) for i, j in _tops(part, rows.start, cols.start) if z[i, j] > least]
    climbed = [_climb(transform.k, transform.r, z, int(i), int(j)) for i, j in at]
    found: list[Lobe] = []
    for lobe in sorted((one for one in climbed if one is not None), key=lambda one: -one.height):
        inside = all(lo <= v <= hi for v, (lo, hi) in ((lobe.k, ends_k), (lobe.r, ends_r)))
        if inside and not any(abs(lobe.k - o.k) < _SAME_K and abs(lobe.r - o.r) < _SAME_R for o in found):
            found.append(lobe)
    return tuple(found[:limit])


def find_lobes(
    chi: Chi,
    *,
    epsilon_k: float | None = None,
    resamples: int = 200,
    seed: int = 0,
    threshold: float = 0.1,
    within_k: tuple[float, float] | None = None,
    within_r: tuple[float, float] | None = None,
    limit: int = 8,
    **settings: Any,
) -> Lobes:
    """The lobes of the wavelet transform of one chi(k), with errors by noise.

    White noise of standard deviation `epsilon_k` is added to chi(k) `resamples` times, and the maximum of each lobe is
    searched again within its half width. The standard deviation over the resamples is the error.

    Parameters
    ----------
    chi : Chi
        chi(k) of one spectrum.
    epsilon_k : float, optional
        Noise of chi(k); by default that of the record, else it is estimated.
    resamples : int
        Number of resamples; with 0 the errors are NaN.
    seed : int
        Seed of the random numbers: the same seed gives the same errors.
    threshold : float
        Maxima below this share of the highest are left out.
    within_k : tuple of float, optional
        Range in 1/A in which lobes are searched.
    within_r : tuple of float, optional
        Range in A in which lobes are searched.
    limit : int
        Largest number of lobes.
    **settings
        Settings of `wavelet`.

    Returns
    -------
    Lobes
        The lobes, highest first. There is a warning for a lobe that is less than 4 standard errors high, or that
        less than 90 % of the resamples have.

    Raises
    ------
    DataError
        A stack or a negative noise; also what `wavelet` raises.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> lobes = xs.find_lobes(chi, epsilon_k=1e-3, resamples=20, k=(3, 12), r=(1, 4))
    >>> round(float(lobes.lobes[0].r), 1)
    2.5
    """
    if chi.chi.ndim != 1:
        raise DataError(f"{chi.label}: lobes are found one spectrum at a time, chi is {chi.chi.shape}")
    transform = wavelet(chi, **settings)
    lobes = maxima(transform, threshold=threshold, within_k=within_k, within_r=within_r, limit=limit)
    noise = noise_level(chi) if epsilon_k is None else float(epsilon_k)
    if not noise >= 0:
        raise DataError(f"{chi.label}: the noise of chi is {noise:g}; give epsilon_k as a positive number")
    if not lobes or resamples == 0:
        return Lobes(lobes, chi.label, noise, 0, seed, np.empty((0, len(lobes), 5)))
    rng = np.random.default_rng(seed)
    noisy = chi.chi + noise * rng.standard_normal((resamples, chi.k.size))
    stack = Chi(k=chi.k, chi=noisy, e0=np.zeros(resamples), edge_step=np.ones(resamples), label=chi.label)
    samples = track(stack, lobes, **settings)
    with_errors: list[Lobe] = []
    for i, lobe in enumerate(lobes):
        kept = np.isfinite(samples[:, i, 0])
        found = float(kept.mean())
        errors = tuple(spread(samples[:, i, v]) for v in range(len(VALUES)))
        with_errors.append(replace(lobe, errors=errors, found=found))
        if found < LASTING or with_errors[-1].significance < SIGNIFICANT:
            warn(
                f"{chi.label}: the lobe at k = {lobe.k:.2f} 1/A, R = {lobe.r:.2f} A is not above the noise of "
                f"{noise:.2g}: {with_errors[-1].significance:.1f} standard errors high, found in {found:.0%} of the "
                "resamples; its position is not determined",
            )
    return Lobes(tuple(with_errors), chi.label, noise, resamples, seed, samples)


def noise_level(chi: Chi) -> float:
    """epsilon_k of one chi(k): that of the record, or else estimated at R = 15-30 A."""
    if chi.epsilon_k is not None and np.isfinite(chi.epsilon_k).all():
        return float(chi.epsilon_k)
    from ...reduce.noise import noise_of

    return float(noise_of(chi.k, chi.chi))


def track(stack: Chi, lobes: Sequence[Lobe], **settings: Any) -> Array:
    """Values (m, lobes, 5) of each lobe in each spectrum of a stack (m, nk), in the order of VALUES.

    A lobe is searched within its half widths, and at most half of the way to the next lobe. NaN if there is
    no maximum. Raises what `wavelet` raises.
    """
    out = np.full((stack.chi.shape[0], len(lobes), 5), np.nan)
    boxes = [_box(lobe, [other for other in lobes if other is not lobe]) for lobe in lobes]
    for part, chunk in iter_wavelet(stack, **settings):
        for i, (lobe, (dk, dr)) in enumerate(zip(lobes, boxes, strict=True)):
            rows = _inside(chunk.r, (lobe.r - dr, lobe.r + dr), "R")
            cols = _inside(chunk.k, (lobe.k - dk, lobe.k + dk), "k")
            for m in range(chunk.wt.shape[0]):
                tops = _tops(np.abs(chunk.wt[m, rows, cols]), rows.start, cols.start)
                # The nearest maximum first: the flank of a higher lobe may end in this box, too
                far = np.hypot((chunk.r[tops[:, 0]] - lobe.r) / dr, (chunk.k[tops[:, 1]] - lobe.k) / dk)
                for a, b in tops[np.argsort(far)]:
                    one = _climb(chunk.k, chunk.r, chunk.wt[m], int(a), int(b))
                    if one is not None and abs(one.k - lobe.k) <= dk and abs(one.r - lobe.r) <= dr:
                        out[part.start + m, i] = [getattr(one, v) for v in VALUES]
                        break
    return out


@dataclass(frozen=True, eq=False)
class Ridge:
    """The ridge of |W|: for every R (nr,) in A the k (..., nr) in 1/A of the maximum and its height (..., nr)."""

    r: Array
    k: Array
    height: Array


def ridge(transform: Wavelet, *, k: tuple[float, float] | None = None) -> Ridge:
    """The ridge of |W|: for each R the k at which |W| is largest.

    If the maximum lies at an end of the range, k is NaN.

    Parameters
    ----------
    transform : Wavelet
        Result of `wavelet`.
    k : tuple of float, optional
        Range in 1/A in which the maximum is searched; by default the whole axis.

    Returns
    -------
    Ridge
        For each R (nr,) in A the k (..., nr) in 1/A of the maximum, and its height (..., nr).

    Raises
    ------
    RangeError
        `k` holds fewer than three points.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.exafs.wavelet_transform import ridge
    >>> found = ridge(xs.wavelet(chi, r=(1, 4)), k=(3, 12))
    >>> found.k.shape == found.r.shape
    True
    """
    cols = _inside(transform.k, k, "k")
    z = np.abs(transform.wt[..., cols])
    axis = transform.k[cols]
    j = np.argmax(z, axis=-1)
    inside = (j > 0) & (j < axis.size - 1)
    centre = np.clip(j, 1, axis.size - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        three = [np.log(np.take_along_axis(z, (centre + d)[..., None], -1)[..., 0]) for d in (-1, 0, 1)]
        offset, rise = _parabola(*three)
        found = np.where(inside, axis[centre] + offset * (axis[1] - axis[0]), np.nan)
        height = np.where(inside, np.exp(three[1] + rise), np.max(z, axis=-1))
    return Ridge(transform.r, found, height)


def spread(values: Array) -> float:
    """Standard deviation of the finite values; NaN when there are fewer than two."""
    kept = values[np.isfinite(values)]
    return float(np.std(kept, ddof=1)) if kept.size > 1 else float("nan")


def _inside(axis: Array, limits: tuple[float, float] | None, name: str) -> slice:
    """The slice of an axis within limits. Raises RangeError if it holds fewer than three points."""
    if limits is None:
        return slice(0, axis.size)
    low, high = np.searchsorted(axis, [limits[0] - 1e-9, limits[1] + 1e-9])
    if high - low < 3:
        raise RangeError(
            f"{name} from {limits[0]:.4g} to {limits[1]:.4g} holds no lobe: the map runs from {axis[0]:.4g} to "
            f"{axis[-1]:.4g} in steps of {axis[1] - axis[0]:.3g}"
        )
    return slice(int(low), int(high))


def _parabola(left: Any, mid: Any, right: Any) -> tuple[Any, Any]:
    """Offset from the middle in steps, and rise above it, of the top of a parabola through three points."""
    bend = left - 2 * mid + right
    bend = np.where(bend < 0, bend, -np.inf)
    offset = 0.5 * (left - right) / bend
    return offset, -0.125 * (left - right) ** 2 / bend


def _tops(part: Array, row: int, column: int) -> NDArray[np.int_]:
    """Index pairs (n, 2) of the points above all their eight neighbours, counted from (row, column)."""
    centre = part[1:-1, 1:-1]
    top = np.ones(centre.shape, bool)
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                near = part[i : i + centre.shape[0], j : j + centre.shape[1]]
                top &= centre > near if (i, j) < (1, 1) else centre >= near
    return np.asarray(np.argwhere(top) + np.array([row + 1, column + 1]))


def _climb(k: Array, r: Array, z: Any, i: int, j: int) -> Lobe | None:
    """The maximum of |z|, uphill from grid point (i, j); None if the search leaves the map.

    A ridge that is inclined to the grid has a false maximum in every row that it crosses. From each of them the parabola
    through the logarithms of 3 x 3 points, with its cross term, leads to the one true maximum.
    """
    seen: set[tuple[int, int]] = set()
    while (i, j) not in seen:
        seen.add((i, j))
        if not (0 < i < r.size - 1 and 0 < j < k.size - 1):
            return None
        with np.errstate(divide="ignore"):
            f = np.log(np.abs(z[i - 1 : i + 2, j - 1 : j + 2]))
        slope = np.array([f[2, 1] - f[0, 1], f[1, 2] - f[1, 0]]) / 2
        cross = (f[2, 2] - f[2, 0] - f[0, 2] + f[0, 0]) / 4
        bend = np.array([[f[2, 1] - 2 * f[1, 1] + f[0, 1], cross], [cross, f[1, 2] - 2 * f[1, 1] + f[1, 0]]])
        if not (bend[0, 0] < 0 and np.linalg.det(bend) > 0):
            return None
        step = -np.linalg.solve(bend, slope)
        whole = np.clip(np.rint(step), -_STRIDE, _STRIDE).astype(int)
        if not whole.any():
            break
        i, j = i + int(whole[0]), j + int(whole[1])
    else:
        # The search alternates between two points: either is right within half a step
        step = np.clip(step, -0.5, 0.5)
        i, j = i - int(whole[0]), j - int(whole[1])
    return Lobe(
        k=float(k[j] + step[1] * (k[1] - k[0])),
        r=float(r[i] + step[0] * (r[1] - r[0])),
        height=float(np.abs(z[i, j]) * np.exp(slope @ step / 2)),
        width_k=_width(k, np.abs(z[i, :]), j),
        width_r=_width(r, np.abs(z[:, j]), i),
    )


def _width(axis: Array, profile: Array, at: int) -> float:
    """Full width at half of the value at `at`, by linear interpolation; NaN if the profile does not fall to half."""
    half = 0.5 * profile[at]
    ends = []
    for part, where in ((profile[at::-1], axis[at::-1]), (profile[at:], axis[at:])):
        below = np.flatnonzero(part < half)
        if below.size == 0:
            return float("nan")
        b = int(below[0])
        share = (part[b - 1] - half) / (part[b - 1] - part[b])
        ends.append(where[b - 1] + share * (where[b] - where[b - 1]))
    return float(ends[1] - ends[0])


def _box(lobe: Lobe, others: Sequence[Lobe]) -> tuple[float, float]:
    """Half the sides in k and R of the box in which a lobe is searched."""
    dk = 0.5 * lobe.width_k if np.isfinite(lobe.width_k) else 1.5
    dr = 0.5 * lobe.width_r if np.isfinite(lobe.width_r) else 0.25
    for other in others:
        # A neighbour limits the box along the axis on which it is further away, in units of the widths
        apart_k, apart_r = abs(other.k - lobe.k), abs(other.r - lobe.r)
        if apart_k / dk > apart_r / dr:
            dk = min(dk, 0.5 * apart_k)
        else:
            dr = min(dr, 0.5 * apart_r)
    return dk, dr
