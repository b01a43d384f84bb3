"""The four plots of the page. Data are set as columns; an update keeps the user's zoom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, DataTable, Legend, Span, TableColumn
from bokeh.plotting import figure

from ..report.plots.style import COLORS, DATA, FIT
from .analysis import View, transform

LINES, POST, *PATHS = COLORS  # as in the figures for papers

# names in the legend that differ from those of the columns
LABELS = {"mu": "data", "pre": "pre-edge", "post": "post-edge", "bkg": "background"}
KWEIGHTED = ("χ(k)", "k χ(k)", "k² χ(k)", "k³ χ(k)", "k⁴ χ(k)")


class Plots:
    """Figures with their sources and the boxes that a user drags."""

    def __init__(self, height: int = 215) -> None:
        self.mu = blank("mu(E)", "energy (eV)", "absorption", height)
        self.norm = blank("normalised", "energy (eV)", "normalised absorption", height)
        self.k = blank("chi(k)", "k (1/\u212b)", "k\u207f \u03c7(k)", height)
        self.r = blank("|chi(R)|", "R (\u212b), not corrected for phase", "|\u03c7(R)|", height)
        self.sources: dict[str, ColumnDataSource] = {}
        self.lines: dict[str, list[Any]] = {}
        self._lines(self.mu, "mu", mu=DATA, pre=LINES, post=POST)
        self._lines(self.mu, "bkg", bkg=FIT)
        self._lines(self.norm, "norm", norm=DATA, flat=LINES)
        self._lines(self.k, "k", data=DATA, fit=FIT, residual=LINES, window="#999999")
        self._lines(self.r, "r", data=DATA, fit=FIT)
        self.paths = ColumnDataSource({"xs": [], "ys": [], "color": [], "label": []})
        self.r.multi_line("xs", "ys", color="color", source=self.paths, line_width=1.2, legend_field="label")
        self.overlay = ColumnDataSource({"xs": [], "ys": [], "label": []})
        self.norm.multi_line("xs", "ys", color="#9bb7d4", source=self.overlay, line_width=1.0)
        self.e0 = Span(dimension="height", line_color=LINES, line_dash="dashed")
        self.tabulated = Span(dimension="height", line_color="#999999", line_dash="dotted")
        for f in (self.mu, self.norm):
            f.add_layout(self.e0)
            f.add_layout(self.tabulated)
        self.k_range = _box(self.k, "k-range")
        self.r_range = _box(self.r, "r-range")
        for f, name in zip(self.all, ("mu", "norm", "k", "r"), strict=True):
            f.name = f"plot-{name}"
            for legend in f.legend:
                small(legend)
        # the legend is outside: inside it would cover the handle of the k range; the axis label replaces the title
        self.k.title.visible = False
        self.k.legend[0].orientation, self.k.legend[0].margin = "horizontal", 0
        self.k.add_layout(self.k.legend[0], "above")

    @property
    def all(self) -> tuple[Any, ...]:
        """The four figures."""
        return self.mu, self.norm, self.k, self.r

    def _lines(self, f: Any, name: str, **colors: str) -> None:
        """Add one line for each column, in the colour given."""
        source = ColumnDataSource({"x": [], **{column: [] for column in colors}}, name=f"{name}-data")
        drawn = []
        for column, color in colors.items():
            look = {"color": color, "line_width": 1.6, "name": LABELS.get(column, column)}
            drawn.append(f.line("x", column, source=source, legend_label=look["name"], **look))
        if name != "bkg":  # the background may run far off at E0 and must not set the axis
            f.y_range.renderers = drawn
        self.sources[name], self.lines[name] = source, drawn

    def _put(self, name: str, data: dict[str, Any]) -> None:
        """Set the columns of a plot; unchanged ones are not sent to the browser."""
        source = self.sources[name]
        changed = {c: v for c, v in data.items() if not _same(source.data[c], v)}
        if len(changed) == 1 and np.size(data["x"]) == np.size(source.data["x"]):
            ((column, values),) = changed.items()
            source.data[column] = values
        elif changed:
            source.data = data

    def show(self, view: View) -> None:
        """Draw a view. The plot of a step that failed is emptied, so that it shows no old curves."""
        self._mu(view)
        self._k(view)
        self._r(view)

    def _mu(self, view: View) -> None:
        norm, chi = view.norm, view.chi
        s = view.spectrum if norm is None else norm
        energy, mu = (np.empty(0), np.empty(0)) if s is None else (s.energy, s.mu)
        gap = np.full(energy.size, np.nan)
        pre, post = (getattr(norm, f"{n}_edge", None) for n in ("pre", "post"))
        lines = {"pre": gap if pre is None else pre, "post": gap if post is None else post}
        self._put("mu", {"x": energy, "mu": mu} | lines)
        none: dict[str, Any] = {"x": [], "bkg": []}
        have = chi is not None and chi.bkg is not None and chi.energy is not None
        self._put("bkg", {"x": chi.energy, "bkg": chi.bkg} if have and chi is not None else none)
        if norm is None:
            self._put("norm", {"x": [], "norm": [], "flat": []})
        else:
            self._put("norm", {"x": norm.energy, "norm": norm.norm, "flat": norm.flat})
            self.e0.location = float(norm.e0)

    def _k(self, view: View) -> None:
        chi, t = view.chi, view.transform
        if chi is None or t is None:
            self._put("k", {"x": [], "data": [], "fit": [], "residual": [], "window": []})
            return
        weight = t.kweight
        data = chi.chi * chi.k**weight
        fit = np.full(chi.k.size, np.nan)
        if view.fit is not None:
            d = view.fit.data[0]
            fit = np.interp(chi.k, d.k, d.fit, left=np.nan, right=np.nan) * chi.k**weight
        inside = (chi.k >= view.loaded.spec.fit.k[0]) & (chi.k <= view.loaded.spec.fit.k[1])
        top = float(np.abs(data[inside]).max()) if inside.any() else 1.0
        window = np.interp(chi.k, t.k, t.window) * top
        self._put("k", {"x": chi.k, "data": data, "fit": fit, "residual": data - fit, "window": window})
        self.k.yaxis.axis_label = KWEIGHTED[int(weight)]
        self.k_range.left, self.k_range.right = view.loaded.spec.fit.k

    def _r(self, view: View) -> None:
        t = view.transform
        if t is None:
            self._put("r", {"x": [], "data": [], "fit": []})
            self._put_paths([], {})
            return
        curves = fit_transforms(view) if view.fit is not None else {}
        gap = np.full(t.r.size, np.nan)
        self._put("r", {"x": t.r, "data": t.magnitude, "fit": curves.pop("fit", gap)})
        self._put_paths(t.r, curves)
        self.r_range.left, self.r_range.right = view.loaded.spec.fit.r

    def _put_paths(self, r: Any, curves: dict[str, Any]) -> None:
        labels = list(curves)
        if not labels and not self.paths.data["label"]:
            return
        self.paths.data = {
            "xs": [r] * len(labels), "ys": list(curves.values()), "label": labels,
            "color": [PATHS[i % len(PATHS)] for i in range(len(labels))],
        }  # fmt: skip


def _same(held: Any, new: Any) -> bool:
    return held is new or np.array_equal(np.asarray(held), np.asarray(new), equal_nan=True)


def fit_transforms(view: View) -> dict[str, Any]:
    """|chi(R)| of the fit (under "fit") and of each path (under its label), on the R grid of the data."""
    assert view.fit is not None
    assert view.chi is not None
    d = view.fit.data[0]
    out = {}
    for label, curve in {"fit": d.fit, **d.paths}.items():
        record = replace(view.chi, k=d.k, chi=curve, energy=None, mu=None, bkg=None)
        out[label] = transform(record, view.loaded.spec.fit).magnitude
    return out


def blank(title: str, x: str, y: str, height: int) -> Any:
    """An empty figure that keeps the user's zoom and shows its tools when the pointer is on it."""
    made = figure(
        title=title, x_axis_label=x, y_axis_label=y, height=height, sizing_mode="stretch_width",
        tools="pan,wheel_zoom,box_zoom,reset,save", active_scroll="wheel_zoom", output_backend="canvas",
        min_border=2,
    )  # fmt: skip
    made.xaxis.ticker.desired_num_ticks = 5  # also a plot of a notebook's width keeps them apart
    made.toolbar.logo, made.toolbar.autohide = None, True
    made.title.text_font_size = made.axis.axis_label_text_font_size = "9pt"
    return made


def grid(source: ColumnDataSource, columns: Iterable[str], widths: Any = None, **settings: Any) -> DataTable:
    """A table of some columns of a source, as wide as the layout allows."""
    own = {} if widths is None else widths
    heads = [TableColumn(field=c, title=c, **({"width": own[c]} if c in own else {})) for c in columns]
    return DataTable(
        source=source, columns=heads, sizing_mode="stretch_width", index_position=None, **settings
    )


def _box(f: Any, name: str) -> BoxAnnotation:
    box = BoxAnnotation(name=name, left=0, right=1, fill_color=LINES, fill_alpha=0.07, line_color=LINES, line_alpha=0.5, editable=True, resizable="x", movable="x")  # fmt: skip
    f.add_layout(box)
    return box


def small(legend: Legend) -> None:
    """Make a legend small, with names that hide their line when clicked."""
    legend.label_text_font_size = "8pt"
    legend.glyph_height = legend.glyph_width = 12
    legend.padding = legend.spacing = 2
    legend.background_fill_alpha = 0.6
    legend.click_policy = "hide"
