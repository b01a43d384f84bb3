"""Small drawings of scans, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from .. import io
from ..errors import XasuiteError
from ..records import Spectrum

MOST = 40  # drawings on one page


def thumbnails(scans: Sequence[Path], page: int = 0) -> str:
    """HTML with mu of each scan of one page of 40, or the reason why it cannot be read; names are escaped."""
    out = []
    for path in scans[page * MOST : (page + 1) * MOST]:
        try:
            drawing = _svg(io.read(path).mu())
        except XasuiteError as exc:
            drawing = f'<span style="color:#b00020;font-size:10px">{escape(str(exc)[:90])}</span>'
        out.append(
            f'<div style="display:inline-block;width:120px;font-size:10px">{drawing}<br>{escape(path.name)}</div>'
        )
    return "".join(out)


def pages(scans: Sequence[Path]) -> int:
    """Number of pages of drawings."""
    return max(1, -(-len(scans) // MOST))


def _svg(spectrum: Spectrum) -> str:
    width, height = 110, 40
    at = np.linspace(spectrum.energy[0], spectrum.energy[-1], 80)
    y = np.interp(at, spectrum.energy, spectrum.mu)
    y = (y - y.min()) / (np.ptp(y) or 1.0)
    points = " ".join(f"{i * width / 79:.1f},{height - v * height:.1f}" for i, v in enumerate(y))
    return f'<svg width="{width}" height="{height}" role="img"><polyline points="{points}" fill="none" stroke="#111"/></svg>'
