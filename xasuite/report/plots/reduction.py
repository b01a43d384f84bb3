"""Figures of reduction: mu(E) with its lines, norm, E0, chi(k) and background, merges, alignment, chi(R)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...records import Array, Chi, Normalized, Scan, Spectrum, Transform
from ...reduce.energy import Alignment
from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

XANES = (-40.0, 120.0)  # eV about E0 shown in edge figures
MOST_ROWS = 60  # curves of a stack drawn one by one; more are thinned evenly


def plot_scan(scan: Scan, mu: str | None = None) -> Figure:
    """mu(E) of a scan by its own definition, or by the expression `mu`, with the reference's below it."""
    return plot_spectrum(scan.mu(mu))


@style.style()
def plot_spectrum(spectrum: Spectrum) -> Figure:
    """mu(E) as measured; below it the scatter of a merge, or the reference where there is one."""
    merged = next((s for s in reversed(spectrum.history) if s.name == "merge"), None)
    scatter = None
    if spectrum.mu_err is not None and not spectrum.stacked:
        # mu_err of a merge is that of the mean: the scans' own scatter is larger by the root of their number
        scatter = spectrum.mu_err * (np.sqrt(merged.settings["effective"]) if merged else 1.0)
    below = spectrum.reference if scatter is None and not spectrum.stacked else scatter
    ratios = (1,) if below is None else (3, 1) if scatter is not None else (1, 1)
    shared: Any = {"sharex": True, "squeeze": False, "height_ratios": ratios, "layout": None}
    figure, axes = style.panels(len(ratios), 1, style.COLUMN, 2.5 if below is None else 3.6, **shared)
    ax, low = axes[0, 0], axes[-1, 0]
    _rows(ax, spectrum.energy, spectrum.mu)
    ax.set_ylabel("μ(E)")
    _title(ax, spectrum)
    if scatter is not None:
        name = f"±1 sd of {merged.settings['n']} scans" if merged else "±1 sd"
        band = (spectrum.mu - scatter, spectrum.mu + scatter)
        ax.fill_between(spectrum.energy, *band, color=style.COLORS[4], alpha=0.7, lw=0, label=name)
        ax.legend(loc="lower right")
        low.fill_between(spectrum.energy, 0, 1e3 * scatter, color=style.COLORS[4], lw=0)
        low.set(ylabel="sd (10$^{-3}$)", ylim=(0, 1.1e3 * float(np.percentile(scatter, 99.5))))
    elif below is not None:
        low.plot(spectrum.energy, below, color=style.COLORS[0])
        low.set_ylabel("μ(E) of the reference")
    low.set_xlabel(style.ENERGY)
    figure.align_ylabels()
    figure.tight_layout()
    return figure


@style.style()
def plot_normalized(normalized: Normalized) -> Figure:
    """Three panels: mu(E) with pre- and post-edge lines and their ranges; norm and flat; the edge with E0."""
    if normalized.stacked:
        return _plot_norm_stack(normalized)
    figure, (left, middle, right) = style.panels(1, 3, style.DOUBLE, 2.6, layout=None)
    e, e0 = normalized.energy, float(normalized.e0)
    left.plot(e, normalized.mu, color=style.DATA, label="μ(E)")
    _lines(left, normalized, e0)
    left.set(xlabel=style.ENERGY, ylabel="μ(E)")
    left.legend(loc="center right", handlelength=1.4)
    middle.plot(e, normalized.flat, color=style.COLORS[0], label="flattened")
    middle.plot(e, normalized.norm, color=style.DATA, lw=0.8, label="normalised")
    middle.axhline(1, color="0.7", lw=0.6, zorder=0)
    middle.set(xlabel=style.ENERGY, ylabel=style.NORM)
    middle.legend(loc="lower right", handlelength=1.4)
    _edge_panel(right, e, normalized.norm, e0)
    figure.suptitle(_text(normalized), fontsize=8)
    figure.tight_layout(w_pad=1.2)
    return figure


