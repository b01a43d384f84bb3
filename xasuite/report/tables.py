"""Coordination tables in the papers' layout: CSV, Markdown, LaTeX (booktabs), DOCX.

Columns: sample, path, N, R (A), sigma2 (1e-3 A^2), S02, E0 shift (eV), R factor, label; * marks what was
held; errors in parentheses or after +-; a footnote on k range, window, and where S02 comes from.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..errors import WriteError
from ..exafs.result import FittedPath, Value
from ..records.quantities import as_printed

if TYPE_CHECKING:
    from ..workflow.run import SpecResult

# Quantity -> its column's head and what its values are multiplied by
COLUMNS: dict[str, tuple[str, float]] = {
    "n": ("N", 1.0),
    "r": ("R (Å)", 1.0),
    "sigma2": ("σ² (10⁻³ Å²)", 1e3),
    "s02": ("S₀²", 1.0),
    "e0": ("ΔE₀ (eV)", 1.0),
}
HEADER = ("Sample", "Path", *(head for head, _ in COLUMNS.values()), "R factor", "Label")
PUBLISHED = "publ."
ERRORS = ("parentheses", "plus-minus")
FORMATS = ("csv", "md", "tex", "docx")

_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "χ": r"$\chi$", "σ": r"$\sigma$",
    "Δ": r"$\Delta$", "Å": r"\AA{}", "±": r"$\pm$", "²": r"$^2$", "₀": r"$_0$", "⁻³": r"$^{-3}$", "–": "--",
    "−": "$-$", "→": r"$\rightarrow$", "×": r"$\times$",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One value of a table: its error (nan for none), whether it was held, and what makes its error doubtful."""

    value: float
    stderr: float = math.nan
    held: bool = False
    state: str = ""
    published: float = math.nan
    published_err: float = math.nan
    within: bool | None = None

    def text(self, scale: float = 1.0, errors: str = ERRORS[0]) -> str:
        """As printed: 5.8(6), 5.8 ± 0.6, 12*, 0.03 (at max)."""
        if self.held:
            return number(self.value * scale, self.stderr * scale, errors) + "*"
        if self.state.startswith("at "):
            # a bound is a round number, which the fit's last step misses by 1e-10 or so
            return f"{round(self.value * scale, 4):g} ({self.state})"
        return number(self.value * scale, self.stderr * scale, errors)

    def published_text(self, scale: float = 1.0) -> str:
        """The printed number with its printed error, "" where there is none."""
        if not math.isfinite(self.published):
            return ""
        error = f" ± {self.published_err * scale:g}" if self.published_err > 0 else ""
        return f"{self.published * scale:g}{error}"


@dataclass(frozen=True)
class Line:
    """One path of a sample; `rfactor` only on a sample's first line (None on the others)."""

    sample: str
    path: str
    values: Mapping[str, Entry]
    rfactor: Entry | None
    label: str


