"""What Jupyter shows for a record: its summary table and its figure, in one piece of HTML.

Records reach this module by `xasuite.hooks`, so that no folder below the reports imports it. Figures are PNG inside the
HTML: a notebook keeps them in its outputs and shows them without running.
"""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from ..errors import XasuiteError
from ..records.table import Table
from .cards import presented

DPI = 110
COLORS = 128
WIDTH = 620  # pixels, of a figure as it is shown
_CELL = "padding:2px 8px;text-align:left;vertical-align:top"
_SMALL = "font-size:85%;color:#555"


def html(record: Any) -> str:
    """The record's table and figure as HTML; ``_repr_html_`` of every record gives this.

    A figure that cannot be drawn is replaced by a sentence that says why, so that the notebook goes on.
    Raises DataError for a type that has no table.
    """
    shown = presented(record)
    parts = [f"<b>{escape(shown.title)}</b>" + (f" [{escape(shown.label)}]" if shown.label else "")]
    parts += [_grid((), shown.facts)] if shown.facts else []
    parts += [_grid(shown.header, shown.cells())] if shown.columns else []
    parts += [f'<div style="{_SMALL}">{escape(n)}</div>' for n in shown.notes]
    left = f'<div style="max-width:860px;overflow-x:auto">{"".join(parts)}</div>'
    style = "display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start"
    return f'<div class="xasuite" style="{style}">{left}{_figure(record, shown)}</div>'


def text(record: Any) -> str:
    """The record's table as lines of text: what a terminal shows. Raises DataError for a type without one."""
    return str(presented(record))


def _grid(header: tuple[str, ...], rows: Any) -> str:
    def row(cells: Any, tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} style="{_CELL}">{escape(c)}</{tag}>' for c in cells) + "</tr>"

    head = f"<thead>{row(header, 'th')}</thead>" if header else ""
    return f"<table>{head}<tbody>{''.join(row(r, 'td') for r in rows)}</tbody></table>"


def _figure(record: Any, shown: Table) -> str:
    from .plots.dispatch import has_figure, plot

    if not has_figure(record):
        return ""
    try:
        figure = plot(record)
    except XasuiteError as exc:
        return f'<div style="{_SMALL}">no figure: {escape(str(exc))}</div>'
    import matplotlib.pyplot as plt

    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    data = base64.b64encode(slim(raw.getvalue())).decode()
    return f'<div><img alt="{escape(shown.title)}" style="max-width:{WIDTH}px;width:100%" src="data:image/png;base64,{data}"/></div>'


def slim(png: bytes) -> bytes:
    """The same picture with a palette of 128 colours: a third of the bytes, and line figures look the same."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLORS).save(out, format="png", optimize=True)
    return min(png, out.getvalue(), key=len)
