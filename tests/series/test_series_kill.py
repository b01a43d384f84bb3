"""Kill -9 at ten random moments, then resume: the file is that of an undisturbed run, byte for byte."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from xasuite.errors import SeriesError
from xasuite.series.run import run_series
from xasuite.series.store import Folder
from xasuite.spec.series import load_series_spec

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes made by fork")
SCANS, CHUNK, KILLS = 24, 2, 10


def run(spec, folder, resume=False):
    return run_series(load_series_spec(spec), folder=Folder(folder), resume=resume, threads=1)


@pytest.fixture(scope="module")
def undisturbed(make_series, tmp_path_factory):
    """The spec, the bytes of the results of a whole run, and how long one takes."""
    spec = make_series(SCANS, chunk=CHUNK, more="audit = 0.0", name="kill")
    folder = tmp_path_factory.mktemp("whole")
    run(spec, folder)  # loads and compiles: the next is the one to be timed
    begun = time.perf_counter()
    run(spec, folder)
    return spec, contents(folder), time.perf_counter() - begun


def contents(folder):
    return {n: (folder / n).read_bytes() for n in ("series.h5", "series.csv")}


def killed(spec, folder, after, resume=False):
    """Run in a child process and kill it (SIGKILL) after some seconds; how many chunks it left."""
    child = multiprocessing.get_context("fork").Process(target=run, args=(spec, folder, resume))
    child.start()
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return len(list((folder / "parts").glob("0*.npz")))


def test_ten_kills_give_ten_equal_files(undisturbed, tmp_path):
    spec, whole, seconds = undisturbed
    moments = np.random.default_rng(6).uniform(0.05, 1.1, KILLS) * seconds
    left = []
    for i, moment in enumerate(moments):
        folder = tmp_path / f"run{i}"
        left.append(killed(spec, folder, moment))
        run(spec, folder, resume=True)
        assert contents(folder) == whole, f"killed after {moment:.2f} s of {seconds:.2f} s"
        assert sorted(p.name for p in folder.iterdir()) == ["run.json", "series.csv", "series.h5"]
    # the moments must have hit the work itself, or the test would prove nothing
    assert sum(0 < n < SCANS // CHUNK for n in left) >= 3, left


def test_killed_again_and_again(undisturbed, tmp_path):
    """The same run killed five times in a row still ends with the same file."""
    spec, whole, seconds = undisturbed
    for i in range(5):
        killed(spec, tmp_path, 0.3 * seconds, resume=i > 0)
    run(spec, tmp_path, resume=True)
    assert contents(tmp_path) == whole


def test_resume_refuses_another_spec(undisturbed, tmp_path):
    spec, _, seconds = undisturbed
    killed(spec, tmp_path, 0.5 * seconds)
    other = spec.with_name("other.toml")
    other.write_text(spec.read_text().replace("k = [3.0, 11.0]", "k = [3.0, 10.0]"))
    with pytest.raises(SeriesError, match=r"is of another run.*run without --resume"):
        run(other, tmp_path, resume=True)


def test_a_finished_run_is_not_done_again(undisturbed, tmp_path):
    spec, whole, _ = undisturbed
    run(spec, tmp_path)
    stamp = (tmp_path / "series.h5").stat().st_mtime_ns
    run(spec, tmp_path, resume=True)
    assert (tmp_path / "series.h5").stat().st_mtime_ns == stamp
    assert contents(tmp_path) == whole
