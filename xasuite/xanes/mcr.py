"""MCR-ALS with pymcr: starts from EFA or purest spectra, closure, unimodality, and the rotational freedom."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ComponentError
from ..records import Array, Normalized, Series
from ..records.quantities import Quantity
from ..records.table import Presented, Table
from .matrix import matrix
from .rotation import Match, bands, closest

STARTS = ("efa", "purest")
PATIENCE = 50  # iterations that may go without improvement before ALS stops


@dataclass(frozen=True, eq=False)
class MCR(Presented):
    """Spectra (k, n) and concentrations (m, k) of k components, and how well they remake the m spectra.

    `rms_least` is the RMS left by the first k principal components, the least of any bilinear model. `low`, `high`
    (m, k) are the bounds of each concentration over rotations that keep the fit, closure and non-negativity; None
    unless `freedom` was asked for.
    """

    energy: Array
    data: Array
    labels: tuple[str, ...]
    spectra: Array
    concentrations: Array
    rms: float
    rms_least: float
    iterations: int
    converged: bool
    start: str
    closure: bool
    unimodal: bool
    low: Array | None = None
    high: Array | None = None

    @property
    def fit(self) -> Array:
        """The spectra as remade, (m, n)."""
        return self.concentrations @ self.spectra

    @property
    def lack_of_fit(self) -> float:
        """100 sqrt(sum residual^2 / sum data^2), per cent."""
        return float(100 * np.linalg.norm(self.data - self.fit) / np.linalg.norm(self.data))

    def summary(self) -> Table:
        """One row per spectrum: concentrations, and the bounds of their rotational freedom."""
        columns: list[str | Quantity] = ["label"]
        values: list[Any] = [self.labels]
        for j in range(self.concentrations.shape[1]):
            columns.append(Quantity(f"c{j + 1}", form=".3f"))
            values.append(self.concentrations[:, j])
            for name, bound in (("low", self.low), ("high", self.high)):
                if bound is not None:
                    columns.append(Quantity(f"c{j + 1}_{name}", f"c{j + 1} {name}", form=".3f"))
                    values.append(bound[:, j])
        facts = (
            ("Started from", self.start),
            ("RMS", f"{self.rms:.5f} (least possible {self.rms_least:.5f})"),
            ("Lack of fit", f"{self.lack_of_fit:.2f} %"),
            ("Iterations", str(self.iterations)),
        )
        return Table.of("Concentrations by MCR-ALS", columns, zip(*values, strict=True), facts=facts)


def mcr_als(
    records: Normalized | Series | Sequence[Normalized],
    n: int,
    *,
    energy_range: tuple[float, float] | None = None,
    array: str = "flat",
    grid: Array | None = None,
    start: str | Sequence[int] | Array = "efa",
    closure: bool = True,
    unimodal: bool = False,
    freedom: bool = False,
    max_iterations: int = 300,
    tolerance: float = 1e-9,
) -> MCR:
    """Multivariate curve resolution by alternating least squares (Tauler, Chemom. Intell. Lab. Syst. 30, 133 (1995)).

    Parameters
    ----------
    records : Normalized, Series or sequence of Normalized
        m normalised spectra.
    n : int
        Number of components, 2 or more.
    energy_range : tuple of float, optional
        Range in eV, absolute.
    array : str
        "norm" or "flat".
    grid : array, shape (points,), optional
        Energies in eV to interpolate onto.
    start : str, sequence of int, or array, shape (n, points)
        "efa" (evolving factor analysis: for spectra in the order of a process), "purest" (the spectra that span the largest simplex), row
        numbers, or spectra.
    closure : bool
        Concentrations sum to one.
    unimodal : bool
        Each concentration has one maximum along the series.
    freedom : bool
        Find the bounds that the same fit allows each concentration.
    max_iterations : int
        Iterations at most.
    tolerance : float
        Iterations stop when the mean squared residual changes by less.

    Returns
    -------
    MCR
        Spectra (n, points) and concentrations (m, n), both non-negative.

    Raises
    ------
    ComponentError
        Too few spectra, or a start that does not fit.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 2.0)
    >>> def edge(e0):
    ...     mu = 0.5 + np.arctan((energy - e0) / 1.5) / np.pi
    ...     return xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7710.0, norm_range=(80, 280))
    >>> found = mcr_als([edge(e) for e in (7707.0, 7708.0, 7710.0, 7712.0, 7713.0)], 2, max_iterations=20)
    >>> found.concentrations.shape
    (5, 2)
    """
    m = matrix(records, energy_range=energy_range, array=array, grid=grid)
    if not 2 <= n <= min(m.rows.shape) - 1:
        raise ComponentError(f"{n} components of {len(m.rows)} spectra; choose 2 to {len(m.rows) - 1}")
    first, name = _start(m.rows, n, start)
    c, s, iterations = _als(m.rows, first, closure, unimodal, max_iterations, tolerance)
    rest = np.linalg.svd(m.rows, compute_uv=False)[n:]
    low, high = bands(c, s) if freedom else (None, None)
    return MCR(
        energy=m.energy,
        data=m.rows,
        labels=m.labels,
        spectra=s,
        concentrations=c,
        rms=float(np.sqrt(np.mean((m.rows - c @ s) ** 2))),
        rms_least=float(np.sqrt(np.sum(rest**2) / m.rows.size)),
        iterations=iterations,
        converged=iterations < max_iterations,
        start=name,
        closure=closure,
        unimodal=unimodal,
        low=low,
        high=high,
    )


def _als(
    d: Array, first: Array, closure: bool, unimodal: bool, most: int, tolerance: float
) -> tuple[Array, Array, int]:
    """Concentrations, spectra and the number of iterations of pymcr's alternating least squares."""
    from pymcr.constraints import ConstraintNonneg, ConstraintNorm
    from pymcr.mcr import McrAR

    on_c: list[Any] = [ConstraintNonneg()]
    if unimodal:
        on_c.append(_unimodal_constraint())
    if closure:
        on_c.append(ConstraintNorm())
    als = McrAR(
        max_iter=most,
        c_regr="NNLS",
        st_regr="NNLS",
        c_constraints=on_c,
        st_constraints=[ConstraintNonneg()],
        tol_err_change=tolerance,
        tol_increase=np.inf,  # a rise of the residual is normal under closure; the best iteration is kept
        tol_n_increase=PATIENCE,
        tol_n_above_min=PATIENCE,
    )
    log = logging.getLogger("pymcr.mcr")
    log.addFilter(_quiet)
    try:
        als.fit(d, ST=first)
    finally:
        log.removeFilter(_quiet)
    return np.asarray(als.C_opt_), np.asarray(als.ST_opt_), int(als.n_iter)


