"""Files that are no honest data: refused with a sentence, within a time and a memory that honest files would take."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError, XasuiteError
from xasuite.io import edges, sources
from xasuite.io.formats import text
from xasuite.io.limits import LIMIT_ENV

from .conftest import MU, E, refused

pytestmark = pytest.mark.usefixtures("limited")


def rows(count: int = 300) -> str:
    return "".join(f"{e:.2f} {m:.6f} {1 / m:.6f}\n" for e, m in zip(E[:count], MU[:count], strict=True))


def bomb(path: Path, piece: bytes, times: int) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as out:
        for _ in range(times):
            out.write(piece)
    return path


@pytest.mark.parametrize(
    "piece",
    [b"\0" * (1 << 20), b" " * (1 << 20), b"7000.0 1.0 2.0\n" * 70_000],
    ids=["zeros", "blanks", "numbers"],
)
def test_a_gzip_bomb(tmp_path: Path, piece: bytes) -> None:
    refused(
        bomb(tmp_path / "a.gz", piece, 1000),
        "unpacks to more than 100 times its size, as no data do; .*XASUITE_MAX_BYTES",
    )


def test_a_gzip_that_is_cut_and_one_of_two_members(tmp_path: Path) -> None:
    packed = gzip.compress(rows().encode())
    (tmp_path / "cut.dat.gz").write_bytes(packed[:-20])
    refused(tmp_path / "cut.dat.gz", "gzipped and damaged")
    (tmp_path / "two.dat.gz").write_bytes(gzip.compress(b"# energy i0 it\n") + packed)
    assert io.read(tmp_path / "two.dat.gz").energy.size == 300


def test_the_limit_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.dat"
    path.write_text("# energy i0 it\n" + rows())
    monkeypatch.setenv(LIMIT_ENV, "1000")
    refused(path, r"larger than 1e-06 GB; split it, or raise the limit with XASUITE_MAX_BYTES")
    monkeypatch.setenv(LIMIT_ENV, "much")
    refused(path, "XASUITE_MAX_BYTES = 'much' is no number of bytes")


def test_one_line_of_1e8_characters(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("7000.0 " * 14_000_000)
    refused(tmp_path / "a.dat", r"a.dat:1: a line of \d+ characters")


@pytest.mark.parametrize(
    "line",
    [
        "a(a(",
        "[[(",
        "# Column.1: ",
        "key " * 3 + "  ",
        "d spacing ",
        "\t",
        '"',
        "edge energy ",
        "a_c1",
        "'titles',[",
        "SRS",
        "\\x{",
    ],
)
@pytest.mark.parametrize(
    "head", ["# ", " &SRS\n SRSTLE='", "# XDI/1.0\n# ", "#F a\n#S 1 a\n#L ", "# Athena project file\n@args = ('", "  9809     KEK-PF\n", ""]
)  # fmt: skip
def test_a_header_in_which_a_pattern_could_backtrack(tmp_path: Path, head: str, line: str) -> None:
    """100 kB of a repeated piece: each of these took the square or the cube of its length, or could."""
    path = tmp_path / "a.dat"
    path.write_text(head + line * (100_000 // len(line)) + "\n" + rows())
    begun = time.process_time()
    try:
        io.read_all(path)
    except XasuiteError as exc:
        assert "\n" not in str(exc)  # noqa: PT017
    assert time.process_time() - begun < 3.0


def test_a_million_rows(tmp_path: Path) -> None:
    """The fast way gives what the slow way gives; both ends are the file's."""
    n = 1_000_000
    e = np.linspace(7000.0, 8000.0, n)
    table = np.column_stack([e, 0.5 + np.arctan(e - 7112) / np.pi])
    lines = [f"{a:.4f}\t{b:.6f}" for a, b in table]
    (tmp_path / "a.dat").write_text("# energy mu\n" + "\n".join(lines) + "\n")
    scan = io.read(tmp_path / "a.dat")
    assert scan.energy.size == n
    assert scan.channels["mu"][[0, -1]].tolist() == [float(lines[0].split()[1]), float(lines[-1].split()[1])]


