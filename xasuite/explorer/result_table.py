"""The table of a fit on the page: values with errors, their parts, statistics and verdict; labels are escaped."""

from __future__ import annotations

from html import escape

from ..exafs.result import PATH_COLUMNS, FitResult, Value
from ..workflow.verdict import Verdict

HEAD = {"n": "N", "r": "R (\u212b)", "sigma2": "\u03c3\u00b2 (\u212b\u00b2)", "s02": "S\u2080\u00b2", "e0": "\u0394E\u2080 (eV)"}  # fmt: skip


def table(fit: FitResult, verdict: Verdict, errors: str) -> str:
    """The HTML of a fit; `errors` says which errors are shown."""
    head = "".join(f"<th>{c}</th>" for c in ("path", *(HEAD[q] for q in PATH_COLUMNS)))
    rows = "".join(
        f"<tr><td>{escape(p.label)}</td>{''.join(_cell(getattr(p, q)) for q in PATH_COLUMNS)}</tr>"
        for p in fit.paths
    )
    params = ", ".join(f"{p.name} = {p.value}" + (f" ({p.state})" if p.state else "") for p in fit.parameters)
    reasons = f". {escape('; '.join(verdict.reasons))}" if verdict.reasons else ""
    small = '<div style="font-size:12px">'
    return (
        f'<table style="font-size:13px;border-spacing:10px 2px"><tr>{head}</tr>{rows}</table>'
        f"{small}{escape(errors)}</div>"
        f"{small}R factor {fit.rfactor:.4f}; {fit.n_varys} variables, {fit.n_idp:.1f} independent points. "
        f"Verdict: <b>{escape(verdict.level)}</b>{reasons}</div>"
        f"{small}{escape(params)}</div>"
    )


def _cell(value: Value) -> str:
    parts = ", ".join(f"{name} {part:.2g}" for name, part in value.parts.items())
    return f'<td title="{escape(parts)}">{escape(str(value))}</td>'
