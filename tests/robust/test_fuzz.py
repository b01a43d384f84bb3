"""2000 damaged files of every format and 600 mutated specs: a record or a sentence, each within a time and a memory."""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robust.corpus import corpus, damaged, honest, limited
from tests.specs.test_mutants import SPECS, VALUES, changed, keys, plain
from xasuite import io
from xasuite.errors import SpecError, XasuiteError, XasuiteWarning
from xasuite.feff.crystal import load_crystal
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.specs.write import to_toml

SECONDS, SIZE = 60.0, 3 << 30  # an honest file of this corpus takes 0.1 s and some MB
SHARES, FILES, MUTANTS = 4, 2000, 600


def attempt(path: Path) -> str:
    """ "record", "sentence", or what else came of reading a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)
        try:
            if path.suffix == ".cif":
                load_crystal(str(path))
            else:
                for scan in io.read_all(path):
                    scan.mu()
        except XasuiteError as exc:
            said = str(exc)
            return (
                "sentence"
                if said.strip() and "\n" not in said and len(said) < 2000
                else f"no sentence: {said}"
            )
    return "record"


def outcomes(folder: Path, count: int, seed: int) -> tuple[Counter[str], dict[str, str]]:
    found: Counter[str] = Counter()
    wrong = {}
    for name, raw in corpus(folder, count, seed):
        path = folder / name
        path.write_bytes(raw)
        said = limited(lambda path=path: attempt(path), SECONDS, SIZE)  # type: ignore[misc]
        found[said if said in ("record", "sentence") else "wrong"] += 1
        if said not in ("record", "sentence"):
            wrong[name] = said
        path.unlink()
    return found, wrong


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path / "cache"))


def test_the_honest_files_are_read(tmp_path: Path) -> None:
    """Damage proves nothing on files that were none."""
    for name, raw in honest(tmp_path).items():
        (tmp_path / name).write_bytes(raw)
        assert attempt(tmp_path / name) == "record", name


def test_some_damaged_files(tmp_path: Path) -> None:
    found, wrong = outcomes(tmp_path, 60, seed=100)
    assert not wrong, wrong
    assert min(found["record"], found["sentence"]) > 5, found


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_2000_damaged_files(tmp_path: Path, share: int) -> None:
    found, wrong = outcomes(tmp_path, FILES // SHARES, seed=share)
    print(found)  # noqa: T201
    assert not wrong, wrong
    assert found.total() == FILES // SHARES


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(["columns.dat", "own.xdi", "spec.dat", "pf9809.dat", "own.csv", "srs.dat", "x10c.dat"]), piece=st.binary(max_size=40), where=st.floats(0, 1))  # fmt: skip
def test_any_bytes_anywhere(tmp_path: Path, name: str, piece: bytes, where: float) -> None:
    raw = honest(tmp_path)[name]
    at = int(where * len(raw))
    (tmp_path / name).write_bytes(raw[:at] + piece + raw[at:])
    assert attempt(tmp_path / name) in ("record", "sentence")


def loaded(text: str) -> str:
    try:
        parse_spec(text, "m.toml", None)
    except SpecError as exc:
        bad = [m for m in exc.mistakes if not re.match(r"m\.toml", m) or len(m) > 2000]
        return f"no sentence: {bad}" if bad else "sentence"
    return "record"


@pytest.mark.slow
def test_600_mutated_specs() -> None:
    """A value in another's place, and damaged text."""
    found: Counter[str] = Counter()
    wrong = []
    for number in range(MUTANTS):
        rng = random.Random(number)
        name = SPECS[number % len(SPECS)]
        tables = plain(load_spec(fits_dir() / name, None).spec.tables())
        try:
            text = to_toml(changed(tables, rng.choice(list(keys(tables))), rng.choice(VALUES)))
        except (TypeError, ValueError):  # what TOML itself cannot hold
            text = to_toml(tables)
        if number % 2:
            text = damaged(text.encode(), rng).decode("utf-8", "replace")
        said = limited(lambda text=text: loaded(text), SECONDS, SIZE)  # type: ignore[misc]
        found[said if said in ("record", "sentence") else "wrong"] += 1
        if said not in ("record", "sentence"):
            wrong.append((number, name, said))
    print(found)  # noqa: T201
    assert not wrong, wrong
    assert found.total() == MUTANTS
