"""Averages of repeated energies, removal of glitches, and rebinning to a pre-edge/XANES/EXAFS grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._larch import checks
from ..constants import KTOE
from ..errors import DataError, RangeError, ReductionError
from ..records import Array, Spectrum, Step, name_of
from ..scatter import local_scatter
from .edge import find_e0
from .stacks import changed, checked, interpolable, takes_series

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# The rule for glitches compares each point with the cubic through its neighbours, in units of the local scatter. The neighbours on
# each side span 0.3 1/A, less than half an oscillation of any shell
NEIGHBOURS = 6
LEFT_OUT = 2  # the nearest of them are not used, so that a glitch of up to 5 points does not predict itself
MAX_PASSES = 50
LEAST_GLITCH = 0.002  # as a share of the range of mu; a smaller glitch does no harm


@takes_series
def average_repeats(spectrum: Spectrum, *, within: float = 1e-6) -> Spectrum:
    """The spectrum in ascending energy, with the points at equal energies averaged.

    mu_err of an average of m points is the root of the sum of their squares, over m.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n); energies may repeat and be in any order.
    within : float
        Neighbours closer than this, in eV, count as one energy.

    Returns
    -------
    Spectrum
        Energy (n,) strictly ascending; a note says how many points were averaged.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.

    Examples
    --------
    >>> from xasuite.reduce import average_repeats
    >>> energy = np.repeat(np.arange(8800.0, 9000.0, 1.0), 2)
    >>> average_repeats(xs.Spectrum(energy, np.ones(energy.size), "Cu", "K")).energy.size
    200
    """
    what = name_of(spectrum)
    checks.finite(spectrum.energy, "energy", what)
    order = np.argsort(spectrum.energy, kind="stable")
    energy = spectrum.energy[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(energy) > within) + 1])
    if starts.size == energy.size and (order == np.arange(order.size)).all():
        return spectrum
    count = np.diff(np.append(starts, energy.size))
    removed = energy.size - starts.size
    note = f"averaged {removed} repeated energies" if removed else ""
    step = Step("average_repeats", {"within": within, "removed": int(removed)})
    means = _averaged(spectrum, order, starts, count)
    return changed(spectrum, step, note, energy=np.add.reduceat(energy, starts) / count, **means)


@takes_series
def rebin(
    spectrum: Spectrum,
    *,
    e0: float | None = None,
    pre_step: float = 2.0,
    xanes: tuple[float, float] = (-30.0, 15.0),
    xanes_step: float | None = None,
    kstep: float = 0.05,
    energy: Array | None = None,
) -> Spectrum:
    """The spectrum on a grid of three regions: pre-edge, XANES, and EXAFS in constant steps of k.

    Every point goes into the bin of the nearest grid energy. Each bin gives a mean of mu at the mean of its
    energies, and a cubic spline through these means gives mu on the grid. So every point is used, and a slope
    within a bin does not shift the energy. mu_err is propagated (root of the sum of squares over the count).

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n); repeated energies are averaged first.
    e0 : float, optional
        Edge energy in eV; by default it is found (for a stack, the median of its rows, which share one grid).
    pre_step : float
        Step of the pre-edge region, eV.
    xanes : tuple of float
        Start and end of the XANES region, eV from e0.
    xanes_step : float, optional
        Step of the XANES region, eV; by default e0/25000 rounded down to a multiple of 0.05.
    kstep : float
        Step of the EXAFS region, 1/A.
    energy : array, optional
        A grid (m,) in eV to use instead; it must lie within the data.

    Returns
    -------
    Spectrum
        mu (..., m) on the new energies (m,), with mu_err where the data had one.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    RangeError
        A range outside the data.
    ReductionError
        No edge, or mu upside down.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> xs.rebin(spectrum).energy.size < energy.size
    True
    """
    spectrum = average_repeats(spectrum)
    data, _ = checked(spectrum)
    what = name_of(spectrum)
    if energy is not None:
        grid = checks.axis(np.asarray(energy, float), "energy", what)
        checks.inside(grid, data[0] - 1e-6, data[-1] + 1e-6, "the grid", what, "eV")
        settings: dict[str, Any] = {"energy": (float(grid[0]), float(grid[-1]), grid.size)}
    else:
        centre = float(np.median(find_e0(spectrum))) if e0 is None else float(e0)
        checks.inside(centre, data[1], data[-2], "E0", what, "eV")
        step = 0.05 * max(1, int(centre / 1250)) if xanes_step is None else xanes_step
        grid = xafs_grid(data, centre, pre_step, xanes, step, kstep, what)
        settings = {"e0": centre, "pre_step": pre_step, "xanes": xanes, "xanes_step": step, "kstep": kstep}
    note = f"rebinned from {data.size} to {grid.size} points"
    return changed(spectrum, Step("rebin", settings), note, energy=grid, **_binned(spectrum, grid))


def xafs_grid(
    energy: Array,
    e0: float,
    pre_step: float,
    xanes: tuple[float, float],
    xanes_step: float,
    kstep: float,
    what: str,
) -> Array:
    """Energies (m,) in eV of the three regions that lie within the data. Raises RangeError."""
    low, high = checks.ordered(xanes, "xanes", what, "eV")
    if min(pre_step, xanes_step, kstep) <= 0:
        raise RangeError(
            f"{what}: steps of the grid must be positive: {pre_step:g}, {xanes_step:g} eV, {kstep:g} 1/A"
        )
    if high <= 0:
        raise RangeError(f"{what}: xanes must end above E0, where k starts; it ends at {high:g} eV")
    pre = e0 + low - pre_step * np.arange(int((e0 + low - energy[0]) / pre_step), -1, -1)
    if energy[0] >= e0 + low:
        pre = np.empty(0)
    near = np.arange(e0 + low, e0 + high - xanes_step / 2, xanes_step)
    k_start, k_end = np.sqrt(high / KTOE), np.sqrt(max(energy[-1] - e0, high) / KTOE)
    k = kstep * np.arange(np.ceil(k_start / kstep - 1e-9), int(k_end / kstep + 1e-9) + 1)
    grid = np.unique(np.round(np.concatenate([pre, near, e0 + KTOE * k**2]), 6))
    return grid[(grid >= energy[0]) & (grid <= energy[-1])]


@takes_series
def deglitch(
    spectrum: Spectrum,
    at: Sequence[float | tuple[float, float]] | None = None,
    *,
    width: float = 1.0,
    threshold: float = 8.0,
    protect: tuple[float, float] = (-30.0, 40.0),
) -> Spectrum:
    """The spectrum with glitches replaced by the straight line between their neighbours.

    The notes name the replaced points.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n). The energies do not change; points named by `at` are replaced in every row of a stack.
    at : sequence of float or tuple of float, optional
        The glitches in eV: single energies or ranges (low, high). By default glitches are found in each row.
    width : float
        All points within `width` (eV) of a single energy are replaced, or the nearest point if there is none.
    threshold : float
        As in `find_glitches`.
    protect : tuple of float
        As in `find_glitches`.

    Returns
    -------
    Spectrum
        On the same energies; a note lists the points in eV.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    RangeError
        An energy outside the scan.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> mu = spectrum.mu.copy()
    >>> mu[700] += 0.5
    >>> bad = xs.Spectrum(energy, mu, "Cu", "K")
    >>> bool(xs.deglitch(bad).mu[700] < mu[700] - 0.4)
    True
    """
    energy, mu = checked(spectrum)
    if at is None:
        flags = find_glitches(spectrum, threshold=threshold, protect=protect)
        settings: dict[str, Any] = {"threshold": threshold, "protect": protect}
    else:
        flags = np.broadcast_to(_named(energy, at, width, name_of(spectrum)), mu.shape)
        settings = {"at": tuple(at), "width": width}
    if not flags.any():
        return replace(spectrum, history=(*spectrum.history, Step("deglitch", {**settings, "replaced": ()})))
    fixed = {"mu": _bridge(energy, mu, flags)}
    if spectrum.mu_err is not None:
        fixed["mu_err"] = _bridge(energy, spectrum.mu_err, flags)
    hit = energy[flags.reshape(-1, energy.size).any(axis=0)]
    settings["replaced"] = tuple(float(e) for e in hit)
    shown = ", ".join(f"{e:.1f}" for e in hit[:8]) + (", ..." if hit.size > 8 else "")
    note = f"deglitched {np.count_nonzero(flags)} points at {shown} eV"
    return changed(spectrum, Step("deglitch", settings), note, **fixed)


def find_glitches(
    spectrum: Spectrum, *, threshold: float = 8.0, protect: tuple[float, float] = (-30.0, 40.0)
) -> NDArray[np.bool_]:
    """Which points (..., n) are glitches, as booleans.

    A point is a glitch if it differs from the cubic through its 6 neighbours on either side (without the nearest 2)
    by more than `threshold` times the local scatter of such differences (1.4826 times their median absolute
    deviation over 61 points), and by more than 0.2 % of the range of mu. The largest glitch is removed first, then all
    points are tested again.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n) on energy (n,) in eV.
    threshold : float
        Smallest difference that counts, in units of the local scatter.
    protect : tuple of float
        Range in eV about E0 in which no point is called a glitch.

    Returns
    -------
    array of bool
        Shape (..., n), that of mu: True at a glitch.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> from xasuite.reduce import find_glitches
    >>> int(find_glitches(spectrum).sum())
    0
    """
    energy, mu = checked(spectrum)
    if threshold <= 0:
        raise RangeError(f"{name_of(spectrum)}: threshold = {threshold:g} must be positive")
    low, high = checks.ordered(protect, "protect", name_of(spectrum), "eV")
    if energy.size < 2 * NEIGHBOURS + 2:
        raise DataError(
            f"{name_of(spectrum)}: {energy.size} points are too few to tell a glitch from a feature"
        )
    e0 = float(np.median(find_e0(spectrum)))
    free = (energy < e0 + low) | (energy > e0 + high)
    predict = _predictor(energy)
    flat = mu.reshape(-1, energy.size)
    found = np.stack([_glitches(energy, row, predict, free, threshold) for row in flat])
    return found.reshape(mu.shape)


def _glitches(
    energy: Array, mu: Array, predict: csr_array, free: NDArray[np.bool_], threshold: float
) -> NDArray[np.bool_]:
    work, flags = mu.copy(), np.zeros(mu.size, bool)
    least = LEAST_GLITCH * np.ptp(mu)
    for _ in range(MAX_PASSES):
        difference = work - predict @ work
        # protected points count in the scatter: the curvature of the edge raises it, so that the rule is careful next to the edge
        score = np.abs(difference) / local_scatter(difference)
        score[~free | flags | (np.abs(difference) < least)] = 0
        worst = int(np.argmax(score))
        if score[worst] <= threshold:
            return flags
        flags[worst] = True
        work = _bridge(energy, mu, flags)
    raise ReductionError(
        f"more than {MAX_PASSES} points look like glitches: this scan is noise; raise threshold or name them with at"
    )


def _predictor(energy: Array) -> csr_array:
    """The sparse matrix (n, n) that gives each point's value from the cubic through its neighbours."""
    from scipy.sparse import csr_array

    n, width = energy.size, 2 * NEIGHBOURS + 1
    first = np.clip(np.arange(n) - NEIGHBOURS, 0, n - width)
    near = first[:, None] + np.arange(width)
    away = np.abs(near - np.arange(n)[:, None])
    used = (away > LEFT_OUT) & (away <= NEIGHBOURS)
    x = energy[near] - energy[:, None]
    x = x / np.abs(np.where(used, x, 0)).max(axis=1, keepdims=True)
    # near the ends all neighbours are on one side: there a line extrapolates better than a cubic
    whole = used.sum(axis=1) == 2 * (NEIGHBOURS - LEFT_OUT)
    powers = np.where(whole[:, None, None] | (np.arange(4) < 2), x[..., None] ** np.arange(4), 0.0)
    weights = np.linalg.pinv(powers * used[..., None])[:, 0]
    return csr_array((weights.ravel(), near.ravel(), np.arange(n + 1) * width), shape=(n, n))


