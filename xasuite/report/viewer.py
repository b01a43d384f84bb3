"""The data of the report's interactive figures: stacks of curves in two bytes per point, parameters with errors.

A stack (m, n) is stored as 16-bit integers between its minimum and its maximum, the map of a wavelet as bytes.
The highest code means "no value" (a row that was not fitted).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exafs.model import FitRange
from ..records import Array
from .plots.style import thinned
from .samples import chi_record, transformed

RMAX = 6.0  # A
MAP_R = (0.8, 5.0)  # A, of the wavelet's map
MAP_SIZE = (40, 48)  # points in R and in k
MOST_ROWS = 500  # curves a viewer holds; a longer series is thinned evenly
MOST_POINTS = 4000  # parameters against time hold more rows than curves do
XANES = (-40.0, 120.0)  # eV about E0
MOST_ENERGIES = 400
_TOP16, _TOP8 = 65534, 254


@dataclass(frozen=True, eq=False)
class Trend:
    """One parameter along the rows: values and errors (m,); `lost` (m,) marks rows whose data do not determine it."""

    name: str
    unit: str
    values: Array
    errors: Array
    lost: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """What a viewer shows: m rows of XANES, chi(k) and fit, the ranges they were fitted with, and parameters.

    `paths` holds chi(k) of each path (m, nk); `lines` mu, pre-edge line, post-edge line and background on `energy`.
    """

    x: Array
    xlabel: str
    labels: tuple[str, ...]
    status: tuple[str, ...]
    energy: Array
    norm: Array
    k: Array
    chi: Array
    fit: Array
    range: FitRange
    trends: tuple[Trend, ...] = ()
    paths: Mapping[str, Array] = field(default_factory=dict)
    lines: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


def packed(values: Array, bits: int = 16) -> dict[str, Any]:
    """A stack (m, n) as base64 codes of 16 or 8 bits per point; a value is low + code * step."""
    finite = np.isfinite(values)
    low = float(values[finite].min()) if finite.any() else 0.0
    high = float(values[finite].max()) if finite.any() else 1.0
    top = _TOP16 if bits == 16 else _TOP8
    step = (high - low) / top or 1.0
    codes = np.full(values.shape, top + 1)
    codes[finite] = np.rint((values[finite] - low) / step)
    raw = codes.astype("<u2" if bits == 16 else "u1").tobytes()
    data = base64.b64encode(raw).decode()
    return {"m": len(values), "n": values.shape[1], "low": low, "step": step, "bits": bits, "data": data}


def unpacked(held: Mapping[str, Any]) -> Array:
    """The stack (m, n) behind the result of `packed`, NaN where there is no value."""
    codes = np.frombuffer(base64.b64decode(held["data"]), "<u2" if held["bits"] == 16 else "u1")
    top = _TOP16 if held["bits"] == 16 else _TOP8
    values = held["low"] + codes.astype(float) * held["step"]
    return np.where(codes > top, np.nan, values).reshape(held["m"], held["n"])


def payload(stack: Stack) -> dict[str, Any]:
    """The content of one viewer as a document for JSON."""
    shown = thinned(len(stack), MOST_ROWS)
    weight, ends = stack.range.kweight[-1], stack.range.k
    inside = (stack.k >= 0.5) & (stack.k <= min(ends[1] + 2, stack.k[-1]))
    chi, fit = stack.chi[shown], stack.fit[shown]
    r, chir = _chir(stack, chi)
    _, chir_fit = _chir(stack, fit)
    _, misfit = _chir(stack, chi - fit)
    map_k, map_r, height = _map(stack, chi)
    energy, norm = _xanes(stack, shown)
    return {
        "x": _numbers(stack.x[shown], 6),
        "xlabel": stack.xlabel,
        "labels": [stack.labels[i] for i in shown],
        "status": [stack.status[i] for i in shown],
        "rows": [int(i) + 1 for i in shown],
        "total": len(stack),
        "kweight": weight,
        "krange": list(ends),
        "rrange": list(stack.range.r),
        "energy": _numbers(energy, 9),
        "norm": packed(norm),
        "k": _numbers(stack.k[inside], 5),
        "chi": packed((chi * stack.k**weight)[:, inside]),
        "fit": packed((fit * stack.k**weight)[:, inside]),
        "r": _numbers(r, 5),
        "chir": packed(chir),
        "chirfit": packed(chir_fit),
        "misfit": packed(misfit),
        "paths": [{"name": n, "curves": packed(_chir(stack, c[shown])[1])} for n, c in stack.paths.items()],
        "lines": _lines(stack, shown),
        "mapk": _numbers(map_k, 5),
        "mapr": _numbers(map_r, 5),
        "map": packed(height.reshape(len(shown), -1), 8),
        "trends": _trends(stack),
        "now": [_values(t, shown) for t in stack.trends],
    }


def _numbers(values: Any, digits: int) -> list[float | None]:
    """Values for JSON with so many digits, null where they are not finite."""
    return [None if not math.isfinite(v) else float(f"{v:.{digits}g}") for v in np.asarray(values, float)]


def _values(trend: Trend, at: NDArray[np.intp]) -> dict[str, Any]:
    return {"values": _numbers(trend.values[at], 7), "errors": _numbers(trend.errors[at], 4)}


def _trends(stack: Stack) -> dict[str, Any]:
    at = thinned(len(stack), MOST_POINTS)
    out = []
    for t in stack.trends:
        lost = np.zeros(at.size, bool) if t.lost is None else t.lost[at]
        out.append({"name": t.name, "unit": t.unit, **_values(t, at), "lost": lost.tolist()})
    return {"x": _numbers(stack.x[at], 6), "of": out}


def _chir(stack: Stack, chi: Array) -> tuple[Array, Array]:
    """r (n,) and |chi(R)| (m, n) with the k range, k weight and window of the fit; NaN where chi is NaN."""
    made = transformed(stack.k, chi, stack.range)
    inside = made.r <= RMAX
    height = np.where(np.any(np.isfinite(chi), axis=1)[:, None], made.magnitude, np.nan)
    return made.r[inside], height[:, inside]


def _map(stack: Stack, chi: Array) -> tuple[Array, Array, Array]:
    """k, r and |W| (m, nr, nk) of the data's Morlet transform, on a coarse grid."""
    from ..exafs.wavelet_transform import iter_wavelet

    fit, last = stack.range, stack.k.size - 1
    at = np.linspace(max(0.5, fit.k[0] - 1), min(fit.k[1] + 1, float(stack.k[-1])), MAP_SIZE[1])
    picked = np.unique(np.searchsorted(stack.k, at).clip(max=last))
    height = np.empty((len(chi), MAP_SIZE[0], picked.size))
    r: Array = np.linspace(*MAP_R, MAP_SIZE[0])
    settings: dict[str, Any] = {"k": fit.k, "kweight": fit.kweight[-1], "r": MAP_R, "nr": MAP_SIZE[0]}
    # the page states the unit of this scaling, A^-(kweight + 1/2)
    made = iter_wavelet(chi_record(stack.k, chi), kind="morlet", scaling="energy", **settings)
    for rows, wavelet in made:
        height[rows] = wavelet.magnitude[..., picked]
        r = wavelet.r
    height[np.flatnonzero(~np.isfinite(chi).any(axis=1))] = np.nan
    return stack.k[picked], r, height


