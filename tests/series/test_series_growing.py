"""Sources that grow: an HDF5 file that another program writes, and a Tiled catalogue."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from xasuite._series import series
from xasuite._series.growing import GrowingFile
from xasuite._series.live import Watch
from xasuite._series.store import Folder
from xasuite._series.watching import watch
from xasuite.io.axis import Asked
from xasuite.specs import SeriesSpec, load_spec

N = 4


@pytest.fixture(scope="module")
def measured(make_series):
    return make_series(N, chunk=3, name="measured")


def columns_of(measured: Path, i: int) -> np.ndarray:
    """Energy, i0 and it of a scan, (3, n)."""
    return np.loadtxt(measured.parent / "scans" / f"scan_{i + 1}.txt").T


def spec_beside(measured: Path, folder: Path) -> Path:
    return Path(shutil.copy(measured, folder / "grow.toml"))


def watched(source: str, spec: Path, folder: Path, scans: int = N):
    """What watching the source gives, and what was said."""
    said: list[str] = []
    watcher = Watch(source, load_spec(spec, SeriesSpec), Folder(folder), settle=0.1)
    run = watch(watcher, interval=0.05, until=scans, idle=60, say=said.append)
    return run, said


def same(run, measured: Path, folder: Path) -> None:
    plain = series(measured, output=folder)
    for name in ("n_o", "Co-O.r", "ss_o", "rfactor"):
        np.testing.assert_allclose(run.table[name], plain.table[name], rtol=1e-6, err_msg=name)


WRITER = """
import sys, time, h5py, numpy as np
path, go, *scans = sys.argv[1:]
rows = [np.loadtxt(s).T for s in scans]
n = rows[0].shape[1]
with h5py.File(path, "w", libver="latest") as file:
    file["run/energy"] = rows[0][0]
    for name in ("i0", "it"):
        file.create_dataset(f"run/{name}", (0, n), maxshape=(None, n), chunks=(1, n), dtype=float, fillvalue=0)
    file.swmr_mode = True
    for i, (_, i0, it) in enumerate(rows):
        for name, values in (("i0", i0), ("it", it)):
            data = file[f"run/{name}"]
            data.resize(i + 1, axis=0)
            data.flush()
            time.sleep(0.2)                     # a half-written entry: one chamber, or half of a row
            data[i, : n // 2] = values[: n // 2]
            data.flush()
            time.sleep(0.2)
            data[i] = values
            data.flush()
    print("done", flush=True)
    sys.stdin.read()                            # the file stays open for writing
"""


def test_rows_of_a_file_that_another_process_writes(measured, tmp_path):
    """Single writer, multiple readers: a row is taken up when it is whole, and gives what the plain file gives."""
    path, spec = tmp_path / "run.h5", spec_beside(measured, tmp_path)
    files = [str(measured.parent / "scans" / f"scan_{i + 1}.txt") for i in range(N)]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "go", *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        try:
            while not path.is_file():
                time.sleep(0.05)
            run, said = watched(str(path), spec, tmp_path / "out")
        finally:
            writer.communicate(b"")
    assert list(run.table["status"]) == ["ok"] * N
    same(run, measured, tmp_path / "plain")
    assert any(
        re.search(r"run_\d\.csv: ok; \d+\.\d\d s from its last point to its row", line) for line in said
    )


def test_half_written_rows_wait(measured, tmp_path):
    energy, i0, it = columns_of(measured, 0)
    path = tmp_path / "run.h5"
    source = GrowingFile(path, "", Asked(mu="ln(i0/it)"), quiet=0.0)
    assert names(source) == []  # no file yet
    assert "run.h5 cannot be read now" in source.trouble
    with h5py.File(path, "w") as file:
        file["run/energy"], file["run/i0"] = energy, np.array([i0, i0 * 0])
        file["run/it"] = np.array([it, np.full(it.size, np.nan)])
    assert names(source) == names(source) == ["run[0]"]
    with h5py.File(path, "r+") as file:
        file["run/i0"][1], file["run/it"][1] = i0, it
    assert names(source) == ["run[0]"]  # as it is now for the first time: its writer may not be done
    assert names(source) == ["run[0]", "run[1]"]


def test_half_written_groups_wait(measured, tmp_path):
    energy, i0, it = columns_of(measured, 0)
    path = tmp_path / "run.h5"
    source = GrowingFile(path, "", Asked(mu="ln(i0/it)"), quiet=0.0)
    with h5py.File(path, "w") as file:
        file["1.1/measurement/energy"], file["1.1/measurement/i0"] = energy, i0
        file["1.1/measurement/it"] = it[:-10]
    assert names(source) == names(source) == []  # its arrays differ in length
    with h5py.File(path, "r+") as file:
        del file["1.1/measurement/it"]
        file["1.1/measurement/it"] = it
    assert names(source) == []
    assert names(source) == ["1.1/measurement"]  # it has not grown
    with h5py.File(path, "r+") as file:
        file["2.1/measurement/energy"], file["2.1/measurement/i0"] = energy, i0
        file["2.1/measurement/it"], file["2.1/end_time"] = it, "2026-11-28T12:00:00"
    assert names(source) == ["1.1/measurement", "2.1/measurement"]  # it says that it has ended


def names(source) -> list[str]:
    return [f.name for f in source.fresh(set())]


def test_watch_goes_on_after_a_restart_and_when_the_file_is_gone(measured, tmp_path):
    path, spec = tmp_path / "run.h5", spec_beside(measured, tmp_path)

    def write(rows: int) -> None:
        made = [columns_of(measured, i) for i in range(rows)]
        with h5py.File(path, "w") as file:
            file["run/energy"] = made[0][0]
            for j, name in ((1, "i0"), (2, "it")):
                file[f"run/{name}"] = np.array([m[j] for m in made])

    write(3)
    watched(str(path), spec, tmp_path / "out", 3)
    watcher = Watch(str(path), load_spec(spec, SeriesSpec), Folder(tmp_path / "out"), settle=0.0)
    kept = path.rename(tmp_path / "gone.h5")
    assert watcher.step() == 0
    kept.rename(path)
    write(N)
    run, _ = watched(str(path), spec, tmp_path / "out")
    same(run, measured, tmp_path / "plain")


# ------------------------------------------------------------------- xasuite series on a file that is being written


@pytest.fixture
def grown_spec(measured, tmp_path):
    text = measured.read_text().replace("scans/*.txt", "run.h5")
    spec = tmp_path / "grow.toml"
    spec.write_text(text)
    return spec


HALF = """
import sys, h5py, numpy as np
path, more, *scans = sys.argv[1:]
rows = [np.loadtxt(s).T for s in scans]
n = rows[0].shape[1]
file = h5py.File(path, "w", libver="latest")
file["run/energy"] = rows[0][0]
data = {k: file.create_dataset(f"run/{k}", (0, n), maxshape=(None, n), chunks=(1, n), dtype=float) for k in ("i0", "it")}
t = file.create_dataset("run/t", (0,), maxshape=(None,), dtype=float)
file.swmr_mode = True
def put(i, upto):
    t.resize(i + 1, axis=0)
    t[i] = 360.0 * i
    for name, values in zip(("i0", "it"), rows[i % len(rows)][1:]):
        data[name].resize(i + 1, axis=0)
        data[name][i, :upto] = values[:upto]
        data[name].flush()
    t.flush()
for i in range(len(rows)):
    put(i, n if i + 1 < len(rows) else n // 2)
print("half", flush=True)
for line in sys.stdin:                          # the file grows on while it is read
    put(int(line), n)
    print("more", flush=True)
"""


@pytest.fixture
def half_written(measured, grown_spec):
    """A writer that has its file open: three whole rows and half of the fourth."""
    files = [str(measured.parent / "scans" / f"scan_{i + 1}.txt") for i in range(N)]
    command = [sys.executable, "-c", HALF, str(grown_spec.parent / "run.h5"), "", *files]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "half\n"
        yield writer
        writer.stdin.close()


def test_series_takes_what_is_whole_and_says_so(half_written, grown_spec, measured, tmp_path):
    """Three rows of four, equal to those of the text files, with their times; the sentence names xasuite watch."""
    grown_spec.write_text(grown_spec.read_text().replace('{ every = 6, unit = "min" }', '{ dataset = "t" }'))
    run = series(grown_spec, output=tmp_path / "out")
    assert list(run.table["status"]) == ["ok"] * 3
    np.testing.assert_allclose(run.table["time"], [0, 360, 720])
    plain = series(measured, output=tmp_path / "plain")
    np.testing.assert_allclose(run.table["Co-O.r_stated"], plain.table["Co-O.r_stated"][:3], rtol=1e-6)
    said = " ".join(run.warnings)
    assert "the scans that are whole now, 3, are taken, the last that has begun is not" in said
    assert re.search(r"xasuite watch \S*run.h5 SPEC takes scans as they become whole", said)


def test_a_file_that_grows_on_while_it_is_fitted(half_written, grown_spec, tmp_path):
    """Rows that come after the run began change nothing; before, the run stopped."""
    from xasuite._series.ingest import ingest
    from xasuite._series.prepare import prepare

    plan = prepare(load_spec(grown_spec, SeriesSpec))
    half_written.stdin.write("3\n4\n5\n")
    half_written.stdin.flush()
    assert [half_written.stdout.readline() for _ in range(3)] == ["more\n"] * 3
    rows = ingest(plan, np.arange(0, 3))
    assert rows.status == ("ok",) * 3
    assert np.isfinite(rows.data.mu).all()
    again = prepare(load_spec(grown_spec, SeriesSpec))
    assert len(again) == 5  # six rows by now
    assert again.fingerprint != plan.fingerprint


def found_elsewhere(path: Path) -> subprocess.CompletedProcess:
    """How many scans another process finds in a file that this one has open, and what it says."""
    code = f"from xasuite.io.sources import find_scans; print(len(find_scans([{str(path)!r}], ['.'])))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_groups_that_are_being_written(measured, tmp_path):
    """Of groups the last may be going on: it is left out as long as the file is open."""
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        for i in range(3):
            for name, values in zip(("energy", "i0", "it"), columns_of(measured, i), strict=True):
                file[f"scan_{i + 1}/{name}"] = values
        file.flush()
        done = found_elsewhere(path)
        assert done.stdout.strip() == "2"
        assert "the scans that are whole now, 2, are taken, the last that has begun is not" in done.stderr
    done = found_elsewhere(path)
    assert done.stdout.strip() == "3"  # closed: all of them
    assert done.stderr == ""


@pytest.mark.parametrize("libver", ["earliest", "latest"])  # "latest" without SWMR: nobody else can read it
def test_a_file_in_which_nothing_is_whole(measured, tmp_path, libver):
    path = tmp_path / "run_2.h5"
    energy, i0, it = columns_of(measured, 0)
    with h5py.File(path, "w", libver=libver) as file:
        file["scan_1/energy"], file["scan_1/i0"], file["scan_1/it"] = energy, i0, it
        file.flush()
        done = found_elsewhere(path)
        assert "SeriesError" in done.stderr
        assert "no scan of it is whole yet; xasuite watch" in done.stderr
        shutil.copy(measured.parent / "scans" / "scan_1.txt", tmp_path / "run_1.txt")
        beside = found_elsewhere(tmp_path / "run_*")  # the other scans of a folder are no worse for it
        assert beside.stdout.strip() == "1"
        assert "no scan of it is whole yet" in beside.stderr
