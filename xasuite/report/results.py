"""Files of a result: results/<spec>/ with result.json, curves.h5, table.csv/.md/.tex/.docx, methods.md, fit.png/.pdf."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from .. import files
from ..workflow.run import SpecResult
from .curves import save_curves
from .methods import bibtex, methods
from .tables import FORMATS, write_table


def write_results(
    result: SpecResult,
    folder: str | Path = "results",
    *,
    figures: bool = True,
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write results/<spec>/: result.json, curves.h5, tables, methods paragraph, one figure per row.

    Returns the paths written. Raises WriteError when the folder cannot be made or written.
    """
    target = Path(folder) / result.loaded.name
    document = result.to_dict()
    written = [
        files.write_text(target / "result.json", json.dumps(document, indent=1) + "\n"),
        *(write_table(result.summary(), target / f"table.{kind}") for kind in FORMATS),
        files.write_text(target / "methods.md", methods(document) + "\n"),
        files.write_text(target / "references.bib", bibtex(document)),
        save_curves(result, target / "curves.h5"),
    ]
    if figures:
        from .plots.fit import plot_fit
        from .plots.style import save

        several = sum(len(f.data) for f in result.rows) > 1
        for fit in result.rows:
            for data in fit.data:
                if progress:
                    progress(f"figure {data.label}")
                stem = f"fit_{_safe(data.label)}" if several else "fit"
                written += save(plot_fit(fit, data), target / stem)
    return written


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text).strip("_")
