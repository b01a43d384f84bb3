"""What every command shares: --quiet, --json, wrong commands, a batch that goes on, Ctrl-C that is not lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.cli import COMMANDS, ELSEWHERE, main
from xasuite.cli._interrupts import insistent
from xasuite.references import fits_dir

CLOSURE = fits_dir() / "foils" / "co_foil_closure.toml"


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in argv])
    said = capsys.readouterr()
    return int(caught.value.code or 0), said.out, said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_quiet(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert "--quiet" in out


def test_quiet_prints_nothing_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "fit", CLOSURE, "-o", tmp_path, "--no-figures", "--quiet")
    assert (code, out, err) == (0, "", "")
    assert (tmp_path / "foils" / "co_foil_closure" / "methods.md").is_file()
    _, out, _ = run(capsys, "fit", CLOSURE, "-o", tmp_path, "--no-figures")
    assert out.count("written:") == 1, "a run that is not quiet prints again"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("autobk", "xasuite.background"),
        ("draw", "xasuite figure"),
        ("fits", '"fit"'),
        ("serie", '"series"'),
        ("x", "there are new"),
    ],
)
def test_a_wrong_command_names_the_right_one(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, typed)
    assert code == 1
    assert meant in err
    assert len(err.splitlines()) == 1


def test_no_word_for_elsewhere_is_a_command() -> None:
    assert not set(ELSEWHERE) & set(COMMANDS)


def test_data_in_place_of_a_spec_name_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "foil.dat").write_text("1 2\n")
    code, _, err = run(capsys, "fit", tmp_path / "foil.dat")
    assert code == 1
    assert f"xasuite new {tmp_path / 'foil.dat'}" in err


def test_the_spec_of_a_series_names_series(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "fit", fits_dir() / "ccro_series" / "co.toml")
    assert code == 1
    assert "xasuite series" in err


def test_a_batch_goes_on_after_a_bad_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("xasuite = 2\n[fit\n")
    code, out, err = run(capsys, "fit", bad, CLOSURE, "-o", tmp_path, "--no-figures")
    assert code == 1
    assert "bad.toml" in err
    assert "written:" in out


def test_brackets_of_a_title_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    from xasuite.cli.common import show
    from xasuite.records.table import Table

    show(
        Table.of(
            "Pt [ref] foil", ("sample", "n"), [("[/red]", "[bold]5")], notes=("[/]",), facts=(("[a]", "[b]"),)
        )
    )
    out = capsys.readouterr().out
    for text in ("Pt [ref] foil", "[/red]", "[bold]5", "[/]", "[a]", "[b]"):
        assert text in out


def test_json_of_a_table_is_the_documented_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "valence", fits_dir() / "valence" / "ccro_co.toml", "--json")
    assert code == 0
    for document in json.loads(out):
        assert set(document) == {"title", "label", "facts", "columns", "rows", "notes"}


@pytest.mark.parametrize("argv", [["--help"], ["crystals", "Co"]], ids=["help", "crystals"])
@pytest.mark.parametrize("where", [">&-", "> /dev/full", ">&- 2>&-"], ids=["closed", "full", "both closed"])
def test_an_output_that_cannot_be_written(argv: list[str], where: str) -> None:
    command = shlex.join([sys.executable, "-m", "xasuite", *argv])
    done = subprocess.run(["sh", "-c", f"{command} {where}"], capture_output=True, text=True, check=False)
    if where == "> /dev/full":
        assert done.returncode == 1
        assert done.stderr == "xasuite: the output cannot be written: No space left on device\n"
    else:
        assert (done.returncode, done.stderr) == (0, "")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """The name of a file may hold any bytes, and a project half of a character: shown and written escaped."""
    energy = np.arange(7000.0, 7300.0)
    mu = 0.5 + np.arctan(energy - 7112) / np.pi
    text = "# energy mu\n" + "".join(f"{e} {m:.6f}\n" for e, m in zip(energy, mu, strict=True))
    names = [b"\xff.dat", b"[red].dat", b"\x1b[31m.dat", b"a\nb.dat", b"half.prj"]
    group = {"args": {"label": "\ud800 x"}, "x": energy.tolist(), "y": mu.tolist()}
    project = json.dumps({"_____header1": "# Athena project file -- Demeter", "a": group})
    for name in names:
        path = os.path.join(os.fsencode(tmp_path), name)
        with open(path, "w") as handle:
            handle.write(project if name.endswith(b"prj") else text)
        for locale in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
            done = subprocess.run(
                [sys.executable, "-m", "xasuite", "show", path],
                capture_output=True,
                check=False,
                env=os.environ | locale,
            )
            assert (done.returncode, done.stderr) == (0, b""), (name, done.stderr[-500:])
            assert b"\x1b" not in done.stdout
        written = xs.write(tmp_path / "out.csv", xs.read(os.fsdecode(path)))
        assert len(written.read_text().splitlines()) > 300
    lost = subprocess.run(
        [sys.executable, "-m", "xasuite", "show", tmp_path / "ff.dat"],
        capture_output=True,
        check=False,
        env=os.environ | locale,
    )
    assert lost.returncode == 1
    assert lost.stderr.startswith(b"xasuite: ")


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) != signal.default_int_handler,
    reason="Ctrl-C is ignored here, as in a background job",
)
def test_an_interrupt_that_is_swallowed_comes_again() -> None:
    """As where a bare except within a library's import catches the first."""
    swallowed = []

    def library() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            swallowed.append(1)
        for _ in range(400):
            time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt), insistent():
        library()
    assert swallowed
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) != signal.default_int_handler,
    reason="Ctrl-C is ignored here, as in a background job",
)
def test_what_an_interrupted_run_keeps_is_not_disturbed() -> None:
    kept = []

    def run_and_keep() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            for _ in range(30):
                time.sleep(0.05)
            kept.append(1)

    with pytest.raises(KeyboardInterrupt), insistent():
        run_and_keep()
    assert kept


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) != signal.default_int_handler,
    reason="Ctrl-C is ignored here, as in a background job",
)
@pytest.mark.parametrize("module", ["xasuite.cli", "typer", "xasuite.cli.common", "xasuite.cli.fit"])
def test_ctrl_c_while_the_command_line_is_imported(module: str) -> None:
    """As each module begins to load: one line, code 130, no traceback."""
    script = f"""
import runpy, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["xasuite", "fit", "nowhere.toml"]
runpy.run_module("xasuite", run_name="__main__")
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 130
    assert run.stderr.splitlines()[-1].startswith("xasuite: interrupted")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("argv", [["crystals"], ["--help"], ["fit", "--help"], ["layouts"]])
@pytest.mark.parametrize("both", [False, True], ids=["stdout", "both"])
def test_a_reader_that_goes_ends_the_command_without_a_word(argv: list[str], both: bool) -> None:
    """As `xasuite ... | true`: 128 + SIGPIPE, as shells have it, and nothing on stderr where that is still read."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "xasuite", *argv],
            stdout=writer,
            stderr=writer if both else subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 141
    assert both or done.stderr == b""


def test_an_interrupt_while_a_class_is_made_is_an_interrupt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11 wraps what __set_name__ raises into a RuntimeError; seen within the import of pydantic's models."""

    class Descriptor:
        def __set_name__(self, *_: object) -> None:
            raise KeyboardInterrupt

    def importing() -> None:
        type("Model", (), {"field": Descriptor()})

    monkeypatch.setattr("xasuite.cli.layouts.layouts", importing)
    with pytest.raises(SystemExit) as ended:
        main(["layouts"])
    assert ended.value.code == 130
    assert "interrupted" in capsys.readouterr().err
