"""Whether E0 lies on the main rise of mu where the edge is sampled coarsely, and where it is if not.

The steepest point must have neighbours that are steep as well. Three such points span two steps: where a step is more than half
of the core hole's width, the edge may not hold them, and noise or structure in a denser part of the scan is taken. Means of mu over even windows of
energy do not depend on how the points lie.
"""

from __future__ import annotations

import numpy as np

from ..records import Array

WINDOW = 10.0  # eV; mu's mean over so much above an energy, less that below: an edge's rise as a triangle
ON_IT = 0.5  # E0 is on the main rise where its own rise is this share of the largest
NEAR = 30.0  # eV about E0 in which coarse steps call for the check
_STEP = 1.0  # eV of the grid on which the main rise is looked for
_FINE = 0.1  # eV of the grid on which the steepest place of a coarse edge is looked for


def coarse(energy: Array, e0: float, width: float) -> bool:
    """Whether points (n,) about `e0` lie farther apart than `width`, all in eV."""
    near = energy[np.abs(energy - e0) < NEAR]
    return near.size < 2 or float(np.diff(near).max()) > width


def off_the_rise(energy: Array, mu: Array, e0: float, width: float) -> Array:
    """E0 (m,) of rows mu (m, n) on energy (n,): `e0`, or where the main rise is when that is coarse and `e0` not on it."""
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
    """The mean of rows mu (m, n) over WINDOW above each center (c,), less that below: (m, c)."""
    pieces = 0.5 * (mu[:, 1:] + mu[:, :-1]) * np.diff(energy)
    total = np.concatenate([np.zeros((len(mu), 1)), np.cumsum(pieces, axis=1)], axis=1)

    def until(at: Array) -> Array:
        left = np.clip(np.searchsorted(energy, at, side="right") - 1, 0, energy.size - 2)
        share = (at - energy[left]) / (energy[left + 1] - energy[left])
        return np.asarray(total[:, left] * (1 - share) + total[:, left + 1] * share)

    return (until(centers + WINDOW) - 2 * until(centers) + until(centers - WINDOW)) / WINDOW


def _steepest(energy: Array, mu: Array, main: float, step: float) -> float:
    """Where mu (n,) rises most over one `step`, within WINDOW of the main rise, eV."""
    grid = np.arange(main - WINDOW, main + WINDOW, _FINE)
    rise = np.interp(grid + step / 2, energy, mu) - np.interp(grid - step / 2, energy, mu)
    return float(grid[int(np.argmax(rise))])
