"""Valence from edge energies: calibration, leave-one-out, outliers, and an unknown's valence with its interval."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CalibrationError, XasuiteWarning
from .calibration import Line, fieller, fit_line, invert

if TYPE_CHECKING:
    import pandas as pd

    from .edge import EdgeEnergy

PROVEN, STATED, UNPROVEN = "proven", "stated", "unproven"
LEVEL = 0.95
OUTLIER_LEVEL = 0.05  # over all standards together (Bonferroni)
MIN_DOF = 2  # residual degrees of freedom below which an interval is no knowledge


@dataclass(frozen=True)
class Standard:
    """A compound of known formal valence and its edge energy (eV) with the whole error of that energy.

    `scale` says how its energy scale is known: "proven" by its own reference foil, "stated", or "unproven";
    `evidence` is the sentence. One that is not `used` is shown off the line with its `reason`.
    """

    name: str
    valence: float
    energy: float
    energy_err: float
    valence_err: float = 0.0
    element: str = ""
    scale: str = UNPROVEN
    evidence: str = ""
    used: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Prediction:
    """A valence read off the line with its standard error and interval; `useless` says why there is none.

    `method` names how the interval was made; low and high are NaN where it is useless.
    """

    name: str
    energy: float
    energy_err: float
    value: float
    stderr: float
    low: float
    high: float
    method: str
    dof: int
    level: float = LEVEL
    extrapolated: bool = False
    useless: str = ""
    scale: str = UNPROVEN
    evidence: str = ""

    @property
    def text(self) -> str:
        """As in a paper: 2.67(8), 95 % 2.48 to 2.86."""
        from uncertainties import ufloat

        value = f"{ufloat(self.value, self.stderr):.1uS}" if np.isfinite(self.stderr) else f"{self.value:.2f}"
        if self.useless:
            return f"{value}, no interval: {self.useless}"
        return f"{value}, {self.level:.0%} {self.low:.2f} to {self.high:.2f}"


@dataclass(frozen=True)
class LeftOut:
    """A standard predicted from all the others: its prediction, distance in eV, studentised, inside or not.

    `inside` is None where the interval is useless; `t` is the distance over its standard deviation without it.
    """

    standard: Standard
    prediction: Prediction
    distance: float
    t: float
    inside: bool | None


@dataclass(frozen=True)
class Calibration:
    """The calibration: standards, line, leave-one-out of each, outliers named with a reason, warnings."""

    standards: tuple[Standard, ...]
    line: Line
    fraction: float
    element: str
    left_out: tuple[LeftOut, ...] = ()
    outliers: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = field(default_factory=tuple)

    @property
    def used(self) -> tuple[Standard, ...]:
        """The standards that the line was fitted to."""
        return tuple(s for s in self.standards if s.used)

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest formal valence fitted."""
        values = [s.valence for s in self.used]
        return min(values), max(values)

    def table(self) -> pd.DataFrame:
        """A row a standard: energy, errors, scale, distance from the line and the leave-one-out prediction."""
        import pandas as pd

        left = {x.standard.name: x for x in self.left_out}
        rows = []
        for s in self.standards:
            x = left.get(s.name)
            rows.append(
                {
                    "standard": s.name,
                    "formal valence": s.valence,
                    f"E({self.fraction:g}) (eV)": s.energy,
                    "error (eV)": s.energy_err,
                    "energy scale": s.scale,
                    "off line (eV)": s.energy - float(self.line.energy(s.valence)),
                    "left out: valence": x.prediction.value if x else np.nan,
                    "low": x.prediction.low if x else np.nan,
                    "high": x.prediction.high if x else np.nan,
                    "inside": ""
                    if x is None
                    else "useless"
                    if x.inside is None
                    else "yes"
                    if x.inside
                    else "no",
                    "remark": s.reason or (x.prediction.useless if x else ""),
                }
            )
        return pd.DataFrame(rows)


def calibrate_valence(
    standards: Sequence[Standard],
    *,
    fraction: float = 0.5,
    degree: int = 1,
    element: str = "",
    slope: tuple[float, float] | None = None,
    leave_out_outliers: bool = False,
) -> Calibration:
    """Calibration of formal valence against edge energy, each standard left out in turn, outliers named.

    Parameters
    ----------
    standards : each with formal valence, edge energy and the whole error of that energy
    degree : 1 for a line, 2 for a parabola
    slope : a stated dE/dv in eV with its error, where standards of two valences are not at hand
    leave_out_outliers : whether a named outlier is shown but not fitted

    Raises
    ------
    CalibrationError: one valence only, another element, negative errors, two standards of one name

    Warns (XasuiteWarning) of outliers, of a line that bends, and of standards with an unproven energy scale.
    """
    standards = tuple(standards)
    _check(standards, element, degree)
    line = _fit(standards, degree, slope)
    remarks: list[str] = []
    outliers = _outliers(standards, degree, slope)
    for x in outliers:
        remarks.append(_outlier_sentence(x, leave_out_outliers))
    if leave_out_outliers and outliers:
        named = {x.standard.name: x for x in outliers}
        standards = tuple(
            replace(s, used=False, reason=f"off the others by {named[s.name].distance:+.1f} eV")
            if s.name in named
            else s
            for s in standards
        )
        line = _fit(standards, degree, slope)
    calibration = Calibration(standards, line, fraction, element)
    calibration = replace(
        calibration, left_out=leave_one_out(calibration, slope=slope), outliers=tuple(outliers)
    )
    remarks += _bend(standards, degree, slope)
    unproven = [s.name for s in calibration.used if s.scale == UNPROVEN]
    if unproven:
        remarks.append(
            f"energy scale unproven for {', '.join(unproven)}: no reference foil and no stated offset; "
            "an offset between beamlines of 1 eV is common"
        )
    for remark in remarks:
        warnings.warn(remark, XasuiteWarning, stacklevel=2)
    return replace(calibration, remarks=tuple(remarks))