@dataclass(frozen=True)
class PaperTable:
    """A table as text: header, rows, footnotes."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...] = field(default=())


def number(value: float, stderr: float, errors: str = ERRORS[0]) -> str:
    """A value with its error, 2.495(6) or 2.495 ± 0.006; the same digits in both."""
    text = as_printed(value, stderr)
    if errors == ERRORS[0] or "(" not in text:
        return text
    from uncertainties import ufloat_fromstr

    digits = len(text.partition("(")[0].partition(".")[2])
    parsed = ufloat_fromstr(text)
    return f"{parsed.n:.{digits}f} ± {parsed.s:.{digits}f}"


def lines_of(result: SpecResult) -> tuple[Line, ...]:
    """A line a path of each row, with the published values beside ours where the spec reproduces a table."""
    cells = {(c.row, c.path, c.quantity): c for c in cells_of(result)}
    out: list[Line] = []
    for fit in result.rows:
        shown: set[str] = set()
        for p in fit.paths:
            data = next(d for d in fit.data if d.label == p.data)
            values = {q: _entry(getattr(p, q), p, q, cells.get((p.data, p.label, q))) for q in COLUMNS}
            cell = next((c for (row, _, q), c in cells.items() if row == p.data and q == "rfactor"), None)
            rfactor = None
            if p.data not in shown:
                rfactor = Entry(data.rfactor, **_printed(cell))
            shown.add(p.data)
            out.append(Line(p.data if rfactor else "", p.label, values, rfactor, result.kinds[p.data]))
    return tuple(out)


def cells_of(result: SpecResult) -> tuple[Any, ...]:
    """The scored cells of a spec that reproduces a published table; none for any other."""
    if not result.loaded.spec.reproduces:
        return ()
    from ..specs.published import table_of
    from ..workflow.score import score_result

    return tuple(score_result(result, table_of(result.loaded), result.loaded.spec.reproduces))


def _entry(value: Value, path: FittedPath, quantity: str, cell: Any) -> Entry:
    held, state = quantity in path.fixed, path.states.get(quantity, "")
    return Entry(value.value, value.stderr, held, state, **_printed(cell))


def _held(value: Value, path: FittedPath, quantity: str, scale: float = 1.0) -> str:
    return _entry(value, path, quantity, None).text(scale)


def _printed(cell: Any) -> dict[str, Any]:
    if cell is None:
        return {}
    error = cell.published_err if cell.published_err else math.nan
    return {"published": cell.published, "published_err": error, "within": cell.within}


def coordination_table(result: SpecResult, *, errors: str = ERRORS[0], published: bool = False) -> PaperTable:
    """The papers' table of a spec's rows.

    Parameters
    ----------
    errors : "parentheses" for 5.8(6), "plus-minus" for 5.8 ± 0.6.
    published : a column of the printed value beside each of ours that has one.
    """
    return format_table(
        result.loaded.spec.title,
        lines_of(result),
        tuple(footnotes(result)),
        errors=errors,
        published=published,
    )


def format_table(
    title: str,
    lines: Sequence[Line],
    notes: Sequence[str],
    *,
    errors: str = ERRORS[0],
    published: bool = False,
) -> PaperTable:
    """Lines as text. Raises WriteError for another kind of errors."""
    if errors not in ERRORS:
        raise WriteError(f"errors are printed in {' or '.join(ERRORS)}, not {errors!r}")
    beside = [q for q in COLUMNS if published and any(math.isfinite(x.values[q].published) for x in lines)]
    beside_r = published and any(x.rfactor and math.isfinite(x.rfactor.published) for x in lines)
    header = ["Sample", "Path"]
    for q, (head, _) in COLUMNS.items():
        header += [head, PUBLISHED] if q in beside else [head]
    header += ["R factor", PUBLISHED, "Label"] if beside_r else ["R factor", "Label"]
    rows = []
    for x in lines:
        row = [x.sample, x.path]
        for q, (_, scale) in COLUMNS.items():
            row.append(x.values[q].text(scale, errors))
            row += [x.values[q].published_text(scale)] if q in beside else []
        row.append(f"{x.rfactor.value:.4f}" if x.rfactor else "")
        row += [x.rfactor.published_text() if x.rfactor else ""] if beside_r else []
        rows.append((*row, x.label))
    return PaperTable(title, tuple(header), tuple(rows), tuple(notes))


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
    yield from _shares(result)
    if "closure" in result.kinds.values():
        yield (
            "closure: simulated from the published row and fitted blind; it proves the pipeline, "
            "not the sample."
        )
    for row in result.inputs.values():
        if row.kind == "measured":
            yield f"{row.label}: {row.origin}."


def _shares(result: SpecResult) -> Iterable[str]:
    """How much of each N's error is inherited."""
    for fit in result.rows:
        for p in fit.paths:
            own = p.n.parts.get("fit", math.nan)
            for name, part in p.n.parts.items():
                if name != "fit":
                    yield (
                        f"{p.data}, N({p.label}): of the error {p.n.stderr:.2g}, {part:.2g} is that of {name}, "
                        f"{own:.2g} the fit's own (in quadrature)."
                    )


def table_json(result: SpecResult) -> dict[str, Any]:
    """Lines and footnotes as result.json holds them; `table_of` reads them back."""
    lines = [
        {
            "sample": x.sample,
            "path": x.path,
            "label": x.label,
            "rfactor": None if x.rfactor is None else _plain(x.rfactor),
            "values": {q: _plain(e) for q, e in x.values.items()},
        }
        for x in lines_of(result)
    ]
    return {"title": result.loaded.spec.title, "lines": lines, "footnotes": list(footnotes(result))}


def _plain(entry: Entry) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(entry).items()}


