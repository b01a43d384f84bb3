"""The edge step from the tabulated absorption of the free atom, and the error of an edge step.

A polynomial fitted to the post-edge is not constrained at the edge, so the step depends on the range of the fit.
Here the tabulated cross section of the element gives the shape of the jump, and one least-squares fit gives its
height (docs/decisions/edge_step.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..edges import core_width, edges_of, photoabsorption
from ..errors import RangeError, ReductionError
from ..records import Array, Normalized, Step
from .norm_ranges import Range, Ranges, cut, holding

# Energies in eV from the edge. Within the first three the shape of the jump is a parabola of ln(cross section) over ln(energy)
_TABLE_BELOW, _TABLE_ABOVE, _TABLE_GAP = 600.0, 2000.0, 25.0
_PRE = (-200.0, -30.0)
_RAMP = (30.0, 130.0)  # where the weight rises from 0 to 1: near-edge structure is not that of the free atom
_NEXT_EDGE = 30.0  # distance to the element's next edge that is not used
SHORT = 300.0  # a scan that ends below this shows no curvature: degree 1, and a ramp nearer to the edge
LEAST_END, LEAST_PRE = 50.0, 20.0  # shortest post-edge and pre-edge for which the method was tested
MISFIT = 0.015  # as a share of the step; a larger misfit of the pre-edge means that the tabulated shape does not hold
USUAL_MISFIT = 0.005  # of foils and oxides in transmission, from which the errors below were determined

# Relative standard error of an edge step, by the end of the post-edge (eV above E0): of the step itself, and of the ratio of
# two steps found in the same way (docs/decisions/edge_step.md)
_ENDS = (50.0, 60.0, 80.0, 100.0, 150.0, 200.0, 300.0, 500.0, 800.0, 1200.0)
_ATOMIC = (0.050, 0.036, 0.027, 0.024, 0.014, 0.013, 0.011, 0.010, 0.011, 0.013)
_ATOMIC_RATIO = (0.050, 0.036, 0.027, 0.024, 0.014, 0.013, 0.011, 0.009, 0.010, 0.010)
_DEFAULT_RANGES = (0.15, 0.11, 0.08, 0.055, 0.036, 0.034, 0.032, 0.030, 0.021, 0.013)
_MBACK = (0.12, 0.09, 0.07, 0.067, 0.055, 0.055, 0.050, 0.050, 0.026, 0.013)
GIVEN_RANGES, GIVEN_RANGES_RATIO = 0.04, 0.025  # of polynomials over ranges that the user gave


@dataclass(frozen=True)
class EdgeShape:
    """The tabulated absorption around an edge, divided by its jump; logarithms are polynomials in ln(E / e0).

    `lower` is the power law of the shells with lower energy (slope, constant), `jump` the part of the edge itself (coefficients of
    the square and of the first power). `width` is the core-hole width in eV, `span` the range in eV from the edge that is free of
    the element's other edges.
    """

    e0: float
    width: float
    span: Range
    lower: tuple[float, float]
    jump: tuple[float, float]

    def parts(self, x: Array) -> tuple[Array, Array]:
        """Absorption of the edge itself and of the lower shells at x (n,) in eV from the edge, both divided by the jump."""
        log = np.log(np.maximum(self.e0 + x, 1.0) / self.e0)
        return np.exp((self.jump[0] * log + self.jump[1]) * log), np.exp(self.lower[0] * log + self.lower[1])

    def rise(self, x: Array) -> Array:
        """Absorption of the edge itself, broadened by the core hole (an arctangent)."""
        return self.parts(x)[0] * (0.5 + np.arctan(2 * x / self.width) / np.pi)


@lru_cache(maxsize=64)
def edge_shape(element: str, edge: str) -> EdgeShape:
    """The shape of an edge from Elam's photoabsorption (Elam, Ravel and Sieber 2002, as xraydb holds it).

    Raises ReductionError when no such edge is tabulated.
    """
    edges = edges_of(element)
    if edge not in edges:
        raise ReductionError(f"no tabulated cross section for {element!r} {edge!r} edge")
    e0 = edges[edge]
    below = max((e - e0 for e in edges.values() if e < e0), default=-e0)
    above = min((e - e0 for e in edges.values() if e > e0), default=np.inf)
    low = e0 + np.linspace(max(-_TABLE_BELOW, below + _TABLE_GAP), -_TABLE_GAP, 60)
    high = e0 + np.linspace(_TABLE_GAP, min(_TABLE_ABOVE, above - _TABLE_GAP), 100)
    lower = np.polyfit(np.log(low / e0), np.log(photoabsorption(element, low)), 1)
    own = photoabsorption(element, high) - np.exp(np.polyval(lower, np.log(high / e0)))
    if not (own > 0).all():
        raise ReductionError(f"no tabulated jump of the {element} {edge} edge")
    jump = np.polyfit(np.log(high / e0), np.log(own), 2)
    return EdgeShape(
        e0,
        core_width(element, edge) or 0.0,
        (float(below) + _NEXT_EDGE, float(above) - _NEXT_EDGE),
        (float(lower[0]), float(lower[1] - jump[2])),
        (float(jump[0]), float(jump[1])),
    )


def atomic_ranges(
    energy: Array,
    e0: float,
    shape: EdgeShape,
    pre_range: Range | None = None,
    norm_range: Range | None = None,
    what: str = "spectrum",
) -> Ranges:
    """The ranges in which `atomic_lines` fits on `energy` (n,) in eV; the weight rises from the start of the post-edge range.

    Raises RangeError where the scan is too short, and says what is missing.
    """
    span = (max(energy[0] - e0, shape.span[0]), min(energy[-1] - e0, shape.span[1]))
    pre = (max(_PRE[0], span[0]), _PRE[1]) if pre_range is None else cut(pre_range, span, "pre_range", what)
    start = _RAMP[0] if span[1] >= SHORT else min(20.0, span[1] / 4)
    post = (start, span[1]) if norm_range is None else cut(norm_range, span, "norm_range", what)
    if post[1] < LEAST_END or pre[1] - pre[0] < LEAST_PRE:
        raise RangeError(
            f"{what}: an edge step by tabulated cross sections needs a pre-edge from {_PRE[1] - LEAST_PRE:g} eV and a "
            f"post-edge to {LEAST_END:g} eV; there are ({span[0]:.0f}, {span[1]:.0f}) eV from E0 {e0:g}"
        )
    return holding(energy, e0, Ranges(pre, post, 1 if post[1] < SHORT else 2), what)


def atomic_lines(energy: Array, mu: Array, e0: float, r: Ranges, shape: EdgeShape) -> dict[str, Array]:
    """Edge step (m,) and lines (m, n) of mu (m, n), by least squares of the free atom's shape and a polynomial.

    mu = step (rise + lower shells) + a + b x + c x^2, x = E - E0. Pre-edge and post-edge have the same total weight, spread
    evenly over energy.
    """
    x = energy - e0
    first, last = r.norm_range
    end = first + _RAMP[1] - _RAMP[0] if last >= SHORT else min(_RAMP[1], 0.6 * last)
    cell = np.gradient(energy)
    below = np.where((x >= r.pre_range[0]) & (x <= r.pre_range[1]), cell, 0.0)
    ramp = np.sin(np.pi / 2 * np.clip((x - first) / (end - first), 0, 1)) ** 2
    above = np.where((x >= first) & (x <= last), cell * ramp, 0.0)
    root = np.sqrt(below / below.sum() + above / above.sum())
    used = root > 0
    own, lower = shape.parts(x)
    powers = (x / _TABLE_BELOW) ** np.arange(r.nnorm + 1)[:, None]
    basis = np.vstack([shape.rise(x) + lower, powers])
    solve = np.linalg.pinv((basis * root)[:, used].T) * root[used]
    found = mu[:, used] @ solve.T
    step = found[:, :1]
    pre_edge = found @ np.vstack([lower, powers])
    norm = (mu - pre_edge) / step
    at = int(np.argmin(np.abs(x)))
    flat = norm.copy()
    flat[:, at:] -= own[at:] - own[at]
    return {
        "edge_step": step[:, 0], "pre_edge": pre_edge, "post_edge": pre_edge + step * own, "norm": norm, "flat": flat,
    }  # fmt: skip


def misfit(energy: Array, norm: Array, e0: float, r: Ranges, shape: EdgeShape) -> Array:
    """The misfit (m,) of the pre-edge as a share of the step, corrected for noise.

    A straight line is fitted to the residual of norm (m, n) in the pre-edge range; the misfit is its root mean square there.
    """
    x = energy - e0
    at = (x >= r.pre_range[0]) & (x <= r.pre_range[1])
    weight = np.gradient(energy)[at] / np.gradient(energy)[at].sum()
    rest = norm[:, at] - shape.rise(x[at])
    basis = np.vander(x[at] / _TABLE_BELOW, 2) * np.sqrt(weight)[:, None]
    hat = basis @ np.linalg.pinv(basis)
    line = (rest * np.sqrt(weight)) @ hat
    noise2 = ((rest * np.sqrt(weight) - line) ** 2).sum(axis=1) * 2 / max(np.count_nonzero(at) - 2, 1)
    return np.sqrt(np.maximum((line**2).sum(axis=1) - noise2, 0.0))


def edge_step_error(normalized: Normalized, foil: Normalized | None = None) -> Array:
    """The relative standard error of the edge step, from the method of normalisation and the end of the scan.

    Parameters
    ----------
    normalized : Normalized
        The result of `normalize`, one spectrum or a stack.
    foil : Normalized, optional
        The foil that gives the S02 of the sample's fit: the error is then that of the ratio of the two steps. Errors common
        to both cancel only if both were normalised by the same method.

    Returns
    -------
    array
        Relative errors (...), one per row; 0.01 is one per cent. They do not include the noise of the spectrum.

    Raises
    ------
    ReductionError
        A spectrum that was not normalised by `normalize`.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> from xasuite.reduce import edge_step_error
    >>> 0 < float(edge_step_error(xs.normalize(spectrum))) < 0.1
    True
    """
    method, given, alone, ratio = _errors(normalized)
    if foil is None:
        return alone
    other, other_given, other_alone, other_ratio = _errors(foil)
    if (method, given) != (other, other_given):
        return np.hypot(alone, other_alone)
    return np.maximum(ratio, other_ratio)


def _errors(data: Normalized) -> tuple[str, bool, Array, Array]:
    """The method, whether its ranges were given, and the error alone and in a ratio (...)."""
    settings = normalization_of(data).settings
    method, given = str(settings["method"]), bool(settings.get("ranges_given", False))
    ends = np.broadcast_to(np.asarray(settings["norm_range"], float)[..., 1], np.shape(data.e0))

    def at(values: tuple[float, ...]) -> Array:
        return np.interp(ends, _ENDS, values)

    if method == "polynomial" and given:
        return method, given, np.full(ends.shape, GIVEN_RANGES), np.full(ends.shape, GIVEN_RANGES_RATIO)
    if method in ("mback", "polynomial"):
        error = at(_MBACK if method == "mback" else _DEFAULT_RANGES)
        return method, given, error, error
    worse = np.maximum(np.asarray(settings["misfit"], float) / USUAL_MISFIT, 1.0)
    return method, given, at(_ATOMIC) * worse, at(_ATOMIC_RATIO) * worse


def normalization_of(data: Normalized) -> Step:
    """The Step of the history that says how a spectrum was normalised. Raises ReductionError if there is none."""
    found = [step for step in data.history if step.name == "normalize"]
    if not found:
        raise ReductionError(f"{data.label or 'spectrum'}: its history does not say how it was normalised")
    return found[-1]
