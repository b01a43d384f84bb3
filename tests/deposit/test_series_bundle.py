"""A deposition of a series, its log and the calibration it reads valences by, moved to a machine that has nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import xasuite as xs
from tests.deposit.test_bundle import ROOT, elsewhere
from tests.series.conftest import E0, SPEC, scan_of
from tests.series.damage import write_scan
from xasuite import feff
from xasuite.cli import main
from xasuite.deposit import reproduce_bundle
from xasuite.deposit.archive import unpack
from xasuite.deposit.standalone import copy_whole, linked
from xasuite.errors import FitError, ReadError, SpecError

N = 4
MORE = """against = "T"
valence = { spec = "valence.toml" }
licence = "CC0-1.0"

[[series.log]]
file = "LOG"
time = "t"
columns = { T = "T" }
units = { T = "K" }
"""
VALENCE = """xasuite = 2
title = "cobalt"
[calibration]
element = "Co"
"""


def standard(label: str, valence: float, shift: float, folder: Path) -> str:
    """A compound on a file of its own, its edge moved by so many eV."""
    x = np.arange(-180.0, 700.0, 0.5)
    energy = E0 + x
    wave = 0.05 * np.sin(0.05 * (x - shift)) * np.exp(-x / 200) * (x > 20)
    mu = 0.5 + np.arctan((x - shift) / 1.5) / np.pi + 0.3 * np.exp(-(((x - shift - 5) / 3.5) ** 2)) + wave
    np.savetxt(
        folder / f"{label}.csv", np.column_stack([energy, mu]), delimiter=",", header="energy,mu", comments=""
    )
    said = 'offset = 0.0\noffset_source = "the test"'
    return f'[[standard]]\nlabel = "{label}"\nvalence = {valence}\nfiles = ["{folder}/{label}.csv"]\n{said}\n'


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with the log and the standards elsewhere on the machine."""
    folder = tmp_path_factory.mktemp("user") / "work"
    (folder / "scans").mkdir(parents=True)
    away = folder.parent / "beamtime"
    away.mkdir()
    path = feff.select(feff.find_paths(feff.load_crystal("CoO"), absorber="Co", radius=4.0), scatterer="O")
    for i in range(N):
        write_scan(folder / "scans" / f"scan_{i + 1}.txt", scan_of(path, i))
    (away / "furnace.txt").write_text(
        "t\tT\n" + "".join(f"{360 * i}\t{300 + 10 * i}\n" for i in range(N + 1))
    )
    more = MORE.replace("LOG", str(away / "furnace.txt"))
    (folder / "run.toml").write_text(SPEC.format(chunk=3, more=more))
    (folder / "valence.toml").write_text(
        VALENCE + "".join(standard(f"v{v}", v, 3.0 * (v - 2), away) for v in (2, 3, 4, 5))
    )
    with pytest.raises(SystemExit) as done:
        main(["series", str(folder / "run.toml"), "-o", str(folder / "results"), "--no-figures"])
    assert not done.value.code
    return folder


@pytest.fixture(scope="module")
def paper(work: Path) -> Path:
    made = xs.bundle(
        [work / "results", work / "valence.toml"],
        work.parent / "paper.zip",
        authors=["Curie, Marie"],
        figures=True,
    )
    assert made.specs == ("work/run", "work/valence")
    assert made.compared > 0
    return made.path


def test_another_machine_makes_the_same_tables(work: Path, paper: Path, tmp_path: Path) -> None:
    shutil.copy(paper, tmp_path / "paper.zip")
    for name in ("work", "beamtime"):
        (work.parent / name).rename(work.parent / f"{name}_gone")
    try:
        done = elsewhere(tmp_path, "reproduce", "paper.zip", "--json", "--no-figures")
    finally:
        for name in ("work", "beamtime"):
            (work.parent / f"{name}_gone").rename(work.parent / name)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["equal"]
    assert document["feff_again"] == 0
    assert {n["spec"] for n in document["numbers"]} == {"work/run", "work/valence"}
    assert not (tmp_path / "home" / "cache").exists(), "the user's cache is left alone"
    before = xs.open_series(work / "results/work/run").table
    after = xs.open_series(tmp_path / "results/work/run").table
    assert list(after) == list(before)
    assert list(after["T"]) == [300.0 + 10 * i for i in range(N)]
    for name in before:
        if before[name].dtype.kind == "f":
            np.testing.assert_allclose(after[name], before[name], rtol=1e-8, atol=1e-12, err_msg=name)


def test_it_holds_data_logs_tables_and_figures(work: Path, paper: Path, tmp_path: Path) -> None:
    folder = unpack(paper, tmp_path / "open")
    for i in range(N):
        own = f"scans/scan_{i + 1}.txt"
        assert (folder / "data" / own).read_bytes() == (work / own).read_bytes()
    assert (folder / "data/work/furnace.txt").is_file()
    assert len(list((folder / "data").rglob("v*.csv"))) == 4
    for name in (
        "series.h5",
        "series.parquet",
        "series.csv",
        "table.csv",
        "numbers.json",
        "figures/parameters.pdf",
    ):
        assert (folder / "results/work/run" / name).is_file(), name
    assert (folder / "results/work/valence/figures/valence_E0.5.png").is_file()
    stack = xs.read_all(folder / "xdi/work/run/run.nxs")
    for i, scan in enumerate(stack):
        energy, i0, it = np.loadtxt(work / f"scans/scan_{i + 1}.txt").T
        # the series' grid lies between the scan's points: linear there to a thousandth of the step
        assert np.allclose(scan.mu().mu, np.interp(scan.energy, energy, np.log(i0 / it)), atol=5e-3)
    assert len(stack) == N
    assert xs.read(folder / "xdi/work/valence/v3.xdi").mu().energy[0] == pytest.approx(E0 - 180)
    readme = (folder / "README.md").read_text()
    assert "| run | work/run | scans/scan_1.txt ... scans/scan_4.txt (4 files) | CC0-1.0 |" in readme
    crate = json.loads((folder / "ro-crate-metadata.json").read_text())
    assert any(e["@id"].endswith("series.h5") for e in crate["@graph"])
    for file in folder.rglob("*"):
        if file.is_file():
            for place in (str(work.parent), "xasuite-deposit-", str(ROOT)):
                assert place.encode() not in file.read_bytes(), f"{file} names {place}"


