"""What is wrong with a scan: a status word and the sentence behind it (docs/decisions/series_status.md)."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..records import OK, Array, Scan
from ..spec.series import Checks

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
FAILED = "failed"

Fault = tuple[str, str]

LOST_POINTS = 3  # points in a row without beam that count as a loss
GAP = 10.0  # eV between neighbouring points of a scan beyond which the grid between them is invention
GAP_STEPS = 4.0  # and in steps of the grid there
NOT_FINITE_SHARE = 0.02  # share of points that mu may lack; more is not a few dropped points
FOREIGN = 0.3  # of the edge step: the pre-edge may leave its line by so much
FOREIGN_ABOVE = 0.6  # and normalised mu leave 1 by so much above the white line
PRE_END, POST_START = -30.0, 60.0  # eV from E0: outside these mu is near 0 and near 1
STEP_ABOVE_NOISE = 5.0
LEAST_GLITCH = 0.01  # of the edge step: what is smaller does no harm to a fit
SCATTER_POINTS = 61


def scan_fault(scan: Scan, checks: Checks, element: str, edge: str, grid: Array) -> Fault | None:
    """What can be seen of a scan before it is on the grid: element, range, beam, saturation, gaps."""
    if scan.element and (scan.element, scan.edge or edge) != (element, edge):
        return (
            WRONG_EDGE,
            f"{scan.label} is a {scan.element} {scan.edge} scan ({scan.energy[0]:.0f}-{scan.energy[-1]:.0f} eV), "
            f"the series is {element} {edge}",
        )
    if scan.energy[0] > grid[0] or scan.energy[-1] < grid[-1]:
        return (
            SHORT,
            f"{scan.label} spans {scan.energy[0]:.0f}-{scan.energy[-1]:.0f} eV, the series needs "
            f"{grid[0]:.0f}-{grid[-1]:.0f} eV",
        )
    return beam_fault(scan, checks) or saturated_fault(scan, checks) or gap_fault(scan, grid)


def i0_name(expr: str, names: list[str]) -> str:
    """The channel of an expression that measures the incoming beam, "" when it holds none."""
    used = [n for n in re.findall(r"[A-Za-z_]\w*", expr) if n in names]
    if len(used) < 2 or "/" not in expr:
        return ""
    for name in used:
        if re.fullmatch(r"i_?0\w*|io|monitor|mon", name, re.I):
            return name
    return used[0] if re.match(r"\s*-?\s*(ln|log)\b", expr) else used[-1]


def beam_fault(scan: Scan, checks: Checks) -> Fault | None:
    """I0 below a share of its median over several points in a row."""
    name = i0_name(scan.mu_expr, list(scan.channels))
    if not name or checks.beam == 0:
        return None
    i0 = scan.channels[name]
    low = i0 < checks.beam * np.median(i0)
    run = longest_run(low)
    if run[1] < LOST_POINTS:
        return None
    at = scan.energy[run[0]]
    return (
        BEAM_LOSS,
        f"{name} falls below {checks.beam:g} of its median over {run[1]} points from {at:.0f} eV",
    )


def saturated_fault(scan: Scan, checks: Checks) -> Fault | None:
    """A measured channel that stands at exactly its largest value over several points."""
    names = [n for n in re.findall(r"[A-Za-z_]\w*", scan.mu_expr) if n in scan.channels]
    for name in names:
        start, length = flat_top(scan.channels[name])
        if length >= checks.saturated:
            return (
                SATURATED,
                f"{name} stands at its largest value over {length} points from {scan.energy[start]:.0f} eV",
            )
    return None


def flat_top(values: Array) -> tuple[int, int]:
    """Start and length of the longest run of points at exactly the largest value; a constant counts as none."""
    top = np.nanmax(values) if np.isfinite(values).any() else np.nan
    if not np.isfinite(top) or top == np.nanmin(values):
        return 0, 0
    return longest_run(values >= top - 1e-9 * abs(top))


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


def longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not edges.size:
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    i = int(np.argmax(lengths))
    return int(starts[i]), int(lengths[i])


def stack_faults(
    energy: Array, mu: Array, e0: float, checks: Checks
) -> tuple[list[Fault | None], Array, NDArray[np.bool_]]:
    """What can be seen of spectra mu (m, n) on the grid, row by row.

    Returns the faults (m), the noise (m,) of a point of normalised mu, and the glitches (m, n).
    """
    m = len(mu)
    faults: list[Fault | None] = [None] * m
    noise = np.full(m, np.nan)
    glitches = np.zeros(mu.shape, bool)
    finite = np.isfinite(mu).all(axis=1)
    for i in np.flatnonzero(~finite):
        bad = ~np.isfinite(mu[i])
        faults[i] = (
            NOT_FINITE,
            f"mu is not finite at {bad.sum()} points, the first at {energy[bad][0]:.1f} eV",
        )
    good = np.flatnonzero(finite)
    if not good.size:
        return faults, noise, glitches
    norm, step, raw_noise = quick_norm(energy, mu[good], e0)
    with np.errstate(all="ignore"):
        noise[good] = np.where(step > 0, raw_noise / step, np.nan)
    away = find_spikes(energy, norm, e0, checks.threshold)
    glitches[good] = away != 0
    for row, i in enumerate(good):
        faults[i] = _row_fault(energy, norm[row], float(step[row]), float(raw_noise[row]), e0, checks, mu[i])
        if faults[i] is None and checks.glitch == "mark" and glitches[i].any():
            worst = energy[int(np.argmax(np.abs(away[row])))]
            size = float(np.max(np.abs(away[row])))
            faults[i] = (
                GLITCH,
                f"mu at {worst:.1f} eV stands {size:.2g} of the edge step out of its neighbours",
            )
    return faults, noise, glitches


def _row_fault(
    energy: Array, norm: Array, step: float, raw_noise: float, e0: float, checks: Checks, mu: Array
) -> Fault | None:
    start, length = flat_top(mu)
    if length >= checks.saturated:
        return SATURATED, f"mu stands at its largest value over {length} points from {energy[start]:.0f} eV"
    if not step > STEP_ABOVE_NOISE * raw_noise:
        return (
            NO_EDGE,
            f"no edge at {e0:.0f} eV: the step is {step:.3g}, the noise of a point {raw_noise:.2g}",
        )
    if raw_noise / step > checks.noise:
        return (
            NOISY,
            f"the noise of a point is {raw_noise / step:.2g} of the edge step, more than {checks.noise:g}",
        )
    away = ((energy < e0 + PRE_END) & (np.abs(norm) > FOREIGN)) | (
        (energy > e0 + POST_START) & (np.abs(norm - 1) > FOREIGN_ABOVE)
    )
    start, length = longest_run(away)
    if length >= LOST_POINTS:
        return BEAM_LOSS, f"mu leaves the spectrum over {length} points from {energy[start]:.0f} eV"
    return None


def quick_norm(energy: Array, mu: Array, e0: float) -> tuple[Array, Array, Array]:
    """mu (m, n) less a pre-edge line over its step, the step (m,), and the noise (m,) of a point of mu.

    Medians in place of least squares: a spike moves neither. The noise is the median of third differences
    (their variance is 20 times that of white noise; a parabola gives none).
    """
    x = energy - e0
    pre, post = x < PRE_END, x > POST_START
    line = _robust_line(x[pre], mu[:, pre])
    above = mu - (line[0][:, None] + line[1][:, None] * x)
    after = _robust_line(x[post], above[:, post])
    step = after[0]
    noise = 1.4826 * np.median(np.abs(np.diff(above[:, post], 3, axis=1)), axis=1) / np.sqrt(20)
    curve = after[1][:, None] * np.maximum(x, 0)
    with np.errstate(all="ignore"):
        norm = np.where(x < 0, above, above - curve) / np.where(np.abs(step) > 0, step, np.nan)[:, None]
    return np.nan_to_num(norm), step, noise


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
    from scipy.ndimage import median_filter

    away = norm - norm @ _predictor(energy.tobytes()).T
    free = (energy < e0 + PRE_END) | (energy > e0 + 40)
    large = (np.abs(away) > LEAST_GLITCH) & free
    out = np.zeros(norm.shape)
    rows = np.flatnonzero(large.any(axis=1))
    if not rows.size:
        return out
    # the local scatter is dear: only rows that hold a large difference need it
    scatter = 1.4826 * median_filter(np.abs(away[rows]), size=(1, SCATTER_POINTS), mode="reflect")
    spike = large[rows] & (np.abs(away[rows]) > threshold * np.maximum(scatter, 1e-12))
    out[rows] = np.where(spike, away[rows], 0.0)
    return out


@lru_cache(maxsize=4)
def _predictor(energy: bytes) -> Array:
    from ..reduce.clean import _predictor as predictor

    return predictor(np.frombuffer(energy))


def named(fault: Fault | None) -> Fault:
    """(status, reason) of a fault, ("ok", "") of none."""
    return fault or (OK, "")
