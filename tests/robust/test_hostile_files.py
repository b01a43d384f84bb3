"""Files that are no honest data: refused with a sentence, within a time and a memory that honest files would take."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError, XasuiteError
from xasuite.io import edges, sources
from xasuite.io.formats import text
from xasuite.io.formats.hdf5 import tables_in
from xasuite.io.limits import LIMIT_ENV

SECONDS, BYTES = 20.0, 1 << 30
E = np.arange(7000.0, 7300.0)
MU = 0.5 + np.arctan(E - 7112.0) / np.pi


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """So much processor time and so much more memory, and no more: what is beyond is a failure and not a hang."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, before[1]))
    begun = time.process_time()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - begun < SECONDS


def refused(path: str | Path, says: str) -> None:
    with pytest.raises(XasuiteError, match=says) as caught:
        io.read_all(path)
    assert "\n" not in str(caught.value)


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


# HDF5


@pytest.fixture
def hdf5(tmp_path: Path) -> Callable[[Callable[[h5py.File], None]], Path]:
    def made(fill: Callable[[h5py.File], None]) -> Path:
        with h5py.File(tmp_path / "a.h5", "w") as f:
            fill(f)
        return tmp_path / "a.h5"

    return made


def scan_group(parent: h5py.Group, name: str) -> h5py.Group:
    group = parent.create_group(name)
    group["energy"], group["mu"] = E, MU
    return group


