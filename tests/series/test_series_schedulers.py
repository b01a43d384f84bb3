"""Threads, processes and a Dask cluster give the same results, also when a worker is killed in mid-run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from xasuite._series import row_budgets
from xasuite._series.run import run_series
from xasuite._series.store import Folder
from xasuite.errors import SeriesError
from xasuite.specs import SeriesSpec, load_spec

SCANS = 16


@pytest.fixture(scope="module")
def spec(make_series):
    return make_series(SCANS, chunk=2, more="audit = 0.0", name="workers")


@pytest.fixture(scope="module")
def by_threads(spec, tmp_path_factory):
    return run(spec, tmp_path_factory.mktemp("threads"), threads=2)


def run(spec, folder, **options):
    return run_series(load_spec(spec, SeriesSpec), folder=Folder(Path(folder)), **options)


def same(a, b):
    """Byte for byte: every worker adds in the same order."""
    assert a.path.read_bytes() == b.path.read_bytes()
    assert a.path.with_suffix(".csv").read_bytes() == b.path.with_suffix(".csv").read_bytes()


def test_processes_give_the_same_file(spec, by_threads, tmp_path):
    same(run(spec, tmp_path, workers=2), by_threads)


def test_one_thread_gives_the_same_file(spec, by_threads, tmp_path):
    same(run(spec, tmp_path, threads=1), by_threads)


@pytest.mark.parametrize("damaged", [{}, {3: "binary"}])
def test_budgets_made_beside_are_those_made_at_the_end(make_series, tmp_path, monkeypatch, damaged):
    """Byte for byte. Guessed right, none is made again; with a row that cannot be used the guess is not taken."""
    spec = make_series(40, damaged, chunk=10, name="ahead")
    at_the_end = run(spec, tmp_path / "end", threads=1)
    made = []
    original = row_budgets._budgets
    monkeypatch.setattr(row_budgets, "_budgets", lambda *a, **o: made.append(a) or original(*a, **o))
    monkeypatch.setattr("xasuite._series.run.LONG", 1)
    same(run(spec, tmp_path / "beside", threads=1), at_the_end)
    assert bool(made) == bool(damaged)


def test_no_scheduler_there(spec, tmp_path):
    with pytest.raises(SeriesError, match=r"no Dask scheduler with workers answers at tcp://127\.0\.0\.1:9"):
        run(spec, tmp_path, scheduler="tcp://127.0.0.1:9")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A real cluster on loopback, started as its users start it: a scheduler and two worker processes."""
    pytest.importorskip("distributed")
    dask = shutil.which("dask", path=str(Path(sys.executable).parent)) or shutil.which("dask")
    if dask is None:
        pytest.skip("the dask command is not installed")
    folder = tmp_path_factory.mktemp("dask")
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    first = [dask, "scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--no-dashboard"]
    worker = [
        dask,
        "worker",
        address,
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
    ]
    processes = [subprocess.Popen(first, **quiet)]
    processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
    yield address, processes
    for process in processes:
        process.kill()
        process.wait()


def test_a_killed_dask_worker_costs_nothing_but_time(spec, by_threads, cluster, tmp_path):
    """Both workers are at work when one is killed; the file is that of the run by threads."""
    from distributed import Client

    address, processes = cluster
    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
    done = []

    def progress(word, rows, total):
        if word == "fitting" and rows and not done:
            done.append(rows)
            os.kill(processes[1].pid, signal.SIGKILL)
            time.sleep(0.1)

    result = run(spec, tmp_path, scheduler=address, progress=progress)
    assert done
    assert done[0] < SCANS, "the worker must die before the end, or nothing is shown"
    assert processes[1].wait(timeout=10) == -signal.SIGKILL
    same(result, by_threads)
    assert np.isfinite(result.table["n_o"]).all()
