"""Coordination tables: digits as papers print them, booktabs grammar, Word and Markdown read back."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from xasuite import specs, workflow
from xasuite.errors import WriteError
from xasuite.records.table import Entry, Table
from xasuite.references import fits_dir
from xasuite.report import tables
from xasuite.report.curves import load_curves
from xasuite.report.results import write_results


@pytest.fixture(scope="module")
def result() -> object:
    """The closure of Table S9's cobalt row: two paths, an inherited S02, published values."""
    return workflow.run_spec(specs.load_spec(fits_dir() / "ccro" / "s9_co.toml"), variants=False)


@pytest.fixture(scope="module")
def table(result) -> Table:
    """Its table with the published columns."""
    return result.summary().with_published()


def test_columns_and_footnotes_are_the_papers(table: Table) -> None:
    # Table S9: N 3.1 +- 0.5, R 2.032 +- 0.02, sigma2 3.4, R factor 0.008
    assert table.header[:4] == ("Sample", "Path", "N", "publ.")
    cells = table.cells()
    row = dict(zip(("sample", "path", "n", "n_publ", "r", "r_publ", "s", "s_publ"), cells[0], strict=False))
    assert (row["sample"], row["path"], row["n_publ"]) == ("Co-30 h", "Co-O", "3.1 ± 0.5")
    assert row["r_publ"] == "2.032 ± 0.02"
    assert row["s_publ"] == "3.4"
    assert cells[1][:2] == ("", "Co-Ru")
    notes = " ".join(table.notes)
    for word in ("k = 3-11 1/Å", "k weight 3", "hanning", "R = 1.15-3 Å", "co_foil_closure.toml", "closure:"):
        assert word in notes


def test_csv_holds_numbers(result) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(result.summary()))))
    assert float(rows[0]["r"]) == pytest.approx(2.032, abs=0.02)
    assert float(rows[0]["r_err"]) > 0
    assert {r["label"] for r in rows} == {"closure"}


def test_markdown_is_a_rectangle(table: Table) -> None:
    body = [x for x in tables.to_markdown(table).splitlines() if x.startswith("|")]
    assert {x.count("|") for x in body} == {len(table.header) + 1}
    assert len({len(x) for x in body}) == 1
    odd = Table.of("t", ("a", "b"), (("x|y", "*"), ("Pt [ref] foil", "<b>")))
    for text in (r"x\|y", r"\*", r"Pt \[ref\] foil", r"\<b\>"):
        assert text in tables.to_markdown(odd)


def test_csv_holds_no_formula() -> None:
    """A cell that a spreadsheet would compute is text to it; numbers keep their sign."""
    odd = Table.of("t", ("sample", "n"), (("=HYPERLINK(1)", -1.5), ("@x", 2.0), ("-", 3.0)))
    rows = list(csv.reader(io.StringIO(tables.to_csv(odd))))[1:]
    assert rows == [["'=HYPERLINK(1)", "-1.5"], ["'@x", "2.0"], ["-", "3.0"]]


@pytest.mark.parametrize("label", ["a\n\nb", "a\x00\x07b", "a\r\tb"])
def test_a_label_is_one_line_in_every_format(label: str, tmp_path: Path) -> None:
    odd = Table.of(label, ("sample", "n"), ((label, 1.0),), notes=(label,))
    assert odd.title == "a b"
    assert r"a b & 1 \\" in tables.to_latex(odd)
    assert "\na b,1.0\n" in tables.to_csv(odd)
    assert "| a b " in tables.to_markdown(odd)
    import docx

    document = docx.Document(str(tables.to_docx(odd, tmp_path / "t.docx")))
    assert document.tables[0].rows[1].cells[0].text == "a b"


def booktabs_mistakes(text: str) -> list[str]:
    """What LaTeX would stumble over: environments, braces, columns, rules, bare special characters."""
    found = []
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    begun: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", code):
        if kind == "begin":
            begun.append(name)
        elif not begun or begun.pop() != name:
            found.append(f"end of {name}")
    found += [f"{name} is not ended" for name in begun]
    plain = re.sub(r"\\[\\{}%&#_$]", "", code)
    if plain.count("{") != plain.count("}"):
        found.append("braces")
    if plain.count("$") % 2:
        found.append("dollars")
    columns = re.search(r"\\begin\{tabular\}\{(.*)\}$", code, re.M)
    assert columns is not None
    kinds = re.sub(r"\[(?:[^\[\]{}]|\{[^{}]*(?:\{[^{}]*\})?[^{}]*\})*\]", "", columns[1])
    assert set(kinds) <= {"l", "S"}, kinds
    inside = code[columns.end() : code.index(r"\end{tabular}")]
    if re.findall(r"\\(\w+rule)", inside) != ["toprule", "midrule", "bottomrule"]:
        found.append("rules")
    rows = [
        line for line in inside.splitlines() if line and not line.startswith(r"\\") and "rule" not in line
    ]
    for row in rows:
        if not row.endswith(r" \\"):
            found.append(f"no end of row: {row}")
        if len(re.findall(r"(?<!\\)&", row)) + 1 != len(kinds):
            found.append(f"cells: {row}")
    math_free = re.sub(r"\$[^$]*\$", "", plain)
    found += [f"bare {c}" for c in "_^#%" if c in math_free]
    found += [f"no LaTeX for {c!r}" for c in sorted(set(code)) if ord(c) > 127]
    return found


