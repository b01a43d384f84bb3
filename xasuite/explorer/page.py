"""The page: controls on the left, plots on the right, the spec's text beside everything. Each click is a change of the spec."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    CheckboxGroup,
    ColumnDataSource,
    DataTable,
    Div,
    RadioButtonGroup,
    RangeSlider,
    Select,
    Slider,
    TableColumn,
    TabPanel,
    Tabs,
    TextAreaInput,
    TextInput,
    Toggle,
)
from pydantic import ValidationError

from .. import files, io
from ..errors import XasuiteError
from ..records import Spectrum
from ..specs.load import LoadedSpec
from ..specs.write import to_toml
from ..workflow.resolve import Context
from ..workflow.verdict import verdict_of
from . import structure
from .analysis import Analysis, View, first_spec, load_draft
from .history import History
from .plots import Plots

PARAMETER_COLUMNS = ("name", "kind", "value", "min", "max")
KINDS = ("guess", "value", "expr")


class Page:
    """One reader's page: his spec, what it gives, and the widgets that show both.

    Parameters
    ----------
    scans : sequence of Path
        Data files, the first of which is shown.
    text : str
        The spec to begin with; "" for a new one.
    folder : Path
        Where relative file names count from and where the spec is saved.
    """

    def __init__(self, scans: tuple[Path, ...], text: str, folder: Path, save_as: Path) -> None:
        self.scans, self.folder, self.target = scans, folder, save_as
        self.analysis = Analysis(Context())
        self.history = History(text or self._new(scans[0]))
        self.view: View | None = None
        self._fit_asked = False
        self.plots = Plots()
        self.found: list[structure.Choice] = []
        self._pending: Callable[[], None] | None = None
        self._moving = False
        self._quiet = False
        self._seen = save_as.stat().st_mtime_ns if save_as.exists() else None
        self.message = Div(sizing_mode="stretch_width", render_as_text=False)
        self.table = Div(sizing_mode="stretch_width")
        self.toml = TextAreaInput(
            title="The spec (TOML); edit and press Apply", rows=24, sizing_mode="stretch_width"
        )
        self._make_controls()
        self.refresh()

    # ------------------------------------------------------------------------------------------------ changes

    def _new(self, file: Path) -> str:
        scan = io.read(file)
        return to_toml(first_spec(file.resolve(), scan.element or "", scan.edge or "K"))

    @property
    def tables(self) -> dict[str, Any]:
        """The spec's tables, to be changed and given to `put`."""
        return copy.deepcopy(tomllib.loads(self.history.text))

    def put(self, tables: dict[str, Any], *, merge: bool = False) -> None:
        """Make changed tables the spec and draw what they give."""
        self.put_text(to_toml(tables), merge=merge)

    def put_text(self, text: str, *, merge: bool = False) -> None:
        """Make a text the spec, if it is one; a mistake is shown and nothing is changed."""
        try:
            loaded = load_draft(text, self.target)
        except (XasuiteError, ValidationError, tomllib.TOMLDecodeError, KeyError) as exc:
            self.say(str(exc), bad=True)
            return
        self.history.put(text, merge=merge)
        self.refresh(loaded)

    def change(self, table: str, key: str, value: Any, *, merge: bool = False) -> None:
        """Set one key of the spec (None takes it out)."""
        tables = self.tables
        part = tables.setdefault(table, {})
        part.pop(key, None)
        if value is not None:
            part[key] = value
        self.put(tables, merge=merge)

    def refresh(self, loaded: LoadedSpec | None = None) -> None:
        """Compute and draw the present spec; widgets follow it."""
        loaded = loaded or load_draft(self.history.text, self.target)
        fit = bool(loaded.spec.path) and (self.live.active or self._fit_asked)
        self._fit_asked = False
        self.view = self.analysis.view(loaded, fit=fit)
        self._follow()
        problems = "; ".join(self.view.problems)
        self.say(problems or self._notes(), bad=bool(problems))
        self._show_result()

    def later(self, action: Callable[[], None]) -> None:
        """Run an action at the next tick; of several that came meanwhile, the last (a moving slider)."""
        waiting = self._pending is not None
        self._pending = action
        if not waiting:
            self._schedule(self._run_pending)

    def _schedule(self, action: Callable[[], None]) -> None:
        document = self.message.document
        if document is None:
            action()
        else:
            document.add_next_tick_callback(action)

    def _run_pending(self) -> None:
        action, self._pending = self._pending, None
        if action is not None:
            action()

    # -------------------------------------------------------------------------------------------------- words

    def say(self, text: str, *, bad: bool = False) -> None:
        """One line under the plots; markup in it is shown as text."""
        color = "#b00020" if bad else "#444444"
        self.message.text = f'<div role="status" style="color:{color};font-size:12px">{escape(text)}</div>'

    def _notes(self) -> str:
        assert self.view is not None
        notes = self.view.spectrum.notes if self.view.spectrum is not None else ()
        return " | ".join([*self.view.warnings, *notes][:3])

    def _show_result(self) -> None:
        assert self.view is not None
        fit = self.view.fit
        if fit is None:
            self.table.text = ""
            return
        verdict = verdict_of(fit)
        head = "".join(f"<th>{c}</th>" for c in ("path", "N", "R (\u212b)", "\u03c3\u00b2 (\u212b\u00b2)", "S\u2080\u00b2", "\u0394E\u2080 (eV)"))  # fmt: skip
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{escape(str(c))}</td>" for c in (p.label, p.n, p.r, p.sigma2, p.s02, p.e0))
            + "</tr>"
            for p in fit.paths
        )
        reasons = "; ".join(verdict.reasons)
        params = ", ".join(f"{p.name} = {p.value}" for p in fit.parameters)
        self.table.text = (
            f'<div style="font-size:12px">{escape(params)}</div>'
            f'<table style="font-size:13px;border-spacing:10px 2px">{"<tr>" + head + "</tr>"}{rows}</table>'
            f'<div style="font-size:12px">R factor {fit.rfactor:.4f}; {fit.n_varys} variables, {fit.n_idp:.1f} independent '
            f"points. Verdict: <b>{escape(verdict.level)}</b>{'. ' + escape(reasons) if reasons else ''}</div>"
        )

    # ----------------------------------------------------------------------------------------------- controls

    def _make_controls(self) -> None:
        self.live = Toggle(label="Fit while changing", active=False, button_type="light")
        self.live.on_change("active", self._on(lambda _: self.refresh()))
        self.e0 = Slider(title="E0 (eV)", start=0, end=1, value=0.5, step=0.1)
        self.pre = RangeSlider(
            title="pre-edge range (eV from E0)", start=-300, end=-5, value=(-150, -30), step=1
        )
        self.post = RangeSlider(
            title="post-edge range (eV from E0)", start=10, end=1000, value=(150, 500), step=5
        )
        self.rbkg = Slider(name="rbkg", title="rbkg (\u212b)", start=0.4, end=2.0, value=0.8, step=0.05)
        self.bkg_kweight = RadioButtonGroup(
            labels=["0", "1", "2", "3"], active=3, name="k weight of the background"
        )
        self.k = RangeSlider(title="k range (1/\u212b)", start=0, end=20, value=(3, 12), step=0.1)
        self.r = RangeSlider(title="R range of the fit (\u212b)", start=0, end=6, value=(1, 3), step=0.05)
        self.dk = Slider(title="dk (1/\u212b)", start=0, end=4, value=1, step=0.25)
        self.kweight = CheckboxGroup(labels=["k1", "k2", "k3"], active=[1], inline=True)
        self.window = Select(title="window", value="hanning", options=["hanning", "parzen", "welch", "gaussian", "sine", "kaiser"])  # fmt: skip
        for widget, table, key in (
            (self.e0, "reduce", "e0"), (self.pre, "reduce", "pre_range"), (self.post, "reduce", "norm_range"),
            (self.rbkg, "reduce", "rbkg"), (self.k, "fit", "k"), (self.r, "fit", "r"), (self.dk, "fit", "dk"),
        ):  # fmt: skip
            self._bind(widget, table, key)
        self.bkg_kweight.on_change(
            "active", self._on(lambda new: self.change("reduce", "bkg_kweight", int(new)))
        )
        self.window.on_change("value", self._on(lambda new: self.change("fit", "window", new)))
        self.kweight.on_change("active", self._on(lambda new: self.change("fit", "kweight", [i + 1 for i in sorted(new)] or [2])))  # fmt: skip
        for box, key in ((self.plots.k_range, "k"), (self.plots.r_range, "r")):
            for side in ("left", "right"):
                box.on_change(side, self._on(partial(self._dragged, box, key)))
        self._data_controls()
        self._structure_controls()
        self._fit_controls()
        self._spec_controls()

    def _bind(self, widget: Any, table: str, key: str) -> None:
        """A slider that changes one key while it moves; the whole move is one step of undo."""

        def moved(value: Any) -> None:
            merge, self._moving = self._moving, True
            number = [round(v, 4) for v in value] if isinstance(value, tuple) else round(value, 4)
            self.later(lambda: self.change(table, key, number, merge=merge))

        widget.on_change("value", self._on(moved))
        widget.on_change("value_throttled", self._settled)

    def _settled(self, attr: str, old: Any, new: Any) -> None:
        """The end of a slider's move: the next change is a step of its own."""
        self._moving = False

    def _on(self, action: Callable[[Any], Any]) -> Callable[[str, Any, Any], None]:
        """A callback that a widget's own following of the spec does not set off."""

        def changed(attr: str, old: Any, new: Any) -> None:
            if not self._quiet and old != new:
                action(new)

        return changed

    def _dragged(self, box: Any, key: str, new: float) -> None:
        low, high = sorted((float(box.left), float(box.right)))
        self.later(lambda: self.change("fit", key, [round(low, 2), round(high, 2)], merge=False))

    def _follow(self) -> None:
        """Widgets at the spec's values."""
        assert self.view is not None
        spec, norm = self.view.loaded.spec, self.view.norm
        self._quiet = True
        try:
            self.plots.show(self.view)
            if norm is not None:
                e0 = float(norm.e0)
                self.e0.start, self.e0.end = round(e0 - 30, 1), round(e0 + 30, 1)
                self.e0.value = e0
                below, above = float(norm.energy[0]) - e0, float(norm.energy[-1]) - e0
                self.pre.start, self.post.end = round(below, 0), round(above, 0)
                self._ranges(norm, below, above)
                self.plots.tabulated.location = _tabulated(spec.sample.element, spec.sample.edge)
            self.rbkg.value = spec.reduce.rbkg
            self.bkg_kweight.active = min(spec.reduce.bkg_kweight, 3)
            self.k.value, self.r.value, self.dk.value = spec.fit.k, spec.fit.r, spec.fit.dk
            if self.view.chi is not None:
                self.k.end = float(self.view.chi.k[-1])
            self.kweight.active = [w - 1 for w in spec.fit.kweight if 1 <= w <= 3]
            self.window.value = spec.fit.window
            self.toml.value = self.history.text
            self._follow_params()
            self.undo.disabled, self.redo.disabled = not self.history.past, not self.history.future
        finally:
            self._quiet = False

    def _ranges(self, norm: Any, below: float, above: float) -> None:
        used = norm.history[-1].settings if norm.history else {}
        for slider, key, default in (
            (self.pre, "pre_range", (below, -30.0)),
            (self.post, "norm_range", (50.0, above)),
        ):
            value = used.get(key) or default
            slider.value = (
                round(max(float(value[0]), slider.start), 1),
                round(min(float(value[1]), slider.end), 1),
            )

    # --------------------------------------------------------------------------------------------------- data

    def _data_controls(self) -> None:
        self.files = Select(title="scan", options=[(str(p), p.name) for p in self.scans], value=str(self.scans[0]) if self.scans else "")  # fmt: skip
        self.files.on_change("value", self._on(self._take_file))
        self.shown = CheckboxGroup(labels=[p.name for p in self.scans], active=[])
        self.shown.on_change("active", self._on(self._overlay))
        self.thumbnails = Div(text=thumbnails(self.scans))
        self.mu = TextInput(title='mu, as "ln(i0/it)"; empty for the file\'s own', value="")
        self.mu.on_change("value", self._on(lambda new: self._data_key("mu", new.strip() or None)))
        self.merge = Button(label="Merge the ticked scans")
        self.merge.on_click(self._merge)
        self.deglitch = Toggle(label="Deglitch: click a point of mu(E)", active=False)
        self.plots.mu.on_event(Tap, self._tapped)

    def _data_key(self, key: str, value: Any) -> None:
        tables = self.tables
        tables["data"][0].pop(key, None)
        if value is not None:
            tables["data"][0][key] = value
        self.put(tables)

    def _take_file(self, name: str) -> None:
        try:
            scan = io.read(name)
        except XasuiteError as exc:
            self.say(str(exc), bad=True)
            return
        tables = self.tables
        tables["data"][0] |= {"file": str(Path(name).resolve()), "label": Path(name).stem}
        tables["data"][0].pop("files", None)
        tables["sample"] = {"element": scan.element or tables["sample"]["element"], "edge": scan.edge or "K"}
        tables.setdefault("reduce", {}).pop("e0", None)
        self.put(tables)

    def _overlay(self, active: list[int]) -> None:
        from ..reduce import normalize

        xs, ys, labels, failed = [], [], [], []
        for i in active:
            try:
                norm = normalize(io.read(self.scans[i]).mu())
            except XasuiteError as exc:
                failed.append(str(exc))
                continue
            xs.append(norm.energy)
            ys.append(norm.norm)
            labels.append(self.scans[i].name)
        self.plots.overlay.data = {"xs": xs, "ys": ys, "label": labels}
        if failed:
            self.say("; ".join(failed), bad=True)

    def _merge(self) -> None:
        chosen = [str(self.scans[i].resolve()) for i in self.shown.active]
        if len(chosen) < 2:
            self.say("tick two or more scans to merge", bad=True)
            return
        tables = self.tables
        tables["data"][0].pop("file", None)
        tables["data"][0] |= {"files": chosen, "label": f"{Path(chosen[0]).stem} and {len(chosen) - 1} more"}
        self.put(tables)

    def _tapped(self, event: Tap) -> None:
        if not self.deglitch.active or self.view is None or self.view.spectrum is None or event.x is None:
            return
        energy = self.view.spectrum.energy
        nearest = float(energy[np.argmin(np.abs(energy - event.x))])
        have = list(self.tables.get("reduce", {}).get("deglitch", []))
        if nearest not in have:
            self.change("reduce", "deglitch", sorted([*have, round(nearest, 3)]))

    # ---------------------------------------------------------------------------------------------- structure

    def _structure_controls(self) -> None:
        self.query = TextInput(title="crystal: name, formula, elements or a CIF file", value="")
        self.query.on_change("value", self._on(self._search))
        self.crystals = Select(title="found", options=[])
        self.list_paths = Button(label="List its paths (FEFF)")
        self.list_paths.on_click(self._list_paths)
        self.path_source = ColumnDataSource({c: [] for c in structure.COLUMNS})
        self.path_table = DataTable(
            source=self.path_source, columns=[TableColumn(field=c, title=c) for c in structure.COLUMNS],
            selectable="checkbox", height=220, sizing_mode="stretch_width", index_position=None,
        )  # fmt: skip
        self.take_paths = Button(label="Fit the ticked paths", button_type="primary")
        self.take_paths.on_click(self._take_paths)

    def _search(self, text: str) -> None:
        try:
            self.crystals.options = structure.crystals(text)
        except XasuiteError as exc:
            self.say(str(exc), bad=True)
            return
        self.crystals.value = self.crystals.options[0][0] if self.crystals.options else ""

    def _list_paths(self) -> None:
        assert self.view is not None
        sample = self.view.loaded.spec.sample
        try:
            self.found = structure.paths(self.crystals.value, sample.element, sample.edge)
        except XasuiteError as exc:
            self.say(str(exc), bad=True)
            return
        self.path_source.data = structure.columns(self.found)
        self.path_source.selected.indices = [0] if self.found else []

    def _take_paths(self) -> None:
        chosen = [self.found[i] for i in sorted(self.path_source.selected.indices)]
        if not chosen:
            self.say("tick the paths to fit", bad=True)
            return
        self._fit_asked = True
        self.put(structure.with_paths(self.tables, chosen))

    # ---------------------------------------------------------------------------------------------------- fit

    def _fit_controls(self) -> None:
        self.params = ColumnDataSource({c: [] for c in PARAMETER_COLUMNS})
        self.param_table = DataTable(
            source=self.params, columns=[TableColumn(field=c, title=c) for c in PARAMETER_COLUMNS],
            editable=True, height=220, sizing_mode="stretch_width", index_position=None,
        )  # fmt: skip
        self.params.on_change("data", self._on(self._edited))
        self.fit_button = Button(label="Fit", button_type="primary")
        self.fit_button.on_click(self._fit_now)

    def _fit_now(self) -> None:
        self._fit_asked = True
        self.refresh()

    def _follow_params(self) -> None:
        assert self.view is not None
        rows: dict[str, list[str]] = {c: [] for c in PARAMETER_COLUMNS}
        for name, p in tomllib.loads(self.history.text).get("params", {}).items():
            kind = next((k for k in (*KINDS, "from") if k in p), "")
            cells = (name, kind, p.get(kind, ""), p.get("min", ""), p.get("max", ""))
            for key, value in zip(PARAMETER_COLUMNS, cells, strict=True):
                rows[key].append(str(value))
        self.params.data = rows

    def _edited(self, data: dict[str, list[Any]]) -> None:
        tables = self.tables
        changed: dict[str, Any] = {}
        for name, kind, value, low, high in zip(*(data[c] for c in PARAMETER_COLUMNS), strict=True):
            if kind not in KINDS:
                changed[name] = tables["params"][name]
                continue
            entry: dict[str, Any] = {kind: value if kind == "expr" else _number(value)}
            entry |= {k: _number(v) for k, v in (("min", low), ("max", high)) if str(v).strip()}
            changed[name] = entry
        if changed != tables["params"]:
            self.put(tables | {"params": changed})

    # --------------------------------------------------------------------------------------------------- spec

    def _spec_controls(self) -> None:
        self.apply = Button(label="Apply the text")
        self.apply.on_click(lambda: self.put_text(self.toml.value))
        self.undo, self.redo = Button(label="Undo"), Button(label="Redo")
        self.undo.on_click(lambda: self._step(self.history.undo))
        self.redo.on_click(lambda: self._step(self.history.redo))
        self.save = Button(label=f"Save {self.target.name}", button_type="success")
        self.save.on_click(self._save)
        self.python = Button(label="As Python")
        self.python.on_click(self._as_python)

    def _step(self, step: Callable[[], str]) -> None:
        step()
        self.refresh()

    def _save(self) -> None:
        """Write the spec; one that changed on disk since it was read is not overwritten by the first click."""
        now = self.target.stat().st_mtime_ns if self.target.exists() else None
        if now != self._seen:
            self._seen = now
            self.say(f"{self.target.name} was changed on disk; press Save again to overwrite it", bad=True)
            return
        files.write_text(self.target, self.history.text)
        self._seen = self.target.stat().st_mtime_ns
        self.say(f"written: {self.target}; xasuite fit {self.target.name} gives the same numbers")

    def _as_python(self) -> None:
        text = self.history.text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        self.toml.value = (
            f'import xasuite as xs\n\nresult = xs.fit(xs.spec(text="""\n{text}"""))\nprint(result.table())\n'
        )

    # ------------------------------------------------------------------------------------------------- layout

    def layout(self) -> Any:
        """The page as one Bokeh layout, legible at 1280 x 720 and in a notebook's width."""
        tabs = Tabs(
            tabs=[
                TabPanel(title="Data", child=_stack(self.files, self.mu, self.thumbnails, self.shown, self.merge, self.deglitch)),
                TabPanel(title="Reduction", child=_stack(self.e0, self.pre, self.post, self.rbkg, Div(text="k weight of the background"), self.bkg_kweight, self.k, self.dk, self.window)),
                TabPanel(title="Structure", child=_stack(self.query, self.crystals, self.list_paths, self.path_table, self.take_paths)),
                TabPanel(title="Fit", child=_stack(self.r, self.kweight, self.param_table, row(self.fit_button, self.live))),
                TabPanel(title="Spec", child=_stack(self.toml, row(self.apply, self.undo, self.redo), row(self.save, self.python))),
            ],
            width=420, name="tabs",
        )  # fmt: skip
        p = self.plots
        plots = column(row(p.mu, p.norm, sizing_mode="stretch_width"), row(p.k, p.r, sizing_mode="stretch_width"), self.message, self.table, sizing_mode="stretch_width")  # fmt: skip
        return row(tabs, plots, sizing_mode="stretch_width")