@style.style()
def plot_background(chi: Chi, kweight: int = 2) -> Figure:
    """mu(E) with the background, and next to it k-weighted chi(k) with the band of its noise; a stack's chi(k) alone."""
    if chi.chi.ndim > 1 or chi.energy is None or chi.mu is None or chi.bkg is None:
        figure, ax = style.panels(1, 1, style.COLUMN, 2.6, layout=None)
        _chi_panel(ax, chi, kweight)
        _title(ax, chi)
        figure.tight_layout()
        return figure
    figure, (left, right) = style.panels(1, 2, style.DOUBLE, 2.6, layout=None)
    above = chi.energy >= float(chi.e0)
    left.plot(chi.energy, chi.mu, color=style.DATA, label="μ(E)")
    # below k = 1 to 2 1/A the spline is not constrained: the data alone set the axis
    left.set_ylim(left.get_ylim())
    left.plot(chi.energy[above], chi.bkg[above], color=style.FIT, label="background μ$_0$(E)")
    left.axvline(float(chi.e0), color="0.6", lw=0.7, ls=":", zorder=0)
    left.set(xlabel=style.ENERGY, ylabel="μ(E)")
    left.legend(loc="lower right")
    _chi_panel(right, chi, kweight)
    figure.suptitle(_text(chi), fontsize=8)
    figure.tight_layout(w_pad=1.5)
    return figure


def _chi_panel(ax: Any, chi: Chi, kweight: int) -> None:
    if chi.epsilon_k is not None and chi.chi.ndim == 1:
        band = float(chi.epsilon_k) * chi.k**kweight
        ax.fill_between(chi.k, -band, band, color=style.COLORS[4], alpha=0.7, lw=0, label="noise, ±1 sd")
    _rows(ax, chi.k, chi.chi * chi.k**kweight)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel=style.K, ylabel=style.chik_label(kweight), xlim=(0, chi.k[-1]))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper right")


@style.style()
def plot_transform(transform: Transform, rmax: float = 6.0) -> Figure:
    """|chi(R)| and Re chi(R) of one transform, or |chi(R)| of a stack; R is not corrected for phase."""
    figure, ax = style.panels(1, 1, style.COLUMN, 2.6, layout=None)
    shown = transform.r <= rmax
    r = transform.r[shown]
    if transform.chir.ndim == 1:
        ax.plot(r, transform.magnitude[shown], color=style.DATA, label="|χ(R)|")
        ax.plot(r, transform.chir.real[shown], color=style.COLORS[0], lw=0.8, label="Re χ(R)")
        ax.axhline(0, color="0.7", lw=0.6, zorder=0)
        ax.set_ylabel(f"χ(R) (Å$^{{-{transform.kweight + 1:g}}}$)")
        ax.legend(loc="upper right")
    else:
        _rows(ax, r, transform.magnitude[..., shown])
        ax.set_ylabel(style.chir_label(transform.kweight))
        ax.set_ylim(bottom=0)
    ax.set(xlabel=style.R, xlim=(0, rmax))
    _title(ax, transform)
    figure.tight_layout()
    return figure


@style.style()
def plot_alignment(alignment: Alignment, to: Spectrum, before: Spectrum | None = None) -> Figure:
    """The foils' edges, before where it is given and after, and the difference that is left.

    Parameters
    ----------
    alignment : of one spectrum; to : the spectrum it was aligned with; before : the spectrum as it was.
    """
    used = alignment.used

    def curve(of: Spectrum) -> Array:
        return np.asarray(of.reference if used == "reference" else of.mu)

    target, moved = curve(to), alignment.spectrum
    figure, (ax, low) = style.panels(2, 1, style.COLUMN, 3.6, sharex=True, height_ratios=(3, 1), layout=None)
    centre = float(to.energy[np.argmax(np.gradient(target, to.energy))])
    window = (to.energy > centre + XANES[0]) & (to.energy < centre + XANES[1])
    ax.plot(to.energy, _to_unit(target), color=style.DATA, label="aligned to")
    if before is not None:
        ax.plot(before.energy, _to_unit(curve(before)), color="0.65", ls="--", label="before")
    unit, wanted = _to_unit(curve(moved)), _to_unit(target)
    ax.plot(moved.energy, unit, color=style.FIT, lw=0.9, label="after")
    left = np.interp(to.energy, moved.energy, unit) - wanted
    low.plot(to.energy[window], left[window], color=style.FIT, lw=0.9)
    low.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(ylabel=f"μ(E) of the {used}, scaled" if used == "reference" else "μ(E), scaled")
    ax.set_xlim(centre + XANES[0], centre + XANES[1])
    low.set(xlabel=style.ENERGY, ylabel="Difference")
    ax.legend(loc="lower right")
    shift = f"{float(alignment.shift):+.3f} ± {float(alignment.stderr):.3f} eV"
    ax.set_title(f"{moved.label or 'spectrum'}: shifted by {shift}")
    figure.align_ylabels()
    figure.tight_layout()
    return figure


