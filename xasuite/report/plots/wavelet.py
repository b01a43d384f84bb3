"""Wavelet maps as papers show them: k horizontal, R vertical, one colour scale, |chi(R)| at the side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...exafs.fourier_transform import forward
from ...exafs.wavelet_transform import Lobes, Ridge
from ...records import Array, Wavelet
from .style import (
    DATA,
    DIVERGING,
    DOUBLE,
    FIT,
    R_UP,
    SEQUENTIAL,
    SMALL,
    K,
    chir_label,
    formula,
    letters,
    panels,
    style,
    thinned,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 0.28  # width of the |chi(R)| panel over that of a map
_SHADES: dict[str, Any] = {"cmap": SEQUENTIAL, "shading": "gouraud", "rasterized": True}


def wavelet_label(wavelet: Wavelet) -> str:
    """Label of the colour bar: |W| with its unit, which follows from the k weight and the normalisation."""
    scaling = dict(wavelet.history[-1].settings).get("scaling", "") if wavelet.history else ""
    power = wavelet.kweight + (0.5 if scaling == "energy" else 0.0)
    return "|W|" if power == 0 else f"|W| (Å$^{{-{power:g}}}$)"


def _common_label(wavelets: Sequence[Wavelet]) -> tuple[str, str]:
    """The label of one colour bar for all maps, and its unit alone; no unit where k weight or kind differ."""
    if len({(w.kweight, w.kind) for w in wavelets}) > 1:
        return "|W|", ""
    label = wavelet_label(wavelets[0])
    return label, label.removeprefix("|W|").replace("(", "").replace(")", "")


def side_ft(wavelet: Wavelet) -> tuple[Array, Array]:
    """R (nr,) and |chi(R)| (..., nr) of the weighted, windowed chi(k) behind a map, over the R range of the map."""
    kstep = float(wavelet.k[1] - wavelet.k[0])
    chir = np.abs(forward(wavelet.chik, kstep))
    r = math.pi / (kstep * 2048) * np.arange(chir.shape[-1])
    inside = (r >= wavelet.r[0] - 1e-9) & (r <= wavelet.r[-1] + 1e-9)
    return r[inside], chir[..., inside]


def plot_wavelet(
    wavelet: Wavelet,
    *,
    lobes: Lobes | None = None,
    ridge: Ridge | None = None,
    k: tuple[float, float] | None = None,
) -> Figure:
    """One map with |chi(R)| at its left, and the lobes (with errors) and the ridge that are given.

    `k` limits the k axis; by default the range of the window. A stack is drawn by `plot_film`, labelled by row.
    """
    if wavelet.wt.ndim == 3:
        return plot_film(wavelet, labels=[f"row {i}" for i in range(wavelet.wt.shape[0])], k=k)
    return plot_wavelets([wavelet], lobes=None if lobes is None else [lobes], ridges=[ridge], k=k)


@style()
def plot_wavelets(
    wavelets: Sequence[Wavelet],
    *,
    lobes: Sequence[Lobes | None] | None = None,
    ridges: Sequence[Ridge | None] | None = None,
    titles: Sequence[str] | None = None,
    k: tuple[float, float] | None = None,
    columns: int | None = None,
    each: bool = False,
) -> Figure:
    """Several maps side by side on one colour scale, each with its |chi(R)| at the left.

    Parameters
    ----------
    wavelets : of one spectrum each; data, fit and paths, or several samples.
    lobes, ridges : marked on the maps, in the same order.
    titles : over the maps; by default the labels.
    k : range of the k axis; by default that of the windows.
    columns : maps per row, by default up to three.
    each : scale every map to its own maximum, which is written in its corner; on one scale a foil would hide the
        samples next to it.

    Raises DataError without wavelets, or for a stack (see `plot_film`).
    """
    import matplotlib.pyplot as plt

    _singles(wavelets)
    n = len(wavelets)
    columns = columns or min(n, 3)
    rows = math.ceil(n / columns)
    top = max(float(w.magnitude.max()) for w in wavelets)
    width = DOUBLE if columns > 1 else DOUBLE * 0.55
    figure = plt.figure(figsize=(width, 0.55 + rows * width / columns * 0.72), layout="constrained")
    grid = figure.add_gridspec(rows, 2 * columns, width_ratios=[_SIDE, 1] * columns)
    highest = max(float(side_ft(w)[1].max()) for w in wavelets)
    maps: list[Any] = []
    label, unit = _common_label(wavelets)
    for i, w in enumerate(wavelets):
        row, column = divmod(i, columns)
        side = figure.add_subplot(grid[row, 2 * column])
        axis = figure.add_subplot(grid[row, 2 * column + 1], sharey=side)
        own = float(w.magnitude.max())
        mesh = _map(axis, w, own if each else top, k)
        _side(side, w, float(side_ft(w)[1].max()) if each else highest, label=column == 0)
        axis.set_title(formula(titles[i] if titles else w.label))
        if each:
            _corner(axis, f"max {own:.3g}{unit}")
        if row < rows - 1 and i + columns < n:
            axis.set_xlabel("")
            side.set_xlabel("")
        _mark(axis, lobes[i] if lobes else None)
        _ridge(axis, ridges[i] if ridges else None)
        maps.append(axis)
    bar = figure.colorbar(mesh, ax=maps, label="|W| over its maximum" if each else label, pad=0.02, aspect=30)
    if each:
        bar.set_ticks([0, own / 2, own], labels=["0", "½", "1"])
    return figure


@style()
def plot_film(
    wavelet: Wavelet,
    *,
    labels: Sequence[str],
    frames: int = 8,
    columns: int = 4,
    k: tuple[float, float] | None = None,
) -> Figure:
    """A series as a film strip: small multiples in order, one colour scale, |chi(R)| drawn within each frame.

    Parameters
    ----------
    wavelet : Wavelet of a stack, wt (m, nr, nk).
    labels : m of them, time or potential with unit.
    frames : largest number of rows shown, evenly chosen, first and last included.

    Raises DataError when `wavelet` is not a stack or does not have one label per row.
    """
    if wavelet.wt.ndim != 3 or len(labels) != wavelet.wt.shape[0]:
        raise DataError(
            f"{wavelet.label}: a film needs wt (m, nr, nk) and m labels; got {wavelet.wt.shape} and {len(labels)}"
        )
    shown = thinned(len(labels), frames)
    rows = math.ceil(len(shown) / columns)
    r, chir = side_ft(wavelet)
    # the scale is set by the rows that are shown
    top = float(np.nanmax(np.abs(wavelet.wt[shown])))
    highest = float(np.nanmax(chir[shown]))
    unit = f" Å$^{{-{wavelet.kweight + 1:g}}}$"
    shared: Any = {"sharex": True, "sharey": True, "squeeze": False}
    figure, axes = panels(rows, columns, DOUBLE, 0.5 + rows * 1.65, **shared)
    low, high = k_range(wavelet, k)
    for axis, m in zip(axes.flat, shown, strict=False):
        mesh = axis.pcolormesh(wavelet.k, wavelet.r, np.abs(wavelet.wt[m]), vmin=0, vmax=top, **_SHADES)
        axis.plot(low + 0.3 * (high - low) * chir[m] / highest, r, color="w", lw=0.9)
        axis.set(xlim=(low, high), ylim=(wavelet.r[0], wavelet.r[-1]))
        _corner(axis, formula(labels[m]))
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    figure.supxlabel(K, fontsize=8)
    figure.supylabel(R_UP, fontsize=8)
    figure.colorbar(mesh, ax=axes, label=wavelet_label(wavelet), pad=0.01, aspect=30)
    figure.suptitle(f"{formula(wavelet.label)}   white: |χ(R)|, at most {highest:.2g}{unit}", fontsize=8)
    return figure


@style()
def plot_difference(a: Wavelet, b: Wavelet, *, k: tuple[float, float] | None = None) -> Figure:
    """Two maps on one scale, and the difference of their magnitudes: red where `a` is higher, blue where `b` is.

    Raises DataError when the two lie on different grids.
    """
    _singles([a, b])
    n = min(a.k.size, b.k.size)
    if a.r.shape != b.r.shape or not np.allclose(a.r, b.r) or not np.allclose(a.k[:n], b.k[:n]):
        raise DataError(f"{a.label} and {b.label} lie on different k or R grids; transform both on one")
    change = a.magnitude[:, :n] - b.magnitude[:, :n]
    top = max(float(a.magnitude.max()), float(b.magnitude.max()))
    most = float(np.abs(change).max()) or 1.0
    figure, axes = panels(1, 3, DOUBLE, 2.3, sharey=True)
    for axis, w in zip(axes, (a, b), strict=False):
        mesh = _map(axis, w, top, k)
        axis.set_title(formula(w.label))
    axes[0].set_ylabel(R_UP)
    letters(axes)
    axes[0].tick_params(labelleft=True)
    figure.colorbar(mesh, ax=axes[:2], label=wavelet_label(a), pad=0.02)
    look = _SHADES | {"cmap": DIVERGING, "vmin": -most, "vmax": most}
    last = axes[2].pcolormesh(a.k[:n], a.r, change, **look)
    axes[2].set(xlabel=K, xlim=k_range(a, k))
    axes[2].set_title(formula(f"{a.label} − {b.label}"))
    figure.colorbar(last, ax=axes[2], label=f"Δ{wavelet_label(a)}", pad=0.04)
    return figure


def k_range(wavelet: Wavelet, k: tuple[float, float] | None) -> tuple[float, float]:
    """Range of the k axis: `k` if given, else the range of the window and 1 1/A more at each end."""
    if k is not None:
        return k
    settings = dict(wavelet.history[-1].settings) if wavelet.history else {}
    limits = settings.get("k") or (float(wavelet.k[0]), float(wavelet.k[-1]))
    return max(0.0, limits[0] - 1), min(float(wavelet.k[-1]), limits[1] + 1)


def _singles(wavelets: Sequence[Wavelet]) -> None:
    if not wavelets:
        raise DataError("no wavelet to draw; give at least one")
    for w in wavelets:
        if w.wt.ndim != 2:
            raise DataError(
                f"{w.label}: a map shows one spectrum, wt is {w.wt.shape}; draw a stack with plot_film"
            )


def _map(axis: Any, w: Wavelet, top: float, k: tuple[float, float] | None) -> Any:
    mesh = axis.pcolormesh(w.k, w.r, w.magnitude, vmin=0, vmax=top or 1.0, **_SHADES)
    axis.set(xlabel=K, xlim=k_range(w, k), ylim=(w.r[0], w.r[-1]))
    axis.tick_params(color="w", labelleft=False)
    return mesh


def _side(axis: Any, w: Wavelet, highest: float, label: bool) -> None:
    r, chir = side_ft(w)
    axis.plot(chir, r, color=DATA)
    # R grows upward next to the map, |chi(R)| to the left, away from it
    axis.set(xlim=(1.08 * (highest or 1.0), 0))
    if label:
        axis.set_xlabel(chir_label(w.kweight).replace(" ", "\n"), fontsize=7)
    axis.set_xticks([0, highest], ["0", f"{highest:.2g}"], fontsize=SMALL)
    if label:
        axis.set_ylabel(R_UP)
    else:
        axis.tick_params(labelleft=False)


def _mark(axis: Any, lobes: Lobes | None) -> None:
    for lobe in lobes or ():
        k, r = (lobe.error(n) if np.isfinite(lobe.error(n)) else None for n in ("k", "r"))
        axis.errorbar(lobe.k, lobe.r, xerr=k, yerr=r, fmt="+", color=FIT, ms=5, capsize=1.5, lw=0.9)


def _ridge(axis: Any, ridge: Ridge | None) -> None:
    if ridge is not None:
        strong = np.where(ridge.height > 0.1 * np.nanmax(ridge.height), ridge.k, np.nan)
        axis.plot(strong, ridge.r, color="w", lw=0.8, ls="--")


def _corner(axis: Any, text: str) -> None:
    axis.text(0.97, 0.96, text, transform=axis.transAxes, ha="right", va="top", color="w", fontsize=7)
