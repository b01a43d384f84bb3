"""The two commands as a user types them: output, exit codes, one line for a mistake, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from xasuite._series.run import run_series
from xasuite._series.store import Folder
from xasuite.cli import main
from xasuite.specs import SeriesSpec, load_spec

HANGS = 600  # s after which a process is taken to do nothing more


@pytest.fixture(scope="module")
def spec(make_series):
    return make_series(6, {2: "binary"}, chunk=2, name="cli")


def call(*argv):
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in argv])
    return ended.value.code


def test_json_is_one_document(spec, tmp_path, capsys):
    code = call("series", spec, "-o", tmp_path, "--json", "--no-figures")
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert set(document) == {"file", "table", "label", "audit", "budget", "rows"}
    assert document["label"] == "measured"
    assert document["audit"]["n"] >= 5 - 1  # one of six scans is damaged
    row = document["rows"][0]
    assert set(row) == {
        "label", "time", "status", "reason", "undetermined", "params", "rfactor", "chi2_reduced",
    }  # fmt: skip
    assert set(row["params"]) == {"s02", "enot", "n_o", "dr_o", "ss_o"}
    n = row["params"]["n_o"]
    assert n["stderr"] == pytest.approx(np.hypot(n["own"], n["common"]))
    assert document["budget"]["sampled"] == 5
    change = document["budget"]["trends"]["Co-O.r"]["change"]
    assert change["value"] == pytest.approx(5 * 2e-3, abs=3 * change["stderr"])  # 2 mA a scan
    assert document["rows"][2]["status"] == "unreadable"
    assert document["rows"][2]["params"]["n_o"]["value"] is None


def test_the_table_and_the_files(spec, tmp_path, capsys):
    assert call("series", spec, "-o", tmp_path, "--no-figures") == 0
    out = capsys.readouterr()
    assert "5 ok" in out.out
    assert "1 unreadable" in out.out
    assert "largest difference" in out.out
    assert "6 of 6 spectra" in out.err
    folder = next(tmp_path.glob("*/grow"))
    assert sorted(p.name for p in folder.iterdir()) == [
        "run.json",
        "series.csv",
        "series.h5",
        "series.parquet",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scans/*.txt", "nowhere/*.txt"), "no file nowhere/*.txt in"),
        (("[series]", "[serie]"), "[series] is missing"),
        (("chunk = 2", "chunk = 0"), "chunk: found 0; must be at least 1"),
    ],
)
def test_a_mistake_is_one_line(spec, tmp_path, capsys, change, said):
    wrong = spec.with_name("wrong.toml")
    wrong.write_text(spec.read_text().replace(*change))
    assert call("series", wrong, "-o", tmp_path, "--no-figures") == 1
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_check_takes_a_series_too(spec, capsys):
    wrong = spec.with_name("beyond.toml")
    wrong.write_text(spec.read_text().replace("k = [3.0, 11.0]", "k = [3.0, 15.0]"))
    assert call("check", spec) == 0
    assert call("check", wrong) == 1
    assert "[fit] k goes to 15" in capsys.readouterr().err


def test_interrupted_it_keeps_what_was_done(spec, tmp_path):
    """Ctrl-C after the first chunk; resumed, the file is that of an undisturbed run."""

    def stop(word, done, total):
        if word == "fitting" and done:
            raise KeyboardInterrupt

    loaded = load_spec(spec, SeriesSpec)
    with pytest.raises(KeyboardInterrupt):
        run_series(loaded, folder=Folder(tmp_path / "a"), progress=stop)
    assert len(list((tmp_path / "a/parts").glob("*.part"))) == 1
    run_series(loaded, folder=Folder(tmp_path / "a"), resume=True)
    run_series(loaded, folder=Folder(tmp_path / "b"))
    assert (tmp_path / "a/series.h5").read_bytes() == (tmp_path / "b/series.h5").read_bytes()


def test_ctrl_c_on_the_shell(make_series, tmp_path):
    """SIGINT to the command: one line, exit code 130, no traceback, also with worker processes."""
    spec = make_series(40, chunk=1, name="long")
    command = [
        sys.executable,
        "-m",
        "xasuite",
        "series",
        str(spec),
        "-o",
        str(tmp_path),
        "--no-figures",
        "--workers",
        "2",
    ]
    # a shell that runs the tests in the background has Ctrl-C ignored, and its children inherit that
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    signal.signal(signal.SIGINT, before)
    parts = tmp_path / spec.parent.name / "grow" / "parts"
    hangs = time.monotonic() + HANGS
    while not list(parts.glob("0*.part")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < hangs, "no chunk was ever done"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=HANGS)[1]
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "xasuite: interrupted; what was done is kept"
    assert "Traceback" not in err


def test_watch_until_there_are_enough(spec, tmp_path, capsys):
    code = call(
        "watch", spec.parent / "scans", spec, "-o", tmp_path, "--until", 6, "--interval", 0.05, "--settle", 0,
        "--patience", 0, "--no-figures",
    )  # fmt: skip
    out = capsys.readouterr()
    assert code == 0
    assert "6 scans" in out.out
    assert call("watch", tmp_path / "absent", spec, "-o", tmp_path) == 1
    assert "is no folder to watch" in capsys.readouterr().err


def test_a_fit_in_q_space_has_a_budget(spec, tmp_path):
    """Its rows' own errors are those of the same series in R within a quarter: the same R range, other ends of q."""
    other = spec.with_name("in_q.toml")
    other.write_text(spec.read_text().replace("[fit]", '[fit]\nspace = "q"'))
    in_q, in_r = (
        run_series(load_spec(s, SeriesSpec), folder=Folder(tmp_path / s.stem), threads=1)
        for s in (other, spec)
    )
    own, own_r = (found.table["n_o_err_own"].median() for found in (in_q, in_r))
    assert own == pytest.approx(own_r, rel=0.25)
    assert in_q.table["n_o_err_common"].median() == pytest.approx(
        in_r.table["n_o_err_common"].median(), rel=0.5
    )