def _xanes(stack: Stack, shown: NDArray[np.intp]) -> tuple[Array, Array]:
    """Energy and norm near the edge, on at most MOST_ENERGIES points."""
    centre = _half(stack.energy, stack.norm)
    inside = np.flatnonzero((stack.energy >= centre + XANES[0]) & (stack.energy <= centre + XANES[1]))
    if inside.size > MOST_ENERGIES:
        inside = inside[thinned(inside.size, MOST_ENERGIES)]
    return stack.energy[inside], stack.norm[shown][:, inside]


def _lines(stack: Stack, shown: NDArray[np.intp]) -> dict[str, Any] | None:
    """mu, pre-edge and post-edge lines and background over the whole scan; None where they are not stored."""
    if not stack.lines:
        return None
    at = thinned(stack.energy.size, 2 * MOST_ENERGIES)
    curves = {n: packed(values[shown][:, at]) for n, values in stack.lines.items()}
    return {"energy": _numbers(stack.energy[at], 9), **curves}


def _half(energy: Array, norm: Array) -> float:
    """Energy at which norm of the first good row reaches 0.5."""
    good = np.flatnonzero(np.isfinite(norm).all(axis=1))
    if not good.size or not energy.size:
        return float(energy.mean()) if energy.size else 0.0
    return float(energy[int(np.argmax(norm[good[0]] >= 0.5))])


def together(energies: Sequence[Array], norms: Sequence[Array]) -> tuple[Array, Array]:
    """Spectra interpolated onto the grid of the first; NaN outside the range of each, and for an empty one."""
    grid = next((e for e in energies if e.size), energies[0])
    rows = [
        np.interp(grid, e, y, left=np.nan, right=np.nan) if e.size else np.full(grid.size, np.nan)
        for e, y in zip(energies, norms, strict=True)
    ]
    return grid, np.stack(rows)


def padded(curves: Sequence[Array]) -> Array:
    """Curves of different length as one stack (m, n), NaN after the end of each."""
    out = np.full((len(curves), max(c.size for c in curves)), np.nan)
    for row, curve in zip(out, curves, strict=True):
        row[: curve.size] = curve
    return out
