"""HDF5 files that are no honest data: refused with a sentence, within a time and a memory that honest files would take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from xasuite import io
from xasuite.io import sources
from xasuite.io.formats.hdf5 import tables_in

from .conftest import MU, E, refused

pytestmark = pytest.mark.usefixtures("limited")


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
