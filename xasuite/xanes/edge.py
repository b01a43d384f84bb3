"""Edge energies with their errors: at a fraction of the jump, the first inflection, the white line, the integral.

Each comes with two errors kept apart: from the noise of the scan, and from the choice of normalisation range,
which is varied over a stated set (docs/decisions/edge_energy.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, RangeError, ReductionError, XasuiteWarning
from ..model import Array, Normalized, Series, Source, Spectrum, Step, _Record

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("fraction", "inflection", "whiteline", "integral")
INFLECTION = 0.6  # of the steepest slope: what lies below is a pre-edge peak
NOISE_COPIES = 24  # noisy copies of a scan from which the error of a position without a formula is taken
WHITE_LINE_SPAN = 40.0  # eV above E(0.5) in which the white line's maximum is looked for
INTEGRAL_LEVELS = (0.15, 1.0)  # of the jump: Dau, Liebisch & Haumann, Anal. Bioanal. Chem. 376 (2003) 562
BELOW = 60.0  # eV below e0 from which a crossing of the fraction is looked for
AGAIN, DIP = (
    30.0,
    0.02,
)  # eV above the first rise, and how far below the fraction, that make a second rise count
MIN_PRE_END = 10.0  # eV below e0 beyond which no pre-edge range of the set reaches
MIN_WIDTH = 12.0  # eV, a narrower range is left out of the set
_RANGE_CONVENTIONS = (
    "pre-edge from 1 or 0.7 of what is measured (at most 200 eV) to 0.5 or 0.33 of it; post-edge from three "
    "starts to the end of the scan or 0.75 of it; the degree usual for its width and one less"
)


@dataclass(frozen=True)
class RangeSet:
    """One choice of normalisation: pre-edge and post-edge range in eV from e0, degree of the post-edge."""

    pre: tuple[float, float]
    norm: tuple[float, float]
    nnorm: int


@dataclass(frozen=True, eq=False)
class EdgeEnergy(_Record):
    """Edge energies `value` (...) in eV with their errors (...): from noise, and from normalisation ranges.

    `norm_err` is the standard deviation over `ranges` and `norm_span` the whole spread; NaN where the ranges
    were not varied. `name` reads E(0.5), inflection, white line or integral.
    """

    value: Array
    noise_err: Array
    norm_err: Array
    norm_span: Array
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

    _arrays = ("value", "noise_err", "norm_err", "norm_span")

    @property
    def name(self) -> str:
        """What the energy is called in a table."""
        return f"E({self.fraction:g})" if self.method == "fraction" else self.method

    @property
    def stderr(self) -> Array:
        """Noise and normalisation in quadrature, (...) in eV; NaN where neither is known."""
        known = np.isfinite(self.noise_err) | np.isfinite(self.norm_err)
        total = np.hypot(np.nan_to_num(self.noise_err), np.nan_to_num(self.norm_err))
        return np.where(known, total, np.nan)

    def table(self) -> pd.DataFrame:
        """A row a spectrum: energy, its errors and the normalisation spread, eV."""
        import pandas as pd

        value = np.atleast_1d(self.value)
        labels = list(self.labels) if len(self.labels) == value.size else [self.label] * value.size
        return pd.DataFrame(
            {
                "label": labels,
                f"{self.name} (eV)": value,
                "error (eV)": np.atleast_1d(self.stderr),
                "from noise (eV)": np.atleast_1d(self.noise_err),
                "from ranges, sd (eV)": np.atleast_1d(self.norm_err),
                "from ranges, spread (eV)": np.atleast_1d(self.norm_span),
            }
        )


# ------------------------------------------------------------------------------------------------ kernels


def crossing(energy: Array, norm: Array, fraction: float, *, start: Array | float | None = None) -> Array:
    """Energy (...) where norm (..., n) first rises through `fraction`, by linear interpolation; NaN if never.

    `start` (...) in eV leaves out what lies below it.
    """
    after = norm[..., 1:]
    before = norm[..., :-1]
    rising = (before < fraction) & (after >= fraction)
    if start is not None:
        rising &= energy[1:] >= np.asarray(start, float)[..., None]
    i = np.argmax(rising, axis=-1)
    low = np.take_along_axis(before, i[..., None], -1)[..., 0]
    high = np.take_along_axis(after, i[..., None], -1)[..., 0]
    with np.errstate(all="ignore"):
        found = energy[i] + (fraction - low) / (high - low) * (energy[i + 1] - energy[i])
    return np.where(rising.any(-1), found, np.nan)


def slope_at(energy: Array, norm: Array, at: Array, width: float = 1.0) -> Array:
    """Slope (...) in 1/eV of norm (..., n) over `width` eV around energies `at` (...)."""
    shape = norm.shape[:-1]
    flat = norm.reshape(-1, energy.size)
    centre = np.broadcast_to(at, shape).reshape(-1)
    step = np.array([max(width, _step(energy, e)) for e in centre])
    up = np.array([np.interp(e + s / 2, energy, y) for e, s, y in zip(centre, step, flat, strict=True)])
    down = np.array([np.interp(e - s / 2, energy, y) for e, s, y in zip(centre, step, flat, strict=True)])
    return ((up - down) / step).reshape(shape)


def _step(energy: Array, at: float) -> float:
    if not np.isfinite(at):
        return 0.0
    i = int(np.clip(np.searchsorted(energy, at), 1, energy.size - 1))
    return float(energy[i] - energy[i - 1])


def noise_of(energy: Array, values: Array, below: Array | float) -> Array:
    """Standard deviation (...) of a point of `values` (..., n), from the pre-edge below an energy (...).

    Each point is compared with the line through its neighbours; 1.4826 x the median of what is left, which
    single glitches do not move. The whole scan is used where fewer than eight points lie below.
    """
    e = np.asarray(energy, float)
    share = (e[1:-1] - e[:-2]) / (e[2:] - e[:-2])
    left = values[..., 1:-1] - (1 - share) * values[..., :-2] - share * values[..., 2:]
    left = left / np.sqrt(1 + share**2 + (1 - share) ** 2)
    inside = e[1:-1] < np.asarray(below, float)[..., None]
    inside = np.where(inside.sum(-1, keepdims=True) >= 8, inside, True)
    return 1.4826 * np.nanmedian(np.where(inside, np.abs(left), np.nan), axis=-1)


def first_inflection(energy: Array, norm: Array, e0: Array) -> Array:
    """First significant inflection (...) of the edge in eV, between the points, by `reduce.inflections`."""
    from ..reduce import inflections

    shape = norm.shape[:-1]
    out = np.full(norm.reshape(-1, energy.size).shape[0], np.nan)
    for row, y in enumerate(norm.reshape(-1, energy.size)):
        found: Any = inflections(Spectrum(energy=energy, mu=y), significant=INFLECTION)
        if found:
            out[row] = found[0].energy
    return out.reshape(shape)


def white_line(energy: Array, norm: Array, e0: Array) -> Array:
    """Energy (...) of the largest norm within 40 eV above E(0.5), from a parabola through three points."""
    shape = norm.shape[:-1]
    flat = norm.reshape(-1, energy.size)
    half = crossing(energy, flat, 0.5, start=np.broadcast_to(e0, shape).reshape(-1) - BELOW)
    out = np.full(len(flat), np.nan)
    for row, (y, start) in enumerate(zip(flat, half, strict=True)):
        inside = np.flatnonzero((energy >= start) & (energy <= start + WHITE_LINE_SPAN))
        if inside.size > 2:
            top = int(inside[np.argmax(y[inside])])
            if inside[0] < top < inside[-1]:
                out[row] = _vertex(energy, y, top)
    return out.reshape(shape)


def _vertex(x: Array, y: Array, i: int) -> float:
    """Vertex of the parabola through three neighbouring points, which need not be evenly spaced."""
    a, b, _ = np.polyfit(x[i - 1 : i + 2] - x[i], y[i - 1 : i + 2], 2)
    return float(x[i] - b / (2 * a)) if a < 0 else float(x[i])


def integral(energy: Array, norm: Array, e0: Array) -> Array:
    """Edge energy (...) by integral: the mean of E(f) for f from 0.15 to 1.0 of the jump (Dau et al. 2003)."""
    levels = np.linspace(*INTEGRAL_LEVELS, 35)
    each = np.array([crossing(energy, norm, f, start=np.asarray(e0) - BELOW) for f in levels])
    return np.trapezoid(each, levels, axis=0) / (levels[-1] - levels[0])


def _estimator(method: str, fraction: float) -> Callable[[Array, Array, Array], Array]:
    if method == "fraction":
        return lambda e, y, e0: crossing(e, y, fraction, start=np.asarray(e0) - BELOW)
    return {"inflection": first_inflection, "whiteline": white_line, "integral": integral}[method]


# ------------------------------------------------------------------------------------------ normalisation


def range_set(energy: Array, e0: Array | float) -> tuple[RangeSet, ...]:
    """The stated set of normalisation choices for a scan on `energy` (n,) with edge(s) `e0`, up to 48 of them.

    Pre-edge from 1 or 0.7 of what is measured (at most 200 eV) to 0.5 or 0.33 of it; post-edge from three
    starts to the end or 0.75 of it; the degree usual for its width (2 from 350 eV, 1 from 50 eV, else 0) and
    one less. Raises RangeError when the scan holds no pre-edge or no post-edge.
    """
    before = min(float(np.max(e0)) - energy[0], 200.0)
    after = energy[-1] - float(np.max(e0))
    if before < MIN_PRE_END or after < MIN_WIDTH + 25:
        raise RangeError(
            f"the scan runs from {before:.0f} eV before to {after:.0f} eV after its edge; a normalisation needs "
            f"{MIN_PRE_END:.0f} eV before and {MIN_WIDTH + 25:.0f} eV after"
        )
    ends = dict.fromkeys(max(share * before, MIN_PRE_END) for share in (0.5, 0.33))
    pres = [(-a * before, -b) for a, b in product((1.0, 0.7), ends) if a * before - b >= MIN_PRE_END / 2]
    starts = (
        (150.0, 100.0, 50.0) if after > 300 else (75.0, 50.0, 35.0) if after > 150 else (45.0, 35.0, 25.0)
    )
    found: dict[RangeSet, None] = {}
    for pre, start, share in product(pres or [(-before, -before / 3)], starts, (1.0, 0.75)):
        width = share * after - start
        if width < MIN_WIDTH:
            continue
        degree = 2 if width >= 350 else 1 if width >= 50 else 0
        for nnorm in {degree, max(degree - 1, 0)}:
            found[RangeSet(pre, (start, share * after), nnorm)] = None
    return tuple(found)


def _varied(
    data: Normalized, ranges: tuple[RangeSet, ...], estimate: Callable[[Array, Array, Array], Array]
) -> tuple[Array, Array]:
    """Standard deviation and whole spread (...) of the estimate over the normalisation ranges."""
    from ..reduce import normalize

    stack = np.atleast_2d(
        data.mu
    )  # even one spectrum goes through the batched kernel, which equals the single one
    e0 = (
        np.broadcast_to(np.asarray(data.e0, float), data.norm.shape[:-1])
        if data.norm.ndim > 1
        else data.e0.reshape(1)
    )
    plain = Spectrum(energy=data.energy, mu=stack, element=data.element, edge=data.edge, label=data.label)
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)
        for r in ranges:
            try:
                again = normalize(plain, e0=e0, pre=r.pre, norm=r.norm, nnorm=r.nnorm)
            except (RangeError, ReductionError):
                continue
            values.append(estimate(data.energy, again.norm, e0).reshape(data.norm.shape[:-1]))
    if len(values) < 2:
        nothing = np.full(data.norm.shape[:-1], np.nan)
        return nothing, nothing
    stack = np.array(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanstd(stack, axis=0), np.nanmax(stack, axis=0) - np.nanmin(stack, axis=0)


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
    estimate = _estimator(method, fraction)
    copies = [
        estimate(data.energy, data.norm + sigma[..., None] * rng.standard_normal(data.norm.shape), data.e0)
        for _ in range(NOISE_COPIES)
    ]
    return np.nanstd(np.array(copies), axis=0)


# ----------------------------------------------------------------------------------------------- public


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
    normalized : Normalized with norm (..., n), or a Series of it; transmission, fluorescence or XANES alone
    method : "fraction" of the jump, first "inflection", "whiteline" maximum, or "integral" (0.15 to 1.0)
    fraction : of the normalised jump, for method "fraction"
    ranges : normalisation choices to vary over; left out, `range_set` of the scan
    vary : whether to vary them at all (norm_err is NaN otherwise)

    Returns
    -------
    EdgeEnergy with arrays (...) in eV. A row of a Series that never reaches the fraction is NaN.

    Raises
    ------
    RangeError when a single spectrum never reaches the fraction or holds no pre-edge or post-edge
    DataError for an unknown method, a fraction outside 0-1 or a negative mu_err
    """
    if isinstance(normalized, Series):
        found = edge_energy(normalized.data, method=method, fraction=fraction, ranges=ranges, vary=vary)
        return _of_series(found, normalized)
    _check_method(method, fraction)
    name = normalized.label or str(normalized.source) or "the spectrum"
    estimate = _estimator(method, fraction)
    value = estimate(normalized.energy, normalized.norm, normalized.e0)
    if not np.isfinite(value).any():
        what = f"never rises through {fraction:g} of its jump" if method == "fraction" else f"has no {method}"
        raise RangeError(
            f"{name} {what} between {normalized.energy[0]:.1f} and {normalized.energy[-1]:.1f} eV; "
            "check the normalisation and the range of the scan"
        )
    if method == "fraction":
        _warn_of_second_rise(normalized, value, fraction, name)
    nothing = np.full(np.shape(value), np.nan)
    sets = ranges if ranges is not None else range_set(normalized.energy, normalized.e0) if vary else ()
    still = nothing if not vary else np.zeros_like(nothing)  # straight lines and a scale move no inflection
    varies = vary and method != "inflection"
    sd, span = _varied(normalized, sets, estimate) if varies else (still, still)
    step = Step(
        "edge_energy",
        {"method": method, "fraction": fraction, "ranges": len(sets), "set": _RANGE_CONVENTIONS},
    )
    return EdgeEnergy(
        value=value,
        noise_err=_noise_error(normalized, method, value, fraction),
        norm_err=sd,
        norm_span=span,
        method=method,
        fraction=fraction if method == "fraction" else None,
        ranges=sets,
        element=normalized.element,
        edge=normalized.edge,
        label=normalized.label,
        notes=normalized.notes,
        source=normalized.source,
        history=(*normalized.history, step),
    )