def _named(
    energy: Array, at: Sequence[float | tuple[float, float]], width: float, what: str
) -> NDArray[np.bool_]:
    flags = np.zeros(energy.size, bool)
    for item in at:
        low, high = (
            checks.ordered(item, "at", what, "eV") if isinstance(item, (tuple, list)) else (item, item)
        )
        checks.inside([low, high], energy[0], energy[-1], "the glitch", what, "eV")
        pad = 0.0 if high > low else width
        hit = (energy >= low - pad) & (energy <= high + pad)
        if not hit.any():
            hit[np.argmin(np.abs(energy - (low + high) / 2))] = True
        flags |= hit
    if np.count_nonzero(~flags) < checks.MIN_POINTS:
        raise RangeError(
            f"{what}: at names {np.count_nonzero(flags)} of {energy.size} points; too few are left"
        )
    return flags


def _bridge(energy: Array, values: Array, flags: NDArray[np.bool_]) -> Array:
    """Values with the flagged points on the line between the nearest others."""
    rows, marks = values.reshape(-1, energy.size), flags.reshape(-1, energy.size)
    out = rows.copy()
    for new, row, bad in zip(out, rows, marks, strict=True):
        if bad.any():
            new[bad] = np.interp(energy[bad], energy[~bad], row[~bad])
    return out.reshape(values.shape)


