"""The energy axis: shift it, calibrate it to the tabulated edge energy, align it by a reference foil."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .._larch import checks
from ..errors import DataError, ReductionError
from ..notices import warn
from ..records import Array, Series, Spectrum, Step, frozen_array, name_of, spread
from .edge import SIGNIFICANT, find_e0, inflections, tabulated_e0
from .stacks import changed, checked, interpolable, over_series, per_row, plain, recast, takes_series

Use = Literal["auto", "reference", "mu"]

SUSPICIOUS_SHIFT = 15.0  # eV; a larger shift probably means another edge or another element
ALIKE = 0.9  # share of the signal's variance that the shifted spectrum must explain
COARSE_STEP = 0.5  # eV
MIN_ALIGN_POINTS = 12


@dataclass(frozen=True, eq=False)
class Alignment:
    """A spectrum aligned to the energy scale of another, with the shift (...) in eV that was added and its standard error.

    `used` says what was compared: "reference" or "mu". For a Series `spectrum` is a Series; rows that failed have NaN.
    """

    spectrum: Any
    shift: Array
    stderr: Array
    used: str

    def __post_init__(self) -> None:
        for name in ("shift", "stderr"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))


@takes_series
def shift(spectrum: Spectrum, by: float | Array) -> Spectrum:
    """The spectrum with `by` eV added to its energy.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n). A Normalized becomes a Spectrum, because its E0 is no longer valid.
    by : float or array
        Shift in eV, one number or one per row (...). Rows with different shifts are interpolated (cubic) to one
        axis, limited to the energies that all rows cover.

    Returns
    -------
    Spectrum
        The same mu; the shift is in its history.

    Raises
    ------
    DataError
        Shifts that are not finite, or not one per row.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> float(xs.shift(spectrum, 2.0).energy[0])
    8802.0
    """
    by = per_row(by, spectrum.lead, "by", name_of(spectrum)) if np.ndim(by) else np.asarray(by, float)
    checks.finite(by, "by", name_of(spectrum))
    settings = {"by": float(by) if by.ndim == 0 else tuple(float(b) for b in by.ravel())}
    if by.ndim == 0:
        return changed(spectrum, Step("shift", settings), energy=spectrum.energy + by)
    return changed(spectrum, Step("shift", settings), **_shift_rows(spectrum, by))


@takes_series
def calibrate(
    spectrum: Spectrum,
    *,
    e0: float | Array | None = None,
    tabulated: float | None = None,
    use: Use = "auto",
) -> Spectrum:
    """The spectrum shifted so that the E0 of its foil has the tabulated value.

    See docs/decisions/e0.md.

    Parameters
    ----------
    spectrum : Spectrum
        A foil, or a sample measured together with one (`reference`).
    e0 : float or array, optional
        E0 of the foil on the measured scale in eV, one number or one per row; by default the first significant
        inflection, interpolated between points (for Ru the first of two, 8-10 eV apart).
    tabulated : float, optional
        Tabulated energy in eV; by default that of xraydb for the element and edge of the spectrum.
    use : str
        Signal of the foil: "reference", "mu", or "auto" (the reference if there is one, else mu).

    Returns
    -------
    Spectrum
        Shifted by the tabulated E0 minus the measured one; the shift is in the history.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    ReductionError
        No edge, or mu upside down.

    Warns
    -----
    XasuiteWarning
        When the shift exceeds 15 eV.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> moved = xs.calibrate(xs.shift(spectrum, 2.0), tabulated=8979.0)
    >>> round(float(xs.find_e0(moved)))
    8979
    """
    checked(spectrum)
    what = name_of(spectrum)
    if tabulated is None:
        if not spectrum.element:
            raise ReductionError(f"{what}: calibration needs the element and edge, or tabulated in eV")
        tabulated = tabulated_e0(spectrum.element, spectrum.edge or "K")
    foil, used = _signal_of(spectrum, use)
    if e0 is None:
        e0 = foil.map(_first_inflection)
    by = tabulated - per_row(e0, spectrum.lead, "e0", what)
    if np.any(np.abs(by) > SUSPICIOUS_SHIFT):
        warn(
            f"{what}: calibration moves the energy by {by.ravel()[np.argmax(np.abs(by))]:+.1f} eV; is the {used} "
            f"a foil of {spectrum.element or 'this element'}?",
        )
    moved = shift(spectrum, by if by.ndim else float(by))
    step = Step("calibrate", {"e0": plain(e0), "tabulated": tabulated, "use": used, "by": plain(by)})
    return replace(moved, history=(*spectrum.history, step))


def align(
    spectrum: Spectrum | Series,
    to: Spectrum,
    *,
    use: Use = "auto",
    fit_range: tuple[float, float] = (-30.0, 60.0),
    max_shift: float = 20.0,
) -> Alignment:
    """The spectrum shifted to the energy scale of `to`, so that the edges of the two foils coincide.

    y_to(E) = a + b E + s y(E - shift) is fitted by least squares. The standard error of the shift takes the
    correlation of the residual from point to point into account. See docs/decisions/alignment.md.

    Parameters
    ----------
    spectrum : Spectrum or Series
        mu (..., n), each row aligned by itself; or a Series (`spectrum` of the Alignment is then a Series).
    to : Spectrum
        The single spectrum whose energy scale is kept.
    use : str
        What is compared: "reference", "mu", or "auto" (the references if both have one, else mu).
    fit_range : tuple of float
        Range in eV about the E0 of `to` in which the two are compared.
    max_shift : float
        Largest shift in eV that is tried.

    Returns
    -------
    Alignment
        The shifted spectrum, the shift (...) in eV, its standard error, and the signal that was compared.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    RangeError
        A range outside the data.
    ReductionError
        No shift within max_shift makes the two agree (another element, a dead channel).

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> aligned = xs.align(xs.shift(spectrum, 2.0), spectrum)
    >>> round(float(aligned.shift), 2)
    -2.0
    """
    if to.lead:
        raise DataError(f"{name_of(to)}: `to` is a stack; give one spectrum to align with")
    checks.ordered(fit_range, "fit_range", name_of(to), "eV")
    if not isinstance(spectrum, Series):
        made = _aligned(spectrum, to, use, fit_range, max_shift)
        settings = made.history[-1].settings
        by, stderr = (np.broadcast_to(settings[name], spectrum.lead) for name in ("by", "stderr"))
        return Alignment(made, by, stderr, settings["use"])
    series = over_series(spectrum, _aligned, (to, use, fit_range, max_shift), {})
    settings, good = series.data.history[-1].settings, np.flatnonzero(series.ok)
    by, stderr = (
        spread(np.broadcast_to(settings[name], good.size), good, len(series)) for name in ("by", "stderr")
    )
    return Alignment(series, by, stderr, settings["use"])


def _aligned(
    spectrum: Spectrum, to: Spectrum, use: Use, fit_range: tuple[float, float], max_shift: float
) -> Spectrum:
    """The shifted spectrum; the shifts and their errors are in its last Step."""
    if use == "auto":
        use = "reference" if spectrum.reference is not None and to.reference is not None else "mu"
    foils, used = _signal_of(spectrum, use)
    target, _ = _signal_of(to, use)
    centre = float(find_e0(target))
    fits = [_fit_shift(foil, target, centre, fit_range, max_shift) for foil in foils.rows()]
    by, stderr = (np.reshape([f[i] for f in fits], spectrum.lead) for i in (0, 1))
    moved = shift(spectrum, by if by.ndim else float(by))
    found = {"by": plain(by), "stderr": plain(stderr)}
    step = Step("align", {"to": name_of(to), "use": used, "fit_range": fit_range, **found})
    return replace(moved, history=(*spectrum.history, step))


def _signal_of(spectrum: Spectrum, use: Use) -> tuple[Spectrum, str]:
    """A Spectrum whose mu is the signal that defines the energy scale. Raises ReductionError when there is none."""
    if use not in ("auto", "reference", "mu"):
        raise ReductionError(f"use = {use!r} is not one of auto, reference, mu")
    if use == "mu" or (use == "auto" and spectrum.reference is None):
        return spectrum, "mu"
    if spectrum.reference is None:
        raise ReductionError(f'{name_of(spectrum)} holds no reference channel; use = "mu" takes its own edge')
    good = np.isfinite(spectrum.reference).all(axis=tuple(range(spectrum.reference.ndim - 1)))
    if np.count_nonzero(good) < checks.MIN_POINTS:
        raise DataError(
            f"{name_of(spectrum)}: the reference is finite at {np.count_nonzero(good)} points only"
        )
    reference = np.broadcast_to(spectrum.reference, spectrum.mu.shape)[..., good]
    label = f"{name_of(spectrum)}, reference"
    of_foil: dict[str, Any] = {"mu": reference, "mu_err": None, "reference": None, "label": label}
    return recast(Spectrum, spectrum, energy=spectrum.energy[good], **of_foil), "reference"


def _first_inflection(foil: Spectrum) -> float:
    found = inflections(foil, significant=SIGNIFICANT)
    if not found:
        raise ReductionError(f"{name_of(foil)}: no inflection stands out of the noise; give e0")
    return found[0].energy  # type: ignore[union-attr]


def _shift_rows(spectrum: Spectrum, by: Array) -> dict[str, Any]:
    """Rows shifted by different amounts, on one axis limited to the energies that all rows cover."""
    from scipy.interpolate import make_interp_spline

    energy, n = spectrum.energy, spectrum.energy.size
    keep = (energy >= energy[0] + by.max()) & (energy <= energy[-1] + by.min())
    if np.count_nonzero(keep) < checks.MIN_POINTS:
        raise DataError(
            f"{name_of(spectrum)}: rows shifted by {by.min():g} to {by.max():g} eV share no energies"
        )
    out: dict[str, Any] = {"energy": energy[keep], "reference": None}
    for name, values in interpolable(spectrum).items():
        flat = np.broadcast_to(values, spectrum.mu.shape).reshape(-1, n)
        moved = [
            make_interp_spline(energy, v, k=1 if name == "mu_err" else 3)(energy[keep] - b)
            for v, b in zip(flat, by.ravel(), strict=True)
        ]
        out[name] = np.reshape(moved, (*spectrum.mu.shape[:-1], -1))
    return out


def _fit_shift(
    foil: Spectrum, target: Spectrum, centre: float, fit_range: tuple[float, float], max_shift: float
) -> tuple[float, float]:
    """The shift of foil onto target and its standard error, eV."""
    from scipy.interpolate import make_interp_spline
    from scipy.optimize import least_squares

    what = f"{name_of(foil)} to {name_of(target)}"
    energy, mu = checked(foil)
    to_energy, to_mu = checked(target)
    here = (to_energy >= centre + fit_range[0]) & (to_energy <= centre + fit_range[1])
    here &= (to_energy - max_shift >= energy[0]) & (to_energy + max_shift <= energy[-1])
    if np.count_nonzero(here) < MIN_ALIGN_POINTS:
        raise ReductionError(
            f"{what}: they share {np.count_nonzero(here)} points about {centre:g} eV; widen fit_range"
        )
    curve = make_interp_spline(energy, mu, k=3)
    x, y = to_energy[here], to_mu[here]
    line = (x - x.mean()) / np.ptp(x)
    y = (y - y.mean()) / y.std()

    def basis(by: float) -> Array:
        return np.stack([np.ones_like(x), line, curve(x - by)], axis=-1)

    def residual(by: float) -> Array:
        columns = basis(by)
        return y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]

    grid = np.arange(-max_shift, max_shift + COARSE_STEP / 2, COARSE_STEP)
    costs = [float(np.sum(residual(b) ** 2)) for b in grid]
    best = int(np.argmin(costs))
    if best in (0, grid.size - 1):
        raise ReductionError(
            f"{what}: no shift within {max_shift:g} eV aligns them; raise max_shift if it is larger"
        )
    fit = least_squares(
        lambda p: residual(p[0]), [grid[best]], bounds=(grid[best - 1], grid[best + 1]), x_scale=0.1
    )
    by = float(fit.x[0])
    scale = np.linalg.lstsq(basis(by), y, rcond=None)[0][2]
    explained = 1 - np.sum(fit.fun**2) / np.sum((y - np.polyval(np.polyfit(line, y, 1), line)) ** 2)
    if explained < ALIKE or scale <= 0:
        raise ReductionError(
            f"{what}: shifted by {by:+.2f} eV they are still unlike (share of variance {explained:.2f}); is it the "
            "same foil?"
        )
    slope = fit.jac[:, 0]
    variance = np.sum(fit.fun**2) / (x.size - 4) / np.sum(slope**2) * _correlation(fit.fun)
    return by, float(np.sqrt(variance))


def _correlation(residual: Array) -> float:
    """Integrated correlation time of the residual, at least 1: the factor by which fewer points are independent (Sokal 1997)."""
    r = residual - residual.mean()
    full = np.correlate(r, r, "full")[r.size - 1 :]
    if full[0] == 0:
        return 1.0
    rho = full / full[0]
    negative = np.flatnonzero(rho < 0)
    end = int(negative[0]) if negative.size else rho.size
    return max(1.0, 1.0 + 2.0 * float(rho[1:end].sum()))