def _rows(ax: Any, x: Array, y: Array) -> None:
    """One curve in black, or a stack in the colours of a series with a colour bar for the row."""
    if y.ndim == 1:
        ax.plot(x, y, color=style.DATA)
        return
    curves = y.reshape(-1, y.shape[-1])
    good = np.flatnonzero(np.isfinite(curves).all(axis=-1))
    chosen = good[style.thinned(good.size, MOST_ROWS)]
    last, colours = max(len(curves) - 1, 1), style.along_map()
    for i in chosen:
        ax.plot(x, curves[i], color=colours(i / last), lw=0.7)
    style.bar(ax, 0, last, "Row").ax.tick_params(direction="in")


def _lines(ax: Any, normalized: Normalized, e0: float) -> None:
    """Pre-edge and post-edge lines, with marks at the ends of the ranges they were fitted in."""
    e = normalized.energy
    used = next((s.settings for s in reversed(normalized.history) if s.name == "normalize"), {})
    pre = ("pre-edge", used.get("pre_range"), normalized.pre_edge, e[0], style.COLORS[2])
    post = ("post-edge", used.get("norm_range"), normalized.post_edge, e0 - 20, style.COLORS[5])
    for label, span, line, start, colour in (pre, post):
        if line is None:
            continue
        ax.plot(e[e >= start], line[e >= start], color=colour, lw=1.0, label=label)
        if span and np.ndim(span) == 1:
            ends = e0 + np.asarray(span)
            ax.plot(ends, np.interp(ends, e, line), ls="", marker="|", ms=9, mew=1.4, color=colour)
    ax.axvline(e0, color="0.6", lw=0.7, ls=":", zorder=0)


def _edge_panel(ax: Any, energy: Array, norm: Array, e0: float) -> None:
    """The edge and its derivative, with E0."""
    near = (energy > e0 + XANES[0]) & (energy < e0 + XANES[1])
    slope = np.gradient(norm, energy)
    ax.plot(energy[near], norm[near], color=style.DATA, label=style.NORM)
    ax.axvline(e0, color=style.FIT, lw=0.8, ls=":", zorder=0)
    ax.set(xlabel=style.ENERGY, ylabel=style.NORM)
    where = {"xycoords": ("data", "axes fraction"), "xytext": (4, -10), "textcoords": "offset points"}
    ax.annotate(f"E$_0$ {e0:.1f} eV", (e0, 1), fontsize=7, color=style.FIT, **where)
    other = ax.twinx()
    other.plot(energy[near], slope[near], color=style.COLORS[0], lw=0.8)
    other.set_ylabel("dμ/dE (eV$^{-1}$)", color=style.COLORS[0])
    other.tick_params(axis="y", colors=style.COLORS[0], direction="in")
    # the derivative below, the edge above: they do not cross
    top = float(np.nanmax(slope[near]))
    other.set_ylim(1.3 * min(float(np.nanmin(slope[near])), -0.05 * top), 3.2 * top)
    ax.set_ylim(-0.65, 1.12 * float(np.nanmax(norm[near])) + 0.15)
    ax.set_yticks([0, 0.5, 1])


@style.style()
def _plot_norm_stack(normalized: Normalized) -> Any:
    figure, ax = style.panels(1, 1, style.COLUMN, 2.8, layout=None)
    e0 = float(np.nanmedian(normalized.e0))
    near = (normalized.energy > e0 + XANES[0]) & (normalized.energy < e0 + XANES[1])
    _rows(ax, normalized.energy[near], normalized.norm[..., near])
    ax.set(xlabel=style.ENERGY, ylabel=style.NORM)
    _title(ax, normalized)
    figure.tight_layout()
    return figure


def _to_unit(values: Array) -> Array:
    """A curve with its pre-edge level brought to 0 and its mean above the edge to 1."""
    low = float(np.median(values[: max(3, values.size // 20)]))
    high = float(np.median(values[values.size // 2 :]))
    return (values - low) / ((high - low) or 1.0)


def _text(record: Any) -> str:
    edge = " ".join(x for x in (record.element, record.edge) if x)
    return f"{record.label}, {edge} edge" if record.label and edge else record.label or edge


def _title(ax: Any, record: Any) -> None:
    if _text(record):
        ax.set_title(_text(record))
