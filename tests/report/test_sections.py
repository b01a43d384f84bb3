"""Sections of a report: the words a scientist reads for the spec's names, and what stands first."""

from __future__ import annotations

import re

import numpy as np
import pytest

from xasuite._series.summary import shown_names
from xasuite.exafs.model import FitRange
from xasuite.records.table import Table
from xasuite.references import fits_dir
from xasuite.report.html import SHORT_TABLE, render
from xasuite.report.sections import Section
from xasuite.report.viewer import Stack


def test_parameters_are_shown_as_papers_write_them() -> None:
    """tpr.toml: n_o is Sn-O's N, enot serves three paths and keeps its name, an expression (n_o / 3) is no name."""
    import tomllib

    names = shown_names(tomllib.loads((fits_dir() / "sno2" / "tpr.toml").read_text()))
    assert names["n_o"].head == "N(Sn-O)"
    assert names["ss_o"].head == "σ²(Sn-O) (10⁻³ Å²)"
    assert names["n_m"].head == "N(Sn-Sn metal)"
    assert not {"enot", "s02", "dr_sn"} & set(names)


@pytest.mark.parametrize("rows", [SHORT_TABLE, SHORT_TABLE + 1])
def test_a_short_table_stands_before_the_figures(rows: int) -> None:
    energy, k = np.arange(7600.0, 7900.0), np.arange(0, 13.0, 0.05)
    norm, chi = np.tile(energy > 7709, (3, 1)) * 1.0, np.tile(np.sin(4 * k), (3, 1))
    stack = Stack(
        x=np.arange(3.0), xlabel="Row", labels=("a", "b", "c"), status=("ok",) * 3, energy=energy, norm=norm, k=k, chi=chi,
        fit=chi, range=FitRange((3.0, 11.0), (1.0, 3.0)), trends=(),
    )  # fmt: skip
    table = Table.of("The table", ("sample", "n"), (("a", "6*"),) * rows)
    facts = (("Spectra", "3"), ("k", "3 to 11"), ("R", "1 to 3"), ("Largest R factor", "0.01"))
    page = render([Section("One", "measured", facts, (), (table,), stack, (), "")], "One")
    # The page's text, without the script that holds plotly
    body = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert (body.index("The table") < body.index('class="viewer"')) == (rows <= SHORT_TABLE)
    assert body.count("<figcaption>The table") == 1
