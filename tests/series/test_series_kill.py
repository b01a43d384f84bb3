"""Kill -9 in ten different stages of a run, then resume: the file is that of an undisturbed run, byte for byte.

The stages are those that the run itself reports: planning, each chunk, writing. A child that is killed in a stage does
not go beyond it, however slow or busy the machine is, so that which parts of the work are hit does not depend on it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from xasuite._series.run import run_series
from xasuite._series.store import Folder
from xasuite.errors import SeriesError
from xasuite.specs import SeriesSpec, load_spec

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes made by fork")
SCANS, CHUNK, KILLS = 24, 2, 10
CHUNKS = SCANS // CHUNK


def run(spec, folder, resume=False, progress=None):
    return run_series(
        load_spec(spec, SeriesSpec), folder=Folder(folder), resume=resume, threads=1, progress=progress
    )


@pytest.fixture(scope="module")
def undisturbed(make_series, tmp_path_factory):
    """The spec, the bytes of the results of a whole run, and how long (s) each of its stages takes."""
    spec = make_series(SCANS, chunk=CHUNK, more="audit = 0.0", name="kill")
    folder = tmp_path_factory.mktemp("whole")
    run(spec, folder)  # loads and compiles: the next is the one that shows the stages
    begun = []
    run(spec, folder, progress=lambda *_: begun.append(time.perf_counter()))
    lengths = np.diff([*begun, time.perf_counter()])
    assert len(lengths) == 1 + 1 + CHUNKS + 1  # planning, the first chunk, what follows each of them, writing
    return spec, contents(folder), lengths


def contents(folder):
    return {n: (folder / n).read_bytes() for n in ("series.h5", "series.parquet", "series.csv")}


def killed(spec, folder, stage, after, resume=False):
    """Run in a child process and kill it (SIGKILL) `after` s in a stage; how many chunks it left."""
    reports, sender = multiprocessing.Pipe(duplex=False)

    def progress(word, done, total):
        nonlocal stage
        if stage < 0:
            signal.pause()  # the stage is over: wait for the kill
        if stage == 0:
            sender.send(word)
        stage -= 1

    child = multiprocessing.get_context("fork").Process(target=run, args=(spec, folder, resume, progress))
    child.start()
    sender.close()
    reports.recv()  # raises EOFError when the child ends before the stage
    time.sleep(after)
    child.kill()
    child.join()
    return len(list((folder / "parts").glob("0*.part")))


def test_ten_kills_give_ten_equal_files(undisturbed, tmp_path):
    spec, whole, lengths = undisturbed
    rng = np.random.default_rng(6)
    left = []
    for i, stage in enumerate(rng.permutation(len(lengths))[:KILLS]):
        folder, share = tmp_path / f"run{i}", rng.uniform()
        left.append(killed(spec, folder, stage, share * lengths[stage]))
        run(spec, folder, resume=True)
        assert contents(folder) == whole, f"killed after {share:.0%} of stage {stage}"
        assert sorted(p.name for p in folder.iterdir()) == [
            "run.json",
            "series.csv",
            "series.h5",
            "series.parquet",
        ]
    # the moments must have hit the work itself, or the test would prove nothing
    assert sum(0 < n < CHUNKS for n in left) >= 3, left


# Every file that a run renames into its place, in that order, and the folder of parts that is renamed away at the end
RENAMED = (
    "plan.json", "000000.part", f"{CHUNKS - 1:06d}.part", "series.csv", "series.parquet", "series.h5", "run.json", ".old-parts",
)  # fmt: skip


def killed_at(spec, folder, name, when):
    """Run in a child process that kills itself (SIGKILL) right before or after it renames to `name`."""

    def work():
        rename = Path.replace

        def replace(self, target):
            if when == "before" and Path(target).name == name:
                os.kill(os.getpid(), signal.SIGKILL)
            done = rename(self, target)
            if when == "after" and Path(target).name == name:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        Path.replace = replace
        run(spec, folder)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL, "the point was never reached"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", RENAMED)
def test_a_kill_at_each_rename(undisturbed, tmp_path, name, when):
    """What is renamed last is there or not, and never half of it: the resumed run ends in the same bytes."""
    spec, whole, _ = undisturbed
    killed_at(spec, tmp_path, name, when)
    assert (tmp_path / "parts" / name).exists() == (when == "after") or not name.endswith("part")
    run(spec, tmp_path, resume=True)
    assert contents(tmp_path) == whole
    assert {p.name for p in tmp_path.iterdir()} >= {"run.json", "series.csv", "series.h5", "series.parquet"}
    assert not (tmp_path / "parts").exists()


def test_the_points_are_all_that_a_run_renames(undisturbed, tmp_path, monkeypatch):
    seen, rename = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: seen.append(Path(to).name) or rename(self, to))
    run(undisturbed[0], tmp_path)
    parts = [f"{i:06d}.part" for i in range(CHUNKS)]
    assert seen == ["plan.json", *parts, *RENAMED[3:]]


def test_killed_again_and_again(undisturbed, tmp_path):
    """The same run killed five times in a row, each time in the second chunk it does, still ends with the same file."""
    spec, whole, lengths = undisturbed
    left = [killed(spec, tmp_path, 2, 0.5 * lengths[2], resume=i > 0) for i in range(5)]
    assert (np.diff([0, *left]) > 0).all(), left
    run(spec, tmp_path, resume=True)
    assert contents(tmp_path) == whole


def test_resume_refuses_another_spec(undisturbed, tmp_path):
    spec, _, lengths = undisturbed
    killed(spec, tmp_path, CHUNKS // 2, 0.5 * lengths[CHUNKS // 2])
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
