"""The steps "Structure" and "Fit": a crystal's paths, the parameters, the table with its errors and verdict."""

from __future__ import annotations

import tomllib
from functools import partial
from typing import Any

from bokeh.layouts import row
from bokeh.models import CheckboxGroup, ColumnDataSource, Div, RangeSlider, Select, TextInput, Toggle

from ..specs.write import to_toml
from ..workflow.verdict import verdict_of
from . import structure
from .analysis import View
from .budget_process import Budgets, Outcome, outcome
from .plots import grid
from .result_table import table
from .session import Session, button

PARAMETER_COLUMNS = ("name", "kind", "value", "min", "max")
KINDS = ("guess", "value", "expr")
PAUSE = 1000  # ms without a change after which the error budget is computed


class StructurePanel:
    """The step "Structure": search of crystals, their paths, and the choice of those that are fitted."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.found: list[structure.Choice] = []
        query = TextInput(title="crystal: name, formula, elements or a CIF file", value="", name="crystal")
        self.query = session.bound(query, "value", self._search)
        self.crystals = Select(title="found", options=[], name="found")
        listing = partial(session.after_saying, "FEFF calculates the paths ...", self.take_crystal)
        self.list_paths = button("List its paths (FEFF)", listing, name="list-paths")
        self.paths = ColumnDataSource({c: [] for c in structure.COLUMNS}, name="paths")
        self.path_table = grid(self.paths, structure.COLUMNS, selectable="checkbox", height=260)
        self.take = button("Fit the ticked paths", self.take_paths, button_type="primary", name="take-paths")

    @property
    def widgets(self) -> list[Any]:
        """Top to bottom."""
        return [self.query, self.crystals, self.list_paths, self.path_table, self.take]

    def _search(self, text: str) -> None:
        with self.session.saying_mistakes():
            self.crystals.options = structure.crystals(text)
            self.crystals.value = self.crystals.options[0][0] if self.crystals.options else ""
            if not self.crystals.options:
                self.session.say(f'no crystal is found for "{text}"; name a CIF file', bad=True)

    def take_crystal(self) -> None:
        """List the paths of the chosen crystal."""
        sample = self.session.view.loaded.spec.sample
        with self.session.saying_mistakes():
            self.found = structure.paths(self.crystals.value, sample.element, sample.edge)
            self.paths.data = structure.columns(self.found)
            self.paths.selected.indices = [0] if self.found else []
            self.session.say(f"{len(self.found)} paths; tick those to fit")

    def take_paths(self) -> None:
        """Fit the ticked paths."""
        chosen = [self.found[i] for i in sorted(self.paths.selected.indices)]
        if not chosen:
            self.session.say("tick the paths to fit", bad=True)
            return
        tables = structure.with_paths(self.session.tables, chosen)
        self.session.put_text(to_toml(tables), fit=True)


class FitPanel:
    """The step "Fit": R range, k weights, parameters, and the result."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.budgets = Budgets()
        self.result: Outcome | None = None
        self._pause: Any = None
        self._asked = ""  # the spec that is being fitted with its error budget
        live = Toggle(label="Fit while changing", active=True, button_type="light", name="live")
        self.live = session.bound(live, "active", self._live)
        self.r = RangeSlider(title="R range of the fit (\u212b)", start=0, end=6, value=(1, 3), step=0.05, name="r")  # fmt: skip
        kweight = CheckboxGroup(labels=["k1", "k2", "k3"], active=[1], inline=True)
        self.kweight = session.bound(kweight, "active", self._weigh)
        params = ColumnDataSource({c: [] for c in PARAMETER_COLUMNS}, name="params")
        self.params = session.bound(params, "data", self._edited)
        self.param_table = grid(params, PARAMETER_COLUMNS, editable=True, height=260)
        self.fit = button("Fit with its error budget", self.fit_now, button_type="primary", name="fit")
        self.table = Div(sizing_mode="stretch_width", name="result")
        session.drawing.append(self._hold)
        session.telling.append(self._follow)

    @property
    def widgets(self) -> list[Any]:
        """Top to bottom."""
        how = Div(
            text="kind: guess (varied), value (fixed) or expr (an expression); double click a cell to edit"
        )
        return [
            self.r, Div(text="k weights that are fitted"), self.kweight, how, self.param_table,
            row(self.fit, self.live),
        ]  # fmt: skip

    def _weigh(self, active: list[int]) -> None:
        self.session.change("fit", "kweight", [i + 1 for i in sorted(active)] or [2])

    def _live(self, active: bool) -> None:
        self.session.live = active
        self.session.refresh()

    def fit_now(self) -> None:
        """Fit with the error budget; for a page in a browser in another process."""
        self.session.refresh(fit=True)
        self._ask()

    def _ask(self) -> None:
        self._pause = None
        text, path = self.session.history.text, self.session.target
        known = self.result is not None and self.result.text == text
        if known or not self.session.view.loaded.spec.structures:
            return
        if self.table.document is None:
            self._made(outcome(text, path))
        else:
            self._asked = text
            self.budgets.ask(text, path, lambda found: self.session.schedule(partial(self._made, found)))

    def _made(self, found: Outcome) -> None:
        """Show a result, unless the spec has changed since it was requested."""
        if found.text != self.session.history.text:
            return
        self.result = found
        self._show(self.session.view)
        if found.problem:
            self.session.say(found.problem, bad=True)
        elif found.warnings:
            self.session.say(" | ".join(found.warnings))

    def _follow(self, view: View) -> None:
        spec = view.loaded.spec
        self.kweight.active = [w - 1 for w in spec.fit.kweight if 1 <= w <= 3]
        rows: dict[str, list[str]] = {c: [] for c in PARAMETER_COLUMNS}
        for name, p in tomllib.loads(view.loaded.text).get("params", {}).items():
            kind = next((k for k in (*KINDS, "from") if k in p), "")
            cells = (name, kind, p.get(kind, ""), p.get("min", ""), p.get("max", ""))
            for key, value in zip(PARAMETER_COLUMNS, cells, strict=True):
                rows[key].append(str(value))
        if rows != self.params.data:
            self.params.data = rows
        self._show(view)
        document = self.table.document
        if document is not None and document.session_context is not None and view.fit is not None:
            self._hold(view)
            self._pause = document.add_timeout_callback(self._ask, PAUSE)

    def _hold(self, view: View) -> None:
        """Restart the pause, and end a fit that runs for another spec."""
        if self._pause is not None:
            self.table.document.remove_timeout_callback(self._pause)
            self._pause = None
        if self._asked != view.loaded.text:
            self.budgets.cancel()

    def _show(self, view: View) -> None:
        """Show the table: with the error budget where it belongs to the present spec, else with the errors of the fit."""
        made = self.result if self.result is not None and self.result.text == view.loaded.text else None
        full = None if made is None else made.of_row(view.loaded.spec.data[view.row].label)
        if full is not None and made is not None and made.verdicts is not None:
            self.table.text = table(full, made.verdicts[full.label], _errors(full, asked=True))
        elif view.fit is not None:
            spectra = {} if view.norm is None else {view.fit.label: view.norm}
            verdict = verdict_of(view.fit, spectra=spectra)
            asked = view.loaded.spec.errors != "fit"
            self.table.text = table(view.fit, verdict, _errors(view.fit, asked=asked, pending=made is None))
        else:
            self.table.text = ""

    def _edited(self, data: dict[str, list[Any]]) -> None:
        tables = self.session.tables
        changed: dict[str, Any] = {}
        for name, kind, value, low, high in zip(*(data[c] for c in PARAMETER_COLUMNS), strict=True):
            if kind not in KINDS:
                changed[name] = tables["params"][name]
                continue
            kept = {k: v for k, v in tables["params"][name].items() if k not in (*KINDS, "min", "max")}
            entry: dict[str, Any] = {kind: value if kind == "expr" else _number(value)} | kept
            entry |= {k: _number(v) for k, v in (("min", low), ("max", high)) if str(v).strip()}
            changed[name] = entry
        if changed != tables["params"]:
            self.session.put(tables | {"params": changed})


def _errors(fit: Any, *, asked: bool, pending: bool = False) -> str:
    """The sentence that says which errors a table shows."""
    if fit.budget is not None:
        return "Errors and values with the error budget; hold the pointer over a value for its parts."
    if asked and pending:
        return "Errors of the fit alone; the error budget follows after a pause."
    return "Errors of the fit alone."


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text
