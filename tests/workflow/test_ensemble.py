"""Drawn truths: the statistics on known numbers, and a run that goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import _programs
from benchmarks._programs import cells
from xasuite.cli import main
from xasuite.errors import SpecError
from xasuite.references import fits_dir
from xasuite.specs import load_spec
from xasuite.workflow import drawn, ensemble
from xasuite.workflow.ensemble import JOURNAL, Cell, Ensemble
from xasuite.workflow.resolve import Context


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One row, truths by feff6l alone (self-consistent potentials take minutes) and a cluster of 4 A."""
    monkeypatch.setattr(drawn, "PROGRAMS", ("feff6l",))
    text = (fits_dir() / "ccro/s4b_co.toml").read_text(encoding="utf-8")
    target = tmp_path / "specs" / "row.toml"
    target.parent.mkdir()
    target.write_text(text.replace("radius = 6.0", "radius = 4.0"), encoding="utf-8")
    return target


def test_coverage_of_known_numbers() -> None:
    """Errors of 1 and values 0.5, -1.5, 2.5 off; a value without an error is within nothing."""
    offs = ((0.5, 1.0), (-1.5, 1.0), (2.5, 1.0), (0.0, float("nan")))
    cells = [Cell("a", "Co-O", "n", 1e-3, i, "fit", 6.0, 6.0 + off, e) for i, (off, e) in enumerate(offs)]
    cells.append(Cell("b", "Co-O", "n", 1e-3, 0, "fit", 6.0, 6.1, 2.0))
    (c,) = Ensemble(tuple(cells), 1).coverage()
    assert (c.one, c.two, c.count, c.lost) == (2 / 5, 3 / 5, 5, 1)
    assert (c.least, c.least_of) == (1 / 4, "a Co-O")
    assert c.width == 1.0
    assert c.bias == pytest.approx(1.6 / 4)
    # Gneiting and Raftery (2007), eq. 43, for the central 68.27 %: width and 2 / 0.3173 of the distance outside
    assert c.score == pytest.approx((2 + (2 + 0.5 * 2 / 0.3173) + (2 + 1.5 * 2 / 0.3173) + 4) / 4)


def test_goes_on_where_it_stopped(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, folder = load_spec(spec), tmp_path / "out"
    whole = ensemble.ensemble(loaded, truths=3, seed=5, noises=(1e-3,), folder=folder)
    lines = (folder / JOURNAL).read_text().splitlines()
    assert len(lines) == 1 + 3
    (folder / JOURNAL).write_text("\n".join(lines[:3]) + "\n")  # as if stopped after two tables
    made = []
    table = drawn.Source.table
    monkeypatch.setattr(drawn.Source, "table", lambda *a: made.append(a[1]) or table(*a))
    again = ensemble.ensemble(loaded, truths=3, seed=5, noises=(1e-3,), folder=folder)
    assert made == [2]
    assert again.cells == whole.cells
    with pytest.raises(SpecError, match="another seed"):
        ensemble.ensemble(loaded, truths=3, seed=6, folder=folder)


def test_truths_are_drawn_about_the_published_row(spec: Path) -> None:
    source = drawn.Source.of(load_spec(spec))
    truths = [source.table(number, 1e-3, 1).rows[0][1]["Co-O"] for number in range(12)]
    n = [t["n"] for t in truths]
    assert len(set(n)) == 12
    stated = drawn.stated_values(source.loaded, 0)["Co-O"]
    assert all(abs(x / stated["n"] - 1) <= 0.15 for x in n)
    assert all(abs(t["r"] - stated["r"]) <= 0.02 for t in truths)
    assert all(0.8 <= t["sigma2"] / stated["sigma2"] <= 1.25 for t in truths)
    assert source.table(3, 1e-3, 1).rows[0][1]["Co-O"] == truths[3]
    assert source.table(3, 1e-3, 2).rows[0][1]["Co-O"] != truths[3]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kweight = [3]", 'kweight = [3]\nspace = "k"', "in R"),
        ("foils/co_foil_closure.toml", "foils/co_foil.toml", "data are measured"),
    ],
)
def test_refused_with_the_reason(spec: Path, old: str, new: str, words: str) -> None:
    text = spec.read_text(encoding="utf-8")
    assert old in text
    spec.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError, match=words):
        ensemble.ensemble(load_spec(spec), truths=2)


def test_command_prints_every_quantity_by_both_errors(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["closure", str(spec), "--ensemble", "--truths", "2", "-o", str(tmp_path / "out")]
    found = json.loads(run(capsys, *command, "--json"))["coverage"]
    assert {(c["noise"], c["quantity"], c["scheme"]) for c in found} == {
        (e, q, s) for e in (3e-4, 2e-3) for q in ("n", "r", "sigma2") for s in ("budget", "fit")
    }
    out = run(capsys, *command)  # from the journal
    assert "Within 1" in out
    assert "budget" in out


def test_potentials_of_the_command_line(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mean of two; blind, the truth's own feff6l is left out of it and feff8l, which the spec has, remains."""
    command = ["closure", str(spec), "--ensemble", "--truths", "2", "--json"]
    both = ["--potentials", "feff8l", "--potentials", "feff6l"]
    found = {}
    for name, words in (("own", []), ("both", both), ("blind", [*both, "--blind"])):
        document = json.loads(run(capsys, *command, *words, "-o", str(tmp_path / name)))
        found[name] = [{q: c[q] for q in ("bias", "width")} for c in document["coverage"]]
    assert document["potentials"] == ["feff6l", "feff8l"]
    assert document["blind"]
    assert found["blind"] == found["own"]
    assert found["both"] != found["own"]
    with pytest.raises(SystemExit):
        main([*command, "--potentials", "feff9"])
    assert 'did you mean "feff8l"' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, *both, "-o", str(tmp_path / "own")])
    assert "other potentials" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["larch", "ifeffit"])
def test_other_programs_are_given_the_same_truths(spec: Path, program: str) -> None:
    """Foil first, its S02 in N: a shell of about six comes back by each program's own defaults, with an error."""
    if program == "ifeffit" and shutil.which("ifeffit") is None:
        pytest.skip("needs ifeffit")
    source = drawn.Source.of(load_spec(spec))
    models = ensemble.Models.of(source, Context())
    table = source.table(0, 3e-4, 1)
    found = cells(table, source, models, program, getattr(_programs, f"by_{program}"))
    ours = [c for c in ensemble.fitted(table, source.loaded, models) if c.scheme == "fit"]
    assert [(c.path, c.quantity, c.truth) for c in found] == [(c.path, c.quantity, c.truth) for c in ours]
    # the defaults' background costs N up to a half of it (docs/decisions/error_budget.md), R some 0.03 A
    within = {"n": 3.0, "r": 0.05, "sigma2": 6e-3}
    for c in found:
        assert abs(c.value - c.truth) < within[c.quantity], c
        assert 0 < c.stderr < within[c.quantity], c


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(argv))
    assert not caught.value.code
    return capsys.readouterr().out
