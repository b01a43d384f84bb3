"""A computed XANES compared with a measured one: fitted values, agreement, and the agreement of wrong structures.

R = sum (data - model)^2 / sum data^2 on equal steps of energy. R alone is misleading: every comparison also has the R
of the bare atom (no neighbours) fitted with the same free parameters, and `rank` compares candidates with
the difference that noise and the error of the theory can make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import RangeError, TheoryError
from ..records import Array, Normalized, Record, Spectrum, axes
from .broadening import broadening_matrix, maxima
from .xanes import LIMITS, TheoryXanes

RANGE = (-10.0, 60.0)  # eV from the measured E0
STEP = 0.5  # eV
GAUSS = 2.0  # eV
SHIFTS = (-20.0, 20.0)  # eV
_LIMITS_OF = {"gauss": (0.2, 6.0), "lorentz": (0.0, 0.5), "stretch": (0.9, 1.15)}
FREE = ("shift", "scale", "gauss", "lorentz", "stretch")
_HELD: Mapping[str, float | None] = {"gauss": 0.0, "lorentz": 0.0, "stretch": 1.0, "shift": None}
# Two structures are distinguished when their R differ by this factor (docs/decisions/xanes_theory.md): the error of the
# theory is of the size of R.
EXCLUDED = 2.0


@dataclass(frozen=True, eq=False)
class Comparison(Record):
    """One theory fitted to one measurement, on energy (n,) in eV from the measured E0.

    `values` and `stderr` hold shift (eV), scale, gauss (eV), lorentz (eV/eV) and stretch; those that are not in
    `fitted` have no error. `atom` is the bare atom fitted with the same free parameters, with R `rfactor_atom`.
    """

    label: str
    energy: Array = field(metadata=axes("energy"))
    data: Array = field(metadata=axes("energy"))
    model: Array = field(metadata=axes("energy"))
    atom: Array = field(metadata=axes("energy"))
    values: Mapping[str, float]
    stderr: Mapping[str, float]
    fitted: tuple[str, ...]
    rfactor: float
    rfactor_atom: float
    correlation: float
    correlation_atom: float
    peaks_data: tuple[float, ...] = ()
    peaks_theory: tuple[float, ...] = ()
    limits: tuple[str, ...] = LIMITS
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=lambda: {"kind": "theory against measured"})

    @property
    def residual(self) -> Array:
        """data - model (n,)."""
        return self.data - self.model


def measured_grid(
    measured: Spectrum, fit_range: tuple[float, float], step: float = STEP
) -> tuple[Array, Array]:
    """The measured normalised absorption on equal steps of energy from its E0. Raises RangeError.

    A Spectrum that is not normalised yet is normalised by polynomial ranges.
    """
    if not isinstance(measured, Normalized):
        from ..reduce import normalize

        measured = normalize(measured, method="polynomial")
    if measured.stacked:
        raise TheoryError(f"{measured.label}: compare one spectrum at a time; take a row of the series")
    relative = measured.energy - float(measured.e0)
    if relative[0] > fit_range[0] or relative[-1] < fit_range[1]:
        raise RangeError(
            f"{measured.label}: measured from {relative[0]:.0f} to {relative[-1]:.0f} eV about E0, the comparison "
            f"asks for {fit_range[0]:g} to {fit_range[1]:g}"
        )
    energy = np.arange(fit_range[0], fit_range[1] + step / 2, step)
    return energy, np.interp(energy, relative, measured.flat)


def compare(
    theory: TheoryXanes,
    measured: Spectrum,
    *,
    fit_range: tuple[float, float] = RANGE,
    free: Sequence[str] = (),
    gauss: float = GAUSS,
    lorentz: float = 0.0,
    stretch: float = 1.0,
    shift: float | None = None,
) -> Comparison:
    """A computed XANES fitted to a measured one by shift, scale and other numbers that theory does not predict.

    Parameters
    ----------
    theory : TheoryXanes
        The computed spectrum.
    measured : Spectrum or Normalized
        A Spectrum is normalised with the default settings.
    fit_range : tuple of float
        eV from the measured E0.
    free : sequence of str
        Which of gauss, lorentz, stretch are fitted with the scale and, unless it is given, the shift.
    gauss : float
        Gaussian sigma in eV, where not fitted.
    lorentz : float
        Growth of the Lorentzian's width in eV/eV, where not fitted.
    stretch : float
        Factor on the theory's energies, where not fitted.
    shift : float, optional
        Fermi level of the theory less the measured E0 in eV, fixed; left out, it is fitted.

    Returns
    -------
    Comparison
        Fitted values, R, the R of the bare atom, and the correlation.

    Raises
    ------
    TheoryError
        An unknown parameter, or a stack.
    RangeError
        The measured spectrum does not cover the range.

    Examples
    --------
    >>> theory = xs.theory.theory_xanes("Cu", absorber="Cu", radius=3.0, scf=False)
    >>> energy = 8979.0 + np.arange(-200.0, 300.0, 0.5)
    >>> mu = np.interp(energy - 8979.0, theory.energy, theory.mu)
    >>> made = xs.normalize(xs.Spectrum(energy, mu, "Cu", "K"), e0=8979.0, norm_range=(60, 290))
    >>> found = compare(theory, made)
    >>> found.rfactor < found.rfactor_atom
    True
    """
    unknown = [name for name in free if name not in FREE]
    if unknown:
        raise TheoryError(f"{unknown[0]!r} cannot be fitted to a spectrum; there are {', '.join(FREE)}")
    energy, data = measured_grid(measured, fit_range)
    fixed = {"gauss": gauss, "lorentz": lorentz, "stretch": stretch, "shift": shift}
    names = [n for n in FREE if (n in free or n in ("shift", "scale")) and (n != "shift" or shift is None)]
    values, stderr, model = _fit(theory.energy, theory.mu, energy, data, names, fixed)
    _, _, bare = _fit(theory.energy, theory.atom, energy, data, names, fixed)
    at = np.arange(energy[0], energy[-1], 0.25)
    return Comparison(
        label=theory.label,
        energy=energy,
        data=data,
        model=model,
        atom=bare,
        values=values,
        stderr=stderr,
        fitted=tuple(names),
        rfactor=rfactor(data, model),
        rfactor_atom=rfactor(data, bare),
        correlation=float(np.corrcoef(data, model)[0, 1]),
        correlation_atom=float(np.corrcoef(data, bare)[0, 1]),
        peaks_data=maxima(at, np.interp(at, energy, data)),
        peaks_theory=maxima(at, np.interp(at, energy, model)),
        limits=theory.limits,
        notes=theory.notes,
    )


def rfactor(data: Array, model: Array) -> float:
    """sum (data - model)^2 / sum data^2."""
    return float(((data - model) ** 2).sum() / (data**2).sum())


def _fit(
    grid: Array,
    mu: Array,
    energy: Array,
    data: Array,
    names: Sequence[str],
    fixed: Mapping[str, float | None],
) -> tuple[dict[str, float], dict[str, float], Array]:
    """Values, standard errors and the model (n,): the shift is found on a grid first, then all by lmfit."""
    import lmfit

    smooth = broadening_matrix(grid, fixed["gauss"] or 0.0, fixed["lorentz"] or 0.0) @ mu
    start = fixed["shift"]
    if start is None:
        tried = np.arange(SHIFTS[0], SHIFTS[1] + 0.01, 0.5)
        start = float(tried[np.argmin([_misfit(grid, smooth, energy - s, data) for s in tried])])
    params = lmfit.Parameters()
    params.add("shift", start, vary="shift" in names, min=SHIFTS[0] - 5, max=SHIFTS[1] + 5)
    params.add("scale", 1.0, vary="scale" in names, min=0.2, max=5.0)
    for name, (low, high) in _LIMITS_OF.items():
        given = fixed[name] or 0.0
        if name in names:
            params.add(name, float(np.clip(given, low + 1e-3, high - 1e-3)), min=low, max=high)
        else:
            params.add(name, given, vary=False)

    def model(p: Any) -> Array:
        moving = p["gauss"].vary or p["lorentz"].vary
        curve = broadening_matrix(grid, p["gauss"].value, p["lorentz"].value) @ mu if moving else smooth
        at = (energy - p["shift"].value) / p["stretch"].value
        return p["scale"].value * np.interp(at, grid, curve)

    out = lmfit.minimize(lambda p: model(p) - data, params, method="leastsq", xtol=1e-10, ftol=1e-10)
    values = {n: float(out.params[n].value) for n in FREE}
    errors = {n: float(out.params[n].stderr) for n in names if out.params[n].stderr is not None}
    return values, errors, model(out.params)


def _misfit(grid: Array, curve: Array, at: Array, data: Array) -> float:
    """R with the best scale."""
    shape = np.interp(at, grid, curve)
    return rfactor(data, shape * (shape @ data) / (shape @ shape))


@dataclass(frozen=True)
class Ranked:
    """A candidate in a ranking: its comparison, and the `ratio` of its R to the best one.

    `noise` is the standard deviation of R - R_best from noise of the data. A candidate is `excluded` when R - R_best
    exceeds three times that, and `ratio` the factor that the error of the theory can make.
    """

    comparison: Comparison
    ratio: float
    noise: float
    excluded: bool


def rank(
    candidates: Sequence[TheoryXanes], measured: Spectrum, *, noise: float | None = None, **settings: Any
) -> tuple[Ranked, ...]:
    """Candidate structures in the order of their R, with the part of the differences that noise can make.

    R_a - R_b moves with noise e in the data d by 2 e |r_a - r_b| / sum d^2, r the residuals.

    Parameters
    ----------
    candidates : sequence of TheoryXanes
        The structures.
    measured : Spectrum or Normalized
        The measured spectrum.
    noise : float, optional
        Standard deviation of the measured points in edge steps; by default `estimate_noise` of the data.
    **settings
        As for `compare`, the same for all.

    Returns
    -------
    tuple of Ranked
        The best first.

    Raises
    ------
    TheoryError
        No candidate.

    Examples
    --------
    >>> candidates = [xs.theory.theory_xanes(name, absorber="Cu", radius=3.0, scf=False) for name in ("Cu", "Cu2O")]
    >>> energy = 8979.0 + np.arange(-200.0, 300.0, 0.5)
    >>> mu = np.interp(energy - 8979.0, candidates[1].energy, candidates[1].mu)
    >>> made = xs.normalize(xs.Spectrum(energy, mu, "Cu", "K"), e0=8979.0, norm_range=(60, 290))
    >>> rank(candidates, made)[0].comparison.label
    'Cu2O'
    """
    if not candidates:
        raise TheoryError("no structure to rank; give at least one")
    found = sorted((compare(c, measured, **settings) for c in candidates), key=lambda c: c.rfactor)
    best = found[0]
    e = estimate_noise(best.data) if noise is None else noise
    total = float((best.data**2).sum())
    out = []
    for c in found:
        spread = 2 * e * float(np.linalg.norm(c.residual - best.residual)) / total
        ratio = c.rfactor / best.rfactor
        excluded = c is not best and c.rfactor - best.rfactor > 3 * spread and ratio >= EXCLUDED
        out.append(Ranked(c, ratio, spread, excluded))
    return tuple(out)


def estimate_noise(values: Array) -> float:
    """Standard deviation of noise in equally spaced values, from the median of their third differences."""
    third = np.diff(values, 3)
    # The median of |x| of a normal deviate is 0.6745 sigma; third differences carry sqrt(20) sigma.
    return float(np.median(np.abs(third)) / 0.6745 / np.sqrt(20))


def difference(
    a: TheoryXanes, b: TheoryXanes, *, fit_range: tuple[float, float] = RANGE, gauss: float = GAUSS
) -> Difference:
    """Difference of two computed spectra after the best shift and scale, and the noise that would hide it.

    Parameters
    ----------
    a, b : TheoryXanes
        The two spectra.
    fit_range : tuple of float
        eV from the edge.
    gauss : float
        Gaussian sigma in eV for both.

    Returns
    -------
    Difference
        Root mean square and largest difference in edge steps, R, and the largest noise at which they are distinguished.

    Examples
    --------
    >>> one = xs.theory.theory_xanes("Cu", absorber="Cu", radius=3.0, scf=False)
    >>> difference(one, one).rms < 1e-6
    True
    """
    energy = np.arange(fit_range[0] + 10, fit_range[1] + STEP / 2, STEP) - 5
    one = a.broadened(gauss=gauss).mu
    data = np.interp(energy, a.energy, one)
    _, _, model = _fit(b.energy, b.mu, energy, data, ("shift", "scale"), {**_HELD, "gauss": gauss})
    apart = data - model
    # Distinguished at three standard deviations by the likelihood ratio: |apart| / e = 3.
    return Difference(
        a.label,
        b.label,
        float(np.sqrt((apart**2).mean())),
        float(np.abs(apart).max()),
        rfactor(data, model),
        float(np.linalg.norm(apart) / 3),
    )


def measured_apart(data: Spectrum, other: Spectrum, *, fit_range: tuple[float, float] = RANGE) -> float:
    """R between two measured spectra after the best shift and scale, which a theory fits as well.

    A theory whose own R is larger cannot distinguish the two by shape.

    Parameters
    ----------
    data, other : Spectrum or Normalized
        The two spectra.
    fit_range : tuple of float
        eV from E0.

    Returns
    -------
    float
        R of the second as a model of the first.

    Raises
    ------
    RangeError
        A spectrum does not cover the range.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 0.5)
    >>> mu = 0.5 + np.arctan((energy - 7709.0) / 1.5) / np.pi
    >>> norm = xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7709.0, norm_range=(60, 280))
    >>> measured_apart(norm, norm) < 1e-9
    True
    """
    energy, values = measured_grid(data, fit_range)
    reach = (fit_range[0] - 5, fit_range[1] + 10)  # the other is moved by some eV
    grid, curve = measured_grid(other, reach)
    _, _, model = _fit(grid, curve, energy, values, ("shift", "scale"), _HELD)
    return rfactor(values, model)


@dataclass(frozen=True)
class Difference:
    """The difference of two spectra: root mean square and largest in units of the edge jump, R, and the
    noise of a point (every 0.5 eV) up to which they are distinguished at three standard deviations."""

    first: str
    second: str
    rms: float
    largest: float
    rfactor: float
    noise: float