def test_a_changed_scan_or_spec_is_no_deposition(work: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    shutil.copytree(work, folder)
    log = folder / "results/work/run/run.json"
    log.write_text(json.dumps(json.loads(log.read_text()) | {"spec": str(folder / "run.toml")}))
    scan = folder / "scans/scan_2.txt"
    shutil.copy(folder / "scans/scan_3.txt", scan)
    with pytest.raises(FitError, match=r"work/run: .* numbers are not those of the result, 2 scan_2\.txt"):
        xs.bundle(folder / "results", tmp_path / "no.zip", figures=False)
    with open(folder / "run.toml", "a") as spec:
        spec.write("\n# later\n")
    with pytest.raises(SpecError, match="was changed since"):
        xs.bundle(folder / "results", tmp_path / "no.zip", figures=False)
    (folder / "run.toml").unlink()
    with pytest.raises(ReadError, match="name the spec itself"):
        xs.bundle(folder / "results", tmp_path / "no.zip", figures=False)
    assert not (tmp_path / "no.zip").exists()


def test_another_spec_in_the_archive_gives_other_numbers(paper: Path, tmp_path: Path) -> None:
    from tests.deposit.test_bundle import repacked

    def shorter(folder: Path) -> None:
        spec = folder / "specs/work/run.toml"
        spec.write_text(spec.read_text().replace("k = [3.0, 11.0]", "k = [3.0, 10.0]"))

    done = reproduce_bundle(repacked(paper, tmp_path, shorter))
    assert not done.equal
    assert {n.spec for n in done.numbers if not n.equal} == {"work/run"}


# ---------------------------------------------------------------------------------------------- HDF5 that links


@pytest.fixture
def linking(tmp_path: Path) -> Path:
    """A master file: one group by an external link, one dataset by a soft link, one virtual dataset of two files."""
    energy = np.linspace(7500.0, 8500.0, 50)
    (tmp_path / "raw").mkdir()
    for i in (0, 1):
        with h5py.File(tmp_path / "raw" / f"det_{i}.h5", "w") as file:
            file["counts"] = np.arange(25.0) + 100 * i
            file["scan/energy"], file["scan/i0"] = energy, np.full(50, 2.0)
    layout = h5py.VirtualLayout(50, "f8")
    for i in (0, 1):
        layout[25 * i : 25 * (i + 1)] = h5py.VirtualSource(f"raw/det_{i}.h5", "counts", (25,))
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.attrs["NX_class"] = "NXroot"
        file["entry"] = h5py.ExternalLink("raw/det_0.h5", "/scan")
        file.create_virtual_dataset("if", layout)
        file["monitor"] = h5py.SoftLink("/entry/i0")
        file["plain"] = np.arange(3)
        file["again"] = file["plain"]
    return tmp_path / "master.h5"


def test_what_is_linked_is_written_into_the_copy(linking: Path, tmp_path: Path) -> None:
    assert linked(linking) == ["/entry", "/if"]
    copy_whole(linking, tmp_path / "alone" / "master.h5")
    shutil.rmtree(tmp_path / "raw")
    assert linked(tmp_path / "alone" / "master.h5") == []
    with h5py.File(tmp_path / "alone" / "master.h5") as file:
        assert file.attrs["NX_class"] == "NXroot"
        np.testing.assert_array_equal(file["if"][()], [*range(25), *range(100, 125)])
        np.testing.assert_array_equal(file["monitor"][()], np.full(50, 2.0))
        assert file["entry/energy"].shape == (50,)
        assert file["again"] == file["plain"]


def test_what_is_linked_and_not_there_is_a_sentence(linking: Path, tmp_path: Path) -> None:
    (tmp_path / "raw/det_1.h5").unlink()
    with pytest.raises(
        ReadError, match=r"/if cannot be deposited: it lies in raw/det_1.h5, which is not there"
    ):
        copy_whole(linking, tmp_path / "alone.h5")
    (tmp_path / "raw/det_0.h5").unlink()
    with pytest.raises(ReadError, match="/entry cannot be deposited"):
        copy_whole(linking, tmp_path / "alone.h5")
    assert not (tmp_path / "alone.h5").exists()


def test_a_link_out_of_the_folder_or_in_a_ring_is_a_sentence(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ReadError, match="outside the folder"):
        copy_whole(tmp_path / "a.h5", tmp_path / "out.h5")
    for one, other in (("a", "b"), ("b", "a")):
        with h5py.File(tmp_path / f"{one}.h5", "w") as file:
            file["x"] = h5py.ExternalLink(f"{other}.h5", "/")
    copy_whole(tmp_path / "a.h5", tmp_path / "out.h5")  # the ring closes with a link within the copy
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["x/x"].name == "/x/x"
