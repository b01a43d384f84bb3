"""What is wrong with a scan: a status word and the sentence behind it (docs/decisions/series_status.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..records import Array, Scan
from ..scatter import local_scatter, point_noise

if TYPE_CHECKING:
    from ..specs.series import Checks

UNREADABLE = "unreadable"
WRONG_EDGE = "wrong edge"
SHORT = "short"
BEAM_LOSS = "beam loss"
SATURATED = "saturated"
NOT_FINITE = "not finite"
MISALIGNED = "misaligned"
NO_EDGE = "no edge"
NOISY = "noisy"
GLITCH = "glitch"

Fault = tuple[str, str]
Faults = dict[int, Fault]  # by row; rows without a fault are left out
Flags = NDArray[np.bool_]

LOST_POINTS = 3  # points in a row without beam that count as a loss
GAP = 10.0  # eV between neighbouring points of a scan beyond which the grid between them is invention
GAP_STEPS = 4.0  # and in steps of the grid there
NOT_FINITE_SHARE = 0.02  # share of points that mu may lack; more is not a few dropped points
FOREIGN = 0.3  # of the edge step: the pre-edge may leave its line by so much
FOREIGN_ABOVE = 0.6  # and normalised mu leave 1 by so much above the white line
PRE_END, POST_START = -30.0, 60.0  # eV from E0: outside these mu is near 0 and near 1
STEP_ABOVE_NOISE = 5.0
LEAST_GLITCH = 0.01  # of the edge step: what is smaller does no harm to a fit


def scan_fault(scan: Scan, checks: Checks, element: str, edge: str, grid: Array) -> Fault | None:
    """What can be seen of a scan before it is on the grid: element, range, beam, saturation, gaps."""
    energy, label = scan.energy, scan.label
    if scan.element and (scan.element, scan.edge or edge) != (element, edge):
        found = f"{scan.element} {scan.edge} scan ({energy[0]:.0f}-{energy[-1]:.0f} eV)"
        return WRONG_EDGE, f"{label} is a {found}, the series is {element} {edge}"
    if energy[0] > grid[0] or energy[-1] < grid[-1]:
        wanted = f"{grid[0]:.0f}-{grid[-1]:.0f} eV"
        return SHORT, f"{label} spans {energy[0]:.0f}-{energy[-1]:.0f} eV, the series needs {wanted}"
    channels = {name: values[None] for name, values in scan.channels.items()}
    return channel_faults(energy, channels, scan.mu_expr, checks).get(0) or gap_fault(scan, grid)


def channel_faults(energy: Array, channels: Mapping[str, Array], expr: str, checks: Checks) -> Faults:
    """Rows of channels (m, n) in which I0 is lost over several points, or a channel stands at its largest value."""
    out: Faults = {}
    used = [n for n in re.findall(r"[A-Za-z_]\w*", expr) if n in channels]
    for name in used:
        out |= _saturated(energy, channels[name], name, checks)
    name = i0_name(expr, used)
    if name and checks.beam:
        low = channels[name] < checks.beam * np.median(channels[name], axis=1, keepdims=True)
        out |= _over(energy, long_runs(low), BEAM_LOSS, f"{name} falls below {checks.beam:g} of its median")
    return out


def _saturated(energy: Array, values: Array, name: str, checks: Checks) -> Faults:
    runs = flat_tops(values, checks.saturated)
    return _over(energy, runs, SATURATED, f"{name} stands at its largest value")


def _over(energy: Array, runs: dict[int, tuple[int, int]], word: str, what: str) -> Faults:
    """The fault of rows with a run of points."""
    return {
        row: (word, f"{what} over {length} points from {energy[start]:.0f} eV")
        for row, (start, length) in runs.items()
    }


def i0_name(expr: str, used: list[str]) -> str:
    """The channel of an expression that measures the incoming beam, "" when it holds none."""
    if len(used) < 2 or "/" not in expr:
        return ""
    for name in used:
        if re.fullmatch(r"i_?0\w*|io|monitor|mon", name, re.I):
            return name
    return used[0] if re.match(r"\s*-?\s*(ln|log)\b", expr) else used[-1]


def flat_tops(values: Array, least: int) -> dict[int, tuple[int, int]]:
    """Start and length of the longest run of at least `least` points at exactly the largest value of each row (m, n).

    A constant row counts as none.
    """
    finite = np.isfinite(values)
    top = np.max(values, axis=1, keepdims=True, where=finite, initial=-np.inf)
    bottom = np.min(values, axis=1, keepdims=True, where=finite, initial=np.inf)
    return long_runs((values >= top - 1e-9 * np.abs(top)) & (top > bottom), least)


def long_runs(flags: Flags, least: int = LOST_POINTS) -> dict[int, tuple[int, int]]:
    """Start and length of the longest run of True of each row (m, n) where it has at least `least` points."""
    out = {}
    for row in np.flatnonzero(np.count_nonzero(flags, axis=1) >= least):
        edges = np.flatnonzero(np.diff(flags[row], prepend=False, append=False))
        lengths = edges[1::2] - edges[::2]
        if lengths.max() >= least:
            out[int(row)] = (int(edges[2 * np.argmax(lengths)]), int(lengths.max()))
    return out


def gap_fault(scan: Scan, grid: Array) -> Fault | None:
    """Energies of the grid that lie far from any point of the scan."""
    inside = scan.energy[(scan.energy >= grid[0]) & (scan.energy <= grid[-1])]
    if inside.size < 2:
        return SHORT, f"{scan.label} has {inside.size} points on the grid of the series"
    steps = np.diff(inside)
    usual = np.interp(inside[:-1], grid[:-1], np.diff(grid))
    wide = steps > np.maximum(GAP, GAP_STEPS * usual)
    if not wide.any():
        return None
    i = int(np.argmax(np.where(wide, steps, 0)))
    return BEAM_LOSS, f"{scan.label} has no points between {inside[i]:.0f} and {inside[i + 1]:.0f} eV"


def grid_faults(energy: Array, mu: Array, e0: float, checks: Checks) -> tuple[Faults, Array, Flags]:
    """What can be seen of finite spectra mu (m, n) on the grid, row by row.

    Returns the faults, the noise (m,) of a point of normalised mu, and the glitches (m, n).
    """
    norm, step, raw_noise = quick_norm(energy, mu, e0)
    away = find_spikes(energy, norm, e0, checks.threshold)
    out: Faults = {}
    with np.errstate(all="ignore"):
        noise = np.where(step > 0, raw_noise / step, np.nan)
    if checks.glitch == "mark":
        for row in map(int, np.flatnonzero((away != 0).any(axis=1))):
            at = int(np.argmax(np.abs(away[row])))
            by = f"{abs(away[row, at]):.2g} of the edge step"
            out[row] = GLITCH, f"mu at {energy[at]:.1f} eV stands {by} out of its neighbours"
    foreign = ((energy < e0 + PRE_END) & (np.abs(norm) > FOREIGN)) | (
        (energy > e0 + POST_START) & (np.abs(norm - 1) > FOREIGN_ABOVE)
    )
    out |= _over(energy, long_runs(foreign), BEAM_LOSS, "mu leaves the spectrum")
    for row in map(int, np.flatnonzero(noise > checks.noise)):
        share = f"{noise[row]:.2g} of the edge step"
        out[row] = NOISY, f"the noise of a point is {share}, more than {checks.noise:g}"
    for row in map(int, np.flatnonzero(~(step > STEP_ABOVE_NOISE * raw_noise))):
        found = f"the step is {step[row]:.3g}, the noise of a point {raw_noise[row]:.2g}"
        out[row] = NO_EDGE, f"no edge at {e0:.0f} eV: {found}"
    return out | _saturated(energy, mu, "mu", checks), noise, away != 0


def quick_norm(energy: Array, mu: Array, e0: float) -> tuple[Array, Array, Array]:
    """mu (m, n) less a pre-edge line over its step, the step (m,), and the noise (m,) of a point of mu.

    Medians in place of least squares: a spike moves neither. The noise is the median of third differences
    (their variance is 20 times that of white noise; a parabola gives none).
    """
    x = energy - e0
    pre, post = _range(x < PRE_END), _range(x > POST_START)
    line = _robust_line(x[pre], mu[:, pre])
    above = mu - (line[0][:, None] + line[1][:, None] * x)
    step, slope = _robust_line(x[post], above[:, post])
    noise = point_noise(above[:, post])
    above -= slope[:, None] * np.maximum(x, 0)
    with np.errstate(all="ignore"):
        above /= np.where(np.abs(step) > 0, step, np.nan)[:, None]
    return np.nan_to_num(above, copy=False), step, noise


def _range(flags: Flags) -> slice:
    """Neighbouring points as a slice, which is not copied."""
    at = np.flatnonzero(flags)
    return slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 0)


def _robust_line(x: Array, y: Array) -> tuple[Array, Array]:
    """Value at 0 and slope of each row: through the medians of its first and last third."""
    third = max(1, x.size // 3)
    x1, x2 = x[:third].mean(), x[-third:].mean()
    y1, y2 = np.median(y[:, :third], axis=1), np.median(y[:, -third:], axis=1)
    slope = (y2 - y1) / (x2 - x1) if x2 > x1 else np.zeros(len(y))
    return y1 - slope * x1, slope


def find_spikes(energy: Array, norm: Array, e0: float, threshold: float) -> Array:
    """By how much (m, n) points of normalised mu stand out of the cubic through their neighbours, 0 where they do not.

    The rule of `reduce.find_glitches`, its first pass on all rows at once: more than `threshold` times the local
    scatter of such differences, and more than a hundredth of the edge step; the edge itself is left out.
    """
    away = (_outlier(energy.tobytes()) @ norm.T).T
    free = (energy < e0 + PRE_END) | (energy > e0 + 40)
    large = (np.abs(away) > LEAST_GLITCH) & free
    out = np.zeros(norm.shape)
    rows = np.flatnonzero(large.any(axis=1))
    if not rows.size:
        return out
    # the local scatter is dear: only rows that hold a large difference need it
    scatter = local_scatter(away[rows])
    spike = large[rows] & (np.abs(away[rows]) > threshold * np.maximum(scatter, 1e-12))
    out[rows] = np.where(spike, away[rows], 0.0)
    return out


@lru_cache(maxsize=4)
def _outlier(energy: bytes) -> Any:
    """The sparse matrix that takes each point's prediction from its value."""
    from scipy.sparse import csr_array, eye_array

    from ..reduce.clean import _predictor

    predictor = csr_array(_predictor(np.frombuffer(energy)))
    return csr_array(eye_array(predictor.shape[0]) - predictor)