NASTY = Table.of(
    r"100 % of A_b & C#1 ~ $5 \ {x}^2",
    ("sample", "path", "n", "r", "sigma2", "s02", "e0", "rfactor", "label"),
    [
        (
            "[Co_1]", "Co-O", Entry(5.83, 0.62), Entry(1.9712, 0.021), sigma2,
            Entry(0.8, held=True), Entry(-1.2, 1.3), 0.004, "measured",
        )
        for sigma2 in (Entry(0.03, 0.01, state="at max"), Entry(0.0065, 0.0003))
    ],
    notes=("χ² < 1 → σ² in 10⁻³ Å²",),
)  # fmt: skip


def test_latex_keeps_to_the_grammar(table: Table) -> None:
    assert booktabs_mistakes(tables.to_latex(table)) == []
    assert booktabs_mistakes(tables.to_latex(NASTY)) == []
    assert booktabs_mistakes(tables.to_latex(NASTY, "plus-minus")) == []
    # the checker itself can fail
    assert booktabs_mistakes(tables.to_latex(table).replace(r"\midrule", "", 1))
    assert booktabs_mistakes(tables.to_latex(table).replace(" & Co-O &", " Co-O &", 1))
    assert booktabs_mistakes(tables.to_latex(NASTY).replace(r"A\_b", "A_b"))


def test_latex_writes_symbols_and_numbers_as_siunitx_takes_them(table: Table) -> None:
    text = tables.to_latex(NASTY)
    for part in (
        r"{$\sigma^2$ (10$^{-3}$\,\AA{}$^{2}$)}",
        "{$S_0^2$}",
        r"{$\Delta E_0$ (eV)}",
        "5.8(6)",
        "-1.2(13)",
    ):
        assert part in text
    assert r"{30 (at max)}" in text
    assert r"0.8 {\textsuperscript{*}}" in text
    assert r"5.8 \pm 0.6" in tables.to_latex(NASTY, "plus-minus")


def test_latex_compiles(table: Table, tmp_path: Path) -> None:
    program = next((p for p in ("pdflatex", "tectonic") if shutil.which(p)), None)
    if program is None:
        pytest.skip("neither pdflatex nor tectonic is here; the grammar is checked in the test above")
    body = tables.to_latex(table) + tables.to_latex(NASTY)
    head = "\\documentclass{article}\n\\usepackage{booktabs,graphicx,siunitx}\n\\begin{document}\n"
    (tmp_path / "t.tex").write_text(head + body + "\\end{document}\n")
    flags = ["-interaction=nonstopmode", "-halt-on-error"] if program == "pdflatex" else []
    done = subprocess.run([program, *flags, "t.tex"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-800:]
    assert b"Overfull" not in done.stdout  # nothing is wider than the text
    assert (tmp_path / "t.pdf").stat().st_size > 1000


def test_word_document_reads_back(table: Table, tmp_path: Path) -> None:
    import docx

    document = docx.Document(str(tables.to_docx(table, tmp_path / "t.docx")))
    grid = document.tables[0]
    plain = str.maketrans("⁰¹²³⁻₀", "0123-0")
    heads = tuple(h.translate(plain) for h in table.header)
    assert tuple(c.text for c in grid.rows[0].cells) == heads
    assert [tuple(c.text for c in r.cells) for r in grid.rows[1:]] == list(table.cells())
    assert "SEQ Table" in document.paragraphs[0]._p.xml
    assert document.paragraphs[0].text.endswith(". CCRO after 30 h, Co K edge (Table S9)")
    assert document.paragraphs[0].style.name == "Caption"
    sigma2 = next(c for c in grid.rows[0].cells if c.text.startswith("σ2"))
    assert [r.font.superscript for r in sigma2.paragraphs[0].runs][:2] == [None, True]
    notes = [p.text for p in document.paragraphs if p.style.name == "Table Note"]
    assert notes == [n.translate(plain) for n in table.notes]


def test_written_by_suffix(table: Table, tmp_path: Path) -> None:
    for kind in tables.FORMATS:
        assert tables.write_table(table, tmp_path / f"t.{kind}").stat().st_size > 100
    with pytest.raises(WriteError, match=r"\.csv, \.md, \.tex, \.docx, not \.xls"):
        tables.write_table(table, tmp_path / "t.xls")


def test_results_on_disk_give_the_same_table(result, table: Table, tmp_path: Path) -> None:
    written = write_results(result, tmp_path, figures=False)
    document = json.loads((tmp_path / "ccro" / "s9_co" / "result.json").read_text())
    assert {p.name for p in written} >= {"result.json", "curves.h5", "table.docx", "table.tex"}
    back = Table.from_dict(document["table"]).with_published()
    assert (back.cells(), back.header, back.notes) == (table.cells(), table.header, table.notes)
    curves = load_curves(tmp_path / "ccro" / "s9_co" / "curves.h5")[0]
    data = result.rows[0].data[0]
    assert curves.label == "Co-30 h"
    assert set(curves.paths) == {"Co-O", "Co-Ru"}
    assert curves.chi == pytest.approx(data.data, abs=1e-6)
    # the paths add up to the fit
    assert sum(curves.paths.values()) == pytest.approx(curves.fit, abs=1e-5)
