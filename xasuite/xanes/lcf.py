"""Linear combination of references: a sum to one that holds with bounds, standard errors, all subsets ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ComponentError
from ..records import Array, Normalized, Series
from ..records.quantities import Quantity, quantity
from ..records.table import Entry, Presented, Table
from .matrix import Matrix, independent_points, matrix

if TYPE_CHECKING:
    import pandas as pd

MOST = 10  # references at most: all of their 1023 subsets are tried
AT_BOUND = 1e-12


@dataclass(frozen=True, eq=False)
class Combination(Presented):
    """Weights (m, k) of k references in m spectra with standard errors, and the quality of each fit.

    `rfactor` (m,) is sum (y - fit)^2 / sum y^2, `chi2_reduced` (m,) that sum over the variance of the noise and
    the independent points less the free weights. A weight at its bound has the error of the free fit.
    """

    energy: Array
    data: Array
    fit: Array
    references: Array
    names: tuple[str, ...]
    labels: tuple[str, ...]
    weights: Array
    stderr: Array
    rfactor: Array
    chi2_reduced: Array
    rms: Array
    sum_to_one: bool
    bounded: bool

    def summary(self) -> Table:
        """One row per spectrum: weights with errors, their sum, R factor, reduced chi-square."""
        weights: list[str | Quantity] = [Quantity(name, form=".4f") for name in self.names]
        fits = zip(self.labels, self.weights, self.stderr, self.rfactor, self.chi2_reduced, strict=True)
        rows = ((label, *map(Entry, w, e), w.sum(), r, chi2) for label, w, e, r, chi2 in fits)
        # R factors of normalised spectra are far smaller than those of chi
        rfactor = replace(quantity("rfactor"), form=".2g")
        columns = ("label", *weights, Quantity("sum", "Sum", form=".4f"), rfactor, "chi2_reduced")
        return Table.of("Weights of the references", columns, rows)


def linear_combination(
    spectra: Normalized | Series | Sequence[Normalized],
    references: Normalized | Series | Sequence[Normalized],
    *,
    energy_range: tuple[float, float] | None = None,
    array: str = "norm",
    sum_to_one: bool = True,
    bounded: bool = True,
) -> Combination:
    """Weights of references in each spectrum, by least squares with exact bounds and an exact sum.

    Parameters
    ----------
    spectra, references : Normalized, Series or sequence of Normalized
        The references are interpolated onto the spectra's energies.
    energy_range : tuple of float, optional
        Range in eV, absolute.
    array : str
        "norm" or "flat".
    sum_to_one : bool
        The weights sum to one.
    bounded : bool
        Each weight lies between 0 and 1.

    Returns
    -------
    Combination
        Weights (m, k) with standard errors, R factor and reduced chi-square of each spectrum (docs/decisions/linear_combination.md).

    Raises
    ------
    ComponentError
        No reference, more than ten, two that cannot be distinguished, or one of another edge.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 0.5)
    >>> def edge(e0):
    ...     mu = 0.5 + np.arctan((energy - e0) / 1.5) / np.pi
    ...     return xs.normalize(xs.Spectrum(energy, mu, "Co", "K", label=f"{e0:g}"), e0=7710.0, norm_range=(80, 280))
    >>> found = linear_combination(edge(7708.0), [edge(7708.0), edge(7712.0)], energy_range=(7690, 7740))
    >>> [round(float(w), 3) for w in found.weights[0]]
    [1.0, 0.0]
    """
    y = matrix(spectra, energy_range=energy_range, array=array)
    return _combine(y, _references(references, y, array), sum_to_one, bounded)


def _references(given: Normalized | Series | Sequence[Normalized], y: Matrix, array: str) -> Matrix:
    """The references on the spectra's energies. Raises ComponentError for another edge than theirs."""
    for one in given if isinstance(given, Sequence) else ():
        if one.element and y.element and (one.element, one.edge) != (y.element, y.edge):
            raise ComponentError(
                f"reference {one.label} is {one.element} {one.edge}, the spectra are {y.element} {y.edge}; leave it out"
            )
    return matrix(given, grid=y.energy, array=array)


