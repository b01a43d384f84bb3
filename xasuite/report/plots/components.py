"""Figures of linear combinations, principal components, MCR-ALS, peak fits and d bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...xanes.dband import DBand
    from ...xanes.lcf import Combination
    from ...xanes.mcr import MCR
    from ...xanes.peaks import PeakFit
    from ...xanes.principal import PCA


@style.style()
def lcf(c: Combination, row: int = 0) -> Figure:
    """A spectrum with its combination, the parts and the residual; of a series the weights as well."""
    series = len(c.labels) > 1
    figure, axes = style.panels(1, 1 + series, style.DOUBLE if series else style.COLUMN, 2.7, squeeze=False)
    left = axes[0, 0]
    left.plot(c.energy, c.data[row], color=style.DATA, label=c.labels[row])
    left.plot(c.energy, c.fit[row], color=style.FIT, ls="--", label="combination")
    for j, name in enumerate(c.names):
        text = f"{name} {c.weights[row, j]:.3f}({c.stderr[row, j]:.3f})"
        part = c.weights[row, j] * c.references[j]
        left.plot(c.energy, part, color=style.COLORS[j % 8], lw=0.9, label=text)
    residual = c.data[row] - c.fit[row]
    left.plot(c.energy, residual - 0.12, color="0.5", lw=0.8, label="residual, shifted by -0.12")
    left.set(xlabel=style.ENERGY, ylabel=style.NORM, ylim=(-0.25, None), xlim=(c.energy[0], c.energy[-1]))
    left.legend(loc="upper right", fontsize=style.SMALL)
    left.set_ylim(-0.25, 1.7 * float(c.data[row].max()))
    if series:
        right = axes[0, 1]
        x = np.arange(1, len(c.labels) + 1)
        for j, name in enumerate(c.names):
            look = {"fmt": "o", "ms": 2.5, "lw": 0.7, "color": style.COLORS[j % 8], "label": name}
            right.errorbar(x, c.weights[:, j], c.stderr[:, j], **look)
        right.set(xlabel="Spectrum", ylabel="Weight", ylim=(-0.05, 1.25))
        right.legend(loc="upper right", ncols=min(3, len(c.names)), fontsize=style.SMALL)
    return figure


@style.style()
def pca(found: PCA, most: int = 10) -> Figure:
    """Scree, Malinowski's IND, and the first abstract components."""
    n = min(most, found.re.size)
    k = np.arange(1, n + 1)
    from matplotlib.ticker import MaxNLocator

    figure, (left, middle, right) = style.panels(1, 3, style.DOUBLE, 2.4)
    left.semilogy(k, found.singular[:n] ** 2, "o-", color=style.DATA, ms=3.5)
    left.set(xlabel="Component", ylabel="Eigenvalue")
    middle.semilogy(k, found.ind[:n], "o-", color=style.DATA, ms=3.5)
    middle.semilogy(found.n_ind, found.ind[found.n_ind - 1], "o", color=style.FIT, ms=6, mfc="none")
    middle.set(xlabel="Components", ylabel="IND")
    middle.set_title(f"least at {found.n_ind}; F test {found.n_f}", loc="left")
    for j in range(min(4, n)):
        y = found.components[j] / np.abs(found.components[j]).max()
        right.plot(found.energy, y - 2.2 * j, color=style.COLORS[j], label=f"{j + 1}")
        right.axhline(-2.2 * j, color="0.8", lw=0.5, zorder=0)
    right.set(xlabel=style.ENERGY, ylabel="Component, scaled and shifted", yticks=[])
    right.set_xlim(found.energy[[0, -1]])
    right.legend(loc="upper right", fontsize=style.SMALL)
    for axes in (left, middle):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@style.style()
