"""The page of a series: map of all rows, one row at a time, parameters, and rows that were not fitted with the reason.

The same page follows a folder that is watched (`xasuite watch --serve`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.layouts import column, row
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    Div,
    LinearColorMapper,
    RadioButtonGroup,
    Select,
    Slider,
    Span,
)

from .._series.live import Watch
from .._series.record import SeriesRun, open_run
from .._series.summary import varied_columns
from ..errors import SeriesError
from ..records import OK
from ..report.plots.column import quantity_of, undetermined
from ..report.plots.series import transform
from ..report.plots.style import COLORS, DATA, FIT, thinned
from .plots import blank, grid, small

MOST = 400  # most rows of the map, and points along its horizontal axis
LOOK = 1000  # ms between two updates of a running series
XANES, CHIR = 0, 1
FIRST = {"n": 0, "r": 1}  # order of the quantities that are shown at first
BAD = ("row", "label", "status", "reason")


class SeriesPage:
    """The page of a series for one user.

    Parameters
    ----------
    path : Path
        The results (series.h5); while a folder is watched the file need not exist yet.
    watcher : Watch, optional
        The running `xasuite watch` that writes them.
    """

    def __init__(self, path: Path, watcher: Watch | None = None) -> None:
        self.path, self.watcher = path, watcher
        self.run: SeriesRun | None = None
        self._written: int | None = None
        self._quiet = False
        self._figures()
        self._controls()
        self.look()

    # ---------------------------------------------------------------------------------------------- what is shown

    def look(self) -> None:
        """Show what was written since the last call, and the state of the watch."""
        if self.watcher is not None:
            self.status.text = _status(self.watcher)
        written = self.path.stat().st_mtime_ns if self.path.exists() else None
        if written is None or written == self._written:
            return
        self._written = written
        self.update(open_run(self.path))

    def update(self, run: SeriesRun) -> None:
        """Show a run; where the last row was shown, the new last row is."""
        at_end = self.run is None or self.row.value >= len(self.run)
        first, self.run = self.run is None, run
        self._quiet = True
        try:
            self.row.end = max(len(run), 2)
            if at_end:
                self.row.value = len(run)
            numbers = [c for c in run.table.columns if run.table[c].dtype.kind in "fi"]
            self.against.options = ["time", *(c for c in [*run.logged, *numbers] if c != "time")]
            names = [c for c in numbers if f"{c}_err" in run.table or c.startswith("E(")]
            for select in self.names:
                select.options = [*names, *(c for c in numbers if c not in names)]
            if first:
                self.against.value = run.against
                varied = varied_columns(run, run.spec).values()
                wanted = sorted(varied, key=lambda v: FIRST.get(v[1].name, len(FIRST)))
                columns = dict.fromkeys([*(c for c, _ in wanted), *names])
                for select, name in zip(self.names, columns, strict=False):
                    select.value = name
        finally:
            self._quiet = False
        bad = run.table[run.table["status"] != OK]
        rows = {"row": [int(i) + 1 for i in bad.index]}
        self.bad.data = rows | {name: bad[name].astype(str).tolist() for name in BAD[1:]}
        self.counts.text = escape(f"{len(run)} rows, {len(bad)} not good ({run.kind})")
        self._draw_map()
        self._draw_parameters()
        self._draw_row()

    def _draw_map(self) -> None:
        run = self.run
        assert run is not None
        rows = thinned(len(run), MOST)
        try:
            x, y = _curves(run, self.what.active, rows)
        except SeriesError as exc:
            self.say(str(exc))
            return
        at = np.linspace(x[0], x[-1], MOST)
        image = np.array([np.interp(at, x, one) if np.isfinite(one).all() else at * np.nan for one in y])
        self.image.data = {
            "image": [image.astype(np.float32)], "x": [at[0]], "y": [0.5], "dw": [np.ptp(at)], "dh": [float(len(run))],
        }  # fmt: skip
        good = image[np.isfinite(image)]
        if good.size:
            self.mapper.low, self.mapper.high = 0.0, float(np.percentile(good, 99.8))
        self.map.xaxis.axis_label = X[self.what.active]

    def _draw_parameters(self) -> None:
        run = self.run
        assert run is not None
        x, label = run.along(self.against.value)
        for select, figure, source in zip(self.names, self.parameters, self.values, strict=True):
            name = select.value
            if name not in run.table:
                continue
            y, err = run.table.reindex(columns=[name, f"{name}_err"]).to_numpy(float).T
            err = np.nan_to_num(err)
            power = 1.0 if name.startswith("E(") else 10.0 ** quantity_of(run, name).power
            lost = undetermined(run, name)
            source.data = {
                "x": x, "y": y * power, "low": (y - err) * power, "high": (y + err) * power,
                "fill": np.where(lost, "#ffffff", COLORS[0]), "row": np.arange(len(run)) + 1,
                "bar": np.where(lost, "#cccccc", COLORS[0]),
            }  # fmt: skip
            figure.xaxis.axis_label = label
            figure.yaxis.axis_label = f"{name} (eV)" if name.startswith("E(") else quantity_of(run, name).head

    def _draw_row(self) -> None:
        run = self.run
        assert run is not None
        i = min(int(self.row.value), len(run)) - 1
        self.here.location = i + 1
        record = run.table.iloc[i]
        said = f"row {i + 1}, {record['label']}: {record['status']}"
        self.say(said + (f" ({record['reason']})" if record["reason"] else ""))
        for source in (self.norm, self.chir):
            source.data = {name: [] for name in source.data}
        try:
            x, y = _curves(run, XANES, [i])
            self.norm.data = {"x": x, "data": y[0]}
            r, data = _curves(run, CHIR, [i])
            fit = transform(run, run.curves("fit", [i]))[1]
            self.chir.data = {"x": r, "data": data[0], "fit": fit[0]}
        except SeriesError as exc:
            self.say(f"{said}; {exc}")

    def say(self, text: str) -> None:
        """Show a line of text, escaped, above the plots."""
        self.message.text = f'<div role="status" style="font-size:13px">{escape(text)}</div>'

    # --------------------------------------------------------------------------------------------------- widgets

    def _figures(self) -> None:
        height = 230
        self.map = blank("the series", X[XANES], "row", height + 40)
        self.map.background_fill_color = "#cccccc"  # rows without a curve
        self.mapper = LinearColorMapper(palette="Viridis256", low=0, high=1, nan_color="#cccccc")
        self.image = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []}, name="map")
        self.map.image(
            image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=self.mapper, source=self.image
        )
        self.map.add_layout(ColorBar(color_mapper=self.mapper, width=8, padding=2), "right")
        self.map.x_range.range_padding = self.map.y_range.range_padding = 0
        self.here = Span(dimension="width", line_color=FIT, line_width=1.5)
        self.map.add_layout(self.here)
        self.map.on_event(Tap, self._tapped)
        self.norm = ColumnDataSource({"x": [], "data": []}, name="row-norm")
        self.chir = ColumnDataSource({"x": [], "data": [], "fit": []}, name="row-chir")
        self.row_norm = blank("normalised", X[XANES], "normalised absorption", height)
        self.row_norm.line("x", "data", source=self.norm, color=DATA, line_width=1.6)
        self.row_chir = blank("|chi(R)|", X[CHIR], "|\u03c7(R)|", height)
        for name, color in (("data", DATA), ("fit", FIT)):
            self.row_chir.line("x", name, source=self.chir, color=color, line_width=1.6, legend_label=name)
        small(self.row_chir.legend[0])
        self.parameters, self.values = [], []
        for i in range(2):
            source = ColumnDataSource({c: [] for c in ("x", "y", "low", "high", "fill", "bar", "row")}, name=f"parameter-{i}")  # fmt: skip
            figure = blank("", "", "", height)
            figure.segment("x", "low", "x", "high", source=source, color="bar", alpha=0.5)
            figure.scatter("x", "y", source=source, fill_color="fill", line_color="bar", size=5)
            self.parameters.append(figure)
            self.values.append(source)
        self.parameters[0].title.text = "open circles: not determined"

    def _controls(self) -> None:
        self.row = Slider(title="row", start=1, end=2, value=1, step=1, name="row")
        self.row.on_change("value", self._on(self._draw_row))
        self.what = RadioButtonGroup(labels=["XANES", "|chi(R)|"], active=XANES, name="what")
        self.what.on_change("active", self._on(self._draw_map))
        self.against = Select(title="parameters against", options=["time"], value="time", name="against")
        self.against.on_change("value", self._on(self._draw_parameters))
        self.names = [Select(title=t, options=[], value="", name=f"name-{i}") for i, t in enumerate(("above", "below"))]  # fmt: skip
        for select in self.names:
            select.on_change("value", self._on(self._draw_parameters))
        self.bad = ColumnDataSource({c: [] for c in BAD}, name="bad")
        widths = dict(zip(BAD, (40, 110, 80, 500), strict=True))
        self.bad_table = grid(self.bad, BAD, widths, height=170, autosize_mode="none")
        self.bad.selected.on_change("indices", lambda attr, old, new: self._go(self.bad.data["row"][new[0]]) if new else None)  # fmt: skip
        self.counts = Div(text="no scan was taken up yet")
        self.status = Div(text="", name="status")
        self.message = Div(text="", sizing_mode="stretch_width", name="message")

    def _on(self, action: Callable[[], None]) -> Callable[[str, Any, Any], None]:
        def changed(attr: str, old: Any, new: Any) -> None:
            if not self._quiet and self.run is not None and old != new:
                action()

        return changed

    def _go(self, number: int) -> None:
        """Show a row by its number from 1."""
        if self.run is not None:
            self.row.value = min(max(int(number), 1), len(self.run))

    def _tapped(self, event: Tap) -> None:
        if event.y is not None:
            self._go(round(event.y))

    # ---------------------------------------------------------------------------------------------------- layout

    def show(self, document: Any) -> None:
        """Put the page into a document; while a folder is watched it is updated."""
        document.add_root(self.layout())
        if self.watcher is not None and document.session_context is not None:
            document.add_periodic_callback(self.look, LOOK)

    def layout(self) -> Any:
        """Controls and lists on the left, plots on the right."""
        title = Div(text="rows that are not good; click one to see it")
        controls = (
            self.status, self.counts, self.row, self.what, self.against, *self.names, title, self.bad_table,
        )  # fmt: skip
        for widget in controls:
            widget.sizing_mode = "stretch_width"
        left = column(*controls, width=380)
        wide = partial(row, sizing_mode="stretch_width")
        right = column(
            self.message, wide(self.map, self.parameters[0]), wide(self.row_norm, self.row_chir, self.parameters[1]),
            sizing_mode="stretch_width",
        )  # fmt: skip
        return row(left, right, sizing_mode="stretch_width")


X = ("energy (eV)", "R (\u212b), not corrected for phase")


def _curves(run: SeriesRun, what: int, rows: Any) -> tuple[Any, Any]:
    """The axis (n,) and the curves (m, n) of some rows; NaN where a row was not fitted."""
    if what == XANES:
        x, y = run.curves("norm", rows)
        return x, np.atleast_2d(y)
    chi = run.curves("chi", rows)
    r, magnitude, _ = transform(run, chi)
    have = np.isfinite(np.atleast_2d(chi[1])).any(axis=1, keepdims=True)
    return r, np.where(have, magnitude, np.nan)


def _status(watcher: Watch) -> str:
    """The state of a watch as HTML, with names escaped."""
    lines = [f"watching {watcher.folder}: {watcher.scans} scans, {watcher.rows} rows"]
    if watcher.rows:
        lines.append(f"last: {watcher.last()}")
    rate = watcher.rate
    if rate is not None:
        lines.append(f"rate: {rate:.3g} scans a minute")
    if watcher.waiting:
        lines.append(f"waiting for {watcher.waiting}")
    pending = watcher.pending
    if pending:
        lines.append(f"not whole yet: {', '.join(pending[:8])}" + (f" and {len(pending) - 8} more" if len(pending) > 8 else ""))  # fmt: skip
    lines += list(watcher.said)
    return "<br>".join(escape(line) for line in lines)
