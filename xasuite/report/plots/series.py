"""Figures of a series: parameters along it, maps and waterfalls, fits at chosen times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..samples import fit_ranges, transformed
from . import series_xanes, style
from .column import draw_column, logged_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..._series.record import SeriesRun

WATERFALL = 16  # curves that can still be distinguished
XANES = (-30.0, 90.0)  # eV from E(0.5)
RMAX = 6.0  # A
PANEL = 1.35  # inches, height of one parameter
LOG_PANEL, LOG_WIDTH = 0.9, 0.9  # inches, of what was logged: below parameters, beside a map
PAPER = ("parameters", "fits", "edge", "components", "chir_waterfall")  # also as PDF


@style.style()
def plot_parameters(run: SeriesRun, names: Sequence[str] = (), against: str = "") -> Figure:
    """Parameters or columns against time (or another column), one panel each, with bands of one standard error.

    By default N of every path whose N varies, and logged quantities below, against the spec's `against`. Values that the fit
    does not determine are open circles without a band; a fit along time, where there is one, is a red line with its band.
    """
    against = against or run.against
    chosen = names or [*default_names(run), *logged_names(run, against)]
    x, label = run.along(against)
    heights = [LOG_PANEL if name in run.logged else PANEL for name in chosen]
    shared: Any = {"sharex": True, "squeeze": False, "height_ratios": heights}
    figure, axes = style.panels(len(chosen), 1, style.DOUBLE * 0.6, 0.5 + sum(heights), **shared)
    for axis, name in zip(axes[:, 0], chosen, strict=True):
        draw_column(axis, run, name, x, against == "time")
    axes[-1, 0].set_xlabel(label)
    figure.suptitle(run.kind, x=0.99, ha="right", fontsize=style.SMALL, color="0.4")
    return figure


def default_names(run: SeriesRun) -> list[str]:
    """Columns of N that vary along the series, one for each set of proportional ones; without any, varied parameters."""
    found: list[str] = []
    seen: list[Array] = []
    for name in [c for c in run.table.columns if c.endswith(".n")]:
        values = run.table[name].to_numpy(float)
        scale = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0
        if scale == 0 or np.nanstd(values) < 1e-9 * scale:
            continue
        if any(np.nanstd(values / scale - s) < 1e-6 for s in seen):
            continue  # proportional to one that is shown
        seen.append(values / scale)
        found.append(name)
    return found or [p["name"] for p in run.parameters if p["vary"]][:4]


def rows_shown(run: SeriesRun, many: int) -> NDArray[np.intp]:
    """At most `many` good rows, evenly along the series."""
    good = np.flatnonzero(run.table["fit_status"] != "not fitted")
    return good[style.thinned(good.size, many)]


def curves_of(run: SeriesRun, what: str, rows: NDArray[np.intp] | slice) -> tuple[Array, Array, str, str]:
    """Axis (n,), curves (m, n) and their labels of "xanes" or "chir" for some rows."""
    if what == "xanes":
        energy, norm = run.curves("norm", rows)
        half = float(np.nanmedian(run.table["E(0.5)"])) if "E(0.5)" in run.table else float(energy.mean())
        inside = (energy >= half + XANES[0]) & (energy <= half + XANES[1])
        return energy[inside], norm[:, inside], style.ENERGY, style.NORM
    r, magnitude, weight = transform(run, run.curves("chi", rows))
    return r, magnitude, style.R, style.chir_label(weight)


def transform(
    run: SeriesRun, curves: tuple[Array, Array], part: str = "magnitude"
) -> tuple[Array, Array, float]:
    """r (n,) to 6 A, |chi(R)| (m, n) or its real part with the fit's k range and weight, and that weight."""
    made = transformed(*curves, fit_ranges(run.spec["fit"]))
    inside = made.r <= RMAX
    values = made.magnitude if part == "magnitude" else made.chir.real
    return made.r[inside], np.atleast_2d(values)[:, inside], made.kweight


@style.style()
def plot_waterfall(run: SeriesRun, what: str = "xanes", many: int = WATERFALL) -> Figure:
    """XANES or |chi(R)| of some rows above each other, coloured by time."""
    rows = rows_shown(run, many)
    x, y, xlabel, ylabel = curves_of(run, what, rows)
    times, time_label = run.along()
    t = times[rows]
    offset = (0.06 if what == "xanes" else 0.28) * float(np.nanmax(y))
    figure, axis = style.panels(1, 1, style.COLUMN, 3.6)
    colors = style.along((t - t.min()) / (np.ptp(t) or 1.0))
    for i in range(len(rows)):
        axis.plot(x, y[i] + i * offset, color=colors[i], lw=0.8, zorder=len(rows) - i)
    style.bar(axis, t.min(), t.max(), time_label)
    axis.set(xlabel=xlabel, ylabel=f"{ylabel}, offset by {offset:.2g}", xlim=(x[0], x[-1]))
    return figure


