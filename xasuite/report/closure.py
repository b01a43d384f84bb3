"""The bias study as tables, JSON and a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import files
from ..workflow.closure import Choice, Recovery, Study
from .results import number
from .tables import rows_to_csv

HEADER = (
    "row",
    "path",
    "quantity",
    "epsilon_k",
    "truth",
    "bias",
    "spread",
    "own error",
    "coverage",
    "failed",
    "at bound",
)


def recovery_rows(found: Sequence[Recovery]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the recoveries, sigma2 in 1e-3 A^2."""
    rows: list[tuple[str, ...]] = []
    for r in found:
        scale, unit = (1e3, " e-3") if r.quantity == "sigma2" else (1.0, "")
        rows.append(
            (
                r.row,
                r.path,
                r.quantity + unit,
                f"{r.noise:.1e}",
                f"{r.truth * scale:g}",
                f"{r.bias * scale:+.3f}",
                f"{r.spread * scale:.3f}",
                f"{r.reported * scale:.3f}",
                f"{r.coverage:.2f}",
                f"{r.failed:.0%}",
                f"{r.at_bound:.0%}",
            )
        )
    return HEADER, rows


def closure_json(done: Study) -> dict[str, Any]:
    """The document of ``xasuite closure --json``."""

    def plain(record: Any) -> dict[str, Any]:
        return {k: number(v) if isinstance(v, float) else v for k, v in asdict(record).items()}

    return {
        "recoveries": [plain(r) | {"reason": r.reason} for r in done.recoveries],
        "matching_noise": {row: number(level) for row, level in done.matching.items()},
        "choices": [plain(c) for c in done.choices],
        "impossible": list(done.impossible),
    }


def write_closure(done: Study, folder: str | Path, *, figures: bool = True) -> list[Path]:
    """closure.json, closure.csv, choices.csv and choices.png/.pdf in a folder. Raises WriteError."""
    folder = Path(folder)
    names = list(asdict(done.recoveries[0])) if done.recoveries else []
    written = [
        files.write_text(folder / "closure.json", json.dumps(closure_json(done), indent=1) + "\n"),
        files.write_text(
            folder / "closure.csv", rows_to_csv(names, [tuple(asdict(r).values()) for r in done.recoveries])
        ),
        files.write_text(
            folder / "choices.csv",
            rows_to_csv(list(Choice.__dataclass_fields__), [tuple(asdict(c).values()) for c in done.choices]),
        ),
    ]
    if figures and done.choices:
        from .plots.style import save

        written += save(plot_choices(done), folder / "choices")
    return written


def plot_choices(done: Study) -> Any:
    """How far N moves with each choice: a dot a row of the table, the mean a bar, one panel a path."""
    from .plots.style import COLORS, COLUMN, DATA, style

    paths = list(dict.fromkeys(c.path for c in done.choices))
    what = list(dict.fromkeys(c.what for c in done.choices))
    with style() as plt:
        figure, axes = plt.subplots(
            1,
            len(paths),
            figsize=(COLUMN * (1.1 + 0.75 * (len(paths) - 1)), 0.13 * len(what) + 0.8),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
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


_CLIP = 3.0  # what moves N by more is drawn at the edge: it is off by a shell


def _clipped(shift: float) -> float:
    return math.copysign(min(abs(shift), _CLIP), shift)
