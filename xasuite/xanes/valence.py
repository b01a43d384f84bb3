"""Valence from edge energies: the calibration, with every standard left out in turn and outliers named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import CalibrationError
from ..notices import warn
from .leave_out import bend, find_outliers, leave_one_out, outlier_sentence
from .standards import UNPROVEN, Calibration, Standard, fit_standards


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
    standards : sequence of Standard
        Each with formal valence, edge energy (eV) and the total error of that energy.
    fraction : float
        Fraction of the edge step at which the energies were taken.
    degree : int
        1 for a line, 2 for a parabola.
    element : str
        Element of all standards; "" for no check.
    slope : tuple of float, optional
        A stated dE/dv in eV with its error, for standards of a single valence.
    leave_out_outliers : bool
        Do not fit outliers; they stay in the table and the figure.

    Returns
    -------
    Calibration
        The line (York, Am. J. Phys. 72, 367 (2004)), the scatter between compounds, and each standard predicted from the others.

    Raises
    ------
    CalibrationError
        One valence only, another element, negative errors, or two standards of one name.

    Warns
    -----
    XasuiteWarning
        Of outliers, of a line that bends, and of standards whose energy scale is unproven.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore")
    >>> oxides = [Standard(f"oxide {v}", v, 7120.0 + 2.0 * v, 0.1, element="Fe") for v in (0.0, 1.0, 2.0, 3.0)]
    >>> found = calibrate_valence(oxides, element="Fe")
    >>> round(float(found.line.coef[1]), 2)
    2.0
    """
    standards = tuple(standards)
    _check(standards, element, degree)
    line = fit_standards(standards, degree, slope)
    remarks: list[str] = []
    outliers = find_outliers(standards, degree, slope)
    remarks += [outlier_sentence(x, leave_out_outliers) for x in outliers]
    if leave_out_outliers and outliers:
        named = {x.standard.name: x for x in outliers}
        standards = tuple(
            replace(s, used=False, reason=_off(named[s.name].distance, s.reason)) if s.name in named else s
            for s in standards
        )
        line = fit_standards(standards, degree, slope)
    left_out = tuple(leave_one_out(standards, line.degree, slope))
    calibration = Calibration(standards, line, fraction, element, left_out=left_out, outliers=tuple(outliers))
    remarks += bend(standards, degree, slope)
    unproven = [s.name for s in calibration.used if s.scale == UNPROVEN]
    if unproven:
        remarks.append(
            f"energy scale unproven for {', '.join(unproven)}: no reference foil and no stated offset; "
            "an offset between beamlines of 1 eV is common"
        )
    for remark in remarks:
        warn(remark)
    return replace(calibration, remarks=tuple(remarks))


def _off(distance: float, known: str) -> str:
    return f"off the others by {distance:+.1f} eV" + (f": {known}" if known else "")


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
