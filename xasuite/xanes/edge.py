"""Edge energies with their errors: at a fraction of the jump, the first inflection, the white line, the integral.

Each has two separate errors: from the noise of the scan, and from the choice of normalisation ranges, which are
varied over a fixed set (docs/decisions/edge_energy.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import DataError, RangeError
from ..notices import warn
from ..records import Array, Normalized, Record, Series, Source, Step, axes
from ..records.base import declared
from ..records.quantities import Quantity
from ..records.source import after
from ..records.table import Entry, Presented, Table
from .positions import BELOW, crossing, estimator, noise_of, slope_at
from .ranges import CONVENTIONS, RangeSet, range_set, varied

METHODS = ("fraction", "inflection", "whiteline", "integral")
NOISE_COPIES = 24  # noisy copies of a scan from which the error of a position without a formula is taken
AGAIN = 30.0  # eV above the first rise within which a second one counts
DIP = 0.02  # of the jump; norm must fall at least this far below the fraction in between


@dataclass(frozen=True, eq=False)
class EdgeEnergy(Record, Presented):
    """Edge energies `value` (...) in eV with their errors (...): from noise, and from normalisation ranges.

    `norm_err` is the standard deviation over `ranges` and `norm_spread` the largest less the lowest; NaN where the
    ranges were not varied.
    """

    value: Array = field(metadata=axes("row"))
    noise_err: Array = field(metadata=axes("row"))
    norm_err: Array = field(metadata=axes("row"))
    norm_spread: Array = field(metadata=axes("row"))
    method: str
    fraction: float | None = None
    ranges: tuple[RangeSet, ...] = ()
    element: str = ""
    edge: str = ""
    label: str = ""
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """Name of the energy in tables: E(0.5), inflection, whiteline or integral."""
        return f"E({self.fraction:g})" if self.method == "fraction" else self.method

    @property
    def stderr(self) -> Array:
        """Noise and normalisation in quadrature, (...) in eV; NaN where neither is known."""
        known = np.isfinite(self.noise_err) | np.isfinite(self.norm_err)
        total = np.hypot(np.nan_to_num(self.noise_err), np.nan_to_num(self.norm_err))
        return np.where(known, total, np.nan)

    def summary(self) -> Table:
        """One row per spectrum: the energy with its error, and the parts of the error."""
        value = np.atleast_1d(self.value)
        labels = self.labels if len(self.labels) == value.size else (self.label,) * value.size
        parts = (np.atleast_1d(x) for x in (self.noise_err, self.norm_err, self.norm_spread))
        energies = map(Entry, value, np.atleast_1d(self.stderr))
        energy = Quantity(self.name, unit="eV", form=".2f")
        rows = zip(labels, energies, *parts, strict=True)
        columns = ("label", energy, "noise_err", "norm_err", "norm_spread")
        return Table.of(
            f"Edge energy, {self.element} {self.edge}".rstrip(", "), columns, rows, notes=self.notes
        )


def _noise_error(data: Normalized, method: str, value: Array, fraction: float) -> Array:
    """Standard error (...) in eV from the noise of the scan: sigma over slope, or by noisy copies."""
    step = np.asarray(data.edge_step)
    if data.mu_err is not None:
        if np.any(data.mu_err < 0):
            raise DataError(
                f"{data.label or data.source}: mu_err is negative; a standard deviation cannot be"
            )
        near = np.abs(data.energy - np.asarray(data.e0)[..., None]) < BELOW / 2
        sigma = np.nanmean(np.where(near, np.broadcast_to(data.mu_err, data.norm.shape), np.nan), -1) / step
    else:
        sigma = noise_of(data.energy, data.norm, np.asarray(data.e0) - 15.0)
    if method == "fraction":
        with np.errstate(all="ignore"):
            return sigma / np.abs(slope_at(data.energy, data.norm, value))
    rng = np.random.default_rng(0)
    estimate = estimator(method, fraction)
    copies = [
        estimate(data.energy, data.norm + sigma[..., None] * rng.standard_normal(data.norm.shape), data.e0)
        for _ in range(NOISE_COPIES)
    ]
    return np.nanstd(np.array(copies), axis=0)


def edge_energy(
    normalized: Normalized | Series,
    *,
    method: str = "fraction",
    fraction: float = 0.5,
    ranges: tuple[RangeSet, ...] | None = None,
    vary: bool = True,
) -> EdgeEnergy:
    """Edge energy in eV with its error from noise and from the choice of normalisation range.

    Parameters
    ----------
    normalized : Normalized or Series of it
        norm of shape (..., n); transmission, fluorescence or XANES alone.
    method : str
        "fraction" of the edge step, first "inflection", maximum of the "whiteline", or "integral" (0.15 to 1.0).
    fraction : float
        Fraction of the edge step for method "fraction".
    ranges : tuple of RangeSet, optional
        Normalisation choices to vary over; left out, `range_set` of the scan.
    vary : bool
        Vary the ranges; without, `norm_err` is NaN.

    Returns
    -------
    EdgeEnergy
        Arrays (...) in eV. A row of a Series that never reaches the fraction is NaN.

    Raises
    ------
    RangeError
        A single spectrum never reaches the fraction, or holds no pre-edge or post-edge.
    DataError
        An unknown method, a fraction outside 0 to 1, or a negative mu_err.

    Examples
    --------
    >>> energy = np.arange(7600.0, 8000.0, 0.5)
    >>> mu = 0.5 + np.arctan((energy - 7709.0) / 1.5) / np.pi
    >>> norm = xs.normalize(xs.Spectrum(energy, mu, "Co", "K"), e0=7709.0, norm_range=(60, 280))
    >>> abs(float(edge_energy(norm).value) - 7709.0) < 0.2
    True
    """
    if isinstance(normalized, Series):
        found = edge_energy(normalized.data, method=method, fraction=fraction, ranges=ranges, vary=vary)
        return _of_series(found, normalized)
    _check_method(method, fraction)
    value = estimator(method, fraction)(normalized.energy, normalized.norm, normalized.e0)
    _check_found(normalized, value, method, fraction)
    nothing = np.full(np.shape(value), np.nan)
    sets = ranges if ranges is not None else range_set(normalized.energy, normalized.e0) if vary else ()
    still = nothing if not vary else np.zeros_like(nothing)  # ranges do not move an inflection
    varies = vary and method != "inflection"
    sd, span = varied(normalized, sets, estimator(method, fraction)) if varies else (still, still)
    settings = {"method": method, "fraction": fraction, "ranges": len(sets), "set": CONVENTIONS}
    return EdgeEnergy(
        value=value,
        noise_err=_noise_error(normalized, method, value, fraction),
        norm_err=sd,
        norm_spread=span,
        method=method,
        fraction=fraction if method == "fraction" else None,
        ranges=sets,
        **after(normalized, "edge_energy", settings),
    )


def _check_found(data: Normalized, value: Array, method: str, fraction: float) -> None:
    """Raises RangeError when no row has the edge energy; warns of a fraction that is reached twice."""
    name = data.label or str(data.source) or "the spectrum"
    if not np.isfinite(value).any():
        what = f"never rises through {fraction:g} of its jump" if method == "fraction" else f"has no {method}"
        raise RangeError(
            f"{name} {what} between {data.energy[0]:.1f} and {data.energy[-1]:.1f} eV; "
            "check the normalisation and the range of the scan"
        )
    if method == "fraction":
        _warn_of_second_rise(data, value, fraction, name)


def _warn_of_second_rise(data: Normalized, value: Array, fraction: float, name: str) -> None:
    """Warns when norm falls below the fraction again and rises a second time, as after a high pre-edge peak."""
    inside = (data.energy > value[..., None]) & (data.energy < value[..., None] + AGAIN)
    again = crossing(data.energy, np.where(inside, data.norm, np.inf), fraction)
    dip = np.where(inside, data.norm, np.inf).min(-1) < fraction - DIP
    rows = np.flatnonzero(np.atleast_1d(np.isfinite(again) & dip))
    if rows.size:
        where = f"{np.atleast_1d(value)[rows[0]]:.1f} and {np.atleast_1d(again)[rows[0]]:.1f} eV"
        many = f" in {rows.size} rows" if rows.size > 1 else ""
        warn(
            f"{name}: norm rises through {fraction:g} twice{many}, at {where}; a pre-edge peak or a dip in the edge "
            "makes this fraction ambiguous, the first rise is given",
        )


def _of_series(found: EdgeEnergy, series: Series) -> EdgeEnergy:
    """The edge energies with the labels of the series, NaN in rows that are not "ok"."""
    labels = tuple(str(x) for x in series.table["label"]) if "label" in series.table else ()
    known: dict[str, Any] = {
        name: np.where(series.ok, getattr(found, name), np.nan) for name in declared(EdgeEnergy)
    }
    return replace(found, labels=labels, label=series.label, **known)


def _check_method(method: str, fraction: float) -> None:
    if method not in METHODS:
        raise DataError(f"edge energy by {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if method == "fraction" and not 0 < fraction < 1.5:
        raise DataError(f"a fraction of the jump has to lie between 0 and 1; found {fraction:g}")
