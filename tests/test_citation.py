"""CITATION.cff holds what the Citation File Format 1.2.0 requires, and the version of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import xasuite as xs
from xasuite.cli import main
from xasuite.references import fits_dir
from xasuite.report.methods import bibtex, methods
from xasuite.version import __version__


def test_the_citation_is_complete_and_of_this_version() -> None:
    cited = yaml.safe_load((Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["version"] == __version__


def entries(text: str) -> dict[str, set[str]]:
    """The keys of BibTeX entries, each with the names of its fields."""
    return {
        key: set(re.findall(r"^\s*(\w+) = \{.+\}", body, re.M))
        for key, body in re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", text, re.M | re.S)
    }


@pytest.fixture(scope="module")
def result() -> xs.workflow.SpecResult:
    return xs.fit(fits_dir() / "foils" / "co_foil_closure.toml")


def test_a_fit_cites_what_it_used_and_no_more(result: xs.workflow.SpecResult) -> None:
    found = entries(bibtex(result.to_dict()))
    assert set(found) == {"larch", "autobk", "feff8l", "elam"}, (
        "elam: the edge step is from tabulated absorption"
    )
    assert all({"author", "title", "journal", "volume", "pages", "year", "doi"} <= f for f in found.values())
    assert set(re.findall(r"@(\w+)", methods(result.to_dict()))) == set(found), "the paragraph cites each"


def test_chi_that_was_not_reduced_here_and_another_feff_are_cited_so(result: xs.workflow.SpecResult) -> None:
    document = result.to_dict()
    for row in document["rows"]:
        for data in row["data"]:
            data["history"] = [{"step": "normalize", "method": "polynomial"}]
    document["spec_text"] = document["spec_text"].replace("crystal =", 'program = "feff6l"\ncrystal =')
    assert set(entries(bibtex(document))) == {"larch", "feff6l"}


def test_the_bibtex_is_written_with_a_fit(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit", str(fits_dir() / "foils" / "co_foil_closure.toml"), "-o", str(tmp_path), "--quiet"])
    assert ended.value.code == 0
    (written,) = tmp_path.rglob("references.bib")
    assert "10.1088/1742-6596/430/1/012007" in written.read_text()