@style.style()
def plot_map(run: SeriesRun, what: str = "xanes", difference: bool = False) -> Figure:
    """XANES or |chi(R)| as a map over the whole series, logged quantities next to it; rows without a fit are grey.

    With `difference` the first good row is subtracted, which shows small changes on a large edge.
    """
    table = run.table
    rows = np.arange(len(table)) if len(table) <= 2000 else rows_shown(run, 2000)
    x, y, xlabel, label = curves_of(run, what, rows)
    y = np.where((table["fit_status"].to_numpy()[rows] == "not fitted")[:, None], np.nan, y)
    times, time_label = run.along()
    if difference:
        first = y[np.isfinite(y).all(axis=1)][0]
        y, label = y - first, f"{label} less the first"
    t = times[rows]
    ascending = np.isfinite(t).all() and bool((np.diff(t) > 0).all())
    beside = logged_names(run) if ascending else []
    widths = [style.COLUMN * 1.25, *[LOG_WIDTH] * len(beside)]
    shared: Any = {"sharey": True, "squeeze": False, "width_ratios": widths}
    figure, axes = style.panels(1, len(widths), sum(widths), 2.7, **shared)
    axis = axes[0, 0]
    axis.set_facecolor("0.8")
    top = float(np.nanmax(np.abs(y)) if difference else np.nanpercentile(y, 99.8))
    look = {"vmin": -top if difference else 0, "vmax": top, "shading": "nearest", "rasterized": True}
    shades = style.DIVERGING if difference else style.SEQUENTIAL
    mesh = axis.pcolormesh(x, t if ascending else rows + 1, y, cmap=shades, **look)
    figure.colorbar(mesh, ax=axis, pad=0.02, label=label)
    axis.set(xlabel=xlabel, ylabel=time_label if ascending else "Row")
    for panel, name in zip(axes[0, 1:], beside, strict=True):
        panel.plot(table[name].to_numpy(float)[rows], t, color=style.DATA, lw=0.8)
        panel.set_title(run.logged[name].head)
    return figure


@style.style()
def plot_fits(run: SeriesRun, times: Sequence[float] | None = None) -> Figure:
    """Fits at chosen times (in the unit of the time column): |chi(R)| above, Re chi(R) below, data black, fit red."""
    x, label = run.along()
    rows = rows_shown(run, 4)
    if times is not None:
        good = rows_shown(run, len(run))
        rows = np.array([good[np.argmin(np.abs(x[good] - t))] for t in times])
    read, at = np.unique(rows, return_inverse=True)
    parts = {}
    for part in ("magnitude", "real"):
        for curve in ("chi", "fit"):
            r, found, weight = transform(run, run.curves(curve, read), part)
            parts[part, curve] = found[at]
    shared: Any = {"sharex": True, "sharey": "row", "squeeze": False, "height_ratios": [1.2, 1]}
    figure, axes = style.panels(2, len(rows), style.DOUBLE * max(1, len(rows)) / 4, 2.9, **shared)
    unit = label.partition("(")[2].rstrip(")")
    for column, row in enumerate(rows):
        for line, part in enumerate(("magnitude", "real")):
            data, fit = parts[part, "chi"][column], parts[part, "fit"][column]
            style.data_and_fit(axes[line, column], r, data, fit, run.spec["fit"]["r"], lw=1)
        logged = [f"{n} {run.table[n].iloc[row]:.3g} {q.unit}".rstrip() for n, q in run.logged.items()]
        axes[0, column].set_title("\n".join([f"{x[row]:.4g} {unit}", *logged]))
    figure.supxlabel(style.R, fontsize=8)
    axes[0, 0].set(ylabel=style.chir_label(weight), xlim=(0, RMAX))
    axes[1, 0].set_ylabel(style.chir_label(weight, "real"))
    axes[0, 0].legend(loc="upper right")
    return figure


def write_figures(run: SeriesRun, folder: str | Path) -> list[Path]:
    """Write every figure that the series has data for into folder/figures, as PNG and some as PDF."""
    folder = Path(folder) / "figures"
    wanted: dict[str, Callable[[], Any]] = {"parameters": lambda: plot_parameters(run)}
    varied = [p["name"] for p in run.parameters if p["vary"]]
    wanted["parameters_all"] = lambda: plot_parameters(run, [*varied, *logged_names(run, run.against)])
    if any(c.startswith("E(") for c in run.table.columns):
        wanted["edge"] = lambda: series_xanes.plot_edges(run)
    if run.components:
        wanted["components"] = lambda: series_xanes.plot_components(run)
    import h5py

    with h5py.File(run.path, "r") as handle:
        held = set(handle["entry"])
    for what, curve in (("xanes", "norm"), ("chir", "chi")):
        if curve in held:
            wanted[f"{what}_map"] = partial(plot_map, run, what)
            wanted[f"{what}_waterfall"] = partial(plot_waterfall, run, what)
    if "norm" in held:
        wanted["xanes_difference"] = lambda: plot_map(run, "xanes", difference=True)
    if {"chi", "fit"} <= held:
        wanted["fits"] = lambda: plot_fits(run)
    return [
        path
        for name, make in wanted.items()
        for path in style.save(make(), folder / name, ("png", "pdf") if name in PAPER else ("png",))
    ]