def test_a_long_text_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are parsed by one call, and the jump of mu is looked for once."""
    calls: list[str] = []

    def counted(owner: Any, name: str) -> None:
        inner = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, **k: calls.append(name) or inner(*a, **k))

    e = np.linspace(7000.0, 8000.0, 20_000)
    np.savetxt(
        tmp_path / "a.dat", np.column_stack([e, 0.5 + np.arctan(e - 7112) / np.pi]), header="energy mu"
    )
    counted(np, "loadtxt")
    counted(text, "numbers")
    counted(edges, "find_jump")
    assert io.read(tmp_path / "a.dat").energy.size == 20_000
    assert calls.count("loadtxt") == 1
    assert calls.count("find_jump") == 1
    assert calls.count("numbers") <= text._LONG + 100  # the rest of the rows goes through no Python loop


def test_the_fast_way_is_the_slow_way(tmp_path: Path) -> None:
    """A comment near the end of a long table sends it the slow way."""
    e = np.linspace(7000.0, 8000.0, 5000)
    lines = [f"{a:.4f},{b:.6e}" for a, b in zip(e, 0.5 + np.arctan(e - 7112) / np.pi, strict=True)]
    (tmp_path / "fast.csv").write_text("energy,mu\n" + "\n".join(lines) + "\n")
    (tmp_path / "slow.csv").write_text(
        "energy,mu\n" + "\n".join([*lines[:-5], "# a comment", *lines[-5:]]) + "\n"
    )
    fast, slow = io.read(tmp_path / "fast.csv"), io.read(tmp_path / "slow.csv")
    assert np.array_equal(fast.energy, slow.energy)
    assert np.array_equal(fast.channels["mu"], slow.channels["mu"])


def test_pipes_and_devices(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is a pipe and not a regular file")
    refused("/dev/zero", "is a device or a socket and not a regular file")
    refused("/dev/urandom", "is a device or a socket and not a regular file")
    (tmp_path / "link.dat").symlink_to("/dev/zero")
    refused(tmp_path / "link.dat", "is a device or a socket")


# what was accepted or ended in an untyped error


def test_every_cut_text_is_said(tmp_path: Path) -> None:
    """Cut anywhere in its last rows: the rest of a row is no row, and the note says so."""
    whole = "# energy i0 it\n" + rows()
    for lost in range(2, 60):
        text = whole[:-lost]
        (tmp_path / "a.dat").write_text(text)
        scan = io.read(tmp_path / "a.dat")
        complete = text[: text.rfind("\n")].count("\n")
        if text.endswith("\n") or (text == whole[: len(text)].rstrip("\n") and whole[len(text)] == "\n"):
            continue  # cut between two rows: nothing of it is there to be seen
        assert scan.energy.size == complete, lost
        assert any("cut off" in n for n in scan.notes), lost


def test_few_points_are_no_scan(tmp_path: Path) -> None:
    for n in (2, 5, 9):
        (tmp_path / "a.dat").write_text("# energy i0 it\n" + rows(n))
        refused(tmp_path / "a.dat", f"only {n} rows")
        with h5py.File(tmp_path / "a.h5", "w") as f:
            f["energy"], f["mu"] = E[:n], MU[:n]
        refused(tmp_path / "a.h5", f"only {n} points")


def test_mu_beyond_any_absorption(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text(
        "# energy mu\n" + "".join(f"{e:.2f} {m * 1e8:.4e}\n" for e, m in zip(E, MU, strict=True))
    )
    refused(tmp_path / "a.dat", r"mu reaches 9.9\d+e\+07.*no absorption")
    assert io.read(tmp_path / "a.dat", mu="mu/1e8").energy.size == 300


def test_numbers_that_are_no_numbers(tmp_path: Path) -> None:
    head = "  9809     KEK-PF   BL12C\ntitle\n line\n Mono :   SI(111)       D= 3.13551 A    Initial angle= 12.0\n"
    body = "\n".join(f" {12 - 0.01 * i:.5f} {12 - 0.01 * i:.5f} 1.0 1000 {1000 - i}" for i in range(40))
    (tmp_path / "pf.dat").write_text(
        head
        + "x\n" * 5
        + " Mode         0         0         1         2\n Offset       0         0     1,3     2,2\n"
        + body
        + "\n"
    )
    scan = io.read(tmp_path / "pf.dat")
    assert any("i0 1,3" in n for n in scan.notes)
    (tmp_path / "d.dat").write_text("# d_spacing = 1.2.3\n# energy i0 it\n" + rows())
    assert io.read(tmp_path / "d.dat").energy.size == 300
    group = {"args": {"label": "a", "bkg_eshift": 10**400}, "x": [int(e) for e in E], "y": MU.tolist()}
    for key, value in (("y", [10**400] * 300), ("y", MU.tolist())):
        group[key] = value
        (tmp_path / "a.prj").write_text(
            json.dumps({"_____header1": "# Athena project file -- Demeter", "a": group})
        )
        try:
            io.read_all(tmp_path / "a.prj")
        except ReadError as exc:
            assert "damaged" in str(exc)  # noqa: PT017


def test_a_pattern_that_names_the_whole_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match="names the whole machine"):
        sources.find_files(["/**"], [])


def test_a_deleted_working_folder_and_an_ascii_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("# Pt [ref] 5 \u00c5\n# energy i0 it\n" + rows())
    run = "import os, sys; from xasuite.cli import main; main(['show', sys.argv[1]])"
    there_not = "def gone(): raise FileNotFoundError(2, 'No such file or directory')"
    run = run.replace("; from", f"; exec({there_not!r}); os.getcwd = gone; from")
    done = subprocess.run([sys.executable, "-c", run, tmp_path / "a.dat"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "xasuite: the working folder was deleted; change to one that is there\n"
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    show = [sys.executable, "-m", "xasuite", "crystals", "Co"]
    done = subprocess.run(show, env=ascii_only, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
