"""Files of a closure study: tables, JSON and a figure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .. import files
from ..workflow.closure import Study
from .plots.style import COLORS, COLUMN, DATA, panels, save, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_closure(done: Study, folder: str | Path, *, figures: bool = True) -> list[Path]:
    """closure.json, closure.csv, choices.csv and choices.png/.pdf in a folder. Raises WriteError."""
    import pandas as pd

    folder = Path(folder)
    written = [files.write_text(folder / "closure.json", json.dumps(done.to_dict(), indent=1) + "\n")]
    for name, records in (("closure", done.recoveries), ("choices", done.choices)):
        text = pd.DataFrame([asdict(r) for r in records]).to_csv(index=False)
        written.append(files.write_text(folder / f"{name}.csv", text))
    if figures and done.choices:
        written += save(plot_choices(done), folder / "choices")
    return written


@style()
def plot_choices(done: Study) -> Figure:
    """Change of N with each choice of the analysis, one panel per path: a mark for each row, a bar for the mean."""
    paths = list(dict.fromkeys(c.path for c in done.choices))
    what = list(dict.fromkeys(c.what for c in done.choices))
    width = COLUMN * (1.1 + 0.75 * (len(paths) - 1))
    figure, axes = panels(1, len(paths), width, 0.13 * len(what) + 0.8, sharey=True, squeeze=False)
    for axis, path in zip(axes[0], paths, strict=True):
        for y, name in enumerate(what):
            shifts = [_clipped(c.n_shift) for c in done.choices if c.what == name and c.path == path]
            axis.barh(y, sum(shifts) / max(len(shifts), 1), color=COLORS[4], height=0.7)
            axis.plot(shifts, [y] * len(shifts), "|", color=DATA, ms=4)
        axis.axvline(0, color=DATA, lw=0.6)
        axis.set(xlabel=f"change of N({path})", xlim=(-_CLIP * 1.1, _CLIP * 1.1))
    axes[0][0].set_yticks(range(len(what)), what)
    axes[0][0].invert_yaxis()
    return figure


_CLIP = 3.0  # larger changes of N are drawn at the edge of the panel


def _clipped(shift: float) -> float:
    return math.copysign(min(abs(shift), _CLIP), shift)
