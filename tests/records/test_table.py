"""Tables: digits as papers print them, a round trip through JSON, columns by one rule."""

from __future__ import annotations

import json
import math

import pytest

from xasuite.errors import WriteError
from xasuite.records.quantities import QUANTITIES, as_printed
from xasuite.records.table import Entry, Table


@pytest.mark.parametrize(
    ("value", "stderr", "parentheses", "plus_minus"),
    [  # leading digit of the error of 3 and more: one digit, else two, as the tables of the papers do
        (2.4953, 0.0061, "2.495(6)", "2.495 ± 0.006"),
        (5.83, 0.62, "5.8(6)", "5.8 ± 0.6"),
        (0.7921, 0.0142, "0.792(14)", "0.792 ± 0.014"),
        (5.6, 1.3, "5.6(1.3)", "5.6 ± 1.3"),
        (0.77, math.nan, "0.77", "0.77"),
        (8.113, 0.988, "8.1(1.0)", "8.1 ± 1.0"),  # what rounds to 1.0 has two digits
        (0.0131, 0.0096, "0.013(10)", "0.013 ± 0.010"),
        (1.234, 0.144, "1.23(14)", "1.23 ± 0.14"),
        (1.234, 0.0294, "1.234(29)", "1.234 ± 0.029"),
        (30.2, 51.0, "30(50)", "30 ± 50"),  # an error of tens has no exponent
        (1234.0, 104.0, "1230(100)", "1230 ± 100"),
    ],
)
def test_errors_as_papers_print_them(value: float, stderr: float, parentheses: str, plus_minus: str) -> None:
    assert as_printed(value, stderr) == parentheses
    assert as_printed(value, stderr, "plus-minus") == plus_minus
    with pytest.raises(WriteError, match="parentheses or plus-minus"):
        as_printed(value, stderr, "sd")


def test_marks_and_units() -> None:
    sigma2 = QUANTITIES["sigma2"]
    assert sigma2.head == "σ² (10⁻³ Å²)"
    assert sigma2.within("Co-O").head == "σ²(Co-O) (10⁻³ Å²)"
    assert Entry(12.0, held=True).text(QUANTITIES["n"]) == "12*"
    assert Entry(0.0065, 0.0003).text(sigma2) == "6.5(3)"


@pytest.mark.parametrize(
    ("value", "text"), [(4.613e-13, "0 (at min)"), (0.03, "30 (at min)"), (0.0301, "30.1 (at min)")]
)
def test_a_bound_is_printed_as_the_round_number_it_is(value: float, text: str) -> None:
    assert Entry(value, 0.01, state="at min").text(QUANTITIES["sigma2"]) == text


TABLE = Table.of(
    "Two shells",
    ("sample", "path", "n", "r", "rfactor", "label"),
    [
        ("a", "Co-O", Entry(5.8, 0.6, published=6.0, published_err=0.5, within=True), Entry(1.97, 0.01), 0.004, "x"),
        ("a", "Co-Ru", Entry(12.0, held=True), Entry(2.64, math.nan), 0.004, "x"),
    ],
    notes=("one",),
    facts=(("R factor", "0.0040"),),
    label="measured",
)  # fmt: skip


def test_what_belongs_to_a_sample_is_printed_once() -> None:
    assert TABLE.cells() == (
        ("a", "Co-O", "5.8(6)", "1.970(10)", "0.0040", "x"),
        ("", "Co-Ru", "12*", "2.6400", "", "x"),
    )
    assert list(TABLE.to_dataframe()["sample"]) == ["a", "a"]


def test_columns_of_data_follow_one_rule() -> None:
    frame = TABLE.to_dataframe()
    assert list(frame) == ["sample", "path", "n", "n_err", "r", "r_err", "rfactor", "label"]
    assert frame.attrs["units"] == {"r": "Å"}


def test_published_columns_stand_beside_ours() -> None:
    table = TABLE.with_published()
    assert table.header[2:5] == ("N", "publ.", "R (Å)")
    assert [r[3] for r in table.cells()] == ["6 ± 0.5", ""]


def test_json_gives_the_same_table_back() -> None:
    document = json.loads(json.dumps(TABLE.to_dict(), allow_nan=False))
    assert document["rows"][0]["r"] == {"value": 1.97, "stderr": 0.01}
    assert document["rows"][1]["n"] == {"value": 12.0, "stderr": None, "held": True}
    back = Table.from_dict(document)
    assert back.with_published().cells() == TABLE.with_published().cells()
    assert (back.header, back.notes, back.facts, back.label) == (
        TABLE.header,
        TABLE.notes,
        TABLE.facts,
        "measured",
    )