def _averaged(spectrum: Spectrum, order: Any, starts: Any, count: Any) -> dict[str, Array | None]:
    """mu, mu_err and reference averaged over runs of the sorted axis."""
    out: dict[str, Array | None] = {}
    for name in ("mu", "mu_err", "reference"):
        values = getattr(spectrum, name)
        if values is None:
            continue
        values = values[..., order]
        if name == "mu_err":
            out[name] = np.sqrt(np.add.reduceat(values**2, starts, axis=-1)) / count
        else:
            out[name] = np.add.reduceat(values, starts, axis=-1) / count
    return out


def _binned(spectrum: Spectrum, grid: Array) -> dict[str, Array | None]:
    """mu, mu_err and reference: means of bins, interpolated from the bins' mean energies to the grid."""
    from scipy.interpolate import make_interp_spline

    energy = spectrum.energy
    edges = 0.5 * (grid[1:] + grid[:-1])
    # points outside the grid by more than half a step belong to no bin
    inside = (energy >= 1.5 * grid[0] - 0.5 * grid[1]) & (energy <= 1.5 * grid[-1] - 0.5 * grid[-2])
    used = np.flatnonzero(inside)
    bins = np.searchsorted(edges, energy[used], side="right")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(bins)) + 1])
    count = np.diff(np.append(starts, used.size))
    centre = np.add.reduceat(energy[used], starts) / count
    if centre.size < 4:
        raise RangeError(f"{name_of(spectrum)}: the grid holds points of the scan in {centre.size} bins only")
    # where the grid reaches a little beyond the centres of the bins, the end points of the scan are added
    means = _averaged(spectrum, used, starts, count)
    out: dict[str, Array | None] = {"reference": None}
    for name in interpolable(spectrum):
        values = means[name]
        assert values is not None
        x, y = _with_ends(centre, values, energy, getattr(spectrum, name), grid)
        order = 1 if name == "mu_err" else 3
        out[name] = make_interp_spline(x, y, k=order, axis=-1)(grid)
    return out


def _with_ends(centre: Array, means: Array, energy: Array, raw: Array, grid: Array) -> tuple[Array, Array]:
    """Bin centres and means, with the scan's end points added where the grid reaches beyond the centres."""
    x, y = [centre], [means]
    if grid[0] < centre[0] - 1e-9:
        i = int(np.searchsorted(energy, grid[0], side="right")) - 1
        x, y = [energy[[max(i, 0)]], *x], [raw[..., [max(i, 0)]], *y]
    if grid[-1] > centre[-1] + 1e-9:
        i = min(int(np.searchsorted(energy, grid[-1], side="left")), energy.size - 1)
        x, y = [*x, energy[[i]]], [*y, raw[..., [i]]]
    return np.concatenate(x), np.concatenate(y, axis=-1)
