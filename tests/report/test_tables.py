"""Coordination tables: digits as papers print them, booktabs grammar, Word and Markdown read back."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from xasuite import specs, workflow
from xasuite.errors import WriteError
from xasuite.references import fits_dir
from xasuite.report import tables
from xasuite.report.curves import load_curves
from xasuite.report.results import write_results


@pytest.fixture(scope="module")
def result() -> object:
    """The closure of Table S9's cobalt row: two paths, an inherited S02, published values."""
    return workflow.run_spec(specs.load_spec(fits_dir() / "ccro" / "s9_co.toml"), variants=False)


@pytest.fixture(scope="module")
def table(result) -> tables.PaperTable:
    """Its table with the published columns."""
    return tables.coordination_table(result, published=True)


@pytest.mark.parametrize(
    ("value", "stderr", "parentheses", "plus_minus"),
    [  # leading digit of the error of 3 and more: one digit, else two, as the tables of the papers do
        (2.4953, 0.0061, "2.495(6)", "2.495 ± 0.006"),
        (5.83, 0.62, "5.8(6)", "5.8 ± 0.6"),
        (0.7921, 0.0142, "0.792(14)", "0.792 ± 0.014"),
        (5.6, 1.3, "5.6(1.3)", "5.6 ± 1.3"),
        (0.77, math.nan, "0.77", "0.77"),
    ],
)
def test_errors_as_papers_print_them(value: float, stderr: float, parentheses: str, plus_minus: str) -> None:
    assert tables.number(value, stderr) == parentheses
    assert tables.number(value, stderr, "plus-minus") == plus_minus


def test_marks() -> None:
    assert tables.Entry(12.0, held=True).text() == "12*"
    assert tables.Entry(0.0300, 0.01, state="at max").text(1e3) == "30 (at max)"
    assert tables.Entry(0.0065, 0.0003).text(1e3) == "6.5(3)"


def test_columns_and_footnotes_are_the_papers(table: tables.PaperTable) -> None:
    # Table S9: N 3.1 +- 0.5, R 2.032 +- 0.02, sigma2 3.4, R factor 0.008
    assert table.header[:4] == ("Sample", "Path", "N", "publ.")
    row = dict(
        zip(("sample", "path", "n", "n_publ", "r", "r_publ", "s", "s_publ"), table.rows[0], strict=False)
    )
    assert (row["sample"], row["path"], row["n_publ"]) == ("Co-30 h", "Co-O", "3.1 ± 0.5")
    assert row["r_publ"] == "2.032 ± 0.02"
    assert row["s_publ"] == "3.4"
    assert table.rows[1][:2] == ("", "Co-Ru")
    notes = " ".join(table.footnotes)
    for word in ("k = 3-11 1/A", "k weight 3", "hanning", "R = 1.15-3 A", "co_foil_closure.toml", "closure:"):
        assert word in notes


def test_csv_holds_numbers(result) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(result))))
    assert float(rows[0]["r"]) == pytest.approx(2.032, abs=0.02)
    assert float(rows[0]["r_err"]) > 0
    assert {r["label"] for r in rows} == {"closure"}


def test_markdown_is_a_rectangle(table: tables.PaperTable) -> None:
    body = [x for x in tables.to_markdown(table).splitlines() if x.startswith("|")]
    assert {x.count("|") for x in body} == {len(table.header) + 1}
    assert len({len(x) for x in body}) == 1
    odd = tables.PaperTable("t", ("a", "b"), (("x|y", "*"),), ())
    assert r"x\|y" in tables.to_markdown(odd)


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
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", code)
    assert columns is not None
    inside = code[columns.end() : code.index(r"\end{tabular}")]
    if re.findall(r"\\(\w+rule)", inside) != ["toprule", "midrule", "bottomrule"]:
        found.append("rules")
    rows = [
        line for line in inside.splitlines() if line and not line.startswith(r"\\") and "rule" not in line
    ]
    for row in rows:
        if not row.endswith(r" \\"):
            found.append(f"no end of row: {row}")
        if len(re.findall(r"(?<!\\)&", row)) + 1 != len(columns[1]):
            found.append(f"cells: {row}")
    math_free = re.sub(r"\$[^$]*\$", "", plain)
    found += [f"bare {c}" for c in "_^#%" if c in math_free]
    found += [f"no LaTeX for {c!r}" for c in sorted(set(code)) if ord(c) > 127]
    return found


