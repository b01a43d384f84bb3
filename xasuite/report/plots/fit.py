"""A fit as the papers show it: |chi(R)| above, Re chi(R) below, chi(k) with its window; data black, fit red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...exafs.fourier_transform import fourier
from ...exafs.result import FitResult, FittedData
from ...records import Chi, Transform
from .style import COLORS, DATA, DOUBLE, FIT, K, R, chik_label, chir_label, formula, letters, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RMAX = 6.0  # A, where first-shell figures end


def transforms(result: FitResult, data: FittedData, kweight: int) -> dict[str, Transform]:
    """chi(R) of data, fit and every path with the fit's own window."""
    ranges = result.model.range
    out = {}
    for name, curve in {"data": data.data, "fit": data.fit, **data.paths}.items():
        chi = Chi(k=data.k, chi=curve, e0=data.e0, edge_step=data.edge_step, label=name)
        out[name] = fourier(chi, k=ranges.k, kweight=kweight, window=ranges.window, dk=ranges.dk)
    return out


def plot_fit(result: FitResult, data: FittedData | None = None, kweight: int | None = None) -> Figure:
    """The figure of one data set of a fit: k-space with window, |chi(R)| with paths, Re chi(R)."""
    data = data or result.data[0]
    kweight = result.model.range.kweight[-1] if kweight is None else kweight
    curves = transforms(result, data, kweight)
    ranges = result.model.range
    with style() as plt:
        figure, axes = plt.subplot_mosaic(
            [["k", "magnitude"], ["k", "real"]],
            figsize=(DOUBLE, 3.1),
            height_ratios=[1.35, 1],
            width_ratios=[1, 1],
            layout="constrained",
        )
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
    axis.plot(k[inside], weighted[inside], color=DATA, label="data")
    axis.plot(k[inside], fitted[inside], color=FIT, label="fit")
    axis.set(
        xlabel=K, ylabel=chik_label(kweight), xlim=(0, k[inside][-1]), ylim=(-1.35 * height, 1.1 * height)
    )
    axis.legend(loc="lower left", ncols=3)


def _r_space(magnitude: Any, real: Any, curves: dict[str, Transform], ranges: Any, kweight: int) -> None:
    data, fit = curves["data"], curves["fit"]
    shown = data.r <= RMAX
    top = 1.3 * float(np.max(data.magnitude[shown]))
    for axis in (magnitude, real):
        axis.axvspan(*ranges.r, color="0.94", lw=0, zorder=0)
    magnitude.plot(data.r[shown], data.magnitude[shown], color=DATA, label="data")
    magnitude.plot(fit.r[shown], fit.magnitude[shown], color=FIT, label="fit")
    names = [n for n in curves if n not in {"data", "fit"}]
    if len(names) > 1:
        for i, name in enumerate(names[: len(COLORS)]):
            magnitude.plot(
                data.r[shown], curves[name].magnitude[shown], color=COLORS[i], lw=0.8, ls="--", label=name
            )
    magnitude.set(ylabel=chir_label(kweight), xlim=(0, RMAX), ylim=(0, top))
    magnitude.tick_params(labelbottom=False)
    magnitude.legend(loc="upper right", ncols=2)
    real.plot(data.r[shown], data.chir.real[shown], color=DATA)
    real.plot(fit.r[shown], fit.chir.real[shown], color=FIT)
    real.set(xlabel=R, ylabel=chir_label(kweight, "real"), xlim=(0, RMAX))
