"""Tables as files: CSV, Markdown, LaTeX (booktabs and siunitx), Word."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import files
from ..errors import WriteError
from ..records.quantities import ERRORS, Quantity
from ..records.table import Table

FORMATS = ("csv", "md", "tex", "docx")

_NORMAL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺₀₁₂₃₄₅₆₇₈₉", "0123456789-+0123456789")
_RUNS = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)|([₀₁₂₃₄₅₆₇₈₉]+)")
_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$", "α": r"$\alpha$",
    "β": r"$\beta$", "γ": r"$\gamma$", "ε": r"$\varepsilon$", "θ": r"$\theta$", "λ": r"$\lambda$", "μ": r"$\mu$",
    "ν": r"$\nu$", "π": r"$\pi$", "σ": r"$\sigma$", "χ": r"$\chi$", "Δ": r"$\Delta$", "Å": r"\AA{}", "±": r"$\pm$",
    "–": "--", "—": "---", "−": "$-$", "→": r"$\rightarrow$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$",
    "≥": r"$\geq$", "°": r"$^\circ$", "“": "``", "”": "''", "’": "'", "…": r"\ldots{}",
}  # fmt: skip
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?:\((\d+(?:\.\d+)?)\)| ± (\d+(?:\.\d+)?))?(\*?)")
_ENDS = re.compile(r"(-?[\d.]+) \+([\d.]+) -([\d.]+)(\*?)")


def runs(text: str) -> Iterator[tuple[str, str]]:
    """A text as pairs of plain text and "", "super" or "sub": σ² gives (σ, "") and (2, "super")."""
    at = 0
    for found in _RUNS.finditer(text):
        if found.start() > at:
            yield text[at : found.start()], ""
        yield found[0].translate(_NORMAL), "super" if found[1] else "sub"
        at = found.end()
    if at < len(text):
        yield text[at:], ""


def to_csv(table: Table) -> str:
    """The table as CSV, errors in columns of their own; text that a spreadsheet would run as a formula is quoted."""
    frame = table.to_dataframe()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False):
        writer.writerow(["" if cell is None or cell != cell else _inert(cell) for cell in row])
    return out.getvalue()


def _inert(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@") and cell != "-" else cell


def to_markdown(table: Table, errors: str = ERRORS[0]) -> str:
    """The table as Markdown."""
    rows = [tuple(_md(c) for c in row) for row in (table.header, *table.cells(errors))]
    widths = [max(3, *(len(r[i]) for r in rows)) for i in range(len(table.header))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    body = "\n".join([line(rows[0]), rule, *(line(r) for r in rows[1:])])
    return f"**{_md(table.title)}**\n\n{body}\n\n" + "\n".join(f"- {_md(n)}" for n in table.notes) + "\n"


def _md(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", text)


def tex_escape(text: str) -> str:
    """Text with LaTeX's special characters escaped; superscripts, subscripts and Greek in math mode."""
    mark = {"": "{}", "super": "$^{{{}}}$", "sub": "$_{{{}}}$"}
    return "".join(mark[kind].format("".join(_TEX.get(c, c) for c in part)) for part, kind in runs(text))


