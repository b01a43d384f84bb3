"""The session of one user: the text of the spec, its results, and the callbacks of a change."""

from __future__ import annotations

import copy
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import tomlkit
from bokeh.models import Button, Div
from pydantic import ValidationError

from .. import files
from ..errors import XasuiteError
from ..specs.load import LoadedSpec
from ..specs.write import to_toml
from ..workflow.resolve import Context
from .analysis import Analysis, View, load_draft
from .history import History

# Text and tables are updated when the curves have not changed for REST ms, and at least every AT_LEAST ms: a browser lays
# the page out again after a change of text, which would delay the curves
REST, AT_LEAST = 200, 500


class Session:
    """The spec of one page and the view computed from it.

    Parameters
    ----------
    text : str
        The spec at the start.
    target : Path
        Where the spec is saved; relative file names count from its folder.
    """

    def __init__(self, text: str, target: Path) -> None:
        self.target, self.history = target, History(text)
        self.analysis = Analysis(Context())
        self.view = View(load_draft(text, target))
        self.row = 0
        self.live = True
        self.quiet = False
        self.drawing: list[Callable[[View], None]] = []  # called at once: curves
        self.telling: list[Callable[[View], None]] = []  # called after a pause: text and tables
        self.message = Div(sizing_mode="stretch_width", name="message")
        self._document: tomlkit.TOMLDocument | None = None
        self._of = ""  # the text of the document
        self._pending: Callable[[], None] | None = None
        self._resting: Any = None
        self._since = 0.0  # time of the first change since the last update of text
        self._seen = _changed(target)

    # ------------------------------------------------------------------------------------------------ changes

    @property
    def tables(self) -> dict[str, Any]:
        """A copy of the spec's tables, to be changed and passed to `put`."""
        return tomllib.loads(self.history.text)

    def put(self, tables: dict[str, Any]) -> None:
        """Make changed tables the spec, compute and draw."""
        self.put_text(to_toml(tables))

    def put_text(self, text: str, *, merge: bool = False, fit: bool = False) -> bool:
        """Make a text the spec and give True; with a mistake in it, show the mistake, change nothing and give False."""
        try:
            loaded = load_draft(text, self.target)
        except (XasuiteError, ValidationError, tomllib.TOMLDecodeError, KeyError) as exc:
            self._document = None
            self.say(str(exc), bad=True)
            return False
        self.history.put(text, merge=merge)
        self.refresh(loaded, fit=fit)
        return True

    def change(self, table: str, key: str, value: Any, *, merge: bool = False) -> None:
        """Set one key of a table (None removes it); comments and order of the text stay."""
        self.edit(lambda d: _set(d.setdefault(table, tomlkit.table()), key, value), merge=merge)

    def change_data(self, key: str, value: Any) -> None:
        """Set one key of the [[data]] table that is shown (None removes it)."""
        self.edit(lambda d: _set(d["data"][self.row], key, value))

    def edit(self, action: Callable[[Any], None], *, merge: bool = False) -> None:
        """Change the TOML document and make it the spec."""
        document = self._document
        if document is None or self._of != self.history.text:
            document = tomlkit.parse(self.history.text)
        action(document)
        self._of = tomlkit.dumps(document)
        self._document = document
        self.put_text(self._of, merge=merge)

    def step(self, step: Callable[[], str]) -> None:
        """Undo or redo."""
        step()
        self.row = min(self.row, len(load_draft(self.history.text, self.target).spec.data) - 1)
        self.refresh()

    def show_row(self, row: int) -> None:
        """Show another data row of the spec."""
        self.row = row
        self.refresh()

    def refresh(self, loaded: LoadedSpec | None = None, *, fit: bool = False) -> None:
        """Compute and draw the present spec; text and tables follow a moment later."""
        loaded = loaded or load_draft(self.history.text, self.target)
        self.row = min(self.row, len(loaded.spec.data) - 1)
        self.view = self.analysis.view(loaded, self.row, fit=fit or self.live)
        with self.following():
            for draw in self.drawing:
                draw(self.view)
        self._rest()

    @contextmanager
    def following(self) -> Iterator[None]:
        """While this lasts, setting a widget does not change the spec."""
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    def _rest(self) -> None:
        document, now = self.message.document, time.monotonic()
        if document is None or document.session_context is None:
            self._tell()
            return
        if self._resting is None:
            self._since = now
        elif now - self._since > AT_LEAST / 1e3:
            return
        else:
            document.remove_timeout_callback(self._resting)
        self._resting = document.add_timeout_callback(self._tell, REST)

    def _tell(self) -> None:
        self._resting = None
        problems = "; ".join(self.view.problems)
        self.say(problems or self._notes(), bad=bool(problems))
        with self.following():
            for tell in self.telling:
                tell(self.view)

    # ---------------------------------------------------------------------------------------------- callbacks

    def on(self, action: Callable[[Any], Any]) -> Callable[[str, Any, Any], None]:
        """A callback for changes made by the user, not by `following`."""

        def changed(attr: str, old: Any, new: Any) -> None:
            if not self.quiet and old != new:
                action(new)

        return changed

    def bound(self, widget: Any, attr: str, action: Callable[[Any], Any]) -> Any:
        """Call `action` with the new value when the user changes `attr` of a widget; gives the widget."""
        widget.on_change(attr, self.on(action))
        return widget

    def later(self, action: Callable[[], None]) -> None:
        """Run an action at the next tick; of several (a moving slider) only the last."""
        waiting = self._pending is not None
        self._pending = action
        if not waiting:
            self.schedule(self._run_pending)

    def _run_pending(self) -> None:
        action, self._pending = self._pending, None
        if action is not None:
            action()

    def schedule(self, action: Callable[[], None]) -> None:
        """Run an action at the document's next tick, from any thread; at once where no browser shows the page."""
        document = self.message.document
        if document is None:
            action()
        else:
            document.add_next_tick_callback(action)

    def after_saying(self, text: str, action: Callable[[], None]) -> None:
        """Show a message, then run an action that takes seconds (FEFF)."""
        self.say(text)
        document = self.message.document
        if document is None:
            action()
        else:
            document.add_timeout_callback(action, 50)

    # ------------------------------------------------------------------------------------------ words, saving

    @contextmanager
    def saying_mistakes(self) -> Iterator[None]:
        """Show a XasuiteError raised inside as a message."""
        try:
            yield
        except XasuiteError as exc:
            self.say(str(exc), bad=True)

    def say(self, text: str, *, bad: bool = False) -> None:
        """Show a line of text, escaped, below the plots; red where `bad`."""
        color = "#b00020" if bad else "#444444"
        self.message.text = f'<div role="status" style="color:{color};font-size:12px">{escape(text)}</div>'

    def _notes(self) -> str:
        notes = self.view.spectrum.notes if self.view.spectrum is not None else ()
        return " | ".join([*self.view.warnings, *notes][:3])

    def save(self) -> None:
        """Write the spec; a file that changed on disk since it was read is overwritten at the second click only."""
        now = _changed(self.target)
        if now != self._seen:
            self._seen = now
            self.say(f"{self.target.name} was changed on disk; press Save again to overwrite it", bad=True)
            return
        files.write_text(self.target, self.history.text)
        self._seen = _changed(self.target)
        self.say(f"written: {self.target}; xasuite fit {self.target.name} gives the same numbers")

    def reload(self) -> None:
        """Replace the spec by the file on disk; undo restores it."""
        try:
            text = self.target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            self.say(f"{self.target} cannot be read: {exc}", bad=True)
            return
        if self.put_text(text):
            self._seen = _changed(self.target)

    @property
    def changed_on_disk(self) -> bool:
        """Whether another program wrote the spec since it was read or saved here."""
        return _changed(self.target) != self._seen


def button(label: str, action: Callable[[], Any], **settings: Any) -> Button:
    """A button that calls `action` when it is clicked."""
    made = Button(label=label, **settings)
    made.on_click(action)
    return made


def _changed(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _set(table: Any, key: str, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = copy.deepcopy(value)
