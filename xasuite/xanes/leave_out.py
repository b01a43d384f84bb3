"""Each standard predicted from the others: leave-one-out, outliers named with a reason, and a test for curvature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import CalibrationError
from .calibration import fit_line
from .prediction import predict
from .standards import LEVEL, MIN_DOF, Calibration, LeftOut, Prediction, Standard, fit_standards

OUTLIER_LEVEL = 0.05  # over all standards together (Bonferroni)
NEW_SCALE = 5.0  # eV; a larger distance from the line is more likely a shifted energy scale than chemistry


def leave_one_out(
    standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None = None
) -> list[LeftOut]:
    """Every used standard predicted from the others; one without which too few valences are left is skipped."""
    used = [s for s in standards if s.used]
    found = []
    for s in used:
        rest = [other for other in used if other is not s]
        if len({other.valence for other in rest}) + (slope is not None) < degree + 1:
            continue
        try:
            line = fit_standards(rest, degree, slope)
            without = Calibration(tuple(rest), line, 0.0, "")
            p = predict(without, s.energy, s.energy_err, name=s.name)
        except CalibrationError as exc:  # a parabola that does not reach the energy: no prediction
            nan = float("nan")
            p = Prediction(
                s.name, s.energy, s.energy_err, nan, nan, nan, nan, "none", 0, LEVEL, useless=str(exc)
            )
            found.append(LeftOut(s, p, np.nan, np.nan, None))
            continue
        distance = s.energy - float(line.energy(s.valence))
        spread = np.sqrt(s.energy_err**2 + line.tau**2 + float(line.variance(s.valence)))
        inside = None if p.useless else bool(p.low <= s.valence <= p.high)
        found.append(LeftOut(s, p, distance, float(distance / spread), inside))
    return found


def find_outliers(
    standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None
) -> list[LeftOut]:
    """Standards off the line of the others, the farthest first; each is tested without those found before it."""
    from scipy.stats import t as student

    rest = list(standards)
    named: list[LeftOut] = []
    while True:
        left = [
            x for x in leave_one_out(rest, degree, slope) if np.isfinite(x.t) and x.prediction.dof >= MIN_DOF
        ]
        if not left:
            return named
        worst = max(left, key=lambda x: abs(x.t))
        p = 2 * student.sf(abs(worst.t), worst.prediction.dof) * len(left)
        if p >= OUTLIER_LEVEL:
            return named
        named.append(worst)
        rest = [s for s in rest if s.name != worst.standard.name]


def outlier_sentence(x: LeftOut, left: bool) -> str:
    """What is wrong with an outlier and the likely cause; `left` says whether it was left out of the fit."""
    s = x.standard
    side = "above" if x.distance > 0 else "below"
    size = abs(x.distance)
    guess = (
        "a displaced energy scale (monochromator not calibrated) rather than chemistry"
        if size > NEW_SCALE
        else "its energy scale, its normalisation, or a bonding unlike the others'"
    )
    cause = s.reason or guess
    fate = (
        "it is shown but not fitted"
        if left
        else "it is still fitted; leave it out with a reason if it is wrong"
    )
    return (
        f"standard {s.name} lies {size:.1f} eV {side} the line of the others at its formal valence "
        f"{s.valence:.3g} ({abs(x.t):.1f} standard deviations): {cause}; {fate}"
    )


def bend(standards: Sequence[Standard], degree: int, slope: tuple[float, float] | None) -> list[str]:
    """A sentence when a parabola fits significantly better than a line (F test at 5 %), else nothing."""
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
