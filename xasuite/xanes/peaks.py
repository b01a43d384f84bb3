"""Peak fits with lmfit: an edge step and pseudo-Voigt peaks; centroid, area and splitting with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ComponentError, RangeError
from ..records import Array, Normalized, Series
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table
from .positions import noise_of

STEPS = {"arctan": "atan", "erf": "erf", "none": ""}
FREE_SHIFT = 3.0  # eV, default of the largest distance of a peak or step from its first guess


@dataclass(frozen=True)
class Peak:
    """First guess of a pseudo-Voigt peak: centre and full width (eV), area (eV), and the largest shift of the centre."""

    center: float
    width: float = 2.0
    area: float = 0.1
    move: float = FREE_SHIFT
    label: str = ""


@dataclass(frozen=True)
class EdgeStep:
    """First guess of the edge: kind (arctan, erf or none), centre and width (eV), height in edge steps."""

    kind: str = "arctan"
    center: float = 0.0
    width: float = 2.0
    height: float | None = None
    move: float = FREE_SHIFT


@dataclass(frozen=True, eq=False)
class PeakFit(Presented):
    """The fit of one spectrum: values with standard errors by name, curves (n,), quality and remarks.

    `values` and `errors` hold p1_center, p1_fwhm, p1_area, step_center, ...; and over all peaks
    `centroid` (area-weighted, eV), `area` (eV), and `splitting` of the two largest peaks (eV). An error is NaN
    where lmfit found none, and `remarks` says why.
    """

    label: str
    energy: Array
    data: Array
    fit: Array
    step: Array
    peaks: tuple[Array, ...]
    values: dict[str, float]
    errors: dict[str, float]
    chi2_reduced: float
    rfactor: float
    n_free: int
    remarks: tuple[str, ...]

    def summary(self) -> Table:
        """One row per value: positions, widths and areas with their errors."""
        value = Quantity("value", "Value", form=".4f")
        rows = ((name, Entry(v, self.errors[name])) for name, v in self.values.items())
        facts = (("R factor", f"{self.rfactor:.2g}"),)
        return Table.of(f"{self.label}, peaks", ("quantity", value), rows, notes=self.remarks, facts=facts)


@dataclass(frozen=True)
class PeakFits(Presented):
    """Peak fits of a series: one per row, None where a row could not be fitted, with the sentence why."""

    rows: tuple[PeakFit | None, ...]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]

    def summary(self) -> Table:
        """One row per spectrum: every value with its error, and the reason where there is none."""
        names = list(dict.fromkeys(n for fit in self.rows if fit for n in fit.values))
        rows = []
        for fit, label, reason in zip(self.rows, self.labels, self.reasons, strict=True):
            held = {} if fit is None else {n: Entry(v, fit.errors[n]) for n, v in fit.values.items()}
            rows.append((label, *(held.get(n) for n in names), fit and fit.rfactor, reason))
        return Table.of("Peaks", ("label", *names, "rfactor", "reason"), rows)


def fit_peaks(
    normalized: Normalized | Series,
    peaks: Sequence[Peak],
    *,
    energy_range: tuple[float, float],
    step: EdgeStep | None = None,
    array: str = "norm",
    slope: bool = False,
) -> PeakFits:
    """Pre-edge or white-line peaks above an edge step, for one spectrum or a Series.

    Parameters
    ----------
    normalized : Normalized or Series of it
        norm and flat of shape (..., n).
    peaks : sequence of Peak
        First guesses; all energies in eV, absolute.
    energy_range : tuple of float
        Range that is fitted, in eV, absolute.
    step : EdgeStep, optional
        The edge under the peaks: arctangent or error function. Left out, no step.
    array : str
        "norm" or "flat".
    slope : bool
        Add a straight line to the constant.

    Returns
    -------
    PeakFits
        One PeakFit per spectrum. Errors hold the correlations between parameters (from the covariance of the fit, scaled to chi-square) and
        are carried to centroid, area and splitting.

    Raises
    ------
    ComponentError
        No peak, or an unknown step.
    RangeError
        A peak outside the range, or a range without enough points. A row of a series that fails is marked, the others are fitted.

    Examples
    --------
    >>> energy = np.arange(7000.0, 7400.0, 0.25)
    >>> mu = 0.5 + np.arctan((energy - 7120.0) / 1.5) / np.pi + 0.1 * np.exp(-((energy - 7113.0) ** 2) / 2)
    >>> norm = xs.normalize(xs.Spectrum(energy, mu, "Fe", "K"), e0=7120.0, norm_range=(60, 270))
    >>> found = fit_peaks(norm, [Peak(7113.0, 2.0, 0.2)], energy_range=(7105.0, 7130.0), step=EdgeStep("arctan", 7120.0, 2.0))
    >>> round(found.rows[0].values["p1_center"], 1)
    7113.0
    """
    if not peaks:
        raise ComponentError("there is no peak to fit; give at least one Peak(center=...)")
    if step is not None and step.kind not in STEPS:
        raise ComponentError(f"step = {step.kind!r} is unknown; choose {', '.join(STEPS)}")
    if array not in ("norm", "flat"):
        raise ComponentError(f"array = {array!r} is unknown; choose norm or flat")
    far = [p.center for p in peaks if not energy_range[0] <= p.center <= energy_range[1]]
    if far:
        raise RangeError(
            f"a peak at {far[0]:g} eV lies outside {energy_range[0]:g} to {energy_range[1]:g} eV; widen the one or move the other"
        )
    single = not isinstance(normalized, Series) and normalized.norm.ndim == 1
    rows: list[PeakFit | None] = []
    labels: list[str] = []
    reasons: list[str] = []
    for label, x, y, e0, bad in _spectra(normalized, array):
        labels.append(label)
        try:
            if bad:
                raise ComponentError(bad)
            rows.append(_fit_one(label, x, y, e0, tuple(peaks), energy_range, step, slope))
            reasons.append("")
        except (ComponentError, RangeError) as exc:
            if single:
                raise
            rows.append(None)
            reasons.append(str(exc))
    return PeakFits(tuple(rows), tuple(labels), tuple(reasons))


def _spectra(normalized: Normalized | Series, array: str) -> list[tuple[str, Array, Array, float, str]]:
    if isinstance(normalized, Series):
        rows = [normalized.row(i) for i in range(len(normalized))]
        return [
            (r.label, r.energy, getattr(r, array), float(r.e0), "" if ok else reason)
            for r, ok, reason in zip(rows, normalized.ok, normalized.reason, strict=True)
        ]
    values = np.asarray(getattr(normalized, array)).reshape(-1, normalized.energy.size)
    e0 = np.broadcast_to(np.asarray(normalized.e0), normalized.norm.shape[:-1]).reshape(-1)
    label = normalized.label or str(normalized.source)
    names = [label] if len(values) == 1 else [f"{label} {i + 1}" for i in range(len(values))]
    return [(n, normalized.energy, y, float(e), "") for n, y, e in zip(names, values, e0, strict=True)]


def _fit_one(
    label: str,
    energy: Array,
    y: Array,
    e0: float,
    peaks: tuple[Peak, ...],
    within: tuple[float, float],
    step: EdgeStep | None,
    slope: bool,
) -> PeakFit:
    inside = (energy >= within[0]) & (energy <= within[1])
    model, params = _model(peaks, step, slope, y[inside])
    free = sum(p.vary for p in params.values())
    if np.count_nonzero(inside) <= free:
        raise RangeError(
            f"{label}: {within[0]:g} to {within[1]:g} eV holds {np.count_nonzero(inside)} points for {free} free "
            "parameters; widen the range or use fewer peaks"
        )
    x, v = energy[inside], y[inside]
    result = model.fit(v, params, x=x)
    parts = result.eval_components(x=x)
    base = sum((parts[k] for k in parts if not k.startswith("p")), np.zeros_like(x))
    values, errors, remarks = _values(result, len(peaks))
    noise = float(noise_of(energy, y, np.asarray(e0 - 15.0)))
    rss = float(np.sum((v - result.best_fit) ** 2))
    return PeakFit(
        label=label,
        energy=x,
        data=v,
        fit=result.best_fit,
        step=np.broadcast_to(base, x.shape),
        peaks=tuple(parts[f"p{i + 1}_"] for i in range(len(peaks))),
        values=values,
        errors=errors,
        chi2_reduced=rss / noise**2 / (x.size - free) if noise > 0 else float("nan"),
        rfactor=rss / float(np.sum(v**2)),
        n_free=free,
        remarks=tuple(remarks),
    )


def _model(peaks: tuple[Peak, ...], step: EdgeStep | None, slope: bool, y: Array) -> tuple[Any, Any]:
    from lmfit.models import ConstantModel, LinearModel, PseudoVoigtModel, StepModel

    model: Any = LinearModel(prefix="base_") if slope else ConstantModel(prefix="base_")
    level = {"intercept": float(y[0]), "slope": 0.0} if slope else {"c": float(y[0])}
    params = model.make_params(**level)
    if step is not None and step.kind != "none":
        part = StepModel(prefix="step_", form=STEPS[step.kind])
        model += part
        height = float(y[-1] - y[0]) if step.height is None else step.height
        params += part.make_params(
            amplitude={"value": height, "min": 0.0},
            center={"value": step.center, "min": step.center - step.move, "max": step.center + step.move},
            sigma={"value": step.width, "min": 0.05, "max": 20.0},
        )
    for i, peak in enumerate(peaks):
        part = PseudoVoigtModel(prefix=f"p{i + 1}_")
        model += part
        params += part.make_params(
            amplitude={"value": peak.area, "min": 0.0},
            center={"value": peak.center, "min": peak.center - peak.move, "max": peak.center + peak.move},
            sigma={"value": peak.width / 2, "min": 0.05, "max": 4 * peak.width},
            fraction={"value": 0.5, "min": 0.0, "max": 1.0},
        )
    return model, params


def _values(result: Any, count: int) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Values and errors by name, with centroid, area and splitting; remarks on values without an error."""
    remarks = []
    if not result.success:
        remarks.append("the fit did not converge: " + str(result.message))
    at_bound = [n for n, p in result.params.items() if p.vary and _at_bound(p)]
    if at_bound:
        remarks.append(f"{', '.join(at_bound)} at a bound: errors are not to be trusted")
    if not result.errorbars:
        remarks.append("no errors: the parameters are not determined by these data")
    names = {"amplitude": "area", "sigma": "width"}
    values, errors = {}, {}
    for name, p in result.params.items():
        if name.endswith("height") or (name.endswith("fwhm") and not name.startswith("p")):
            continue  # lmfit's derived quantities; a height's error is undefined where the shape is at a bound
        prefix, _, last = name.partition("_")
        key = f"{prefix}_{names.get(last, last)}" if prefix.startswith("p") else name
        values[key] = float(p.value)
        errors[key] = np.nan if p.stderr is None else float(p.stderr)
    known = getattr(result, "uvars", None) if result.errorbars else None
    if not known:
        from uncertainties import ufloat

        known = {name: ufloat(p.value, np.nan) for name, p in result.params.items()}
    area, center = ([known[f"p{i + 1}_{of}"] for i in range(count)] for of in ("amplitude", "center"))
    total = sum(area)
    derived = {"area": total}
    if total.nominal_value > 0:
        derived["centroid"] = sum(a * c for a, c in zip(area, center, strict=True)) / total
    if count > 1:
        first, second = sorted(sorted(range(count), key=lambda i: -area[i].nominal_value)[:2])
        split = center[second] - center[first]
        derived["splitting"] = split if split.nominal_value > 0 else -split
    for key, value in derived.items():
        values[key], errors[key] = float(value.nominal_value), float(value.std_dev)
    return values, errors, remarks


def _at_bound(p: Any) -> bool:
    span = p.max - p.min
    near = 1e-4 * span if np.isfinite(span) else 1e-8
    return bool(abs(p.value - p.min) < near or abs(p.value - p.max) < near)
