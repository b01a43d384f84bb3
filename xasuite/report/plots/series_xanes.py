"""Figures of the XANES of a series against time: edge energies, valence, components."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...records import Array
from . import style
from .column import draw_column, logged_names, set_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..._series.record import SeriesRun
    from ...xanes.lcf import Combination
    from ...xanes.mcr import MCR
    from ...xanes.standards import Calibration


@style.style()
def plot_edges(run: SeriesRun, calibration: Calibration | None = None, against: str = "") -> Figure:
    """E(f) with its error from noise, the valence with error and interval, and logged quantities, against time.

    `against` names another column for the x axis. The valence is that of the run ([series.valence]), or comes from a
    `calibration` at one of the run's E(f), of its element and on its energy scale. Raises CalibrationError.
    """
    names = [c for c in run.table.columns if c.startswith("E(") and c.endswith(")")]
    against = against or run.against
    x, label = run.along(against)
    logged = logged_names(run, against)
    valence = valence_along(run, calibration) if calibration is not None else own_valence(run)
    count = len(names) + bool(valence) + len(logged)
    size = (style.COLUMN * 1.2, 0.5 + 1.6 * count)
    figure, axes = style.panels(count, 1, *size, sharex=True, squeeze=False)
    panels = iter(axes[:, 0])
    for name in names:
        draw_column(next(panels), run, name, x, against == "time")
    if valence:
        _valence(next(panels), x, valence)
    for name in logged:
        draw_column(next(panels), run, name, x, against == "time")
    axes[-1, 0].set_xlabel(label)
    figure.suptitle(run.kind, x=0.99, ha="right", fontsize=style.SMALL, color="0.4")
    return figure


def own_valence(run: SeriesRun) -> dict[str, Array]:
    """Columns valence, valence_err, valence_low, valence_high (m,) of a run; empty where its spec asks for none."""
    if "valence" not in run.table:
        return {}
    return {n: run.table[n].to_numpy(float) for n in run.table.columns if n.startswith("valence")}


def valence_along(run: SeriesRun, calibration: Calibration) -> dict[str, Array]:
    """The same columns (m,) by a calibration at one of the run's E(f); NaN where a row has no E(f).

    Raises CalibrationError for an E(f) that the run does not have.
    """
    from ..._series.derived import valence_columns
    from ...errors import CalibrationError

    name = f"E({calibration.fraction:g})"
    if name not in run.table:
        raise CalibrationError(
            f"the calibration is at {name}, which this run does not have; add it to edge_fraction"
        )
    energy, error = (run.table[n].to_numpy(float) for n in (name, f"{name}_err"))
    return valence_columns(calibration, energy, error)


def _valence(axis: Any, x: Array, valence: Mapping[str, Array]) -> None:
    value, error = valence["valence"], valence["valence_err"]
    low, high = valence["valence_low"], valence["valence_high"]
    good = np.argsort(x, kind="stable")
    good = good[np.isfinite(value[good]) & np.isfinite(x[good])]
    color = style.COLORS[0]
    axis.fill_between(x[good], low[good], high[good], color="0.9", lw=0, label="95 % interval")
    band = (value - error)[good], (value + error)[good]
    axis.fill_between(x[good], *band, color=color, alpha=0.25, lw=0, label="standard error")
    axis.plot(x[good], value[good], "o-", color=color, ms=2, lw=0.8)
    axis.set_ylabel("Formal valence")
    known = np.isfinite(low[good]).any()
    ends = (low, high) if known else (value - error, value + error)
    set_limits(axis, np.concatenate([e[good] for e in ends]))
    if not known and good.size:
        axis.set_title("too few standards for an interval", loc="left", fontsize=style.SMALL)
    if known:
        axis.legend(loc="best", fontsize=style.SMALL)


@style.style()
def plot_components(run: SeriesRun, found: MCR | Combination | None = None) -> Figure:
    """Spectra of the components, and their fractions against time with logged quantities below.

    Bands show the rotational freedom (MCR-ALS) or standard errors (linear combination). Components are those of the run
    ([series.components]), or `found` in `run.normalized`, one row for each row with a spectrum. Raises SeriesError
    without either.
    """
    import matplotlib.pyplot as plt

    from ..._series.derived import component_columns, component_document
    from ...errors import SeriesError

    if found is not None:
        rows = np.flatnonzero(run.normalized.ok)
        columns: Any = component_columns(found, rows, len(run))
        held = component_document(found)
    elif run.components:
        columns, held = run.table, run.components
    else:
        raise SeriesError(
            f"{run.path} has no components; ask for them with [series.components], or give them"
        )
    facts = json.loads(held["facts"])
    x, label = run.along()
    measured = facts["method"] != "MCR-ALS"
    logged = logged_names(run)
    where: Any = [["spectra", "fractions"], *(["spectra", n] for n in logged)]
    size: Any = {"figsize": (style.DOUBLE, 2.7 + 0.8 * len(logged)), "layout": "constrained"}
    figure, panels = plt.subplot_mosaic(where, height_ratios=[2.0, *[1.0] * len(logged)], **size)
    left, right = panels["spectra"], panels["fractions"]
    for i, name in enumerate(facts["names"]):
        color = style.COLORS[i % len(style.COLORS)]
        text = name if measured else f"component {name}"
        left.plot(held["energy"], held["spectra"][i], color=color, lw=1, label=text)
        y = np.asarray(columns[f"x({name})"], float)
        good = np.isfinite(y) & np.isfinite(x)
        if measured:
            error = np.asarray(columns[f"x({name})_err"], float)
            low, high = y - error, y + error
        else:
            low, high = (np.asarray(columns[f"x({name})_{end}"], float) for end in ("low", "high"))
        right.fill_between(x[good], low[good], high[good], color=color, alpha=0.2, lw=0)
        right.plot(x[good], y[good], "o-", color=color, ms=2, lw=0.8)
    left.set(xlabel=style.ENERGY, ylabel=style.NORM, xlim=held["energy"][[0, -1]])
    left.legend(loc="lower right")
    left.set_title(f"{facts['method']}, RMS {facts['rms']:.4f}", loc="left")
    left.ticklabel_format(axis="x", useOffset=False)
    for name in logged:
        panels[name].sharex(right)
        draw_column(panels[name], run, name, x, True)
    for name in ("fractions", *logged)[:-1]:
        panels[name].tick_params(labelbottom=False)
    panels[logged[-1] if logged else "fractions"].set_xlabel(label)
    right.set(ylabel="Fraction", ylim=(-0.04, 1.06))
    right.set_title("bands: standard errors" if measured else "bands: rotations that fit as well", loc="left")
    figure.suptitle(run.kind, x=0.99, ha="right", fontsize=style.SMALL, color="0.4")
    return figure
