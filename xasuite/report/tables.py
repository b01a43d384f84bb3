"""Coordination tables in the papers' layout: CSV, Markdown, LaTeX (booktabs), DOCX.

Columns: sample, path, N, R (A), sigma2 (1e-3 A^2), S02, E0 shift (eV), R factor, label; * marks what was
held; errors in parentheses; a footnote on k range, window, and where S02 comes from.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..exafs.result import FittedPath, Value, paper
from ..spec.run import SpecResult

HEADER = ("Sample", "Path", "N", "R (Å)", "σ² (10⁻³ Å²)", "S₀²", "ΔE₀ (eV)", "R factor", "Label")
_TEX_HEADER = (
    "Sample",
    "Path",
    "$N$",
    "$R$ (\\AA)",
    "$\\sigma^2$ ($10^{-3}$ \\AA$^2$)",
    "$S_0^2$",
    "$\\Delta E_0$ (eV)",
    "$R$ factor",
    "Label",
)
_TEX_ESCAPES = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}


@dataclass(frozen=True)
class PaperTable:
    """A table as text: header, rows, footnotes."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...]


def _held(value: Value, path: FittedPath, quantity: str, scale: float = 1.0) -> str:
    text = paper(value.value * scale, value.stderr * scale)
    if quantity in path.fixed:
        return text + "*"
    state = path.states.get(quantity, "")
    return f"{paper(value.value * scale, math.nan)} ({state})" if state.startswith("at ") else text


def coordination_table(result: SpecResult) -> PaperTable:
    """The papers' table of a spec's rows."""
    rows = []
    for fit in result.rows:
        shown: set[str] = set()
        for p in fit.paths:
            data = next(d for d in fit.data if d.label == p.data)
            first = p.data not in shown
            shown.add(p.data)
            rows.append(
                (
                    p.data if first else "",
                    p.label,
                    _held(p.n, p, "n"),
                    _held(p.r, p, "r"),
                    _held(p.sigma2, p, "sigma2", 1e3),
                    _held(p.s02, p, "s02"),
                    _held(p.e0, p, "e0"),
                    f"{data.rfactor:.4f}" if first else "",
                    result.kinds[p.data],
                )
            )
    return PaperTable(result.loaded.spec.title, HEADER, tuple(rows), tuple(footnotes(result)))


def footnotes(result: SpecResult) -> Iterable[str]:
    """k and R range, window, k weight; where inherited values come from; what the labels mean."""
    spec = result.loaded.spec
    f = spec.fit
    weights = ",".join(str(w) for w in f.kweight)
    yield (
        f"{spec.sample.element} {spec.sample.edge} edge; k = {f.k[0]:g}-{f.k[1]:g} 1/A, k weight {weights}, {f.window} window, "
        f"dk = {f.dk:g}; fitted in {f.space} space, R = {f.r[0]:g}-{f.r[1]:g} A (not corrected for phase)."
    )
    yield "* held. Errors are standard errors, inherited ones included."
    for fit in result.rows[:1]:
        for p in fit.parameters:
            if p.kind == "inherited":
                yield f"{p.name} = {p.value} from {p.origin}."
    if "closure" in result.kinds.values():
        yield (
            "closure: simulated from the published row and fitted blind; it proves the pipeline, "
            "not the sample."
        )
    for row in result.inputs.values():
        if row.kind == "measured":
            yield f"{row.label}: {row.origin}."


def to_csv(result: SpecResult) -> str:
    """A row a path, numbers and errors in columns of their own, units in the names."""
    frame = result.table()
    frame["label"] = [result.kinds[s] for s in frame["sample"]]
    return frame.to_csv(index=False)


def to_markdown(table: PaperTable) -> str:
    """The table as Markdown."""
    widths = [max(len(str(r[i])) for r in (table.header, *table.rows)) for i in range(len(table.header))]
    line = lambda row: "| " + " | ".join(str(c).ljust(w) for c, w in zip(row, widths, strict=True)) + " |"  # noqa: E731
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    body = "\n".join([line(table.header), rule, *(line(r) for r in table.rows)])
    notes = "\n".join(f"- {n}" for n in table.footnotes)
    return f"**{table.title}**\n\n{body}\n\n{notes}\n"


def tex_escape(text: str) -> str:
    """Text with LaTeX's special characters escaped, and the Greek and superscripts of our headers."""
    out = "".join(_TEX_ESCAPES.get(c, c) for c in text)
    return out.replace("χ", r"$\chi$").replace("Å", r"\AA{}").replace("σ", r"$\sigma$").replace("±", r"$\pm$")


def to_latex(table: PaperTable) -> str:
    """The table in booktabs, as a whole table environment."""
    header = _TEX_HEADER if table.header == HEADER else tuple(tex_escape(h) for h in table.header)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex_escape(table.title)}}}",
        rf"\begin{{tabular}}{{ll{'c' * (len(header) - 2)}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *(" & ".join(tex_escape(c) for c in row) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {tex_escape(n)}}}" for n in table.footnotes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def to_docx(table: PaperTable, target: str | Path) -> Path:
    """Write the table as a Word document. Raises WriteError."""
    import docx

    document = docx.Document()
    document.add_heading(table.title, level=2)
    grid = document.add_table(rows=1, cols=len(table.header))
    grid.style = "Light List"
    for cell, text in zip(grid.rows[0].cells, table.header, strict=True):
        cell.text = text
    for row in table.rows:
        for cell, text in zip(grid.add_row().cells, row, strict=True):
            cell.text = text
    for note in table.footnotes:
        document.add_paragraph(note)
    with files.replacing(target) as temporary:
        document.save(str(temporary))
    return Path(target)


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Any rows as CSV text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
