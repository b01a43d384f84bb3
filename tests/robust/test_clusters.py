"""Faults of a cluster: each is a sentence within a minute, what was done is kept, and the resumed run ends equal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.series.conftest import co_o, make_series  # noqa: F401
from tests.series.test_series_schedulers import free_port
from xasuite._series.run import run_series
from xasuite._series.store import Folder
from xasuite.errors import SeriesError
from xasuite.specs import SeriesSpec, load_spec

pytest.importorskip("distributed")
SCANS = 12
pytestmark = pytest.mark.slow


class Cluster:
    """A scheduler and its workers as processes on loopback."""

    def __init__(self, folder: Path) -> None:
        self.dask = shutil.which("dask", path=str(Path(sys.executable).parent)) or shutil.which("dask")
        if self.dask is None:
            pytest.skip("the dask command is not installed")
        self.folder, self.address = folder, f"tcp://127.0.0.1:{free_port()}"
        port = self.address.rsplit(":", 1)[1]
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        self.workers: list[subprocess.Popen[bytes]] = []

    def _start(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(
            [str(self.dask), *words],
            cwd=self.folder,
            env=os.environ | (env or {}),
            start_new_session=True,
            **quiet,
        )  # type: ignore[call-overload, no-any-return]

    def worker(self, *words: str, **env: str) -> None:
        given = words or ("--no-nanny",)
        self.workers.append(
            self._start(
                "worker",
                self.address,
                "--nthreads",
                "1",
                "--no-dashboard",
                "--host",
                "127.0.0.1",
                *given,
                env=env,
            )
        )

    def ready(self) -> Cluster:
        from distributed import Client

        with Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=120)
        return self

    def close(self) -> None:
        for process in (self.scheduler, *self.workers):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def spec(make_series):  # noqa: F811
    return make_series(SCANS, chunk=1, more="audit = 0.0", name="clusters")


@pytest.fixture(scope="module")
def whole(spec, tmp_path_factory) -> bytes:
    return run(spec, tmp_path_factory.mktemp("here"), threads=1).path.read_bytes()


def run(spec, folder, **options):
    return run_series(load_spec(spec, SeriesSpec), folder=Folder(Path(folder)), **options)


def ends(spec, folder: Path, address: str, says: str, fault=None) -> None:
    """The run ends with that sentence within a minute after the fault, which comes when four rows are done."""
    at: list[float] = []

    def progress(word: str, done: int, total: int) -> None:
        if fault is not None and word == "fitting" and done >= 4 and not at:
            fault()
            at.append(time.monotonic())

    with pytest.raises(SeriesError, match=says) as caught:
        run(spec, folder, scheduler=address, progress=progress)
    ended = time.monotonic()
    assert "\n" not in str(caught.value)
    if fault is not None:
        assert at, "the fault must come in mid-run, or nothing is shown"
        assert ended - at[0] < 60


def resumed(spec, folder: Path, whole: bytes) -> None:
    """Finished here, from the parts that the cluster made."""
    done: list[int] = []
    made = run(
        spec,
        folder,
        threads=1,
        resume=True,
        progress=lambda word, n, total: done.append(n) if word == "fitting" else None,
    )
    assert done[0] >= 4, "the parts of the cluster were not kept"
    assert made.path.read_bytes() == whole


def test_the_scheduler_dies(spec, whole, cluster, tmp_path) -> None:
    cluster.worker()
    cluster.worker()
    cluster.ready()
    ends(
        spec,
        tmp_path / "out",
        cluster.address,
        "Dask scheduler at .* is gone .*run again with --resume",
        cluster.scheduler.kill,
    )
    resumed(spec, tmp_path / "out", whole)


def test_the_last_worker_goes(spec, whole, cluster, tmp_path) -> None:
    cluster.worker()
    cluster.ready()
    ends(
        spec,
        tmp_path / "out",
        cluster.address,
        "no worker for 30 s; what was done is kept",
        cluster.workers[0].kill,
    )
    resumed(spec, tmp_path / "out", whole)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("raise ImportError('no module')", "the worker tcp://.* has no xasuite: install xasuite [0-9.]+"),
        ("__version__ = '0.0.1'", "the worker tcp://.* has xasuite 0.0.1, this process [0-9.]+"),
    ],
    ids=["without", "other"],
)  # fmt: skip
def test_a_worker_without_the_package_or_with_another_version(
    spec, cluster, tmp_path, module: str, says: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "xasuite.py").write_text(module)
    cluster.worker()
    cluster.worker("--no-nanny", PYTHONPATH=str(tmp_path / "other"))
    cluster.ready()
    ends(spec, tmp_path / "out", cluster.address, says)


HUNGRY = """
import time
from xasuite._series import schedule
whole = getattr(schedule, "whole", schedule.work_alone)  # this is run by the nanny's process and by the worker's
schedule.whole = whole
def work_alone(plan, chunk):
    if chunk == {chunk}:
        held = b"x" * {size}
        time.sleep(600)  # until the nanny sees it
    return whole(plan, chunk)
schedule.work_alone = work_alone
"""


def test_workers_killed_for_memory_again_and_again(spec, whole, cluster, tmp_path) -> None:
    """One chunk takes more memory than a worker may have: its nanny ends it and starts another; at the fourth death the run ends."""
    (tmp_path / "hungry.py").write_text(HUNGRY.format(chunk=5, size=2_000_000_000))
    cluster.worker("--nanny", "--memory-limit", "1500MB", "--preload", str(tmp_path / "hungry.py"))
    cluster.ready()
    ends(spec, tmp_path / "out", cluster.address, r"4 workers died on chunk 6 \(out of memory\?\)")
    resumed(spec, tmp_path / "out", whole)
