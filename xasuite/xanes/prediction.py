"""The valence of an unknown from a calibration, with its interval or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import CalibrationError
from .calibration import fieller, invert
from .standards import LEVEL, MIN_DOF, UNPROVEN, Calibration, Prediction

if TYPE_CHECKING:
    import pandas as pd

    from .edge import EdgeEnergy


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

    The interval holds the unknown's own error, the scatter between compounds and the line's error, with Student's t for the residual degrees of
    freedom. With fewer than two of those it is not given.

    Parameters
    ----------
    calibration : Calibration
        Of `calibrate_valence`.
    energy, energy_err : float
        Edge energy of the unknown and its whole error, eV.
    name : str
        Name of the unknown.
    level : float
        Level of the interval.
    scale : str
        How the energy scale is known: "proven", "stated" or "unproven".
    evidence : str
        The sentence that gives the reason for `scale`.

    Returns
    -------
    Prediction
        The valence with its standard error and interval; `useless` says why there is no interval.

    Raises
    ------
    CalibrationError
        An energy or error that is no number, or negative.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore")
    >>> from xasuite.xanes import Standard, calibrate_valence, edge_energy
    >>> oxides = [Standard(f"oxide {v}", v, 7120.0 + 2.0 * v, 0.1, element="Fe") for v in (0.0, 1.0, 2.0, 3.0)]
    >>> found = predict(calibrate_valence(oxides, element="Fe"), 7125.0, 0.1)
    >>> round(found.value, 2), bool(found.low < 2.5 < found.high)
    (2.5, True)
    """
    if not np.isfinite(energy) or not energy_err >= 0:
        raise CalibrationError(
            f"{name or 'the unknown'}: edge energy {energy:g} eV with error {energy_err:g} eV cannot be used; "
            "the error must be zero or positive"
        )
    from scipy.stats import t as student

    line = calibration.line
    value = invert(line, energy, calibration.valence_range)
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
    method = "Fieller" if line.degree == 1 else "Fieller, solved on the parabola"
    bottom, top = calibration.valence_range
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
        method="no interval" if useless else method,
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
    """Valence of every spectrum of a series from its edge energies, one row per spectrum.

    Parameters
    ----------
    calibration : Calibration
        Of `calibrate_valence`.
    edges : EdgeEnergy
        Edge energies (m,) at the calibration's fraction.
    level : float
        Level of the intervals.
    scale_err : float
        Error of the energy scale in eV, common to all rows.

    Returns
    -------
    DataFrame
        Valence, error and interval of each row; a row without an edge energy is NaN with the reason.

    Raises
    ------
    CalibrationError
        Edge energies at another fraction, or of another element.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore")
    >>> from xasuite.xanes import Standard, calibrate_valence, edge_energy
    >>> oxides = [Standard(f"oxide {v}", v, 7120.0 + 2.0 * v, 0.1, element="Co") for v in (0.0, 1.0, 2.0, 3.0)]
    >>> energy = np.arange(7000.0, 7400.0, 0.5)
    >>> mu = np.array([0.5 + np.arctan((energy - e) / 1.5) / np.pi for e in (7122.0, 7124.0)])
    >>> norm = xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7123.0, norm_range=(80, 270))
    >>> len(predict_series(calibrate_valence(oxides, element="Co"), edge_energy(norm)))
    2
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
    labels = edges.summary().to_dataframe()["label"]
    rows = []
    errors = np.hypot(np.nan_to_num(edges.stderr), scale_err)
    for label, energy, err in zip(labels, np.atleast_1d(edges.value), np.atleast_1d(errors), strict=True):
        row: dict[str, object] = {"label": label, "energy": energy}
        if np.isfinite(energy):
            p = predict(calibration, float(energy), float(err), name=str(label), level=level)
            row |= {"valence": p.value, "valence_err": p.stderr, "valence_low": p.low, "valence_high": p.high}
            row |= {"extrapolated": p.extrapolated, "remark": p.useless}
        else:
            row |= {"valence": np.nan, "remark": "no edge energy"}
        rows.append(row)
    return pd.DataFrame(rows)


def _useless(dof: int) -> str:
    if dof >= MIN_DOF:
        return ""
    if dof <= 0:  # nothing to estimate the scatter from: the standard error is of the measurement alone
        return "no residual degree of freedom, an interval would be useless and the error holds no scatter between compounds"
    return "one residual degree of freedom (t = 12.7), an interval would be useless"
