"""The regression under a valence calibration: E = g(valence), errors in both, and the scatter between compounds.

Formal valences are exact or have an error; edge energies always have one. Ligands and site geometry move an edge too:
the scatter beyond the measured errors is tau, in eV, and applies to every compound, the unknown included
(docs/decisions/valence_interval.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.polynomial import polyder, polyroots, polyval

from ..errors import CalibrationError
from ..records import Array

_TAU_STEPS = 60
TAU_TOLERANCE = 1e-4  # eV


@dataclass(frozen=True)
class Line:
    """A fitted E = sum c_k (v - centre)^k: coefficients, covariance, scatter tau (eV), chi-square, degrees of freedom.

    `chi2` is that of the measured errors alone (tau = 0).
    """

    coef: Array
    cov: Array
    centre: float
    tau: float
    chi2: float
    dof: int

    @property
    def degree(self) -> int:
        """1 for a line, 2 for a parabola."""
        return len(self.coef) - 1

    def energy(self, valence: Array | float) -> Array:
        """E on the curve at a valence, eV."""
        return np.asarray(polyval(np.asarray(valence, float) - self.centre, self.coef), np.float64)

    def slope(self, valence: Array | float) -> Array:
        """dE/dv at a valence, eV per unit of valence."""
        return np.asarray(polyval(np.asarray(valence, float) - self.centre, polyder(self.coef)), np.float64)

    def variance(self, valence: Array | float) -> Array:
        """Variance of the curve itself at a valence, eV^2 (without the scatter tau)."""
        x = np.vander(
            np.atleast_1d(np.asarray(valence, float) - self.centre), len(self.coef), increasing=True
        )
        out = np.einsum("ij,jk,ik->i", x, self.cov, x)
        return out if np.ndim(valence) else out[0]


def fit_line(
    valence: Array,
    energy: Array,
    energy_err: Array,
    valence_err: Array | None = None,
    *,
    degree: int = 1,
    slope: tuple[float, float] | None = None,
    scatter: bool = True,
) -> Line:
    """Weighted polynomial E(valence) with errors of both, by least squares in which the true valences are fitted too.

    Degree 1 with errors in both is York's line (York et al., Am. J. Phys. 72 (2004) 367). `scatter` adds tau,
    the standard deviation between compounds at which chi-square equals its degrees of freedom (Paule & Mandel,
    J. Res. NBS 87 (1982) 377); `slope` is a stated dE/dv with its error, which counts as one more observation.

    Raises CalibrationError for negative or zero errors and for too few different valences.
    """
    v, e, se = (np.asarray(a, float) for a in (valence, energy, energy_err))
    sv = np.zeros_like(v) if valence_err is None else np.asarray(valence_err, float)
    if np.any(se <= 0) or np.any(sv < 0) or not np.isfinite([*v, *e, *se, *sv]).all():
        raise CalibrationError(
            "a standard's energy error must be a positive number of eV and its valence error not negative"
        )
    known = np.unique(v).size + (slope is not None)
    if known < degree + 1:
        raise CalibrationError(
            f"the standards have {np.unique(v).size} different formal valence(s); a calibration of degree "
            f"{degree} needs {degree + 1}: add standards of other valences"
        )
    centre = float(v.mean())
    dof = v.size + (slope is not None) - (degree + 1)

    def at(tau: float) -> tuple[Array, Array, float]:
        return _solve(v - centre, e, np.hypot(se, tau), sv, degree, slope)

    coef, cov, chi2 = at(0.0)
    tau = 0.0
    if scatter and dof > 0 and chi2 > dof:
        low, high = 0.0, float(np.ptp(e)) + float(se.max())
        for _ in range(_TAU_STEPS):
            tau = 0.5 * (low + high)
            coef, cov, now = at(tau)
            low, high = (tau, high) if now > dof else (low, tau)
            if high - low < TAU_TOLERANCE:
                break
    return Line(coef, cov, centre, tau, chi2, dof)


def _solve(
    v: Array, e: Array, se: Array, sv: Array, degree: int, slope: tuple[float, float] | None
) -> tuple[Array, Array, float]:
    """Coefficients, covariance and chi-square; the true valences are free where their error is not zero."""
    x = np.vander(v, degree + 1, increasing=True) / se[:, None]
    y = e / se
    if slope is not None:
        x = np.vstack([x, np.eye(degree + 1)[1] / slope[1]])
        y = np.append(y, slope[0] / slope[1])
    coef = np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64)
    if not sv.any():
        return coef, np.asarray(np.linalg.inv(x.T @ x), np.float64), float(np.sum((y - x @ coef) ** 2))
    from scipy.optimize import least_squares

    free = sv > 0
    n_free = int(free.sum())

    def true_valences(p: Array) -> Array:
        true = v.copy()
        true[free] = p[degree + 1 :]
        return true

    def residual(p: Array) -> Array:
        true = true_valences(p)
        stated = [] if slope is None else [(p[1] - slope[0]) / slope[1]]
        return np.concatenate(
            [(polyval(true, p[: degree + 1]) - e) / se, (true - v)[free] / sv[free], stated]
        )

    def jacobian(p: Array) -> Array:
        true = true_valences(p)
        slopes = polyval(true, polyder(p[: degree + 1]))
        rows = np.zeros((v.size + n_free + (slope is not None), degree + 1 + n_free))
        rows[: v.size, : degree + 1] = np.vander(true, degree + 1, increasing=True) / se[:, None]
        rows[np.flatnonzero(free), degree + 1 + np.arange(n_free)] = (slopes / se)[free]
        rows[v.size + np.arange(n_free), degree + 1 + np.arange(n_free)] = 1 / sv[free]
        if slope is not None:
            rows[-1, 1] = 1 / slope[1]
        return rows

    found = least_squares(
        residual, np.concatenate([coef, v[free]]), jac=jacobian, method="lm", xtol=1e-13, ftol=1e-13
    )
    cov = np.linalg.inv(found.jac.T @ found.jac)[: degree + 1, : degree + 1]
    return found.x[: degree + 1], cov, float(2 * found.cost)


def invert(line: Line, energy: float, near: tuple[float, float]) -> float:
    """The valence at which the curve has an energy; for a parabola the root nearest the standards' range."""
    shifted = line.coef.copy()
    shifted[0] -= energy
    roots = polyroots(np.trim_zeros(shifted, "b"))
    real = roots[np.abs(roots.imag) < 1e-9].real + line.centre
    if real.size == 0:
        raise CalibrationError(
            f"the parabola never reaches {energy:.2f} eV: the energy lies beyond its turning point; use degree 1"
        )
    middle = 0.5 * (near[0] + near[1])
    return float(real[np.argmin(np.abs(real - middle))])