def _quiet(record: logging.LogRecord) -> bool:
    """A filter that stops the progress messages of pymcr, which sets its own level."""
    return record.levelno >= logging.ERROR


def match(found: MCR, concentrations: Array) -> Match:
    """How concentrations agree with another program's, the components matched one to one.

    Parameters
    ----------
    found : MCR
        The result of `mcr_als`.
    concentrations : array, shape (m, k)
        The other program's.

    Returns
    -------
    Match
        Correlations as found, and for the rotation with closure, non-negativity and the same fit that comes closest.

    Raises
    ------
    ComponentError
        Another shape than (m, k).

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 2.0)
    >>> def edge(e0):
    ...     mu = 0.5 + np.arctan((energy - e0) / 1.5) / np.pi
    ...     return xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7710.0, norm_range=(80, 280))
    >>> found = mcr_als([edge(e) for e in (7707.0, 7708.0, 7710.0, 7712.0, 7713.0)], 2, max_iterations=20)
    >>> bool(min(match(found, found.concentrations).correlations) > 0.999)
    True
    """
    other = np.asarray(concentrations, float)
    if other.shape != found.concentrations.shape:
        raise ComponentError(
            f"the other concentrations have shape {other.shape}, these {found.concentrations.shape}; give (m, k)"
        )
    return closest(found.concentrations, found.spectra, other)


def _start(d: Array, n: int, start: str | Sequence[int] | Array) -> tuple[Array, str]:
    if isinstance(start, str):
        if start == "efa":
            return _spectra_of(evolving_factors(d, n), d), "EFA"
        if start == "purest":
            rows = purest(d, n)
            return d[rows], f"purest spectra {', '.join(str(r + 1) for r in rows)}"
        raise ComponentError(f"start = {start!r} is unknown; choose {' or '.join(STARTS)}, rows or spectra")
    given = np.asarray(start)
    if given.ndim == 1 and given.size == n and np.issubdtype(given.dtype, np.integer):
        if given.min() < 0 or given.max() >= len(d):
            raise ComponentError(f"start rows {given.tolist()} lie outside 0 to {len(d) - 1}")
        return d[given], f"spectra {', '.join(str(r + 1) for r in given)}"
    if given.shape == (n, d.shape[1]):
        return given.astype(float), "given spectra"
    raise ComponentError(
        f"start has shape {given.shape}; give {n} row numbers or spectra ({n}, {d.shape[1]})"
    )


def _spectra_of(c: Array, d: Array) -> Array:
    return np.clip(np.linalg.lstsq(c, d, rcond=None)[0], 0, None)


def evolving_factors(d: Array, n: int) -> Array:
    """Concentrations (m, n) from evolving factor analysis (Maeder, Anal. Chem. 59 (1987) 527), rows sum to one.

    The component that appears i-th is taken to vanish (n - i)-th from the end.
    """
    m = len(d)
    forward, backward = np.zeros((m, n)), np.zeros((m, n))
    for i in range(1, m + 1):
        k = min(i, n)
        forward[i - 1, :k] = np.linalg.svd(d[:i], compute_uv=False)[:k]
        backward[m - i, :k] = np.linalg.svd(d[m - i :], compute_uv=False)[:k]
    noise = np.linalg.svd(d, compute_uv=False)[n]
    low = np.clip(np.minimum(forward, backward[:, ::-1]) - noise, 0, None) + 1e-9
    return low / low.sum(1, keepdims=True)


def purest(d: Array, n: int) -> list[int]:
    """Rows of the spectra that span the largest simplex, found one by one, in their order in the series."""
    centred = d - d.mean(0)
    rows = [int(np.argmax(np.linalg.norm(centred, axis=1)))]
    left = d - d[rows[0]]
    while len(rows) < n:
        rows.append(int(np.argmax(np.linalg.norm(left, axis=1))))
        direction = left[rows[-1]] / np.linalg.norm(left[rows[-1]])
        left = left - np.outer(left @ direction, direction)
    return sorted(rows)


def _unimodal_constraint() -> Any:
    from pymcr.constraints import Constraint
    from scipy.optimize import isotonic_regression

    class Unimodal(Constraint):
        """Each column is replaced by the nearest one that rises to a single maximum and falls."""

        def transform(self, A: Array) -> Array:
            return np.column_stack([self._nearest(column) for column in A.T])

        @staticmethod
        def _nearest(y: Array) -> Array:
            best, least = y, np.inf
            for top in range(y.size):
                up = isotonic_regression(y[: top + 1]).x
                down = isotonic_regression(y[top:], increasing=False).x
                joined = np.concatenate([up[:-1], [max(up[-1], down[0])], down[1:]])
                error = float(np.sum((joined - y) ** 2))
                if error < least:
                    best, least = joined, error
            return best

    return Unimodal()