def thumbnails(scans: tuple[Path, ...], most: int = 40) -> str:
    """A small drawing of mu of each scan, or the sentence why it cannot be read; names are shown as text."""
    out = []
    for path in scans[:most]:
        try:
            drawing = _svg(io.read(path).mu())
        except XasuiteError as exc:
            drawing = f'<span style="color:#b00020;font-size:10px">{escape(str(exc)[:90])}</span>'
        out.append(
            f'<div style="display:inline-block;width:120px;font-size:10px">{drawing}<br>{escape(path.name)}</div>'
        )
    return "".join(out)


def _svg(spectrum: Spectrum, width: int = 110, height: int = 40) -> str:
    at = np.linspace(spectrum.energy[0], spectrum.energy[-1], 80)
    y = np.interp(at, spectrum.energy, spectrum.mu)
    y = (y - y.min()) / (np.ptp(y) or 1.0)
    points = " ".join(f"{i * width / 79:.1f},{height - v * height:.1f}" for i, v in enumerate(y))
    return f'<svg width="{width}" height="{height}" role="img"><polyline points="{points}" fill="none" stroke="#111"/></svg>'


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


def _tabulated(element: str, edge: str) -> float | None:
    import xraydb

    try:
        found = xraydb.xray_edge(element, edge)
    except ValueError:
        return None
    return float(found.energy) if found is not None else None


def _stack(*widgets: Any) -> Any:
    """Controls one below the other, as wide as their tab."""
    for widget in widgets:
        widget.sizing_mode = "stretch_width"
    return column(*widgets, sizing_mode="stretch_width")
