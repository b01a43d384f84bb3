"""Pre-edge lines and post-edge polynomials of many spectra at once, by the least squares of Larch's pre_edge.

Rows whose fits use the same points share their matrices (docs/decisions/engine_reduction.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..records import Array
from .autobk_matrices import at_or_below, nearest
from .norm_ranges import Ranges

MIN_STEP = 1e-12
# rows processed together: small enough for the processor's cache
CHUNK = 128


def polynomial_lines(
    energy: Array, mu: Array, e0s: Array, per_e0: Mapping[float, Ranges]
) -> dict[str, Array]:
    """edge_step (m,), pre_edge, post_edge, norm, flat (m, n) of mu (m, n) with E0 (m,), ranges by E0."""
    kinds: dict[_Windows, int] = {}
    windows = {e0: kinds.setdefault(_fit_windows(energy, e0, r), len(kinds)) for e0, r in per_e0.items()}
    out: dict[str, Array] = {name: np.empty(mu.shape) for name in ("pre_edge", "post_edge", "norm", "flat")}
    out["edge_step"] = np.empty(len(mu))
    each, place = np.unique(e0s, return_inverse=True)
    which = np.array([windows[float(e)] for e in each])[place]
    for fit, number in kinds.items():
        rows = np.flatnonzero(which == number)
        below, take_below = _powers(energy, fit.pre, fit.npre)
        above, take_above = _powers(energy, fit.post, fit.nnorm)
        both, level = np.vstack([below, above]), above[:, fit.at_e0, None]
        # the part of the pre-edge line that the post-edge polynomial takes up
        taken, bend = below[:, slice(*fit.post)] @ take_above.T, (above - level)[:, fit.at_e0 :]
        for i in range(0, len(rows), CHUNK):
            part = rows[i : i + CHUNK]
            at: Any = slice(part[0], part[-1] + 1) if part[-1] - part[0] + 1 == len(part) else part
            m = mu[at]
            line = m[:, slice(*fit.pre)] @ take_below.T
            curve = m[:, slice(*fit.post)] @ take_above.T - line @ taken
            step = np.maximum(np.abs(curve @ level), MIN_STEP)
            # written in place where the rows follow each other
            made = {name: values[at] for name, values in out.items()}
            made["edge_step"][:] = step[:, 0]
            np.matmul(line, below, out=made["pre_edge"])
            np.matmul(np.hstack([line, curve]), both, out=made["post_edge"])
            np.subtract(m, made["pre_edge"], out=made["norm"])
            made["norm"] *= 1 / step
            made["flat"][:, : fit.at_e0] = made["norm"][:, : fit.at_e0]
            bent = made["flat"][:, fit.at_e0 :]
            np.matmul(curve / step, bend, out=bent)
            np.subtract(made["norm"][:, fit.at_e0 :], bent, out=bent)
            if not isinstance(at, slice):
                for name, values in made.items():
                    out[name][at] = values
    return out


@dataclass(frozen=True)
class _Windows:
    """Points of the pre-edge and post-edge fits, the orders of their polynomials, and the point nearest E0."""

    pre: tuple[int, int]
    npre: int
    post: tuple[int, int]
    nnorm: int
    at_e0: int


def _fit_windows(energy: Array, e0: float, ranges: Ranges) -> _Windows:
    """The points that Larch would fit, with its fallbacks for ranges with few points."""
    n, pre, norm, nnorm = energy.size, ranges.pre_range, ranges.norm_range, ranges.nnorm
    p1, p2 = at_or_below(energy, pre[0] + e0), nearest(energy, pre[1] + e0)
    npre = 1
    if at_or_below(energy - e0, pre[1]) - at_or_below(energy - e0, pre[0]) < 3:
        npre, p2 = 0, p2 + 1 if p2 == p1 else p2
    elif p2 - p1 < 2:
        p2 = min(n, p1 + 2)
    q1, q2 = at_or_below(energy, min(norm[0], norm[1] - 2) + e0), nearest(energy, norm[1] + e0)
    q1 = min(q1, n - 3)
    if q2 - q1 < 2:
        q1, nnorm = q1 - 2, 0
    elif q2 - q1 < 5:
        nnorm = min(1, nnorm)
    return _Windows((p1, p2), npre, (q1, q2), nnorm, nearest(energy, e0))


def _powers(energy: Array, points: tuple[int, int], order: int) -> tuple[Array, Array]:
    """Polynomials (order + 1, n) scaled to the fitted points, and the matrix that fits them there."""
    inside = energy[slice(*points)]
    middle, half = (inside[0] + inside[-1]) / 2, max((inside[-1] - inside[0]) / 2, 1e-9)
    basis = np.vander((energy - middle) / half, order + 1, increasing=True).T
    return basis, np.linalg.pinv(basis[:, slice(*points)].T)
