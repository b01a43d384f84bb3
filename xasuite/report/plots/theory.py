"""Figures of computed XANES: alone, with a measurement, of several structures, and of structure fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import COLORS, COLUMN, DATA, DOUBLE, FIT, NORM, SMALL, panels, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...theory.comparison import Comparison
    from ...theory.fit import StructureFit
    from ...theory.xanes import TheoryXanes
    from ...workflow.structures import StructureStudy, TheoryTable

RELATIVE = "E − E$_0$ (eV)"
FERMI = "E − E$_F$ (eV)"
BARE = "#999999"
_PARAMETERS = {"r_n": "r(M–N) (Å)", "r_metal": "r(M–M) (Å)", "r": "r (Å)"}


@style()
def plot_theory(theory: TheoryXanes, *, gauss: float = 1.0) -> Figure:
    """A computed spectrum and that of the bare atom, broadened by a Gaussian of `gauss` eV (standard deviation)."""
    figure, axis = panels(1, 1, COLUMN, 2.5)
    shown = theory.broadened(gauss=gauss)
    axis.plot(shown.energy, shown.atom, color=BARE, lw=1, label="bare atom")
    axis.plot(shown.energy, shown.mu, color=FIT, label=f"theory, {theory.label}")
    axis.set(xlabel=FERMI, ylabel=NORM, xlim=(-10, 80))
    axis.set_ylim(-0.05, 1.12 * max(shown.mu.max(), 1.0))
    axis.legend(loc="lower right")
    return figure


@style()
def plot_comparison(comparison: Comparison) -> Figure:
    """A measurement (black), theory (red) and bare atom (grey), with the residual below."""
    figure, (above, below) = panels(2, 1, COLUMN, 3.1, sharex=True, height_ratios=(3, 1))
    c = comparison
    above.plot(c.energy, c.data, color=DATA, label="measured")
    above.plot(c.energy, c.model, color=FIT, label=f"theory, {c.label}")
    above.plot(c.energy, c.atom, color=BARE, lw=1, label="bare atom")
    above.set_ylabel(NORM)
    above.set_ylim(-0.08, 1.1 * max(c.data.max(), c.model.max()))
    above.legend(loc="lower right")
    below.axhline(0, color=BARE, lw=0.6)
    below.plot(c.energy, c.residual, color=FIT, lw=1)
    reach = 1.25 * np.abs(c.residual).max()
    below.set(xlabel=RELATIVE, ylabel="residual", xlim=(c.energy[0], c.energy[-1]), ylim=(-reach, reach))
    figure.align_ylabels()
    return figure


@style()
def plot_standards(table: TheoryTable) -> Figure:
    """Measured standards and their theory, one panel for each."""
    from matplotlib.lines import Line2D

    comparisons = [row.comparison for row in table.rows]
    across = min(4, len(comparisons))
    down = -(-len(comparisons) // across)
    figure, axes = panels(down, across, DOUBLE * across / 4, 1.55 * down + 0.3, squeeze=False)
    for axis, c in zip(axes.flat, comparisons, strict=False):
        axis.plot(c.energy, c.data, color=DATA, lw=1)
        axis.plot(c.energy, c.model, color=FIT, lw=1)
        axis.plot(c.energy, c.atom, color=BARE, lw=0.8)
        top = 1.32 * max(c.data.max(), c.model.max())
        axis.set(xlim=(-10, 60), ylim=(-0.1, top))
        axis.text(0.05, 0.93, c.label, transform=axis.transAxes, va="top", weight="bold")
        said = f"R {c.rfactor:.4f}\natom {c.rfactor_atom:.4f}"
        axis.text(0.96, 0.06, said, transform=axis.transAxes, va="bottom", ha="right", fontsize=SMALL)
    for i, axis in enumerate(axes.flat):
        axis.set_visible(i < len(comparisons))
        axis.tick_params(labelbottom=i + across >= len(comparisons))
    lines = [Line2D([], [], color=c) for c in (DATA, FIT, BARE)]
    figure.legend(lines, ["measured", "theory", "bare atom"], loc="outside upper center", ncols=3)
    figure.supxlabel(RELATIVE, fontsize=8)
    figure.supylabel(NORM, fontsize=8)
    return figure


@style()
def plot_structures(study: StructureStudy, *, gauss: float = 1.0) -> Figure:
    """Computed spectra of structures, and below how far each differs from the first."""
    figure, (above, below) = panels(2, 1, COLUMN, 3.6, sharex=True, height_ratios=(2.4, 1))
    first = study.spectra[0].broadened(gauss=gauss)
    colors = (FIT, *COLORS)
    for i, theory in enumerate(study.spectra):
        shown = theory.broadened(gauss=gauss)
        name = study.study.structures.get(theory.label, theory.label)
        look = {"color": colors[i], "ls": ("-", "-", "--")[min(i, 2)]}
        above.plot(shown.energy, shown.mu, label=name, **look)
        if i:
            below.plot(shown.energy, first.mu - np.interp(first.energy, shown.energy, shown.mu), lw=1, **look)
    below.axhline(0, color=BARE, lw=0.6, zorder=0)
    top = max(t.broadened(gauss=gauss).mu.max() for t in study.spectra)
    above.set(ylabel=NORM, xlim=(-10, 60), ylim=(-0.05, 1.1 * top))
    above.legend(loc="lower right", title=f"theory, {study.spectra[0].absorber} K edge", title_fontsize=7)
    below.set(xlabel=FERMI, ylabel="difference")
    figure.align_ylabels()
    return figure


@style()
def plot_structure_fit(fit: StructureFit) -> Figure:
    """The posterior of each geometric parameter, one panel for each, all models in it."""
    names = list(dict.fromkeys(n for m in fit.models for n in m.names))
    figure, axes = panels(1, len(names), min(COLUMN * len(names), DOUBLE), 2.3, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        top = 0.0
        for color, model in zip((FIT, *COLORS), fit.models, strict=False):
            if name in model.names:
                x, p = model.marginal(name)
                axis.plot(x, p, color=color, label=f"{model.label} ({model.probability:.2f})")
                axis.fill_between(x, p, color=color, alpha=0.15, lw=0)
                top = max(top, float(p.max()))
        axis.set(xlabel=_PARAMETERS.get(name, name), ylabel="probability density", ylim=(0, 1.35 * top))
        axis.legend(loc="upper right")
    return figure
