"""The page's four plots as a PDF in the style of the papers' figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import replacing
from ..report.plots import style
from .analysis import View
from .plots import Plots


def write_pdf(view: View, plots: Plots, target: Path) -> None:
    """Write the curves that the page shows, in the ranges shown, to a PDF. Raises WriteError."""
    with style.style() as plt:
        figure, axes = plt.subplots(2, 2, figsize=(style.DOUBLE, 4.6), layout="constrained")
        sources = (("mu", "bkg"), ("norm",), ("k",), ("r",))
        for axis, shown, parts in zip(axes.flat, plots.all, sources, strict=True):
            _draw(axis, shown, [plots.lines[name] for name in parts])
        paths = plots.paths.data
        for curve, color, label in zip(paths["ys"], paths["color"], paths["label"], strict=True):
            axes[1, 1].plot(plots.sources["r"].data["x"], curve, color=color, lw=0.8, label=label)
        for axis in axes.flat:
            if axis.lines:
                axis.legend()
        figure.suptitle(view.loaded.spec.title, x=0.01, ha="left", fontsize=8)
        with replacing(target) as temporary:
            figure.savefig(temporary, format="pdf")
        plt.close(figure)


def _draw(axis: Any, shown: Any, sources: list[list[Any]]) -> None:
    for line in (one for lines in sources for one in lines):
        data, glyph = line.data_source.data, line.glyph
        values = data[glyph.y]
        if len(values):
            axis.plot(data["x"], values, color=glyph.line_color, label=line.name, lw=1)
    axis.set(xlabel=shown.xaxis.axis_label, ylabel=shown.yaxis.axis_label)
    for set_limits, span in ((axis.set_xlim, shown.x_range), (axis.set_ylim, shown.y_range)):
        ends = span.start, span.end
        if all(isinstance(end, int | float) for end in ends) and ends[0] < ends[1]:
            set_limits(*ends)
