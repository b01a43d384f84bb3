"""What must not lose or mix data: changed inputs, damaged parts, two runs at once, full disks, files that vanish."""

from __future__ import annotations

import errno
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from xasuite._series import results, series
from xasuite._series.run import run_series
from xasuite._series.store import Folder
from xasuite.errors import SeriesError, WriteError, XasuiteError, XasuiteWarning
from xasuite.specs import SeriesSpec, load_spec

SCANS, CHUNK = 8, 2
HANGS = 600  # s after which a process is taken to do nothing more


@pytest.fixture(scope="module")
def whole(make_series, tmp_path_factory):
    """The spec, and the bytes of an undisturbed run."""
    spec = make_series(SCANS, chunk=CHUNK, more="audit = false", name="trust")
    folder = tmp_path_factory.mktemp("whole")
    run(spec, folder)
    return spec, contents(folder)


@pytest.fixture
def own(whole, tmp_path):
    """A copy of the series, which a test may damage: spec and output folder."""
    shutil.copytree(whole[0].parent, tmp_path / "in")
    return tmp_path / "in" / whole[0].name, tmp_path / "out"


def run(spec, folder, **options):
    return run_series(load_spec(spec, SeriesSpec), folder=Folder(folder), threads=1, **options)


def contents(folder):
    return {n: (folder / n).read_bytes() for n in ("series.h5", "series.parquet", "series.csv")}


def begun(spec, folder, chunks=2):
    """A run that is stopped when so many chunks are done."""

    def stop(word, done, total):
        if word == "fitting" and done >= chunks * CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(spec, folder, progress=stop)


def change_in_place(scan):
    """Other numbers in as many bytes, and the time of change as it was."""
    stat, text = scan.stat(), scan.read_bytes()
    middle = len(text) // 2
    digit = re.search(rb"\.(\d)", text[middle:])
    at = middle + digit.start(1)
    scan.write_bytes(text[:at] + (b"1" if digit[1] != b"1" else b"2") + text[at + 1 :])
    os.utime(scan, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert scan.stat().st_size == stat.st_size


# --------------------------------------------------------------------------------------------- inputs


def test_input_changed_in_place_is_not_mixed_with_old_parts(own):
    spec, out = own
    begun(spec, out)
    change_in_place(spec.parent / "scans" / "scan_2.txt")
    with pytest.raises(SeriesError, match="the content of its scans or the program changed since"):
        run(spec, out, resume=True)
    run(spec, out, resume="if same")
    resumed = contents(out)
    run(spec, out)
    assert contents(out) == resumed


def test_a_finished_result_of_other_data_is_not_passed_off(own, tmp_path):
    spec, _ = own
    first = series(spec, output=tmp_path, progress=False)
    stamp, before = first.path.stat().st_mtime_ns, first.table["sha256"][4]
    assert series(spec, output=tmp_path, progress=False).path.stat().st_mtime_ns == stamp
    change_in_place(spec.parent / "scans" / "scan_5.txt")
    again = series(spec, output=tmp_path, progress=False)
    assert again.path.stat().st_mtime_ns != stamp
    assert again.table["sha256"][4] != before


@pytest.mark.parametrize("fault", ["removed", "cut"])
def test_input_that_goes_in_mid_run_stops_it(own, whole, fault):
    """Renamed or cut while the series runs: a sentence, the parts kept; put back, the run ends as if nothing had been."""
    spec, out = own
    scan = spec.parent / "scans" / f"scan_{SCANS}.txt"
    held, text = scan.stat(), scan.read_bytes()

    def damage(word, done, total):
        if word == "fitting" and done == CHUNK:
            scan.unlink() if fault == "removed" else scan.write_bytes(text[:100])

    with pytest.raises(SeriesError, match=r"is gone since the run began|was changed since the run began"):
        run(spec, out, progress=damage)
    assert len(list((out / "parts").glob("*.part"))) == SCANS // CHUNK - 1
    scan.write_bytes(text)
    os.utime(scan, ns=(held.st_atime_ns, held.st_mtime_ns))
    run(spec, out, resume=True)
    assert contents(out) == whole[1]


def test_no_file_is_opened_twice(whole, tmp_path):
    """In a process of its own, because an audit hook of the interpreter stays."""
    code = f"""
import collections, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
opened = collections.Counter()
sys.addaudithook(lambda event, args: opened.update([str(args[0])]) if event == "open" else None)
from xasuite._series import series
series({str(whole[0])!r}, output={str(tmp_path)!r}, progress=False)
found = {{Path(name).name: n for name, n in opened.items() if Path(name).parent.name == "scans"}}
assert found == {{f"scan_{{i + 1}}.txt": 1 for i in range({SCANS})}}, found
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=HANGS)


# --------------------------------------------------------------------------------------------- parts


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 4
    path.write_bytes(bytes(data))


def swap(path):
    other = path.with_name("000000.part")
    first, second = other.read_bytes(), path.read_bytes()
    other.write_bytes(second)
    path.write_bytes(first)


@pytest.mark.parametrize("damage", [cut, empty, flip, swap])
def test_a_damaged_part_is_done_again_and_said(own, whole, damage):
    spec, out = own
    begun(spec, out)
    damage(out / "parts" / "000001.part")
    with pytest.warns(XasuiteWarning, match=r"part \d of the run is .*it is done again"):
        run(spec, out, resume=True)
    assert contents(out) == whole[1]


@pytest.mark.parametrize("text", ["", '{"fingerp', "[]", "{}"])
def test_a_cut_plan_is_typed(own, whole, text):
    spec, out = own
    begun(spec, out)
    (out / "parts" / "plan.json").write_text(text)
    with pytest.raises(SeriesError, match=r"plan.json is of another run, or damaged.*run without --resume"):
        run(spec, out, resume=True)
    run(spec, out, resume="if same")
    assert contents(out) == whole[1]


# --------------------------------------------------------------------------------------------- folders and disks


def test_a_second_run_into_one_folder_is_refused(own):
    spec, out = own
    with (
        Folder(out).lock(),
        pytest.raises(SeriesError, match=rf"is being written by process {os.getpid()} on .* since \d{{4}}-"),
    ):
        run(spec, out)
    run(spec, out)
    assert not list(out.glob(".*"))


def test_the_output_folder_is_removed(own):
    spec, out = own

    def remove(word, done, total):
        if done == CHUNK:
            shutil.rmtree(out)

    with pytest.raises(SeriesError, match="was removed while the series was running"):
        run(spec, out, progress=remove)


def test_a_full_disk_keeps_the_parts(own, whole, monkeypatch):
    """The HDF5 library, told of a failed write, ends in a crash: it is not told, and the error is raised by Python."""
    spec, out = own

    class Full(results.io.FileIO):
        def write(self, data):
            if self.tell() > 20_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(results, "_Target", type("Target", (results._Target, Full), {}))
    with pytest.raises(
        WriteError,
        match=r"series.h5 cannot be written: No space left on device; the parts are kept: run again with --resume",
    ):
        run(spec, out)
    assert len(list((out / "parts").glob("*.part"))) == SCANS // CHUNK
    monkeypatch.undo()
    run(spec, out, resume=True)
    assert contents(out) == whole[1]


def small_disk(out, size, first, second, keep):
    """Two commands, the second when the disk has grown; in a namespace of its own, which takes the disk away with it."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare: a small disk cannot be made")
    mount = f"mount -t tmpfs -o size={size} tmpfs {out}"
    may = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if may.returncode:
        pytest.skip(f"this user may not make a small disk: {may.stderr.strip()}")
    script = f"""
{mount} || exit 99
{shlex.join(map(str, first))}; echo $? > {keep}/code; find {out} -name '0*.part' | wc -l > {keep}/parts
mount -o remount,size=50m {out} || exit 99
{shlex.join(map(str, second))} && cp {out}/*/*/series.* {keep}/
"""
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=HANGS, check=False
    )


