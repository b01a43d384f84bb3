"""CITATION.cff holds what the Citation File Format 1.2.0 requires, and the version of the package."""

from __future__ import annotations

from pathlib import Path

import yaml

from xasuite.version import __version__


def test_the_citation_is_complete_and_of_this_version() -> None:
    cited = yaml.safe_load((Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["version"] == __version__
