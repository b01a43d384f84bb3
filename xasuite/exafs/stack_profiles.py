"""Asymmetric errors of the rows of a stack, by the profiles of exafs.profiles, for all rows that need them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..records import OK, Array, Chi
from .engine import fit_stack
from .engine.result import AT_BOUND, BatchFit
from .engine.spread import everything
from .profiles import LOWER, SAME, STRAIGHT, Flags, doubtful

# of rows with strongly correlated parameters so many are tested first; the others only if one of these is not a parabola
_LOOKED_AT = 8
# an end of the interval is found if the rise of chi-square differs from that of one standard error by less than this share
_FOUND = 0.04
_STEPS = 6
# largest factor between successive trial distances
_LONGEST = 3.0

Rows = NDArray[np.intp]
Ends = dict[str, tuple[Array, Array]]


def stack_ends(fit: BatchFit, chi: Chi, epsilon_k: float | None = None) -> Ends:
    """The errors downwards and upwards (m,) of the fit, NaN where the standard error is good enough.

    Parameters
    ----------
    fit : BatchFit
        The result of fit_stack.
    chi, epsilon_k :
        The arguments of that fit.

    Returns
    -------
    dict
        Errors by names of varied parameters, and by keys of path quantities ("Co-O.n") that depend on one of them only.
    """
    program, sigma = fit.program, np.sqrt(np.einsum("mii->mi", fit.covar))
    near, strong = doubtful(program, fit.x, fit.covar)
    usable = np.isin(fit.status, (OK, AT_BOUND))[:, None]
    found: dict[int, tuple[Array, Array]] = {}
    for i in range(program.n_varied):
        search = _Search(fit, chi, epsilon_k, i, _scale(sigma[:, i]), program.lower[i], program.upper[i])
        rows = np.flatnonzero((near & usable)[:, i])
        others = np.setdiff1d(np.flatnonzero((strong & usable)[:, i]), rows)
        some = others[:: max(1, -(-others.size // _LOOKED_AT))]
        if some.size and not search.straight(some).all():
            rows = np.sort(np.concatenate([rows, others]))
        if rows.size:
            found[i] = search.ends(rows)
    return dict(_named(fit, found))


def _scale(sigma: Array) -> Array:
    """The standard errors (m,); where a parameter is at its bound, the median of the other rows."""
    known = sigma[np.isfinite(sigma)]
    return np.where(np.isfinite(sigma), sigma, np.median(known) if known.size else 0.0)


@dataclass(frozen=True, eq=False)
class _Search:
    """The profile of one parameter: it is fixed at a value of each row, and the others are fitted. `sigma` (m,) are its errors."""

    fit: BatchFit
    chi: Chi
    epsilon_k: float | None
    number: int
    sigma: Array
    lower: float
    upper: float

    def heights(self, rows: Rows, away: Array) -> Array:
        """The rise of chi-square (n,) relative to that of one standard error, with the parameter `away` (n,) from its minimum."""
        fit, name = self.fit, self.fit.names[self.number]
        model = replace(fit.model, params=tuple(p for p in fit.model.params if p.name != name))
        own = {n: v[rows] for n, v in fit.variables.items()} | {name: fit.x[rows, self.number] + away}
        start: Mapping[str, float] = {
            n: float(np.median(fit.x[rows, j])) for j, n in enumerate(fit.names) if j != self.number
        }
        given = None if self.epsilon_k is None else np.full(rows.size, self.epsilon_k)
        chi, backend = replace(self.chi.take(rows), variables=own), fit.backend
        again = fit_stack(model, chi, epsilon_k=given, start=start, backend=backend)
        risen = (again.chi2 - fit.chi2[rows]) / fit.chi2_reduced[rows]
        return np.asarray(np.where(np.isin(again.status, (OK, AT_BOUND)), risen, np.nan))

    def room(self, rows: Rows, side: int) -> Array:
        """The distance (n,) to the bound on one side."""
        x = self.fit.x[rows, self.number]
        return np.asarray(np.maximum(self.upper - x if side > 0 else x - self.lower, 0.0))

    def straight(self, rows: Rows) -> Flags:
        """Rows (n,) whose chi-square follows a parabola one standard error away on both sides, within the bounds."""
        sigma = self.sigma[rows]
        # both sides in one stack: for few rows the time is that of one call
        off = np.abs(self.heights(np.tile(rows, 2), np.concatenate([-sigma, sigma])) - 1.0)
        within = np.concatenate([self.room(rows, side) > sigma for side in (-1, 1)])
        return np.asarray(((off < STRAIGHT) & within).reshape(2, -1).all(axis=0))

    def ends(self, rows: Rows) -> tuple[Array, Array]:
        """Errors downwards and upwards (m,); NaN where they equal the standard error or are not found."""
        sides = [self._end(rows, side) for side in (-1, 1)]
        sigma = self.sigma[rows]
        held = ~np.isfinite(np.einsum("mii->mi", self.fit.covar)[rows, self.number])
        same = ~held & np.all([np.abs(s - sigma) < SAME * sigma for s in sides], axis=0)
        lost = same | np.any(np.isnan(sides), axis=0)
        out = np.full((2, len(self.fit)), np.nan)
        out[:, rows] = np.where(lost, np.nan, sides)
        return out[0], out[1]

    def _end(self, rows: Rows, side: int) -> Array:
        """The distance (n,) to one end of the interval, or to the bound; steps scale with the root of the rise."""
        room = self.room(rows, side)
        away = np.minimum(self.sigma[rows], room)
        out = np.where(room > 0, np.nan, 0.0)
        left = np.flatnonzero((room > 0) & (away > 0))
        for _ in range(_STEPS):
            if not left.size:
                break
            height = self.heights(rows[left], side * away[left])
            done = (np.abs(height - 1) < _FOUND) | (
                (away[left] >= room[left]) & (height < 1) & (height > -LOWER)
            )
            out[left[done]] = away[left[done]]
            # no value, or a lower minimum was found
            go_on = ~done & (height > -LOWER)
            left, height = left[go_on], height[go_on]
            factor = np.clip(1 / np.sqrt(np.maximum(height, 1e-6)), 1 / _LONGEST, _LONGEST)
            away[left] = np.minimum(away[left] * factor, room[left])
        return out


def _named(
    fit: BatchFit, found: Mapping[int, tuple[Array, Array]]
) -> Iterator[tuple[str, tuple[Array, Array]]]:
    """The errors of parameters, and of path quantities that depend on one of them only."""
    if not found:
        return
    program, numbers = fit.program, fit.numbers
    here = everything(program, fit.model, fit.x, numbers)[1]
    for i, (minus, plus) in found.items():
        yield fit.names[i], (minus, plus)
        both = []
        for away in (-minus, plus):
            x = fit.x.copy()
            x[:, i] += away
            both.append(everything(program, fit.model, x, numbers)[1])
        for key, (value, slope) in here.items():
            if np.flatnonzero(slope[:, : program.n_varied].any(axis=0)).tolist() == [i]:
                there = np.stack([b[key][0] for b in both])
                yield (
                    key,
                    (np.maximum(value - there.min(axis=0), 0.0), np.maximum(there.max(axis=0) - value, 0.0)),
                )