@pytest.mark.parametrize(
    ("size", "where"),
    [("32k", r"parts/00000\d.part"), ("56k", r"parts/00000\d.part"), ("96k", r"series\.\w+"), ("160k", r"series\.\w+")],
)  # fmt: skip
def test_a_disk_that_is_really_full(own, whole, size, where, tmp_path):
    """A file system of so many bytes: a sentence, exit code 1, parts kept; grown, the resumed run ends equal."""
    spec, out = own
    keep = tmp_path / "kept"
    out.mkdir()
    keep.mkdir()
    done = small_disk(out, size, command(spec, out), command(spec, out), keep)
    assert done.returncode == 0, done.stderr
    assert (keep / "code").read_text() == "1\n"
    says = r"xasuite: .*/grow/(.*) cannot be written: No space left on device; the parts are kept: run again with --resume\n"
    found = re.search(says, done.stderr)
    assert found, done.stderr
    assert "Traceback" not in done.stderr
    assert re.fullmatch(where, found[1])
    parts = int((keep / "parts").read_text())
    assert parts == SCANS // CHUNK if "series" in where else 0 < parts < SCANS // CHUNK
    assert contents(keep) == whole[1]


def command(spec, out, *more):
    argv = ["series", str(spec), "-o", str(out), "--no-figures", "--resume", *more]
    return [sys.executable, "-m", "xasuite", *argv]


@pytest.mark.parametrize("limit", [3_000, 40_000])
def test_a_file_size_limit(own, limit):
    """ulimit -f: a sentence and exit code 1, whether a part or the final file is too long."""
    spec, out = own

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # nothing but the series may be cut
    done = subprocess.run(
        command(spec, out),
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        env=env,
    )
    assert done.returncode == 1, done.stderr
    assert re.search(r"xasuite: .* cannot be written: File too large", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_not_be_written(own):
    spec, out = own
    out.mkdir(mode=0o555)
    with pytest.raises(XasuiteError, match=r"cannot be written: Permission denied"):
        run(spec, out)


def test_a_folder_that_is_a_file(own):
    spec, out = own
    out.write_text("")
    with pytest.raises(XasuiteError, match=r"cannot be written") as caught:
        run(spec, out)
    assert "\n" not in str(caught.value)


def test_sigterm_is_said(make_series, tmp_path):
    """A batch system's SIGTERM: one line, exit code 143, parts kept."""
    spec = make_series(40, chunk=1, more="audit = false", name="term")
    process = subprocess.Popen(command(spec, tmp_path), stderr=subprocess.PIPE, text=True)
    parts, hangs = tmp_path / spec.parent.name / "grow" / "parts", time.monotonic() + HANGS
    while not list(parts.glob("0*.part")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < hangs, "no chunk was ever done"
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=HANGS)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert err.strip().splitlines()[-1] == "xasuite: terminated; what was done is kept"
    assert list(parts.glob("0*.part"))
