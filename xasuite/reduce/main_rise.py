"""A check of E0 where the edge is sampled coarsely: is E0 on the main rise of mu, and where is that rise if not?

`steepest` requires three steep points in a row, which span two steps. If a step is more than half of the core-hole width, the edge
may not hold three points, and noise or structure in a denser part of the scan is found instead. Here means of mu over windows of
equal width in energy are compared, which do not depend on the spacing of the points.
"""

from __future__ import annotations

import numpy as np

from ..records import Array

WINDOW = 10.0  # eV; the rise at an energy is the mean of mu over WINDOW above it minus the mean over WINDOW below it
ON_IT = 0.5  # E0 is on the main rise if the rise there is at least this share of the largest
NEAR = 30.0  # eV about E0; coarse steps in this range require the check
_STEP = 1.0  # eV; grid on which the main rise is searched
_FINE = 0.1  # eV; grid on which the steepest point of a coarse edge is searched


def coarse(energy: Array, e0: float, width: float) -> bool:
    """Whether points (n,) about `e0` lie farther apart than `width`, all in eV."""
    near = energy[np.abs(energy - e0) < NEAR]
    return near.size < 2 or float(np.diff(near).max()) > width


def off_the_rise(energy: Array, mu: Array, e0: float, width: float) -> Array:
    """E0 (m,) of rows mu (m, n) on energy (n,): the main rise if it is coarsely sampled and `e0` is not on it, else `e0`."""
    out = np.full(len(mu), e0)
    centers = np.arange(energy[0] + WINDOW, energy[-1] - WINDOW, _STEP)
    if not centers.size:
        return out
    rise = _rise(energy, mu, centers)
    here = rise[:, int(np.argmin(np.abs(centers - e0)))]
    top = rise.max(axis=1)
    for i in np.flatnonzero(here < ON_IT * top):
        main = float(centers[int(np.argmax(rise[i]))])
        steps = np.diff(energy[np.abs(energy - main) < WINDOW])
        if steps.size and steps.max() > width:
            out[i] = _steepest(energy, mu[i], main, float(steps.max()))
    return out


def _rise(energy: Array, mu: Array, centers: Array) -> Array:
    """The mean of rows mu (m, n) over WINDOW above each center (c,) minus the mean over WINDOW below it: (m, c)."""
    pieces = 0.5 * (mu[:, 1:] + mu[:, :-1]) * np.diff(energy)
    total = np.concatenate([np.zeros((len(mu), 1)), np.cumsum(pieces, axis=1)], axis=1)

    def until(at: Array) -> Array:
        left = np.clip(np.searchsorted(energy, at, side="right") - 1, 0, energy.size - 2)
        share = (at - energy[left]) / (energy[left + 1] - energy[left])
        return np.asarray(total[:, left] * (1 - share) + total[:, left + 1] * share)

    return (until(centers + WINDOW) - 2 * until(centers) + until(centers - WINDOW)) / WINDOW


def _steepest(energy: Array, mu: Array, main: float, step: float) -> float:
    """The energy in eV, within WINDOW of the main rise, about which mu (n,) rises most over one `step`."""
    grid = np.arange(main - WINDOW, main + WINDOW, _FINE)
    rise = np.interp(grid + step / 2, energy, mu) - np.interp(grid - step / 2, energy, mu)
    return float(grid[int(np.argmax(rise))])
