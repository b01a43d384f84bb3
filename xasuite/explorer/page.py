"""The page: controls and the text of the spec on the left, plots on the right. Every control changes the spec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.events import DocumentReady
from bokeh.layouts import column, row
from bokeh.models import (
    CustomJS,
    Div,
    RadioButtonGroup,
    RangeSlider,
    Select,
    Slider,
    TabPanel,
    Tabs,
    TextAreaInput,
    TextInput,
)

from .. import io
from ..errors import XasuiteError
from ..reduce.edge import tabulated_e0
from ..specs.write import to_toml
from .analysis import View, first_spec
from .data import DataPanel
from .fitting import FitPanel, StructurePanel
from .pdf import write_pdf
from .plots import Plots
from .session import Session, button

WINDOWS = ["hanning", "parzen", "welch", "gaussian", "sine", "kaiser"]
DIGITS = 4  # of a slider's value in the spec
LOOK = 2000  # ms between two checks of the spec on disk
KEYS = """
if (window.xasuite_keys) return;
window.xasuite_keys = true;
document.addEventListener('keydown', (event) => {
  const at = event.composedPath()[0], typing = ['INPUT', 'TEXTAREA', 'SELECT'].includes(at.tagName);
  if (!(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  const said = {s: 'save', z: event.shiftKey ? 'redo' : 'undo', y: 'redo', enter: 'fit'}[key];
  if (!said || (typing && (key === 'z' || key === 'y'))) return;
  event.preventDefault();
  box.value = said + ' ' + Date.now();
});
"""


class Page:
    """The page of one user: the spec, its results, and the widgets that show both.

    Parameters
    ----------
    scans : sequence of Path
        Data files, the first of which is shown.
    text : str
        The spec at the start; "" for a new one.
    target : Path
        Where the spec is saved; relative file names count from its folder.
    """

    def __init__(self, scans: Sequence[Path], text: str, target: Path) -> None:
        self.session = session = Session(text or first_text(scans), target)
        self.plots = Plots()
        session.drawing += [self.plots.show, self._follow]
        session.telling.append(self._follow_text)
        self._moving = False
        self._reduction_controls()
        self.data = DataPanel(session, self.plots, scans)
        self.structure = StructurePanel(session)
        self.fit = FitPanel(session)
        self._spec_controls()
        # without the fit at first: a browser would wait for its page while FEFF runs
        session.live = False
        session.refresh()
        session.live = True

    # ---------------------------------------------------------------------------------------------- reduction

    def _reduction_controls(self) -> None:
        self.e0 = Slider(title="E0 (eV)", start=0, end=1, value=0.5, step=0.1, name="e0")
        self.pre = RangeSlider(
            title="pre-edge range (eV from E0)", start=-300, end=-5, value=(-150, -30), step=1
        )
        self.post = RangeSlider(
            title="post-edge range (eV from E0)", start=10, end=1000, value=(150, 500), step=5
        )
        self.rbkg = Slider(name="rbkg", title="rbkg (\u212b)", start=0.4, end=2.0, value=0.8, step=0.05)
        weights = RadioButtonGroup(labels=list("0123"), active=3, name="k weight of the background")
        session = self.session
        change = session.change
        self.bkg_kweight = session.bound(
            weights, "active", lambda new: change("reduce", "bkg_kweight", int(new))
        )
        self.k = RangeSlider(title="k range (1/\u212b)", start=0, end=20, value=(3, 12), step=0.1, name="k")
        self.dk = Slider(title="dk (1/\u212b)", start=0, end=4, value=1, step=0.25)
        window = Select(title="window", value="hanning", options=WINDOWS)
        self.window = session.bound(window, "value", lambda new: change("fit", "window", new))
        for widget, table, key in (
            (self.e0, "reduce", "e0"), (self.pre, "reduce", "pre_range"), (self.post, "reduce", "norm_range"),
            (self.rbkg, "reduce", "rbkg"), (self.k, "fit", "k"), (self.dk, "fit", "dk"),
        ):  # fmt: skip
            self._bind(widget, table, key)
        for box, key in ((self.plots.k_range, "k"), (self.plots.r_range, "r")):
            for side in ("left", "right"):
                box.on_change(side, session.on(partial(self._dragged, box, key)))

    def _bind(self, widget: Any, table: str, key: str) -> None:
        """Let a slider change one key of the spec while it moves; the whole move is one step of undo."""

        def moved(value: Any) -> None:
            merge, self._moving = self._moving, True
            number = [round(v, DIGITS) for v in value] if isinstance(value, tuple) else round(value, DIGITS)
            self.session.later(lambda: self.session.change(table, key, number, merge=merge))

        widget.on_change("value", self.session.on(moved))
        widget.on_change("value_throttled", self.settled)

    def settled(self, attr: str, old: Any, new: Any) -> None:
        """Called at the end of a slider's move: the next change is a new step of undo."""
        self._moving = False

    def _dragged(self, box: Any, key: str, new: float) -> None:
        low, high = sorted((float(box.left), float(box.right)))
        self.session.later(lambda: self.session.change("fit", key, [round(low, 2), round(high, 2)]))

    def _follow(self, view: View) -> None:
        """Set the sliders to the values of the spec."""
        spec, norm = view.loaded.spec, view.norm
        if norm is not None:
            e0 = float(norm.e0)
            if not self.e0.start < e0 < self.e0.end:
                self.e0.start, self.e0.end = round(e0 - 30, 1), round(e0 + 30, 1)
            _put(self.e0, e0)
            below, above = float(norm.energy[0]) - e0, float(norm.energy[-1]) - e0
            self.pre.start, self.post.end = round(below, 0), round(above, 0)
            self._ranges(norm, below, above)
            self.plots.tabulated.location = tabulated_e0(spec.sample.element, spec.sample.edge)
        _put(self.rbkg, spec.reduce.rbkg)
        self.bkg_kweight.active = min(spec.reduce.bkg_kweight, 3)
        for slider, value in ((self.k, spec.fit.k), (self.fit.r, spec.fit.r), (self.dk, spec.fit.dk)):
            _put(slider, value)
        if view.chi is not None:
            self.k.end = float(view.chi.k[-1])
        self.window.value = spec.fit.window

    def _ranges(self, norm: Any, below: float, above: float) -> None:
        used = norm.history[-1].settings if norm.history else {}
        pre, post = (self.pre, "pre_range", (below, -30.0)), (self.post, "norm_range", (50.0, above))
        for slider, key, default in (pre, post):
            value = used.get(key) or default
            low, high = max(float(value[0]), slider.start), min(float(value[1]), slider.end)
            _put(slider, (round(low, 1), round(high, 1)))

    # --------------------------------------------------------------------------------------------------- spec

    def _spec_controls(self) -> None:
        session = self.session
        self._bind(self.fit.r, "fit", "r")
        self.toml = TextAreaInput(
            title="The spec (TOML); edit and press Apply", rows=22, sizing_mode="stretch_width", name="toml",
            max_length=None,
        )  # fmt: skip
        self.apply = button("Apply the text", lambda: session.put_text(self.toml.value))
        self.undo = button("Undo", lambda: session.step(session.history.undo), name="undo")
        self.redo = button("Redo", lambda: session.step(session.history.redo), name="redo")
        self.save = button(f"Save {session.target.name}", session.save, button_type="success", name="save")
        self.reload = button("Take the spec on disk", session.reload, visible=False)
        self.python = button("As Python", self.as_python)
        self.pdf = button("View as PDF", self.write_pdf, name="pdf")
        self.keys = TextInput(visible=False, name="keys")
        self.keys.on_change("value", lambda attr, old, new: self._key(new.split()[0]))

    def _follow_text(self, view: View) -> None:
        self.toml.value = view.loaded.text
        history = self.session.history
        self.undo.disabled, self.redo.disabled = not history.past, not history.future

    def _key(self, said: str) -> None:
        """Ctrl-S, Ctrl-Z, Ctrl-Y or Ctrl-Enter was pressed."""
        actions: dict[str, Callable[[], Any]] = {
            "save": self.session.save, "fit": self.fit.fit_now,
            "undo": lambda: self.session.step(self.session.history.undo),
            "redo": lambda: self.session.step(self.session.history.redo),
        }  # fmt: skip
        actions[said]()

    def as_python(self) -> None:
        """Show a Python program with the spec in place of its text, to be copied."""
        text = self.session.history.text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        self.toml.value = (
            f'import xasuite as xs\n\nresult = xs.fit(xs.spec(text="""\n{text}"""))\nprint(result.table())\n'
        )

    def write_pdf(self) -> None:
        """Write the four plots, in the ranges that are shown, as a PDF next to the spec."""
        target = self.session.target.with_suffix(".pdf")
        with self.session.saying_mistakes():
            write_pdf(self.session.view, self.plots, target)
            self.session.say(f"written: {target}")

    def _look(self) -> None:
        """Report that another program changed the spec; repeated where another message has replaced it."""
        changed = self.session.changed_on_disk
        if changed and "changed on disk" not in self.session.message.text:
            said = "was changed on disk: take it, or go on here; Save asks before it overwrites"
            self.session.say(f"{self.session.target.name} {said}", bad=True)
        self.reload.visible = changed

    # ------------------------------------------------------------------------------------------------- layout

    def show(self, document: Any) -> None:
        """Put the page into a document; the fit, which may need FEFF, follows when the browser shows the page."""
        document.add_root(self.layout())
        document.js_on_event(DocumentReady, CustomJS(args={"box": self.keys}, code=KEYS))
        if document.session_context is None:
            return
        document.on_session_destroyed(lambda _: self.fit.budgets.end())
        document.add_periodic_callback(self._look, LOOK)
        if self.session.view.loaded.spec.structures:
            self.session.say("fits ...")
            document.add_timeout_callback(self.session.refresh, 300)

    def layout(self) -> Any:
        """The page as one Bokeh layout, legible at 1280 x 720 and in a notebook's width."""
        reduction = (
            self.e0, self.pre, self.post, self.rbkg, Div(text="k weight of the background"), self.bkg_kweight, self.k,
            self.dk, self.window,
        )  # fmt: skip
        spec = (
            self.toml, row(self.apply, self.undo, self.redo), row(self.save, self.python, self.pdf), self.reload,
            Div(text="Ctrl-S saves, Ctrl-Z and Ctrl-Y undo and redo, Ctrl-Enter fits; arrow keys move a slider"),
        )  # fmt: skip
        steps = {
            "Data": self.data.widgets, "Reduction": reduction, "Structure": self.structure.widgets, "Fit": self.fit.widgets,
            "Spec": spec,
        }  # fmt: skip
        tabs = Tabs(
            tabs=[TabPanel(title=name, child=_stack(*widgets)) for name, widgets in steps.items()],
            width=360, name="tabs",
        )  # fmt: skip
        p = self.plots
        plots = column(
            row(p.mu, p.norm, sizing_mode="stretch_width"), row(p.k, p.r, sizing_mode="stretch_width"),
            self.fit.table, self.session.message, self.keys, sizing_mode="stretch_width",
        )  # fmt: skip
        return row(tabs, plots, sizing_mode="stretch_width")


def first_text(scans: Sequence[Path]) -> str:
    """The spec of the first scan that can be read. Raises the error of the last scan when none can."""
    error: XasuiteError | None = None
    for path in scans:
        try:
            scan = io.read(path)
        except XasuiteError as exc:
            error = exc
            continue
        return to_toml(first_spec(path.resolve(), scan.element or "", scan.edge or "K"))
    assert error is not None
    raise error


def _put(slider: Any, value: Any) -> None:
    """Set a slider, unless the value differs by rounding only: that would undo a move made in the meantime."""
    if not np.allclose(slider.value, value, rtol=0, atol=10.0**-DIGITS):
        slider.value = value


def _stack(*widgets: Any) -> Any:
    """Controls below each other, as wide as their tab."""
    for widget in widgets:
        widget.sizing_mode = "stretch_width"
    return column(*widgets, sizing_mode="stretch_width")
