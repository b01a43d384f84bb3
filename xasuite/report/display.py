"""What Jupyter shows for a record: a small table of what matters, and the record's own figure, in one piece of HTML.

Records reach this module by `xasuite.hooks`, so that nothing below the reports knows it. Figures are PNG inside the
HTML: a notebook keeps them in its outputs and shows them without running.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..errors import DataError, XasuiteError

DPI = 80  # a double column then measures 560 pixels: a glance, not a page
COLORS = 128
_CELL = "padding:2px 8px;text-align:left;vertical-align:top"
_GRID = f"{_CELL};white-space:nowrap"
_SMALL = "font-size:85%;color:#555"


@dataclass(frozen=True)
class Grid:
    """A table with a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Card:
    """What is shown of a record: title, facts (name and value), tables, sentences, and how its figure is drawn.

    `label` is measured, closure or theory, "" where the record does not say.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()
    label: str = ""
    figure: Callable[[], Any] | None = field(default=None, compare=False)


def card(record: Any) -> Card:
    """The card of any record that has one. Raises DataError for a type without."""
    import importlib

    from . import cards

    for kind in type(record).__mro__:
        name = cards.KINDS.get(kind.__name__) if kind.__module__.startswith("xasuite.") else None
        if name:
            module, _, function = name.partition(":")
            made: Card = getattr(importlib.import_module(f"{__package__}.{module}"), function)(record)
            return made
    raise DataError(f"a {type(record).__name__} has no card; there are cards of {', '.join(cards.KINDS)}")


def html(record: Any) -> str:
    """The record's card as HTML with its figure inside; what ``_repr_html_`` of every record gives.

    A figure that cannot be drawn is replaced by the sentence that says why: a display must not end a notebook.
    Raises DataError for a type without a card.
    """
    shown = card(record)
    parts = [f"<b>{escape(shown.title)}</b>" + (f" [{escape(shown.label)}]" if shown.label else "")]
    if shown.facts:
        parts.append(_facts(shown.facts))
    parts += [_grid(g) for g in shown.grids]
    parts += [f'<div style="{_SMALL}">{escape(n)}</div>' for n in shown.notes]
    body = "".join(parts)
    left = f'<div style="max-width:860px;overflow-x:auto">{body}</div>'
    right = ""
    if shown.figure is not None:
        try:
            right = f"<div>{_png(shown.figure())}</div>"
        except XasuiteError as exc:
            right = f'<div style="{_SMALL}">no figure: {escape(str(exc))}</div>'
    style = "display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start"
    return f'<div class="xasuite" style="{style}">{left}{right}</div>'


def text(record: Any) -> str:
    """The record's card as lines of text: what a terminal shows. Raises DataError for a type without a card."""
    shown = card(record)
    lines = [shown.title + (f" [{shown.label}]" if shown.label else "")]
    width = max((len(name) for name, _ in shown.facts), default=0)
    lines += [f"  {name:<{width}}  {value}" for name, value in shown.facts]
    for grid in shown.grids:
        columns = list(zip(grid.header, *grid.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        rows = (grid.header, *grid.rows)
        lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    return "\n".join([*lines, *(f"  {n}" for n in shown.notes)])


def of_frame(frame: Any, rows: int = 12) -> Grid:
    """The first rows of a DataFrame as text; numbers with five digits, nothing where there is none."""
    shown = tuple(tuple(_cell(v) for v in row) for row in frame.head(rows).itertuples(index=False))
    if len(frame) > rows:
        shown += (("…", *("",) * (len(frame.columns) - 1)),)
    return Grid(tuple(str(c) for c in frame.columns), shown)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.5g}"
    return "" if value is None else str(value)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    body = "".join(
        f'<tr><td style="{_CELL}">{escape(name)}</td><td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in facts
    )
    return f"<table><tbody>{body}</tbody></table>"


def _grid(grid: Grid) -> str:
    body = "".join(_row(r, "td") for r in grid.rows)
    return f"<table><thead>{_row(grid.header, 'th')}</thead><tbody>{body}</tbody></table>"


def _row(cells: Sequence[str], tag: str) -> str:
    cell = '<{0} style="{1}">{2}</{0}>'
    return f"<tr>{''.join(cell.format(tag, _GRID, escape(str(c))) for c in cells)}</tr>"


def _png(figure: Any) -> str:
    import matplotlib.pyplot as plt

    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    return (
        f'<img alt="figure" src="data:image/png;base64,{base64.b64encode(slim(raw.getvalue())).decode()}"/>'
    )


def slim(png: bytes) -> bytes:
    """The same picture with a palette of 128 colours: a third of the bytes, no difference to be seen in a line figure."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLORS).save(out, format="png", optimize=True)
    return min(png, out.getvalue(), key=len)
