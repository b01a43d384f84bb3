"""A Tiled server with a Bluesky catalogue in SQLite, really served here, as the source of a series."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tiled.server.app", reason="needs a Tiled server: pip install 'tiled[server]'")
pytest.importorskip("bluesky_tiled_plugins", reason="needs pip install bluesky-tiled-plugins")

from xasuite._series import series
from xasuite._series.live import Watch
from xasuite._series.store import Folder
from xasuite.errors import SeriesError
from xasuite.specs import SeriesSpec, load_spec

pytestmark = pytest.mark.slow
KEY = "secret"
N = 3


@pytest.fixture(scope="module")
def measured(make_series):
    return make_series(N, chunk=3, name="measured")


class Server:
    """`tiled serve catalog` on a free port; started again it serves the same catalogue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/api/v1"

    def start(self) -> None:
        program = "import sys; from tiled.commandline.main import main; sys.exit(main())"
        with (self.folder / "log.txt").open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-c", program, "serve", "catalog", str(self.folder / "catalog.db"), "--init",
                    "--write", str(self.folder / "arrays"), "--write", f"sqlite:///{self.folder}/tables.db",
                    "--api-key", KEY, "--port", str(self.port),
                ],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        for _ in range(900):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.folder / "log.txt").read_text()[-2000:]
            time.sleep(0.2)
        raise AssertionError("the server did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TILED_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path / "cache"))
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


def run_of(address: str, scan: Path, number: int, whole: bool = True):
    """A run written as Bluesky's own writer does it, document by document; left without its stop where not whole."""
    import event_model
    from bluesky_tiled_plugins import TiledWriter
    from tiled.client import from_uri

    energy, i0, it = np.loadtxt(scan).T
    writer = TiledWriter(from_uri(address, api_key=KEY))
    run = event_model.compose_run(metadata={"scan_id": number, "plan_name": "xafs", "temperature": 300.5})
    writer("start", run.start_doc)
    keys = {n: {"source": "test", "dtype": "number", "shape": []} for n in ("mono_energy", "i0", "it")}
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    writer("descriptor", stream.descriptor_doc)
    for row in zip(energy, i0, it, strict=True):
        data = dict(zip(keys, map(float, row), strict=True))
        writer("event", stream.compose_event(data=data, timestamps=dict.fromkeys(keys, time.time())))
    if whole:
        writer("stop", run.compose_stop())
    return lambda: writer("stop", run.compose_stop())


def test_a_catalogue_is_watched_and_read(server: Server, measured: Path, tmp_path: Path) -> None:
    """A run without its stop is waited for; a server that goes away costs time; the numbers are those of plain files."""
    scans = [measured.parent / "scans" / f"scan_{i + 1}.txt" for i in range(N)]
    spec = tmp_path / "grow.toml"
    spec.write_text(measured.read_text())
    run_of(server.address, scans[0], 1)
    stop = run_of(server.address, scans[1], 2, whole=False)
    watcher = Watch(server.address, load_spec(spec, SeriesSpec), Folder(tmp_path / "out"), settle=0.0)

    def look(wanted: int, seconds: float = 30.0) -> int:
        end = time.monotonic() + seconds
        while watcher.scans < wanted and time.monotonic() < end:
            watcher.step()
            time.sleep(0.1)
        return watcher.scans

    assert look(1) == 1
    assert look(2, 1.0) == 1  # it runs
    stop()
    assert look(2) == 2
    server.stop()
    assert look(3, 1.0) == 2
    assert "does not answer" in watcher.waiting
    server.start()
    run_of(server.address, scans[2], 3)
    assert look(3) == 3
    run = watcher.run()
    plain = series(measured, output=tmp_path / "plain")
    for name in ("n_o", "Co-O.r", "rfactor"):
        np.testing.assert_allclose(run.table[name], plain.table[name], rtol=1e-6, err_msg=name)
    # the same catalogue as a series, which fetches each scan once
    spec.write_text(measured.read_text().replace('["scans/*.txt"]', f'["{server.address}"]'))
    whole = series(spec, output=tmp_path / "whole")
    np.testing.assert_allclose(whole.table["Co-O.r"], plain.table["Co-O.r"], rtol=1e-6)


def test_a_server_that_is_not_there(tmp_path: Path, measured: Path) -> None:
    spec = tmp_path / "grow.toml"
    spec.write_text(measured.read_text().replace('["scans/*.txt"]', '["http://127.0.0.1:9/api/v1"]'))
    with pytest.raises(SeriesError, match=r"127\.0\.0\.1:9/api/v1 does not answer"):
        series(spec, output=tmp_path / "out")