def fieller(line: Line, energy: float, energy_err: float, t: float, valence: float) -> tuple[float, float]:
    """Interval of the valence for one measured energy: every v whose prediction band holds that energy.

    (E - g(v))^2 <= t^2 (s^2 + tau^2 + var g(v)). For a line these are the roots of Fieller's quadratic (J. R.
    Stat. Soc. B 16 (1954) 175); for a parabola the same condition is solved numerically. Infinite where the
    slope is not different from zero at this level.
    """
    s2 = energy_err**2 + line.tau**2
    if line.degree == 1:
        (a0, a1), c = line.coef, line.cov
        d = energy - a0
        qa = a1**2 - t**2 * c[1, 1]
        qb = -2 * (d * a1 + t**2 * c[0, 1])
        qc = d**2 - t**2 * (s2 + c[0, 0])
        if qa <= 0:
            return -np.inf, np.inf
        root = np.sqrt(max(qb**2 - 4 * qa * qc, 0.0))
        return (-qb - root) / (2 * qa) + line.centre, (-qb + root) / (2 * qa) + line.centre
    return _edge(line, energy, s2, t, valence, -1.0), _edge(line, energy, s2, t, valence, +1.0)


def _edge(line: Line, energy: float, s2: float, t: float, valence: float, side: float) -> float:
    from scipy.optimize import brentq

    def outside(v: float) -> float:
        return float((energy - line.energy(v)) ** 2 - t**2 * (s2 + line.variance(v)))

    step = 0.02
    at = valence
    for _ in range(200):
        further = at + side * step
        if outside(further) > 0:
            return float(brentq(outside, at, further))
        at, step = further, step * 1.08
    return float(side * np.inf)
