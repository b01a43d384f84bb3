"""Figures of XANES: normalised edges with the edge enlarged, and valence against edge energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...records import Array, Normalized, Series
from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...workflow.valence import AtFraction
    from ...xanes.standards import Calibration, Prediction, Standard

LABEL_STEP = 0.045  # least distance of two labels, as a share of the height of the axis
MANY = 8  # from more standards on, numbers and a list replace the names next to the points


@style.style()
def edges(
    records: Normalized | Series | Sequence[Normalized],
    *,
    energy_range: tuple[float, float] = (-30, 90),
    enlarged: tuple[float, float] = (-8, 26),
) -> Figure:
    """Normalised XANES, and the edge enlarged in a second panel (ranges in eV from E(0.5) of the first spectrum).

    The rows of a Series are coloured in their order, a few spectra by the palette.
    """
    curves = _curves(records)
    energy, norm, _ = curves[0]
    half = float(energy[np.argmax(norm >= 0.5)])
    many = not isinstance(records, (list, tuple)) and len(curves) > len(style.COLORS)
    lines = ("-", "--", ":")
    figure, (left, right) = style.panels(1, 2, style.DOUBLE, 2.7, width_ratios=(1.5, 1))
    named = style.COLORS[:-1] * (len(curves) // 7 + 1)
    colors: Any = style.along(np.linspace(0, 1, len(curves))) if many else named
    for axes, (low, high) in ((left, energy_range), (right, enlarged)):
        top = 0.0
        for i, ((e, y, label), color) in enumerate(zip(curves, colors, strict=False)):
            inside = (e >= half + low) & (e <= half + high)
            look = {"lw": 0.8} if many else {"lw": 1.1, "ls": lines[i // 7 % 3]}
            axes.plot(e[inside], y[inside], color=color, label=style.formula(label), **look)
            top = max(top, float(y[inside].max(initial=0)))
        axes.set(xlim=(half + low, half + high), ylim=(-0.05, top * 1.06), xlabel=style.ENERGY)
    left.set_ylabel(style.NORM)
    right.set_title("edge enlarged", loc="left")
    style.letters((left, right))
    if many:
        style.bar(right, 1, len(curves), "spectrum")
    elif len(curves) >= MANY:
        figure.legend(*left.get_legend_handles_labels(), loc="outside right upper")
    else:
        left.legend(loc="lower right")
    return figure


def _curves(records: Any) -> list[tuple[Array, Array, str]]:
    if isinstance(records, Series):
        rows = [records.row(int(i)) for i in np.flatnonzero(records.ok)]
        return [(r.energy, r.norm, r.label) for r in rows]
    if isinstance(records, Normalized):
        flat = np.atleast_2d(records.norm)
        return [(records.energy, y, records.label) for y in flat]
    return [(r.energy, r.norm, r.label) for r in records]


@style.style()
def valence(
    result: AtFraction | Calibration, predictions: Sequence[Prediction] = (), *, kind: str = ""
) -> Figure:
    """Formal oxidation state against edge energy: calibration line with its 95 % band, standards, unknowns.

    Standards of unproven energy scale are open circles, standards that are not fitted grey crosses. Below two residual
    degrees of freedom there is no band, and the legend says so. `kind` (measured, closure) is written above.
    """
    from matplotlib.ticker import MaxNLocator

    calibration: Any = getattr(result, "calibration", result)
    unknown = tuple(getattr(result, "predictions", predictions))
    figure, axes = style.panels(1, 1, style.COLUMN * 1.35, 3.2)
    _line(axes, calibration, unknown)
    shown = [s for s in calibration.standards if s.used or _near(s, calibration)]
    for s in shown:
        _point(axes, s)
    far = [s.name for s in calibration.standards if s not in shown]
    for p, color in zip(unknown, (style.FIT, *style.COLORS[1:]), strict=False):
        _unknown(axes, p, color)
    axes.margins(x=0.16, y=0.12)
    _labels(axes, shown)
    axes.set_xlabel(f"{calibration.element} edge energy at {calibration.fraction:g} of the jump (eV)")
    axes.set_ylabel("Formal oxidation state")
    axes.set_title(kind, loc="right", fontsize=7)
    axes.ticklabel_format(useOffset=False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    _legend(axes, calibration, far)
    return figure


def _near(s: Standard, calibration: Calibration) -> bool:
    energies = [x.energy for x in calibration.used]
    reach = 0.6 * (max(energies) - min(energies)) + 5
    return min(energies) - reach < s.energy < max(energies) + reach


def _line(axes: Any, calibration: Calibration, unknown: Sequence[Prediction]) -> None:
    from scipy.stats import t as student

    values = [s.valence for s in calibration.used] + [p.value for p in unknown]
    grid = np.linspace(min(values) - 0.35, max(values) + 0.35, 200)
    line = calibration.line
    axes.plot(line.energy(grid), grid, color=style.FIT, lw=0.8, zorder=2)
    if line.dof >= 2:
        half = student.ppf(0.975, line.dof) * np.sqrt(line.tau**2 + line.variance(grid))
        low, high = line.energy(grid) - half, line.energy(grid) + half
        axes.fill_betweenx(grid, low, high, color=style.FIT, alpha=0.25, lw=0)


def _point(axes: Any, s: Standard) -> None:
    if not s.used:
        axes.plot(s.energy, s.valence, "x", color="0.5", ms=5, zorder=3)
        return
    face = "white" if s.scale == "unproven" else style.DATA
    axes.errorbar(
        s.energy, s.valence, xerr=s.energy_err, yerr=s.valence_err or None, fmt="o", color=style.DATA, mfc=face,
        ms=4, lw=0.8, capsize=1.5, zorder=4,
    )  # fmt: skip


def _unknown(axes: Any, p: Prediction, color: str) -> None:
    yerr = [[p.stderr]] * 2 if p.useless else [[p.value - p.low], [p.high - p.value]]
    axes.errorbar(
        p.energy, p.value, xerr=p.energy_err, yerr=yerr, fmt="*", ms=13, color=color, capsize=2, lw=1, zorder=3,
        mfc="white", mew=1.2, alpha=0.6 if p.scale == "unproven" else 1.0, label=f"{style.formula(p.name)}: {p.text.split(',')[0]}",
    )  # fmt: skip


def _labels(axes: Any, shown: Sequence[Standard]) -> None:
    """Names next to the points, on the side away from others of like valence; numbers and a list for many standards."""
    left, right = axes.get_xlim()
    offset = 0.015 * (right - left)
    numbered = len(shown) > MANY
    ordered = sorted(shown, key=lambda x: (x.valence, x.energy))
    taken: list[tuple[float, float]] = []
    low, high = axes.get_ylim()
    step = LABEL_STEP * (high - low)
    for i, s in enumerate(ordered):
        same = sorted(x.energy for x in shown if abs(x.valence - s.valence) < 0.3)
        is_left = bool(s.energy <= np.median(same))
        gap = offset + (s.energy_err if s.used else 0.0)
        x, y = s.energy + (-gap if is_left else gap), s.valence
        while any(abs(y - v) < step and abs(x - e) < 4 * offset for e, v in taken):
            y += step / 2 if is_left else -step / 2  # away from the line, which rises to the right
        taken.append((x, y))
        axes.text(
            x, y, str(i + 1) if numbered else style.formula(s.name), fontsize=style.SMALL, ha="right" if is_left else "left", va="center",
            color=style.DATA if s.used else "0.45",
        )  # fmt: skip
    if numbered:
        key = "\n".join(f"{i + 1}  {style.formula(s.name)}" for i, s in enumerate(ordered))
        axes.text(1.02, 1.0, key, transform=axes.transAxes, fontsize=style.SMALL, va="top", linespacing=1.3)


def _legend(axes: Any, calibration: Calibration, far: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles, _ = axes.get_legend_handles_labels()

    def entry(label: str, **look: Any) -> None:
        handles.append(Line2D([], [], label=label, **{"ls": ""} | look))

    dof = calibration.line.dof
    if any(s.scale == "unproven" for s in calibration.used):
        entry("energy scale unproven", marker="o", color=style.DATA, mfc="white", ms=4)
    if any(not s.used for s in calibration.standards):
        entry("not fitted", marker="x", color="0.5", ms=5)
    if dof >= 2:
        entry(f"95 %, {dof} degrees of freedom", ls="-", color=style.FIT, alpha=0.25, lw=6)
    else:
        entry(f"no band: {max(dof, 0)} degree(s) of freedom")
    if far:
        entry(f"off the figure: {', '.join(far)}")
    axes.legend(handles=handles, loc="upper left", handlelength=1.2)