def _check(standards: tuple[Standard, ...], element: str, degree: int) -> None:
    if degree not in (1, 2):
        raise CalibrationError(f"degree {degree} is not offered; choose 1 (a line) or 2 (a parabola)")
    seen: set[str] = set()
    for s in standards:
        if s.name in seen:
            raise CalibrationError(f"two standards are called {s.name!r}; give each its own name")
        seen.add(s.name)
        if element and s.element and s.element != element:
            raise CalibrationError(
                f"standard {s.name!r} is {s.element}, the calibration is of {element}; take it out"
            )
        if not s.energy_err > 0 or s.valence_err < 0:
            raise CalibrationError(
                f"standard {s.name!r} has an energy error of {s.energy_err:g} eV and a valence error of "
                f"{s.valence_err:g}; the first must be positive, the second not negative"
            )


def _fit(standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None) -> Line:
    used = [s for s in standards if s.used]
    if not used:
        raise CalibrationError("no standard is used; a calibration needs at least two of different valence")
    columns = np.array([(s.valence, s.energy, s.energy_err, s.valence_err) for s in used]).T
    return fit_line(*columns, degree=degree, slope=slope)


def predict(
    calibration: Calibration,
    energy: float,
    energy_err: float,
    *,
    name: str = "",
    level: float = LEVEL,
    scale: str = UNPROVEN,
    evidence: str = "",
) -> Prediction:
    """Valence of an unknown from its edge energy, with Fieller's interval or the reason why there is none.

    The interval holds the unknown's own error, the scatter between compounds and the line's error, with
    Student's t for the residual degrees of freedom. With fewer than two of those it is not given. Raises
    CalibrationError for an energy or error that is no number, or negative.
    """
    if not np.isfinite(energy) or not energy_err >= 0:
        raise CalibrationError(
            f"{name or 'the unknown'}: edge energy {energy:g} eV with error {energy_err:g} eV cannot be used; "
            "the error must be zero or positive"
        )
    from scipy.stats import t as student

    line = calibration.line
    value = invert(line, energy, calibration.span)
    slope = float(line.slope(value))
    if slope == 0:
        raise CalibrationError(f"the curve is flat at {energy:.2f} eV; it tells no valence there")
    sd = np.sqrt(energy_err**2 + line.tau**2 + float(line.variance(value)))
    low, high = np.nan, np.nan
    useless = _useless(line.dof)
    if not useless:
        low, high = fieller(line, energy, energy_err, float(student.ppf(0.5 + level / 2, line.dof)), value)
        if not np.isfinite(low) or not np.isfinite(high):
            low, high, useless = np.nan, np.nan, f"the slope is not different from zero at {level:.0%}"
    bottom, top = calibration.span
    energies = [s.energy for s in calibration.used]
    beyond = not min(energies) - 2 * sd <= energy <= max(energies) + 2 * sd
    return Prediction(
        name=name,
        energy=energy,
        energy_err=energy_err,
        value=value,
        stderr=float(sd / abs(slope)),
        low=low,
        high=high,
        method="no interval"
        if useless
        else "Fieller"
        if line.degree == 1
        else "Fieller, solved on the parabola",
        dof=line.dof,
        level=level,
        extrapolated=beyond and not bottom <= value <= top,
        useless=useless,
        scale=scale,
        evidence=evidence,
    )


def predict_series(
    calibration: Calibration, edges: EdgeEnergy, *, level: float = LEVEL, scale_err: float = 0.0
) -> pd.DataFrame:
    """Valence of every spectrum of a series from its edge energies, a row a spectrum.

    `scale_err` (eV) is the error of the energy scale, common to all rows. A row without an edge energy is NaN
    with the reason. Raises CalibrationError when the edge energies are at another fraction or of another element.
    """
    import pandas as pd

    if edges.fraction is None or abs(edges.fraction - calibration.fraction) > 1e-9:
        raise CalibrationError(
            f"the edge energies are {edges.name}, the calibration is of E({calibration.fraction:g}); use one of them"
        )
    if edges.element and calibration.element and edges.element != calibration.element:
        raise CalibrationError(
            f"the spectra are {edges.element}, the calibration is of {calibration.element}"
        )
    table = edges.table()
    rows = []
    for label, energy, err in zip(
        table["label"], np.atleast_1d(edges.value), np.atleast_1d(edges.stderr), strict=True
    ):
        row: dict[str, object] = {"label": label, "E (eV)": energy}
        if np.isfinite(energy):
            p = predict(
                calibration,
                float(energy),
                float(np.hypot(np.nan_to_num(err), scale_err)),
                name=str(label),
                level=level,
            )
            row |= {"valence": p.value, "error": p.stderr, "low": p.low, "high": p.high}
            row |= {"extrapolated": p.extrapolated, "remark": p.useless}
        else:
            row |= {"valence": np.nan, "remark": "no edge energy"}
        rows.append(row)
    return pd.DataFrame(rows)