def test_an_array_declared_1e10_long(hdf5) -> None:
    def fill(f):
        f["energy"] = E
        f.create_dataset("mu", (10**10 // 300, 300), chunks=(1000, 300), dtype="f8")

    refused(hdf5(fill), "mu would take 80 GB, more than 2 GB; .*XASUITE_MAX_BYTES")


def test_many_groups(hdf5) -> None:
    def fill(f):
        for i in range(20_000):
            f.create_group(f"empty{i}")
        for i in range(300):
            scan_group(f, f"scan{i}")

    assert len(io.groups(hdf5(fill))) == 300


def test_each_group_is_opened_once(hdf5, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a group of no scan: one opening. Of a scan: itself and its two arrays, and the attributes of each once."""

    def fill(f):
        for i in range(500):
            f.create_group(f"empty{i}")
        entry = f.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        for i in range(100):
            scan_group(entry, f"scan{i}").attrs["NX_class"] = "NXdata"

    opened: Counter[str] = Counter()

    def counted(owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        def call(*args: Any, **options: Any) -> Any:
            opened[name] += 1
            return inner(*args, **options)

        monkeypatch.setattr(owner, name, call)

    with h5py.File(hdf5(fill), "r") as f:
        counted(h5py.h5o, "open")
        counted(h5py.AttributeManager, "__getitem__")
        assert len(tables_in(f, "a.h5")) == 100
    few = 10  # the root and the entry
    assert 500 <= opened["open"] <= 500 + 3 * 100 + few
    assert opened["__getitem__"] <= 3 * 100 + few  # a group's class and its attributes, its axis's unit


def test_a_row_of_a_stack_is_read_alone(hdf5) -> None:
    """Of 50 000 rows one: within a tenth of the time that reading all arrays takes, and the numbers of that row."""

    def fill(f):
        f["energy"] = E
        stack = f.create_dataset("mu", (50_000, E.size), "f4")
        stack[4321] = MU
        stack[4322] = 2 * MU

    path = hdf5(fill)
    for name, factor in (("4321", 1.0), ("4322", 2.0)):
        begun = time.perf_counter()
        scan = io.read(f"{path}::{name}")
        taken = time.perf_counter() - begun
        assert np.allclose(scan.mu().mu, factor * MU, rtol=1e-6)
        assert scan.source.group == name
    begun = time.perf_counter()
    io.groups(path)
    assert taken < (time.perf_counter() - begun) / 10
    refused(f"{path}::50001", "has no group '50001'")


@pytest.mark.parametrize("way", ["storage", "link", "virtual"])
def test_another_file_of_the_machine(hdf5, tmp_path_factory, way: str) -> None:
    """Numbers of a file outside the data's folder do not come in, and the groups beside are read."""
    other = tmp_path_factory.mktemp("private") / "other.h5"
    with h5py.File(other, "w") as f:
        f["mu"] = MU

    def fill(f):
        scan_group(f, "honest")
        bad = f.create_group("bad")
        bad["energy"] = E
        if way == "storage":
            bad.create_dataset("mu", E.shape, "f8", external=[(str(other), 0, E.nbytes)])
        elif way == "link":
            bad["mu"] = h5py.ExternalLink(str(other), "mu")
        else:
            layout = h5py.VirtualLayout(E.shape, "f8")
            layout[:] = h5py.VirtualSource(str(other), "mu", E.shape)
            bad.create_virtual_dataset("mu", layout)

    path = hdf5(fill)
    refused(f"{path}::bad", "outside the folder of this one: it is not opened")
    assert [s.source.group for s in io.read_all(path)] == ["honest"]
    assert [e.group for e in sources.find_entries([path]).entries][-1] == "honest"


@pytest.mark.parametrize("way", ["group", "name", "soft", "storage"])
def test_an_entry_says_nothing_of_another_file(tmp_path_factory, hdf5, way: str) -> None:
    """Nor does a text, a group or a link further down than the scan's own arrays."""
    other = tmp_path_factory.mktemp("private") / "other.h5"
    with h5py.File(other, "w") as f:
        f["sample/name"] = "SECRET"
    other.with_name("plain").write_bytes(b"SECRET")

    def fill(f):
        f["scan/energy"], f["scan/mu"] = E, MU
        scan = f["scan"]
        if way == "group":
            scan["sample"] = h5py.ExternalLink(str(other), "sample")
        elif way == "name":
            scan.create_group("sample")["name"] = h5py.ExternalLink(str(other), "sample/name")
        elif way == "soft":
            scan["away"] = h5py.ExternalLink(str(other), "/")
            scan["sample"] = h5py.SoftLink("/scan/away/sample")
        else:
            held = [(str(other.with_name("plain")), 0, 6)]
            scan.create_group("sample").create_dataset("name", (1,), "S6", external=held)

    path = hdf5(fill)
    for name in (path, f"{path}::scan"):
        scan = io.read(name)
        assert "SECRET" not in f"{scan.label} {scan.meta}"
        assert any("outside the folder of this one: it is not opened" in n for n in scan.notes)


def test_links_within_a_file_and_its_folder_are_followed(hdf5) -> None:
    def fill(f):
        f["facts/name"] = "a foil"
        f["scan/energy"], f["scan/mu"] = E, MU
        f["scan/sample"] = h5py.SoftLink("/facts")

    path = hdf5(fill)
    with h5py.File(Path(path).with_name("master.h5"), "w") as f:
        f["linked"] = h5py.ExternalLink(Path(path).name, "scan")
    assert [io.read(name).label for name in (path, f"{Path(path).with_name('master.h5')}::linked")] == [
        "a foil"
    ] * 2


def test_a_ring_of_hard_links_is_listed_once(hdf5) -> None:
    """Also where a series looks for its scans, and to the same depth as where they are read."""

    def fill(f):
        above = f.create_group("x")
        below = above.create_group("y")
        below["z"] = above
        scan_group(below, "scan")
        for _ in range(300):
            above = above.create_group("deep")
        scan_group(above, "too deep")

    path = hdf5(fill)
    assert io.groups(path) == ["x/y/scan"]
    assert [e.group for e in sources.find_entries([path]).entries] == ["x/y/scan"]


def test_more_than_memory_is_said(hdf5, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays each within the limit, and together beyond it: that is no damage."""
    path = hdf5(lambda f: scan_group(f, "a"))
    monkeypatch.setattr("xasuite.io.formats.hdf5._tables", lambda *args: [bytearray(1 << 40)])
    refused(path, "it takes more memory than a file may .*XASUITE_MAX_BYTES.*; name a group or a row of it")


def test_one_energy_is_no_scan(hdf5) -> None:
    def fill(f):
        f["energy"], f["mu"] = np.full(E.size, 7112.0), MU

    refused(hdf5(fill), "only 1 different energies; a scan needs at least 10")


@pytest.mark.parametrize("what", ["null", "ring", "dangling"])
def test_one_bad_member_condemns_no_other_group(hdf5, what: str) -> None:
    def fill(f):
        scan_group(f, "honest")
        bad = scan_group(f, "other")
        if what == "null":
            bad["nothing"] = h5py.Empty("f8")
        elif what == "ring":
            bad["a"], bad["b"] = h5py.SoftLink("/other/b"), h5py.SoftLink("/other/a")
            bad["up"] = h5py.SoftLink("/")
        else:
            bad["gone"] = h5py.SoftLink("/nowhere")

    assert [s.source.group for s in io.read_all(hdf5(fill))] == ["honest", "other"]


def test_damage_that_ends_the_process_that_reads(hdf5, monkeypatch: pytest.MonkeyPatch) -> None:
    """libhdf5 dies in a copy of the process: 2 of 3000 files with flipped bits did that (one by a signal, one by a hang)."""
    path = hdf5(lambda f: scan_group(f, "a"))
    monkeypatch.setattr("xasuite.io.formats.hdf5.tables_in", lambda *args: os.kill(os.getpid(), 11))
    refused(path, r"the HDF5 library ended on it \(SIGSEGV\)")
    monkeypatch.setattr("xasuite.io.formats.hdf5.LEAST_SECONDS", 1.0)
    monkeypatch.setattr("xasuite.io.isolated.PATIENCE", 60.0)  # the clock is not what ends it
    monkeypatch.setattr("xasuite.io.formats.hdf5.tables_in", lambda *args: forever())
    refused(path, "did not come to an end within 1 s of processor time")
    monkeypatch.setattr("xasuite.io.isolated.PATIENCE", 0.5)
    monkeypatch.setattr("xasuite.io.formats.hdf5.tables_in", lambda *args: time.sleep(600))
    refused(path, "did not come to an end within 1 s; if you trust it")


def forever() -> None:
    while True:
        pass


def test_waiting_for_the_processor_is_no_damage(hdf5, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine an honest file takes long by the clock: it is read, at 2 s of the clock and a limit of 1 s."""
    path = hdf5(lambda f: scan_group(f, "a"))
    monkeypatch.setattr("xasuite.io.formats.hdf5.LEAST_SECONDS", 1.0)
    whole = tables_in
    monkeypatch.setattr("xasuite.io.formats.hdf5.tables_in", lambda *args: time.sleep(2.0) or whole(*args))
    assert io.read(path).energy.size == E.size


def test_the_copy_of_the_process_imports_nothing(hdf5) -> None:
    """What it imports is lost with it, and imported again for each file."""
    path = hdf5(lambda f: scan_group(f, "a"))
    code = f"""
import sys, h5py
from xasuite.io.formats.hdf5 import tables_in
before = set(sys.modules)
with h5py.File({str(path)!r}) as f:
    tables_in(f, "a.h5")
print(sorted(n for n in set(sys.modules) - before if n.startswith("xasuite") and n != "xasuite.edges"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


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
