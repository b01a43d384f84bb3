"""One column of a series against time or another column: values, band of one standard error, undetermined rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._series.summary import shown_names
from ...records import Array
from ...records.quantities import Quantity, quantity
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..._series.record import SeriesRun

LONG = 16  # characters of an axis label that take one line


def undetermined(run: SeriesRun, name: str) -> NDArray[np.bool_]:
    """Rows (m,) in which the data do not determine a column, or in which its path is not seen."""
    table = run.table
    out = np.array(table[name].isna())
    path, _, _quantity = name.rpartition(".")
    if path and f"{path}.seen" in table:
        out |= (table[f"{path}.seen"] == 0).to_numpy()
    elif not path:
        out |= np.array([name in u.split(", ") for u in table["undetermined"]])
    return out


def logged_names(run: SeriesRun, against: str = "time") -> list[str]:
    """Logged columns that have values, without the one on the x axis."""
    return [n for n in run.logged if n != against and run.table[n].notna().any()]


def quantity_of(run: SeriesRun, name: str) -> Quantity:
    """The quantity of a column: symbol, unit, and the power of ten it is drawn with."""
    import tomllib

    path, _, last = name.rpartition(".")
    if path:
        return quantity(last).within(path)
    return run.logged.get(name) or shown_names(tomllib.loads(run.spec_text)).get(name) or quantity(name)


def draw_column(axis: Axes, run: SeriesRun, name: str, x: Array, along_time: bool) -> None:
    """Draw one column against x (m,): values with a band of one standard error, open circles where undetermined.

    Raises SeriesError for a column that is not there.
    """
    table = run.table
    if name not in table:
        from ...errors import SeriesError, nearest

        raise SeriesError(f"there is no column {name!r} to plot{nearest(name, table.columns)}")
    shown = Quantity(name, unit="eV") if name.startswith("E(") else quantity_of(run, name)
    scale = 10.0**shown.power
    y, err = table.reindex(columns=[name, f"{name}_err"]).to_numpy(float).T * scale
    lost = undetermined(run, name) & np.isfinite(y)
    good = np.isfinite(y) & ~lost & np.isfinite(x)
    color = style.DATA if name in run.logged else style.COLORS[0]
    order = np.argsort(x[good], kind="stable")
    gx, gy, ge = x[good][order], y[good][order], np.nan_to_num(err[good][order])
    size = 8 if y.size < 150 else 2
    if along_time or not _repeats(gx):
        _band(axis, gx, gy, ge, x, color)
    elif gx.size:
        axis.errorbar(gx, gy, ge, fmt="none", ecolor=color, elinewidth=0.5, alpha=0.5)
    axis.scatter(gx, gy, s=size, color=color, lw=0, zorder=3)
    word = "not seen" if name.endswith(".n") else "not determined"
    if name.endswith(".n"):  # an N that is not different from zero still has its limit
        axis.errorbar(
            x[lost], y[lost], np.nan_to_num(err[lost]), fmt="none", ecolor="0.8", elinewidth=0.6, zorder=1
        )
    if lost.any():
        axis.scatter(
            x[lost], y[lost], s=size + 4, facecolor="white", edgecolor="0.55", lw=0.7, zorder=2, label=word
        )
    smooth = run.timeline.get(name) if name in run.linked else None
    if smooth is not None and along_time:
        t, e = x[np.argsort(x)], run.timeline.get(f"{name}_err", np.zeros(len(x))) * scale
        smooth = smooth * scale
        axis.fill_between(t, smooth - e, smooth + e, color=style.FIT, alpha=0.25, lw=0)
        axis.plot(t, smooth, color=style.FIT, lw=1.2, label="fit along time")
    if name in run.truth and along_time:
        axis.plot(x, run.truth[name] * scale, color="black", lw=0.8, ls="--", label="truth")
    axis.set_ylabel(shown.head.replace(" (", "\n(") if len(shown.head) > LONG else shown.head)
    axis.ticklabel_format(axis="y", useOffset=False)
    reach = np.nan_to_num(err[lost]) if name.endswith(".n") else 0.0
    set_limits(axis, np.concatenate([gy - ge, gy + ge, y[lost] - reach, y[lost] + reach]))
    if axis.get_legend_handles_labels()[0] and (lost.any() or smooth is not None):
        axis.legend(loc="best")


def _repeats(x: Array) -> bool:
    """Whether x is constant or falls in parts (a furnace at constant temperature): a band along it would overlap itself."""
    return x.size > 2 and bool(
        np.median(np.diff(x)) <= 1e-3 * np.ptp(x) or (np.diff(x) < 1e-3 * np.ptp(x)).mean() > 0.2
    )


def _band(axis: Axes, gx: Array, gy: Array, ge: Array, x: Array, color: str) -> None:
    """The band, interrupted where rows are missing."""
    if gx.size < 1:
        return
    step = np.median(np.diff(np.sort(x[np.isfinite(x)])))
    breaks = np.flatnonzero(np.diff(gx) > 3.5 * max(step, 1e-12)) + 1
    for part in np.split(np.arange(gx.size), breaks):
        if part.size == 1:  # a band has no width there
            axis.errorbar(gx[part], gy[part], ge[part], fmt="none", ecolor=color, elinewidth=0.6, capsize=1.5)
        axis.fill_between(gx[part], gy[part] - ge[part], gy[part] + ge[part], color=color, alpha=0.25, lw=0)


def set_limits(axis: Axes, values: Array) -> None:
    """Axis limits that a few outliers do not set."""
    good = values[np.isfinite(values)]
    if not good.size:
        return
    low, high = np.percentile(good, [1, 99])
    room = 0.12 * (high - low) or 0.1 * max(abs(high), 1e-12)
    axis.set_ylim(low - room, high + room)