def _combine(y: Matrix, r: Matrix, sum_to_one: bool, bounded: bool) -> Combination:
    k, n = r.rows.shape
    if k > MOST:
        raise ComponentError(
            f"{k} references are more than {MOST}; rank smaller sets, or find them by PCA first"
        )
    scale = np.linalg.norm(r.rows, axis=1)
    if np.linalg.matrix_rank(r.rows / scale[:, None], tol=1e-6) < k:
        raise ComponentError(
            f"the references {', '.join(r.labels)} are too alike on this range of energies; leave one out"
        )
    weights = np.zeros((len(y.rows), k))
    best = np.full(len(y.rows), np.inf)
    supports = _supports(k) if bounded else [tuple(range(k))]
    for support in supports:
        w = _solve(y.rows, r.rows[list(support)], sum_to_one)
        rss = np.sum((y.rows - w @ r.rows[list(support)]) ** 2, axis=1)
        allowed = (w >= -AT_BOUND).all(1) & (w <= 1 + AT_BOUND).all(1) if bounded else np.ones(len(w), bool)
        better = allowed & (rss < best)
        weights[better] = 0.0
        weights[np.ix_(better, support)] = np.clip(w[better], 0, 1) if bounded else w[better]
        best = np.where(better, rss, best)
    if not np.isfinite(best).all():  # without the sum, a best fit can exceed 1 on every support
        raise ComponentError(
            "no combination within 0 to 1 exists for a spectrum; fit without bounds and look"
        )
    fit = weights @ r.rows
    free = np.maximum((weights > AT_BOUND).sum(1), 1) - sum_to_one
    points = independent_points(y)
    variance = best / np.maximum(n - free, 1)
    noise = np.hypot(y.noise, np.sqrt(weights**2 @ r.noise**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = best / n * points / noise**2 / np.maximum(points - free, 1)
    return Combination(
        energy=y.energy,
        data=y.rows,
        fit=fit,
        references=r.rows,
        names=r.labels,
        labels=y.labels,
        weights=weights,
        stderr=np.sqrt((variance * _inflation(y.rows - fit))[:, None] * _unit_variance(r.rows, sum_to_one)),
        rfactor=best / np.sum(y.rows**2, axis=1),
        chi2_reduced=chi2,
        rms=np.sqrt(best / n),
        sum_to_one=sum_to_one,
        bounded=bounded,
    )


def _inflation(residual: Array) -> Array:
    """Factor (m,) on a variance for correlated residuals: (1 + r) / (1 - r), r their correlation at lag one.

    A misfit is smooth and holds fewer independent points than its number; for white noise the factor is 1.
    """
    power = np.sum(residual**2, axis=1)
    lag = np.sum(residual[:, 1:] * residual[:, :-1], axis=1)
    r = np.clip(np.divide(lag, power, out=np.zeros_like(lag), where=power > 0), 0.0, 0.99)
    return (1 + r) / (1 - r)


def _supports(k: int) -> list[tuple[int, ...]]:
    """Every set of references that may have a weight above zero; the best fit is on one of them."""
    return [s for size in range(1, k + 1) for s in combinations(range(k), size)]


def _solve(y: Array, r: Array, sum_to_one: bool) -> Array:
    """Least squares weights (m, s); for a sum of one the last is one less the sum of the others."""
    if not sum_to_one:
        return np.asarray(np.linalg.lstsq(r.T, y.T, rcond=None)[0].T, np.float64)
    first = np.linalg.lstsq((r[:-1] - r[-1]).T, (y - r[-1]).T, rcond=None)[0].T
    return np.hstack([first, 1 - first.sum(1, keepdims=True)])


def _unit_variance(r: Array, sum_to_one: bool) -> Array:
    """Variance of each weight for a residual variance of one, of the fit without bounds."""
    if not sum_to_one:
        return np.diag(np.linalg.inv(r @ r.T))
    d = r[:-1] - r[-1]
    cov = np.linalg.inv(d @ d.T)
    return np.append(np.diag(cov), cov.sum())


def rank_references(
    spectrum: Normalized,
    references: Normalized | Series | Sequence[Normalized],
    *,
    energy_range: tuple[float, float] | None = None,
    array: str = "norm",
    most: int = 4,
) -> pd.DataFrame:
    """All subsets of up to `most` references for one spectrum, the best first, with Hamilton's test.

    Parameters
    ----------
    spectrum : Normalized
        One spectrum.
    references : Normalized, Series or sequence of Normalized
        The candidates.
    energy_range : tuple of float, optional
        Range in eV, absolute.
    array : str
        "norm" or "flat".
    most : int
        Largest number of references in a subset.

    Returns
    -------
    DataFrame
        One row per subset: references, weights, R factor, reduced chi-square, and the probability by Hamilton's test (Acta Cryst. 18, 502 (1965)) that the
        best subset of one reference less is as good. A subset that needs a weight at zero is marked.

    Raises
    ------
    ComponentError
        More than one spectrum.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 0.5)
    >>> def edge(e0):
    ...     mu = 0.5 + np.arctan((energy - e0) / 1.5) / np.pi
    ...     return xs.normalize(xs.Spectrum(energy, mu, "Co", "K", label=f"{e0:g}"), e0=7710.0, norm_range=(80, 280))
    >>> rank_references(edge(7708.0), [edge(7708.0), edge(7712.0)], energy_range=(7690, 7740))["references"][0]
    '7708'
    """
    import pandas as pd
    from scipy.special import betainc

    y = matrix(spectrum, energy_range=energy_range, array=array)
    if len(y.rows) != 1:
        raise ComponentError(f"references are ranked for one spectrum at a time, found {len(y.rows)}")
    r = _references(references, y, array)
    points = independent_points(y)
    table = []
    smallest: dict[int, float] = {}  # R factor of the best subset of a size; the supports come by size
    for support in (s for s in _supports(len(r.rows)) if len(s) <= most):
        size, at = len(support), list(support)
        c = _combine(y, Matrix(r.energy, r.rows[at], tuple(r.labels[i] for i in at), r.noise[at]), True, True)
        rfactor, dof = float(c.rfactor[0]), points - (size - 1)
        smallest[size] = min(smallest.get(size, np.inf), rfactor)
        needed = np.nan
        if size > 1 and dof > 0 and smallest[size - 1] > 0:
            needed = float(betainc(dof / 2, 0.5, min(rfactor / smallest[size - 1], 1.0)))
        weights = zip(c.weights[0], c.stderr[0], strict=True)
        table.append(
            {
                "references": " + ".join(c.names),
                "size": size,
                "weights": ", ".join(f"{w:.3f}({e:.3f})" for w, e in weights),
                "R factor": rfactor,
                "chi2 reduced": float(c.chi2_reduced[0]),
                "needed (p)": needed,
                "at bound": bool((c.weights[0] <= AT_BOUND).any()),
            }
        )
    return pd.DataFrame(table).sort_values(["chi2 reduced", "size"], ignore_index=True)