def to_latex(table: Table, errors: str = ERRORS[0]) -> str:
    r"""A table environment for \usepackage{booktabs,graphicx,siunitx}, scaled down where it is wider than the page."""
    cells = table.cells(errors)
    numeric = [
        any(_NUMBER.fullmatch(row[i]) for row in cells) and all(_aligned(row[i]) for row in cells)
        for i in range(len(table.columns))
    ]
    kinds = [_s_column([row[i] for row in cells]) if n else "l" for i, n in enumerate(numeric)]
    heads = [
        f"{{{_tex_head(c)}}}" if n else _tex_head(c) for c, n in zip(table.columns, numeric, strict=True)
    ]
    body = [
        " & ".join(
            _tex_number(c) if n else _tex_text(c, i)
            for i, (c, n) in enumerate(zip(row, numeric, strict=True))
        )
        for row in cells
    ]
    separate = ", separate-uncertainty=true, table-align-uncertainty=false" if errors != ERRORS[0] else ""
    lines = [
        r"% needs \usepackage{booktabs,graphicx,siunitx}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex_escape(table.title)}}}",
        rf"\sisetup{{group-digits=none{separate}}}",
        r"\footnotesize\setlength{\tabcolsep}{3pt}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
        rf"{{\begin{{tabular}}{{{''.join(kinds)}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *(line + r" \\" for line in body),
        r"\bottomrule",
        r"\end{tabular}}",
        *([r"\par\raggedright"] if table.notes else []),
        *(rf"\par\smallskip {_tex_note(n)}" for n in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tex_note(text: str) -> str:
    """A footnote with units and symbols written as in the column heads."""
    out = re.sub(r" 1/\\AA\{\}", r"\\,\\AA{}$^{-1}$", tex_escape(text))
    return re.sub(r"\bsigma2\b", r"$\\sigma^2$", out)


def _tex_head(column: Quantity) -> str:
    symbol = f"${column.latex}$" if column.latex else tex_escape(column.symbol or column.name)
    of = f"({tex_escape(column.of)})" if column.of else ""
    return symbol + of + (f" ({_tex_unit(column.shown_unit)})" if column.shown_unit else "")


def _tex_unit(unit: str) -> str:
    """10⁻³ Å² as $10^{-3}$\\,\\AA$^{2}$; 1/Å as \\AA$^{-1}$."""
    inverse = re.fullmatch(r"1/(\w+)", unit)
    return tex_escape(f"{inverse[1]}⁻¹" if inverse else unit).replace(" ", r"\,")


def _aligned(text: str) -> bool:
    """Whether a cell may stand in a column of numbers: a number, nothing, or "30 (at max)"."""
    words = text in ("", "-") or text.endswith((" max)", " min)"))
    return words or bool(_ENDS.fullmatch(text) or _NUMBER.fullmatch(text))


def _tex_number(text: str) -> str:
    """A cell of an S column; text is put in braces."""
    if ends := _ENDS.fullmatch(text):
        value, plus, minus, star = ends.groups()
        return f"{{${value}^{{+{plus}}}_{{-{minus}}}${star}}}"
    found = _NUMBER.fullmatch(text)
    if found is None:
        return f"{{{tex_escape(text.replace('-', '–') if text == '-' else text)}}}" if text else ""
    value, brackets, error, star = found.groups()
    uncertainty = f"({brackets.replace('.', '')})" if brackets else rf" \pm {error}" if error else ""
    return value + uncertainty + (r" {\textsuperscript{*}}" if star else "")


def _s_column(cells: Sequence[str]) -> str:
    numbers = [m for c in cells if (m := _NUMBER.fullmatch(c))]
    whole = max(len(m[1].partition(".")[0].lstrip("-")) for m in numbers)
    after = max(len(m[1].partition(".")[2]) for m in numbers)
    sign = "-" if any(m[1].startswith("-") for m in numbers) else ""
    digits = max(len((m[2] or m[3] or "").replace(".", "").lstrip("0")) for m in numbers)
    post = r", table-space-text-post={\textsuperscript{*}}" if any(m[4] for m in numbers) else ""
    return f"S[table-format={sign}{whole}.{after}{f'({digits})' if digits else ''}{post}]"


def _tex_text(text: str, column: int) -> str:
    # a row that begins with [ or * would be read as an option of the \\ before it
    escaped = tex_escape(text)
    return f"{{{escaped}}}" if column == 0 and escaped[:1] in ("[", "*") else escaped


def to_docx(table: Table, target: str | Path, errors: str = ERRORS[0]) -> Path:
    """Write the table as a Word document: caption, three horizontal rules, notes below. Raises WriteError."""
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt, RGBColor

    document = docx.Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width
    for name, size in (("Table Text", 9), ("Table Note", 8)):
        style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = document.styles["Normal"]
        style.font.size, style.paragraph_format.space_after = Pt(size), Pt(0)
    caption = document.styles["Caption"]
    caption.font.size, caption.font.color.rgb = Pt(10), RGBColor(0, 0, 0)
    title = document.add_paragraph(style="Caption")
    title.paragraph_format.keep_with_next = True
    title.add_run("Table ")
    _field(title, "SEQ Table \\* ARABIC", "1")
    _write(title, f". {table.title}")
    grid = document.add_table(rows=0, cols=len(table.header))
    numeric = table.numeric()
    for i, row in enumerate((table.header, *table.cells(errors))):
        for cell, text, is_number in zip(grid.add_row().cells, row, numeric, strict=True):
            cell.paragraphs[0].style = "Table Text"
            _write(cell.paragraphs[0], text, bold=i == 0)
            if is_number:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
    _element(grid.rows[0]._tr.get_or_add_trPr(), "w:tblHeader", val="true")
    for row, sides in ((grid.rows[0], {"top": 8, "bottom": 4}), (grid.rows[-1], {"bottom": 8})):
        for cell in row.cells:
            borders = _element(cell._tc.get_or_add_tcPr(), "w:tcBorders")
            for side, width in sides.items():  # eighths of a point
                _element(borders, f"w:{side}", val="single", sz=str(width))
    for note in table.notes:
        _write(document.add_paragraph(style="Table Note"), note)
    with files.replacing(target) as temporary:
        document.save(str(temporary))
    return Path(target)


def _write(paragraph: Any, text: str, *, bold: bool = False) -> None:
    for part, kind in runs(text):
        run = paragraph.add_run(part)
        run.bold = bold or None
        if kind:
            setattr(run.font, f"{kind}script", True)


def _element(parent: Any, name: str, **attributes: str) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = OxmlElement(name)
    for key, value in attributes.items():
        made.set(qn(f"w:{key}"), value)
    parent.append(made)
    return made


def _field(paragraph: Any, code: str, shown: str) -> None:
    """A field that Word updates (the number of a table), with the text shown until then."""
    _element(paragraph._p, "w:fldSimple", instr=code).append(paragraph.add_run(shown)._r)


def write_table(table: Table, target: str | Path, errors: str = ERRORS[0]) -> Path:
    """Write a table in the format of the suffix: .csv, .md, .tex, .docx. Raises WriteError for another one."""
    target = Path(target)
    kind = target.suffix.lstrip(".").lower()
    if kind == "docx":
        return to_docx(table, target, errors)
    if kind == "csv":
        return files.write_text(target, to_csv(table))
    if kind in ("md", "tex"):
        return files.write_text(target, (to_markdown if kind == "md" else to_latex)(table, errors))
    raise WriteError(f"{target}: a table is written as .{', .'.join(FORMATS)}, not .{kind}")
