"""A fit as the papers show it: |chi(R)| above, Re chi(R) below, chi(k) with its window; data black, fit red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...exafs.result import FitResult, FittedData
from ...records import Transform
from ..samples import transformed
from .style import COLORS, DOUBLE, K, R, chik_label, chir_label, data_and_fit, formula, letters, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RMAX = 6.0  # A, where first-shell figures end


def transforms(result: FitResult, data: FittedData, kweight: int) -> dict[str, Transform]:
    """chi(R) of data, fit and every path, with the k range and window of the fit."""
    ranges, curves = result.model.range, {"data": data.data, "fit": data.fit, **data.paths}
    return {n: transformed(data.k, c, ranges, kweight=kweight, label=n) for n, c in curves.items()}


@style()
def plot_fit(result: FitResult, data: FittedData | None = None, kweight: int | None = None) -> Figure:
    """The figure of one data set of a fit: k-space with window, |chi(R)| with paths, Re chi(R)."""
    data = data or result.data[0]
    kweight = result.model.range.kweight[-1] if kweight is None else kweight
    curves = transforms(result, data, kweight)
    ranges = result.model.range
    import matplotlib.pyplot as plt

    size: Any = {"figsize": (DOUBLE, 3.1), "height_ratios": [1.35, 1], "layout": "constrained"}
    figure, axes = plt.subplot_mosaic([["k", "magnitude"], ["k", "real"]], **size)
    _k_space(axes["k"], data, curves["data"], kweight, ranges)
    _r_space(axes["magnitude"], axes["real"], curves, ranges, kweight)
    letters(axes[n] for n in ("k", "magnitude", "real"))
    figure.suptitle(f"{formula(data.label)}   R factor {data.rfactor:.4f}", fontsize=8)
    return figure


def _k_space(axis: Any, data: FittedData, transform: Transform, kweight: int, ranges: Any) -> None:
    k = data.k
    inside = k <= min(k[-1], ranges.k[1] + 2)
    weighted, fitted = data.data * k**kweight, data.fit * k**kweight
    shown = inside & (k >= max(0.0, ranges.k[0] - 1))
    height = 1.15 * np.max(np.abs(weighted[shown]))
    window = np.interp(k, transform.k, transform.window)
    axis.plot(k[inside], window[inside] * height, color="0.7", lw=0.8, label="window")
    data_and_fit(axis, k[inside], weighted[inside], fitted[inside])
    axis.set(xlabel=K, ylabel=chik_label(kweight), xlim=(0, k[inside][-1]))
    axis.set_ylim(-1.35 * height, 1.1 * height)
    axis.legend(loc="lower left", ncols=3)


def _r_space(magnitude: Any, real: Any, curves: dict[str, Transform], ranges: Any, kweight: int) -> None:
    data, fit = curves["data"], curves["fit"]
    shown = data.r <= RMAX
    r = data.r[shown]
    top = 1.3 * float(np.max(data.magnitude[shown]))
    data_and_fit(magnitude, r, data.magnitude[shown], fit.magnitude[shown], ranges.r)
    paths = [curves[n] for n in curves if n not in {"data", "fit"}]
    if len(paths) > 1:
        for path, color in zip(paths, COLORS, strict=False):
            magnitude.plot(r, path.magnitude[shown], color=color, lw=0.8, ls="--", label=path.label)
    magnitude.set(ylabel=chir_label(kweight), xlim=(0, RMAX), ylim=(0, top))
    magnitude.tick_params(labelbottom=False)
    magnitude.legend(loc="upper right", ncols=2)
    data_and_fit(real, r, data.chir.real[shown], fit.chir.real[shown], ranges.r)
    real.set(xlabel=R, ylabel=chir_label(kweight, "real"), xlim=(0, RMAX))
