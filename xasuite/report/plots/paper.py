"""Figures of several samples: XANES against time, |chi(R)|, fits in k and R, wavelets, lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...exafs.wavelet_transform import wavelet
from ...records import Array, Spectrum, Transform, Wavelet
from ..samples import Sample, chi_record, on_k, transformed
from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RMAX = 6.0  # A
LETTER = 0.15  # A, width of a letter of a curve's name, which is written above the end of the curve
MARGIN = 0.15  # A, free space left of that name
LINES_APART = 0.75  # offset between spectra over the highest white line: lines of shifted edges do not cross
ROOM = 1.12  # offset between curves over the highest curve, before it is reduced


def transform_of(
    s: Sample, curve: Array | None = None, kweight: int | None = None, k: Any = None
) -> Transform:
    """chi(R) of a sample, or of another `curve` on its k, with its own k range, k weight and window unless given."""
    grid, chi = (s.chi.k, s.chi.chi) if curve is None or s.fit is None else (s.fit.k, curve)
    ranges = replace(s.range, k=k or s.range.k)
    return transformed(grid, chi, ranges, kweight=kweight, label=s.label)


@style.style()
def xanes(
    samples: Sequence[Sample],
    *,
    times: Sequence[float] | None = None,
    unit: str = "min",
    energy_range: tuple[float, float] = (-25, 75),
    enlarged: tuple[float, float] = (-8, 24),
) -> Figure:
    """XANES, the edge enlarged next to it; with `times` coloured by time, else by sample."""
    from matplotlib.ticker import MaxNLocator

    e0 = float(np.asarray(samples[0].norm.e0))
    figure, (left, right) = style.panels(1, 2, style.DOUBLE, 2.6, width_ratios=(1.5, 1))
    colors = _colors(samples, times)
    for axis, (low, high) in ((left, energy_range), (right, enlarged)):
        top = bottom = 0.0
        for s, color in zip(samples, colors, strict=True):
            inside = (s.norm.energy >= e0 + low) & (s.norm.energy <= e0 + high)
            y = s.norm.norm[inside]
            axis.plot(s.norm.energy[inside], y, color=color, lw=0.9, label=style.formula(s.label))
            top, bottom = max(top, float(y.max())), min(bottom, float(y.min()))
        axis.set(xlim=(e0 + low, e0 + high), ylim=(bottom - 0.04, 1.06 * top), xlabel=style.ENERGY)
        axis.xaxis.set_major_locator(MaxNLocator(5))
    left.set_ylabel(style.NORM)
    right.set_title("edge enlarged", loc="left")
    style.letters((left, right))
    if times is None:
        left.legend(loc="lower right")
    else:
        style.bar(right, min(times), max(times), f"Time ({unit})")
    _kind(left, samples)
    return figure


def _colors(samples: Sequence[Sample], times: Sequence[float] | None) -> Any:
    if times is None:
        if len(samples) > len(style.COLORS):
            raise DataError(
                f"{len(samples)} spectra cannot be distinguished by colour; give times=, or fewer of them"
            )
        return style.COLORS[: len(samples)]
    if len(times) != len(samples):
        raise DataError(f"{len(samples)} spectra and {len(times)} times; give as many of both")
    place = (np.asarray(times) - min(times)) / ((max(times) - min(times)) or 1.0)
    return style.along(place)


def _kind(axis: Any, samples: Sequence[Sample]) -> None:
    """Write measured, closure or both over a panel."""
    kinds = dict.fromkeys(s.kind for s in samples)
    axis.set_title(" and ".join(kinds), loc="right", fontsize=style.SMALL, color="0.45")


@style.style()
def ft(
    samples: Sequence[Sample],
    *,
    kweight: int | None = None,
    k: tuple[float, float] | None = None,
    times: Sequence[float] | None = None,
    unit: str = "min",
    stacked: bool = True,
    each: bool = False,
) -> Figure:
    """|chi(R)| of samples, each offset from the one before or (`stacked` False) all from zero.

    One k range and weight for all: `k`, `kweight`, or those of the first sample. `each` scales every curve to its own
    maximum and writes the factor after its name, for a foil that is much stronger than the samples.
    """
    weight, limits = samples[0].weight(kweight), k or samples[0].range.k
    made = [transform_of(s, kweight=weight, k=limits) for s in samples]
    # a few named curves are distinguished by their order, many by their time
    shades = times if times is None or len(samples) > 8 else range(len(samples))
    height = min(6.5, max(2.6, 0.55 * len(samples) + 0.8)) if stacked else 2.6
    figure, axis = style.panels(1, 1, style.COLUMN, height)
    inside = made[0].r <= RMAX
    r, colors = made[0].r[inside], _colors(samples, shades)
    curves, names = _curves(made, samples, inside, each)
    step = _step(curves) if stacked else 0.0
    for i, (y, name, color) in enumerate(zip(curves, names, colors, strict=True)):
        axis.plot(r, y + i * step, color=color, label=name, zorder=len(samples) - i)
        if stacked and len(samples) <= 8:
            end = float(y[r > RMAX - LETTER * len(name) - MARGIN].max())
            look = {"ha": "right", "va": "bottom", "color": color, "fontsize": style.SMALL}
            axis.text(RMAX - 0.08, i * step + end + 0.04 * step, style.formula(name), **look)
    top = max(float(y.max()) + i * step for i, y in enumerate(curves))
    ylabel = "|χ(R)| over its maximum" if each else style.chir_label(weight)
    axis.set(xlabel=style.R, ylabel=ylabel, xlim=(0, RMAX), ylim=(0, 1.05 * top))
    if stacked:  # heights of offset curves cannot be read off the axis
        axis.set(ylabel=f"{ylabel}, offset", yticks=[])
    else:
        axis.legend(loc="upper right")
    if times is not None and len(samples) > 8:
        style.bar(axis, min(times), max(times), f"Time ({unit})")
    said = f"k = {limits[0]:g} to {limits[1]:g} Å$^{{-1}}$, k weight {weight:g}"
    axis.set_title(said, loc="left", fontsize=7)
    _kind(axis, samples)
    return figure


def _curves(
    made: Sequence[Transform], samples: Sequence[Sample], inside: Any, each: bool
) -> tuple[list[Array], list[str]]:
    """The magnitudes to draw and their names; with `each`, scaled to their maxima and named with the factor."""
    curves = [m.magnitude[inside] for m in made]
    names = [s.label for s in samples]
    if not each:
        return curves, names
    tops = [float(c.max()) for c in curves]
    factors = [max(tops) / t for t in tops]
    names = [n if f == 1 else f"{n} (×{f:.2g})" for n, f in zip(names, factors, strict=True)]
    return [c / t for c, t in zip(curves, tops, strict=True)], names


def _step(curves: Sequence[Array]) -> float:
    """The offset between neighbouring curves, smaller where there are many."""
    highest = max(float(c.max()) for c in curves)
    return highest * (ROOM * 0.6 if len(curves) <= 8 else 0.3)


@style.style()
def k_and_r(samples: Sequence[Sample], *, kweight: int | None = None) -> Figure:
    """Fits in k (left) and R (right), one row per sample: data black, fit red, window and range grey."""
    n = len(samples)
    figure, axes = style.panels(n, 2, style.DOUBLE, 0.35 + 1.75 * n, squeeze=False, sharex="col")
    for (left, right), s in zip(axes, samples, strict=True):
        _k_panel(left, s, kweight)
        _r_panel(right, s, "magnitude", kweight)
        left.text(0.02, 0.95, style.formula(s.label), transform=left.transAxes, va="top", fontweight="bold")
    axes[-1, 0].set_xlabel(style.K)
    axes[-1, 1].set_xlabel(style.R)
    for axis in axes[0]:
        axis.legend(loc="upper right", ncols=2)
    style.letters(axes.flat)
    figure.align_ylabels()
    _kind(axes[0, 1], samples)
    return figure


def _k_panel(axis: Any, s: Sample, kweight: int | None) -> None:
    assert s.fit is not None
    weight, k, (low, high) = s.weight(kweight), s.fit.k, s.range.k
    inside = (k >= 1.5) & (k <= min(k[-1], high + 1))
    data, fit = s.fit.data * k**weight, s.fit.fit * k**weight
    top = 1.45 * float(np.abs(data[inside & (k >= low)]).max())
    style.data_and_fit(axis, k[inside], data[inside], fit[inside], s.range.k)
    axis.set(ylabel=style.chik_label(weight), ylim=(-top, top), xlim=(1.5, k[inside][-1]))


def _r_panel(axis: Any, s: Sample, part: str, kweight: int | None) -> None:
    assert s.fit is not None
    made = [transform_of(s, c, kweight) for c in (s.fit.data, s.fit.fit)]
    inside = made[0].r <= RMAX
    data, fit = ((t.magnitude if part == "magnitude" else t.chir.real)[inside] for t in made)
    style.data_and_fit(axis, made[0].r[inside], data, fit, s.range.r)
    axis.set(ylabel=style.chir_label(s.weight(kweight), part), xlim=(0, RMAX))
    if part == "magnitude":
        axis.set_ylim(0, 1.25 * float(data.max()))


@style.style()
def fits(samples: Sequence[Sample], *, kweight: int | None = None, columns: int = 6) -> Figure:
    """|chi(R)| above, Re chi(R) below, one column per sample in order: data black, fit red."""
    if len(samples) > columns:
        raise DataError(
            f"{len(samples)} fits do not fit into {columns} columns; choose rows=, or more columns"
        )
    shared: Any = {"sharex": True, "sharey": "row", "squeeze": False, "height_ratios": [1.2, 1]}
    figure, axes = style.panels(2, len(samples), style.DOUBLE, 2.9, **shared)
    tallest = 0.0
    for (above, below), s in zip(axes.T, samples, strict=True):
        _r_panel(above, s, "magnitude", kweight)
        _r_panel(below, s, "real", kweight)
        tallest = max(tallest, above.get_ylim()[1])
        above.set_title(style.formula(s.label))
        below.set_xticks([0, 2, 4])
    figure.supxlabel(style.R, fontsize=8)
    axes[0, 0].set_ylim(0, tallest)
    axes[0, 0].legend(loc="upper right", handlelength=1.0)
    for axis in axes[:, 1:].flat:
        axis.set_ylabel("")
    kinds = " and ".join(dict.fromkeys(s.kind for s in samples))
    figure.text(0.995, 0.02, kinds, ha="right", fontsize=style.SMALL, color="0.45")
    style.letters(axes[:, 0])
    return figure


def maps_of(
    samples: Sequence[Sample],
    kweight: int | None,
    r: tuple[float, float],
    k: tuple[float, float] | None = None,
) -> tuple[Wavelet, ...]:
    """Morlet wavelets of samples with one k range and one k weight: those of the first sample unless given.

    Maps of different k ranges or weights cannot be compared.
    """
    first = samples[0]
    return tuple(wavelet(s.chi, k=k or first.range.k, kweight=first.weight(kweight), r=r) for s in samples)


def wavelets(
    samples: Sequence[Sample],
    *,
    kweight: int | None = None,
    k: tuple[float, float] | None = None,
    r: tuple[float, float] = (0.5, 5.0),
    each: bool = False,
) -> Figure:
    """Wavelet maps side by side, |chi(R)| left of each, one k range and k weight for all."""
    from .wavelet import plot_wavelets

    low, high = k or samples[0].range.k
    titles = [f"{s.label} ({s.kind})" for s in samples]
    shown = (max(0.0, low - 1), high + 1)
    return plot_wavelets(maps_of(samples, kweight, r, k), titles=titles, each=each, k=shown)


def film(
    samples: Sequence[Sample],
    *,
    kweight: int | None = None,
    r: tuple[float, float] = (0.5, 5.0),
    title: str = "",
) -> Figure:
    """Wavelet maps against time as a film strip."""
    from .wavelet import plot_film

    k, chi = on_k(samples)
    first = samples[0]
    stack = chi_record(k, chi, title or first.kind)
    maps = wavelet(stack, k=first.range.k, kweight=first.weight(kweight), r=r)
    return plot_film(maps, labels=[s.label for s in samples], columns=3 if len(samples) in (3, 5, 6) else 4)


@style.style()
def lines(
    spectra: Sequence[Spectrum],
    *,
    titles: Sequence[str] = (),
    energy_range: tuple[float, float] | None = None,
) -> Figure:
    """White lines at L edges, one panel per absorber, spectra of one absorber above each other.

    Each spectrum is scaled to its own mean beyond the last line, so that areas can be compared.
    """
    groups: dict[str, list[Spectrum]] = {}
    for s in spectra:
        groups.setdefault(f"{s.element} {s.edge}", []).append(s)
    width = style.DOUBLE if len(groups) > 1 else style.COLUMN
    figure, axes = style.panels(1, len(groups), width, 2.7, squeeze=False)
    for i, (axis, (name, of)) in enumerate(zip(axes[0], groups.items(), strict=True)):
        curves = [_scaled(s) for s in of]
        step = LINES_APART * max(float(y.max()) for y in curves)
        for j, (s, y) in enumerate(zip(of, curves, strict=True)):
            axis.plot(s.energy, y + j * step, color=style.COLORS[j % 8], label=style.formula(s.label))
        axis.set(xlabel=style.ENERGY, title=titles[i] if titles else name, yticks=[])
        axis.set_xlim(energy_range or of[0].energy[[0, -1]])
        axis.set_ylim(-0.05 * step, 1.08 * (float(curves[-1].max()) + (len(of) - 1) * step))
        axis.legend(loc="upper right")
    style.letters(axes[0])
    axes[0, 0].set_ylabel("μ(E) over the step, offset")
    return figure


def _scaled(s: Spectrum) -> Array:
    n = max(3, s.energy.size // 20)
    low, high = float(np.mean(s.mu[:n])), float(np.mean(s.mu[-n:]))
    if not high > low:
        raise DataError(f"{s.label}: mu does not rise from {s.energy[0]:.0f} to {s.energy[-1]:.0f} eV")
    return (s.mu - low) / (high - low)
