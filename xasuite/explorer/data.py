"""The step "Data": choice of the scan, expression of mu, drawings of all scans, merging, deglitching."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.layouts import row
from bokeh.models import CheckboxGroup, Div, Select, TextInput, Toggle

from .. import io
from ..errors import XasuiteError
from .analysis import View
from .plots import Plots
from .session import Session, button
from .thumbnails import pages, thumbnails


class DataPanel:
    """Controls of the spec's [[data]]."""

    def __init__(self, session: Session, plots: Plots, scans: Sequence[Path]) -> None:
        self.session, self.plots, self.scans = session, plots, tuple(scans)
        rows = Select(title="data row of the spec", options=[], visible=False)
        self.rows = session.bound(rows, "value", lambda new: session.show_row(int(new)))
        names = [(str(p), p.name) for p in self.scans]
        files = Select(title="scan", options=names, value=names[0][0] if names else "", visible=bool(names))
        self.files = session.bound(files, "value", self.take_file)
        self.page = 0
        self.thumbnails = Div(text=thumbnails(self.scans))
        earlier, further = (
            button("< earlier", lambda: self.turn(-1)),
            button("further >", lambda: self.turn(1)),
        )
        self.paging = row(earlier, further, visible=pages(self.scans) > 1)
        several = len(self.scans) > 1
        shown = CheckboxGroup(labels=[p.name for p in self.scans], active=[], visible=several)
        self.shown = session.bound(shown, "active", self._overlay)
        mu = TextInput(title='mu, as "ln(i0/it)"; empty for the file\'s own', value="")
        self.mu = session.bound(mu, "value", lambda new: session.change_data("mu", new.strip() or None))
        self.merge = button("Align and merge the ticked scans", self.take_merged, visible=several)
        self.deglitch = Toggle(
            label="Replace points (deglitch): click one of mu(E)", active=False, name="deglitch"
        )
        self.removed = Div(text="")
        plots.mu.on_event(Tap, self._tapped)
        session.telling.append(self._follow)

    @property
    def widgets(self) -> list[Any]:
        """Top to bottom."""
        return [
            self.rows, self.files, self.mu, self.deglitch, self.removed, self.thumbnails, self.paging, self.shown,
            self.merge,
        ]  # fmt: skip

    def turn(self, by: int) -> None:
        """Show another page of drawings, `by` pages further."""
        self.page = min(max(self.page + by, 0), pages(self.scans) - 1)
        self.thumbnails.text = thumbnails(self.scans, self.page)

    def _follow(self, view: View) -> None:
        spec = view.loaded.spec
        labels = [(str(i), d.label) for i, d in enumerate(spec.data)]
        if self.rows.options != labels:
            self.rows.options = labels
        self.rows.visible = len(labels) > 1
        self.rows.value = str(view.row)
        self.mu.value = spec.data[view.row].mu or ""
        points = spec.reduce.deglitch
        self.removed.text = f"replaced: {', '.join(f'{e:g}' for e in points)} eV" if points else ""

    def take_file(self, name: str) -> None:
        """Show another scan; the settings of the spec stay, but E0 is determined again."""
        with self.session.saying_mistakes():
            scan = io.read(name)
            tables = self.session.tables
            data = tables["data"][self.session.row]
            for key in ("files", "example", "simulate", "align"):
                data.pop(key, None)
            data |= {"file": str(Path(name).resolve()), "label": Path(name).stem}
            tables["sample"] = {
                "element": scan.element or tables["sample"]["element"],
                "edge": scan.edge or "K",
            }
            tables.setdefault("reduce", {}).pop("e0", None)
            self.session.put(tables)

    def _overlay(self, active: list[int]) -> None:
        from ..reduce import normalize

        curves, failed = [], []
        for scan in (self.scans[i] for i in active):
            try:
                norm = normalize(io.read(scan).mu())
            except XasuiteError as exc:
                failed.append(str(exc))
            else:
                curves.append((norm.energy, norm.norm, scan.name))
        self.plots.overlay.data = {n: [c[i] for c in curves] for i, n in enumerate(("xs", "ys", "label"))}
        if failed:
            self.session.say("; ".join(failed), bad=True)

    def take_merged(self) -> None:
        """Show the ticked scans, aligned and merged."""
        chosen = [str(self.scans[i].resolve()) for i in self.shown.active]
        if len(chosen) < 2:
            self.session.say("tick two or more scans to merge", bad=True)
            return
        tables = self.session.tables
        data = tables["data"][self.session.row]
        data.pop("file", None)
        data |= {"files": chosen, "label": f"{Path(chosen[0]).stem} and {len(chosen) - 1} more"}
        self.session.put(tables)

    def _tapped(self, event: Tap) -> None:
        """Replace the point nearest to a click by interpolation; a click on a replaced point restores it."""
        spectrum = self.session.view.spectrum
        if not self.deglitch.active or spectrum is None or event.x is None:
            return
        nearest = round(float(spectrum.energy[np.argmin(np.abs(spectrum.energy - event.x))]), 3)
        have = set(self.session.tables.get("reduce", {}).get("deglitch", []))
        self.session.change("reduce", "deglitch", sorted(have ^ {nearest}) or None)