NASTY = tables.PaperTable(
    r"100 % of A_b & C#1 ~ $5 \ {x}^2",
    tables.HEADER,
    (("[Co_1]", "Co-O", "5.8(6)", "1.97 ± 0.02", "30 (at max)", "0.8*", "-1.2", "0.0040", "measured"),) * 2,
    ("χ² < 1 → σ² in 10⁻³ Å²",),
)


def test_latex_keeps_to_the_grammar(table: tables.PaperTable) -> None:
    assert booktabs_mistakes(tables.to_latex(table)) == []
    assert booktabs_mistakes(tables.to_latex(NASTY)) == []
    # the checker itself can fail
    assert booktabs_mistakes(tables.to_latex(table).replace(r"\midrule", "", 1))
    assert booktabs_mistakes(tables.to_latex(table).replace(" & ", " ", 1))
    assert booktabs_mistakes(tables.to_latex(NASTY).replace(r"A\_b", "A_b"))


def test_latex_compiles(table: tables.PaperTable, tmp_path: Path) -> None:
    program = next((p for p in ("pdflatex", "tectonic") if shutil.which(p)), None)
    if program is None:
        pytest.skip("neither pdflatex nor tectonic is here; the grammar is checked in the test above")
    body = tables.to_latex(table) + tables.to_latex(NASTY)
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "t.tex").write_text(head + body + "\\end{document}\n")
    flags = ["-interaction=nonstopmode", "-halt-on-error"] if program == "pdflatex" else []
    done = subprocess.run([program, *flags, "t.tex"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-800:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


def test_word_document_reads_back(table: tables.PaperTable, tmp_path: Path) -> None:
    import docx

    document = docx.Document(str(tables.to_docx(table, tmp_path / "t.docx")))
    grid = document.tables[0]
    assert tuple(c.text for c in grid.rows[0].cells) == table.header
    assert [tuple(c.text for c in r.cells) for r in grid.rows[1:]] == list(table.rows)
    said = [p.text for p in document.paragraphs]
    assert all(note in said for note in table.footnotes)


def test_written_by_suffix(table: tables.PaperTable, tmp_path: Path) -> None:
    for kind in tables.FORMATS:
        assert tables.write_table(table, tmp_path / f"t.{kind}").stat().st_size > 100
    with pytest.raises(WriteError, match=r"\.csv, \.md, \.tex, \.docx, not \.xls"):
        tables.write_table(table, tmp_path / "t.xls")
    with pytest.raises(WriteError, match="parentheses or plus-minus"):
        tables.format_table("t", (), (), errors="sd")


def test_results_on_disk_give_the_same_table(result, table: tables.PaperTable, tmp_path: Path) -> None:
    written = write_results(result, tmp_path, figures=False)
    document = json.loads((tmp_path / "ccro" / "s9_co" / "result.json").read_text())
    assert {p.name for p in written} >= {"result.json", "curves.h5", "table.docx", "table.tex"}
    assert tables.table_of(document) == table
    curves = load_curves(tmp_path / "ccro" / "s9_co" / "curves.h5")[0]
    data = result.rows[0].data[0]
    assert curves.label == "Co-30 h"
    assert set(curves.paths) == {"Co-O", "Co-Ru"}
    assert curves.chi == pytest.approx(data.data, abs=1e-6)
    # the paths add up to the fit
    assert sum(curves.paths.values()) == pytest.approx(curves.fit, abs=1e-5)