def mcr(found: MCR, *, reference: Any = None) -> Figure:
    """Spectra and concentrations of an MCR-ALS, bands for the rotational freedom; dotted the `reference` (m, k)."""
    x = np.arange(1, len(found.concentrations) + 1)
    figure, (left, right) = style.panels(1, 2, style.DOUBLE, 2.7)
    for j in range(len(found.spectra)):
        color = style.COLORS[j]
        left.plot(found.energy, found.spectra[j], color=color, label=f"component {j + 1}")
        right.plot(x, found.concentrations[:, j], "o-", color=color, ms=2, lw=0.8)
        if found.low is not None and found.high is not None:
            right.fill_between(x, found.low[:, j], found.high[:, j], color=color, alpha=0.15, lw=0)
        if reference is not None:
            right.plot(x, reference[:, j], ":", color=color, lw=1.2)
    left.set(xlabel=style.ENERGY, ylabel=style.NORM, xlim=found.energy[[0, -1]])
    left.legend(loc="lower right")
    left.set_title(f"RMS {found.rms:.4f}, least possible {found.rms_least:.4f}", loc="left")
    right.set(xlabel="Spectrum", ylabel="Concentration", ylim=(-0.04, 1.06), xlim=(0, len(x) + 1))
    shown = "bands: rotations that fit as well" if found.low is not None else ""
    right.set_title(shown + ("; dotted: other program" if reference is not None else ""), loc="left")
    return figure


@style.style()
def peaks(fit: PeakFit) -> Figure:
    """A peak fit: data, fit, step, each peak above the step, and the residual."""
    figure, (top, bottom) = style.panels(2, 1, style.COLUMN, 3.2, height_ratios=(4, 1), sharex=True)
    top.plot(fit.energy, fit.data, "o", color=style.DATA, ms=2.2, label=fit.label)
    top.plot(fit.energy, fit.fit, color=style.FIT, label="fit")
    top.plot(fit.energy, fit.step, color="0.5", ls="--", lw=0.9, label="step")
    for j, y in enumerate(fit.peaks):
        name = f"p{j + 1}_center"
        text = f"{fit.values[name]:.2f}({fit.errors[name]:.2f}) eV"
        look = {"color": style.COLORS[j % 8], "alpha": 0.35, "lw": 0, "label": text}
        top.fill_between(fit.energy, fit.step, fit.step + y, **look)
    bottom.plot(fit.energy, fit.data - fit.fit, color=style.DATA, lw=0.8)
    bottom.axhline(0, color="0.7", lw=0.6)
    top.set(ylabel=style.NORM, ylim=(None, 1.5 * float(fit.data.max())))
    top.legend(loc="upper left", fontsize=style.SMALL)
    bottom.set(xlabel=style.ENERGY, ylabel="residual", xlim=fit.energy[[0, -1]])
    bottom.ticklabel_format(useOffset=False)
    return figure


@style.style()
def dband(found: DBand, row: int = 0) -> Figure:
    """A valence band with its Shirley background, the Fermi level and the d-band centre."""
    v, b = (np.atleast_2d(a)[row] for a in (found.intensity, found.background))
    centre, error = (float(np.atleast_1d(a)[row]) for a in (found.centre, found.stderr))
    figure, axes = style.panels(1, 1, style.COLUMN, 2.6)
    axes.plot(found.binding, v, color=style.DATA, label="valence band")
    axes.plot(found.binding, b, color="0.5", ls="--", label="Shirley background")
    axes.fill_between(found.binding, b, v, color=style.COLORS[4], alpha=0.3, lw=0)
    axes.axvline(0, color="0.6", lw=0.7)
    axes.axvline(-centre, color=style.FIT, label=f"d-band centre {centre:.2f}({error:.2f}) eV")
    axes.axvspan(-centre - error, -centre + error, color=style.FIT, alpha=0.15, lw=0)
    axes.set(xlabel="Binding energy (eV, Fermi level at 0)", ylabel="Intensity", xlim=found.binding[[-1, 0]])
    axes.set_ylim(top=float(v.max()) * 1.35)
    axes.legend(loc="upper left", fontsize=style.SMALL)
    return figure
