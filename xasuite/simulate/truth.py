"""The true paths of a simulated spectrum and their chi(E)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..constants import KTOE
from ..errors import DataError
from ..exafs.equation import path_chi
from ..feff.paths import FeffPath
from ..records import Array, frozen_array

VALUES = ("n", "s02", "e0", "deltar", "sigma2", "third", "fourth")
# Points of the Gauss-Hermite integration of chi(E) over the monochromator's Gaussian.
_NODES = 7
# Step of the table of chi(k), 1/A: the phase of a path of R = 6 A changes by 0.06 rad per step.
_TABLE_STEP = 0.005


@dataclass(frozen=True, eq=False)
class TruthPath:
    """One true path: FEFF's, and its values, each a number or one per row (m,) of a series.

    n replaces FEFF's degeneracy; deltar in A, sigma2, third, fourth in A^2, A^3, A^4, e0 in eV.
    """

    feff: FeffPath
    n: float | Array = 1.0
    s02: float | Array = 1.0
    e0: float | Array = 0.0
    deltar: float | Array = 0.0
    sigma2: float | Array = 0.003
    third: float | Array = 0.0
    fourth: float | Array = 0.0
    label: str = ""

    def __post_init__(self) -> None:
        for name in VALUES:
            value = frozen_array(getattr(self, name))
            if value.ndim > 1 or not np.all(np.isfinite(value)):
                raise DataError(
                    f"truth path {self.label or self.feff.index}: {name} is neither a finite number nor one per row"
                )
            object.__setattr__(self, name, value)

    @property
    def r(self) -> Array:
        """Distance in A, shape () or (m,)."""
        return self.feff.reff + np.asarray(self.deltar)

    def take(self, at: Any) -> TruthPath:
        """The values of some rows: an index for one, a slice for several."""
        values = {n: v[at] for n in VALUES if (v := np.asarray(getattr(self, n))).ndim}
        return replace(self, **values)


def rows_of(paths: Sequence[TruthPath], *others: Array | float | None) -> int | None:
    """How many rows the values have, None when all are single numbers. Raises DataError when they disagree."""
    arrays = [np.asarray(getattr(p, n)) for p in paths for n in VALUES]
    arrays += [np.asarray(o) for o in others if o is not None]
    sizes = sorted({a.size for a in arrays if a.ndim})
    if len(sizes) > 1:
        raise DataError(
            f"the values of the truth have different numbers of rows: {', '.join(map(str, sizes))}"
        )
    return sizes[0] if sizes else None


def chi_of_k(paths: Sequence[TruthPath], k: Array, shift: Array | float = 0.0) -> Array:
    """Sum of the paths' chi, (nk,) or (m, nk), on k (nk,) in 1/A; `shift` (eV) is added to every path's e0."""
    total: Array = np.zeros(k.shape)
    fixed: Array = np.zeros(k.shape)
    for path in paths:
        values = {n: np.asarray(getattr(path, n)) for n in VALUES}
        values["e0"] = values["e0"] + shift
        part = path_chi(path.feff, k, **values).imag
        # Paths that no row changes are summed once.
        if part.ndim == 1:
            fixed = fixed + part
        else:
            total = total + part
    return total + fixed


def chi_of_energy(
    paths: Sequence[TruthPath],
    above: Array,
    shift: Array | float,
    resolution: float,
    onset: tuple[float, float],
) -> Array:
    """chi at energies `above` (n,) the edge in eV, rising from zero over `onset` (1/A), broadened by the monochromator.

    `shift` () or (m,) is that of the edge, eV; `resolution` is the standard deviation of the Gaussian, eV.
    """
    if resolution <= 0:
        return _chi_at(paths, above, shift, onset)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    each = zip(nodes, weights, strict=True)
    total = sum(w * _chi_at(paths, above + x * resolution, shift, onset) for x, w in each)
    return np.asarray(total / weights.sum())


def _chi_at(
    paths: Sequence[TruthPath], above: Array, shift: Array | float, onset: tuple[float, float]
) -> Array:
    moved = np.asarray(shift, float)
    lead = rows_of(paths, moved)
    on = above > onset[0] ** 2 * KTOE + float(np.min(moved))
    out = np.zeros((above.size,) if lead is None else (lead, above.size))
    if not paths or not on.any():
        return out
    own = np.maximum(above[on] - moved[..., None], 0.0)
    k = np.sqrt(own / KTOE)
    fixed = [p for p in paths if rows_of([p]) is None]
    if moved.ndim == 0:
        total = chi_of_k(paths, k)
    else:
        # paths that are equal in all rows are one function of the energy above the edge, tabulated once
        changing = [p for p in paths if rows_of([p]) is not None]
        total = _tabulated(fixed, k, onset[0]) + chi_of_k(changing, np.sqrt(above[on] / KTOE), moved)
    x = np.clip((k - onset[0]) / (onset[1] - onset[0]), 0.0, 1.0)
    out[..., on] = x * x * (3 - 2 * x) * total
    return out


def _tabulated(paths: Sequence[TruthPath], k: Array, start: float) -> Array:
    """chi of paths without rows, at k of any shape, by a cubic spline with an error of 1e-7 of its size."""
    from scipy.interpolate import make_interp_spline

    grid = np.arange(0.5 * start, float(k.max()) + 2 * _TABLE_STEP, _TABLE_STEP)
    return np.asarray(make_interp_spline(grid, chi_of_k(paths, grid), k=3)(np.maximum(k, grid[0])))
