"""Figures of a modulation: demodulated curves against the phase angle, amplitude and phase with their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...reduce.modulation import Modulation

CURVES = 12  # most demodulated curves in one panel


def plot_modulation(found: Modulation, harmonic: int | None = None, kweight: float = 2.0) -> Figure:
    """One harmonic: demodulated curves, their map against the phase angle, amplitude and phase.

    Curves are drawn for angles below 180 degrees; the others are their negatives. chi(k) is multiplied by k^kweight.
    Of known changes, the demodulated amount of each is drawn against the angle, with a band of one standard error.
    By default the lowest harmonic. Raises DataError for a harmonic that was not fitted.
    """
    held = [int(h) for h in found.harmonic]
    chosen = held[0] if harmonic is None else harmonic
    if chosen not in held:
        raise DataError(f"harmonic {chosen} was not fitted; there are {', '.join(map(str, held))}")
    draw = _changes if found.axis == "change" else _curves
    return draw(found, held.index(chosen), kweight)


@style.style()
def _curves(found: Modulation, j: int, kweight: float) -> Any:
    weight = found.x**kweight if found.axis == "k" else np.ones(found.x.size)
    unit = style.chik_label(kweight) if found.axis == "k" else style.NORM if found.array != "mu" else "μ(E)"
    xlabel = style.K if found.axis == "k" else style.ENERGY
    figure, axes = style.panels(2, 2, style.DOUBLE, 4.4, sharex=True, height_ratios=(1, 1))
    (stack, size), (chart, phase) = axes
    y = found.demodulated[j] * weight
    _stack(stack, found, y)
    stack.set_ylabel(f"{unit}, demodulated")
    top = float(np.percentile(np.abs(y), 99.8)) or 1.0
    look = {"shading": "nearest", "rasterized": True, "cmap": style.DIVERGING, "vmin": -top, "vmax": top}
    mesh = chart.pcolormesh(found.x, found.angle, y, **look)
    figure.colorbar(mesh, ax=chart, pad=0.02, label=f"{unit}, demodulated")
    chart.set(xlabel=xlabel, ylabel="Phase angle (°)")
    a, e = found.amplitude[j] * weight, found.amplitude_err[j] * weight
    size.fill_between(found.x, a - e, a + e, color=style.COLORS[0], alpha=0.25, lw=0)
    size.plot(found.x, a, color=style.COLORS[0], lw=0.9)
    size.set(ylabel=f"{unit}, amplitude", ylim=(0, 1.1 * float(np.percentile(a + e, 99.5)) or 1.0))
    known = np.isfinite(found.phase_err[j])
    angle, error = found.phase[j, known], found.phase_err[j, known]
    phase.errorbar(found.x[known], angle, error, fmt="o", ms=1.8, lw=0.6, color=style.COLORS[0])
    phase.set(xlabel=xlabel, ylabel="Phase (°)", ylim=(-180, 180), yticks=range(-180, 181, 90))
    phase.set_title("only where p < 0.01", loc="left", fontsize=style.SMALL)
    chart.set_xlim(found.x[0], found.x[-1])
    _title(figure, found, j)
    return figure


def _stack(axis: Any, found: Modulation, y: Any) -> None:
    """The curves in one panel, coloured by their phase angle."""
    half = np.flatnonzero(found.angle % 360 < 180)
    half = half if half.size else np.arange(found.angle.size)
    rows = half[style.thinned(half.size, CURVES)]
    for i, color in zip(rows, style.along(found.angle[rows] % 360 / 180), strict=True):
        axis.plot(found.x, y[i], color=color, lw=0.8)
    axis.axhline(0, color="0.7", lw=0.5, zorder=0)
    style.bar(axis, 0, 180, "Phase angle (°)").set_ticks(range(0, 181, 45))


@style.style()
def _changes(found: Modulation, j: int, _: float) -> Any:
    n = found.x.size
    figure, axes = style.panels(n, 1, style.COLUMN, 0.5 + 1.7 * n, sharex=True, squeeze=False)
    for i, axis in enumerate(axes[:, 0]):
        y, e = found.demodulated[j, :, i], found.demodulated_err[j, :, i]
        axis.fill_between(found.angle, y - e, y + e, color=style.COLORS[0], alpha=0.25, lw=0)
        axis.plot(found.angle, y, color=style.COLORS[0])
        axis.axhline(0, color="0.7", lw=0.5, zorder=0)
        axis.set_ylabel(f"Change of {found.names[i]}")
    axes[-1, 0].set(xlabel="Phase angle (°)", xticks=range(0, 361, 90))
    _title(figure, found, j)
    return figure


def _title(figure: Any, found: Modulation, j: int) -> None:
    of = f"{found.label}: " if found.label else ""
    what = f"harmonic {found.harmonic[j]:g} of {found.period:g} s, {found.periods.shape[1]} periods"
    figure.suptitle(of + what, fontsize=8)