def table_of(document: Mapping[str, Any], *, errors: str = ERRORS[0], published: bool = True) -> PaperTable:
    """The table of a result.json. Raises WriteError when it was written before tables were kept in it."""
    held = document.get("table")
    if not held:
        raise WriteError(
            f"{document.get('spec', 'result.json')} was written by an older version; fit the spec again"
        )
    lines = [
        Line(
            x["sample"],
            x["path"],
            {q: _entry_of(e) for q, e in x["values"].items()},
            None if x["rfactor"] is None else _entry_of(x["rfactor"]),
            x["label"],
        )
        for x in held["lines"]
    ]
    return format_table(held["title"], lines, held["footnotes"], errors=errors, published=published)


def _entry_of(plain: Mapping[str, Any]) -> Entry:
    numbers = {"value", "stderr", "published", "published_err"}
    values: dict[str, Any] = {k: math.nan if v is None and k in numbers else v for k, v in plain.items()}
    return Entry(**values)


def to_csv(result: SpecResult) -> str:
    """A row a path, numbers and errors in columns of their own, units in the names."""
    frame = result.table()
    frame["label"] = [result.kinds[s] for s in frame["sample"]]
    return frame.to_csv(index=False)


def to_markdown(table: PaperTable) -> str:
    """The table as Markdown."""
    escaped = [tuple(str(c).replace("|", r"\|") for c in row) for row in (table.header, *table.rows)]
    widths = [max(3, *(len(r[i]) for r in escaped)) for i in range(len(table.header))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    body = "\n".join([line(escaped[0]), rule, *(line(r) for r in escaped[1:])])
    notes = "\n".join(f"- {n.replace('* held', chr(92) + '* held')}" for n in table.footnotes)
    return f"**{table.title}**\n\n{body}\n\n{notes}\n"


def tex_escape(text: str) -> str:
    """Text with LaTeX's special characters escaped, and the Greek and superscripts that our tables hold."""
    out = text.replace("⁻³", "\0")  # two characters, one superscript
    return "".join(_TEX.get(c, c) for c in out).replace("\0", _TEX["⁻³"])


def to_latex(table: PaperTable) -> str:
    r"""The table in booktabs, as a whole table environment; it needs \usepackage{booktabs} and no more."""
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex_escape(table.title)}}}",
        rf"\begin{{tabular}}{{ll{'c' * (len(table.header) - 2)}}}",
        r"\toprule",
        " & ".join(tex_escape(h) for h in table.header) + r" \\",
        r"\midrule",
        *(" & ".join(_cell(c, i) for i, c in enumerate(row)) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {tex_escape(n)}}}" for n in table.footnotes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str, column: int) -> str:
    # a row that begins with [ or * would be read as an option of the \\ before it
    escaped = tex_escape(text)
    return f"{{{escaped}}}" if column == 0 and escaped[:1] in ("[", "*") else escaped


def to_docx(table: PaperTable, target: str | Path) -> Path:
    """Write the table as a Word document, ruled as journals do. Raises WriteError."""
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.shared import Pt

    document = docx.Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width
    document.add_paragraph().add_run(table.title).bold = True
    grid = document.add_table(rows=0, cols=len(table.header))
    for row in (table.header, *table.rows):
        for cell, text in zip(grid.add_row().cells, row, strict=True):
            run = cell.paragraphs[0].add_run(text)
            run.font.size = Pt(9)
    for cell in grid.rows[0].cells:
        _rule(cell, top=8, bottom=4)
        cell.paragraphs[0].runs[0].bold = True
    for cell in grid.rows[-1].cells:
        _rule(cell, bottom=8)
    for note in table.footnotes:
        document.add_paragraph().add_run(note).font.size = Pt(8)
    with files.replacing(target) as temporary:
        document.save(str(temporary))
    return Path(target)


def _rule(cell: Any, **sides: int) -> None:
    """Lines of a cell, in eighths of a point."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:tcBorders")
    for side, width in sides.items():
        line = OxmlElement(f"w:{side}")
        line.set(qn("w:val"), "single")
        line.set(qn("w:sz"), str(width))
        borders.append(line)
    cell._tc.get_or_add_tcPr().append(borders)


def write_table(table: PaperTable, target: str | Path) -> Path:
    """Write a table in the format of the name: .csv, .md, .tex, .docx. Raises WriteError."""
    target = Path(target)
    kind = target.suffix.lstrip(".").lower()
    if kind == "docx":
        return to_docx(table, target)
    makers = {"md": to_markdown, "tex": to_latex, "csv": lambda t: rows_to_csv(t.header, t.rows)}
    if kind not in makers:
        raise WriteError(f"{target}: a table is written as .{', .'.join(FORMATS)}, not .{kind}")
    return files.write_text(target, makers[kind](table))


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Any rows as CSV text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
