"""What the guide's first pages print is what a reader gets who types them."""

from __future__ import annotations

from pathlib import Path

from .journeys import PAGES, comparable, prepare, typed


def test_the_first_pages_typed_as_printed(tmp_path: Path) -> None:
    """Where an output was changed on purpose, `python -m tests.journeys` writes the pages anew."""
    prepare(tmp_path)
    commands = 0
    for page in PAGES:
        for _, block, printed in typed(page, tmp_path):
            assert comparable(printed) == comparable(block), page
            assert "no error budget" not in printed, page
            commands += block.count("$ ")
    assert commands >= 9