def _useless(dof: int) -> str:
    if dof >= MIN_DOF:
        return ""
    many = "no residual degree of freedom" if dof <= 0 else "one residual degree of freedom (t = 12.7)"
    if dof <= 0:  # nothing to estimate the scatter from: the standard error is of the measurement alone
        return f"{many}, an interval would be useless and the error holds no scatter between compounds"
    return f"{many}, an interval would be useless"


def leave_one_out(
    calibration: Calibration, *, slope: tuple[float, float] | None = None, level: float = LEVEL
) -> tuple[LeftOut, ...]:
    """Every used standard predicted from the others; one whose absence leaves too few valences is left away."""
    return tuple(_each(calibration.standards, calibration.line.degree, slope, level))


def _each(
    standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None, level: float = LEVEL
) -> list[LeftOut]:
    used = [s for s in standards if s.used]
    found = []
    for s in used:
        rest = [other for other in used if other is not s]
        if len({other.valence for other in rest}) + (slope is not None) < degree + 1:
            continue
        try:
            line = _fit(rest, degree, slope)
            without = Calibration(tuple(rest), line, 0.0, "")
            p = predict(without, s.energy, s.energy_err, name=s.name, level=level)
        except CalibrationError as exc:  # a parabola that turns: no prediction, and the table says so
            nan = float("nan")
            p = Prediction(
                s.name, s.energy, s.energy_err, nan, nan, nan, nan, "none", 0, level, useless=str(exc)
            )
            found.append(LeftOut(s, p, np.nan, np.nan, None))
            continue
        distance = s.energy - float(line.energy(s.valence))
        spread = np.sqrt(s.energy_err**2 + line.tau**2 + float(line.variance(s.valence)))
        inside = None if p.useless else bool(p.low <= s.valence <= p.high)
        found.append(LeftOut(s, p, distance, float(distance / spread), inside))
    return found


def _outliers(standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None) -> list[LeftOut]:
    """Standards off the line of the others, the worst first; each is judged without those named before it."""
    from scipy.stats import t as student

    rest = list(standards)
    named: list[LeftOut] = []
    while True:
        left = [x for x in _each(rest, degree, slope) if np.isfinite(x.t) and x.prediction.dof >= MIN_DOF]
        if not left:
            return named
        worst = max(left, key=lambda x: abs(x.t))
        p = 2 * student.sf(abs(worst.t), worst.prediction.dof) * len(left)
        if p >= OUTLIER_LEVEL:
            return named
        named.append(worst)
        rest = [s for s in rest if s.name != worst.standard.name]


def _outlier_sentence(x: LeftOut, left: bool) -> str:
    s = x.standard
    side = "above" if x.distance > 0 else "below"
    size = abs(x.distance)
    cause = (
        "a displaced energy scale (monochromator not calibrated) rather than chemistry"
        if size > 5
        else "its energy scale, its normalisation, or a bonding unlike the others'"
    )
    fate = (
        "it is shown but not fitted"
        if left
        else "it is still fitted; leave it out with a reason if it is wrong"
    )
    return (
        f"standard {s.name} lies {size:.1f} eV {side} the line of the others at its formal valence "
        f"{s.valence:.3g} ({abs(x.t):.1f} standard deviations): {cause}; {fate}"
    )


def _bend(standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None) -> list[str]:
    """A sentence when a parabola takes significantly more than a line does (F test at 5 %)."""
    from scipy.stats import f as fisher

    used = [s for s in standards if s.used]
    if degree != 1 or len({s.valence for s in used}) < 3 or len(used) < 5:
        return []
    columns = np.array([(s.valence, s.energy, s.energy_err, s.valence_err) for s in used]).T
    tau = fit_line(*columns, degree=1, slope=slope).tau
    columns[2] = np.hypot(columns[2], tau)
    one = fit_line(*columns, degree=1, slope=slope, scatter=False)
    two = fit_line(*columns, degree=2, slope=slope, scatter=False)
    if two.dof < 1 or two.chi2 <= 0:
        return []
    p = fisher.sf((one.chi2 - two.chi2) / (two.chi2 / two.dof), 1, two.dof)
    if p >= 0.05:
        return []
    grid = np.linspace(columns[0].min(), columns[0].max(), 50)
    most = float(np.max(np.abs(one.energy(grid) - two.energy(grid))))
    return [
        f"the standards bend: a parabola departs from the line by up to {most:.2f} eV (F test p = {p:.2g}); try degree 2"
    ]
