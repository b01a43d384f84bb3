"""What forty mistakes and more are answered with, word for word: read tests/cli/mistakes.txt as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from .forty import COMMANDS, GOLDEN, transcript


def test_the_answers_are_those_of_the_golden_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sentence was changed on purpose, `python -m tests.cli.forty` writes the file anew."""
    monkeypatch.delenv("XASUITE_DATA", raising=False)
    assert len(COMMANDS) >= 40
    answers = transcript(tmp_path)
    assert "Traceback" not in answers
    assert answers == GOLDEN.read_text(encoding="utf-8")


def test_every_answer_is_a_sentence_with_exit_code_1() -> None:
    for answer in GOLDEN.read_text(encoding="utf-8").split("$ xasuite ")[1:]:
        command, *said, code = answer.rstrip().splitlines()
        assert code == "[exit code 1]", command
        assert 1 <= len(said) <= 6, command
        assert all(len(line) > 20 for line in said), command