def _warn_of_second_rise(data: Normalized, value: Array, fraction: float, name: str) -> None:
    """Warns when norm falls below the fraction again and rises a second time, as after a high pre-edge peak."""
    inside = (data.energy > value[..., None]) & (data.energy < value[..., None] + AGAIN)
    again = crossing(data.energy, np.where(inside, data.norm, np.inf), fraction)
    dip = np.where(inside, data.norm, np.inf).min(-1) < fraction - DIP
    rows = np.flatnonzero(np.atleast_1d(np.isfinite(again) & dip))
    if rows.size:
        where = f"{np.atleast_1d(value)[rows[0]]:.1f} and {np.atleast_1d(again)[rows[0]]:.1f} eV"
        many = f" in {rows.size} rows" if rows.size > 1 else ""
        warnings.warn(
            f"{name}: norm rises through {fraction:g} twice{many}, at {where}; a pre-edge peak or a dip in the edge "
            "makes this fraction ambiguous, the first rise is given",
            XasuiteWarning,
            stacklevel=3,
        )


def _of_series(found: EdgeEnergy, series: Series) -> EdgeEnergy:
    """The edge energies with the series' labels, NaN where a row is not to be analysed."""
    labels = tuple(str(x) for x in series.table["label"]) if "label" in series.table else ()
    bad = ~series.ok
    return replace(
        found,
        labels=labels,
        label=series.label,
        value=np.where(bad, np.nan, found.value),
        noise_err=np.where(bad, np.nan, found.noise_err),
        norm_err=np.where(bad, np.nan, found.norm_err),
        norm_span=np.where(bad, np.nan, found.norm_span),
    )


def _check_method(method: str, fraction: float) -> None:
    if method not in METHODS:
        raise DataError(f"edge energy by {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if method == "fraction" and not 0 < fraction < 1.5:
        raise DataError(f"a fraction of the jump of {fraction:g} means nothing; give one between 0 and 1")
