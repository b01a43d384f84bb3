"""Results on disk: results/<spec>/ with result.json, curves.h5, table.csv/.md/.tex/.docx, fit.png/.pdf; the public JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..exafs.result import FitResult, Value
from ..workflow.run import SpecResult
from . import tables
from .curves import save_curves

if TYPE_CHECKING:
    from ..workflow.reproduce import Reproduction
    from ..workflow.score import Cell


def number(value: float | None) -> float | None:
    """A float for JSON: null where it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def value_json(value: Value) -> dict[str, float | None]:
    """{"value", "stderr"}."""
    return {"value": number(value.value), "stderr": number(value.stderr)}


def fit_json(result: SpecResult) -> dict[str, Any]:
    """The document of ``xasuite fit --json`` (docs/guide/json.md): a public shape."""
    rows = [_row_json(f, result) for f in result.rows]
    for label, reason in {**result.failed, **result.missing}.items():
        status = "failed" if label in result.failed else "missing"
        rows.append({"label": label, "status": status, "reason": reason, "params": {}, "paths": []})
    return {"spec": str(result.loaded.path), "rows": rows}


def _row_json(fit: FitResult, result: SpecResult) -> dict[str, Any]:
    return {
        "label": fit.label,
        "status": fit.status,
        "kind": result.kinds[fit.data[0].label],
        "params": {
            p.name: {**value_json(p.value), "vary": p.kind == "varied", "state": p.state}
            for p in fit.parameters
        },
        "paths": [
            {"label": p.label, "data": p.data}
            | {q: value_json(getattr(p, q)) for q in ("n", "r", "sigma2", "e0", "s02")}
            for p in fit.paths
        ],
        "rfactor": number(fit.rfactor),
        "chi2_reduced": number(fit.chi2_reduced),
        "n_idp": number(fit.n_idp),
        "n_varys": fit.n_varys,
        "warnings": list(fit.warnings),
    }


def cell_json(cell: Cell) -> dict[str, Any]:
    """One cell of ``xasuite reproduce --json``."""
    return {
        "table": cell.table,
        "row": cell.row,
        "path": cell.path,
        "quantity": cell.quantity,
        "published": number(cell.published),
        "published_err": number(cell.published_err),
        "ours": number(cell.ours),
        "ours_err": number(cell.ours_err),
        "within": cell.within,
        "label": cell.label,
        "difference": number(cell.difference),
        "rule": cell.rule,
        "remark": cell.remark,
        "spec": cell.spec,
    }


def reproduction_json(done: Reproduction) -> dict[str, Any]:
    """The document of ``xasuite reproduce --json``: a public shape."""
    return {
        "cells": [cell_json(c) for c in done.cells],
        "within": done.within,
        "outside": done.outside,
        "cannot_tell": list(done.cannot_tell),
        "doubts": list(done.doubts),
        "missing": dict(done.missing),
        "failed": dict(done.failed),
        "matched": [
            {k: number(v) if isinstance(v, float) else v for k, v in asdict(r).items()} | {"reason": r.reason}
            for r in done.matched
        ],
        "claims": [asdict(c) for c in done.claims],
        "potentials": [asdict(c) for c in done.potentials],
    }


def result_json(result: SpecResult) -> dict[str, Any]:
    """Everything of a result but its curves (curves.h5): values, correlations, noise, table, provenance."""
    document = fit_json(result)
    document |= {"title": result.loaded.spec.title, "sample": result.loaded.spec.sample.model_dump()}
    document |= {"range": result.loaded.spec.fit.model_dump(), "notes": result.loaded.spec.notes}
    document["table"] = tables.table_json(result)
    for row, fit in zip(document["rows"], result.rows, strict=False):
        row["correlations"] = [{"a": a, "b": b, "value": number(c)} for (a, b), c in fit.correlations.items()]
        row["chi2"] = number(fit.chi2)
        row["data"] = [
            {
                "label": d.label,
                "rfactor": number(d.rfactor),
                "n_idp": number(d.n_idp),
                "epsilon_k": [number(e) for e in d.epsilon_k],
                "epsilon_r": [number(e) for e in d.epsilon_r],
                "noise": d.noise,
                "e0": number(d.e0),
                "edge_step": number(d.edge_step),
                "notes": list(d.notes),
                "history": [{"step": s.name, **_plain(s.settings)} for s in d.history],
            }
            for d in fit.data
        ]
        row["error_parts"] = {p.name: dict(p.value.parts) for p in fit.parameters if p.value.parts}
        row["errors"] = (
            "standard errors scaled by sqrt(reduced chi-square); inherited errors added by refitting at +- one "
            "standard error"
        )
    document["variants"] = {
        name: [_row_json(f, result) for f in fits] for name, fits in result.variants.items()
    }
    document["warnings"] = list(result.warnings)
    document["provenance"] = asdict(result.provenance)
    document["spec_text"] = result.loaded.text
    return document


def _plain(settings: Any) -> dict[str, Any]:
    return json.loads(
        json.dumps(dict(settings), default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v))
    )


def write_results(
    result: SpecResult,
    folder: str | Path = "results",
    *,
    figures: bool = True,
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write results/<spec>/: result.json, curves.h5, table.csv/.md/.tex/.docx, fit.png/.pdf a row; the paths written.

    Raises WriteError when the folder cannot be made or written.
    """
    target = Path(folder) / result.loaded.name
    table = tables.coordination_table(result)
    written = [
        files.write_text(target / "result.json", json.dumps(result_json(result), indent=1) + "\n"),
        files.write_text(target / "table.csv", tables.to_csv(result)),
        files.write_text(target / "table.md", tables.to_markdown(table)),
        files.write_text(target / "table.tex", tables.to_latex(table)),
        tables.to_docx(table, target / "table.docx"),
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
