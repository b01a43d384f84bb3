"""A folder that fills while it is watched: half-written scans are waited for, and the end is that of a plain run."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from xasuite._series import series
from xasuite._series.beside import Beside
from xasuite._series.live import Watch
from xasuite._series.record import open_run
from xasuite._series.store import Folder
from xasuite._series.watching import watch
from xasuite.errors import SeriesError
from xasuite.specs import SeriesSpec, load_spec

N = 6


@pytest.fixture(scope="module")
def measured(make_series):
    return make_series(N, chunk=3, name="measured")


@pytest.fixture
def beamline(measured, tmp_path):
    """An empty folder, the spec beside it, and a watcher of both."""
    folder = tmp_path / "scans"
    folder.mkdir()
    spec = shutil.copy(measured, tmp_path / "grow.toml")
    return folder, Watch(
        folder, load_spec(spec, SeriesSpec), Folder(tmp_path / "out"), settle=1.0, patience=60
    )


def test_scans_are_taken_up_as_they_appear(measured, beamline, tmp_path):
    folder, watcher = beamline
    scans = [measured.parent / "scans" / f"scan_{i + 1}.txt" for i in range(N)]
    now = 1e9
    assert watcher.step(now) == 0  # nothing there yet
    for i, scan in enumerate(scans):
        half = scan.read_bytes()
        target = folder / scan.name
        target.write_bytes(half[: len(half) // 2])
        stamp(target, now)
        assert watcher.step(now + 0.5) == 0, "a file that changed half a second ago"
        assert watcher.step(now + 5) == 0, "settled, but half of the scan is missing"
        target.write_bytes(half)
        stamp(target, now + 6)
        assert watcher.step(now + 8) == 1
        assert watcher.rows == i + 1
        now += 10
    live = watcher.run()
    plain = series(measured, output=tmp_path / "plain")
    assert list(live.table["label"]) == list(plain.table["label"])
    for name in ("n_o", "Co-O.r", "ss_o", "rfactor", "time"):
        np.testing.assert_allclose(live.table[name], plain.table[name], rtol=1e-8, err_msg=name)


def test_a_scan_that_never_ends_is_marked(measured, beamline):
    folder, watcher = beamline
    first, second = (measured.parent / "scans" / f"scan_{i}.txt" for i in (1, 2))
    shutil.copy(first, folder / "scan_1.txt")
    (folder / "scan_2.txt").write_bytes(second.read_bytes()[:9000])
    for name in ("scan_1.txt", "scan_2.txt"):
        stamp(folder / name, 1e9)
    assert watcher.step(1e9 + 10) == 1
    assert watcher.step(1e9 + 50) == 0
    assert watcher.step(1e9 + 61) == 1  # patience is 60 s
    assert list(watcher.run().table["status"]) == ["ok", "short"]


@pytest.mark.parametrize("ahead", [3600, 10 * 365 * 86400])
def test_a_file_written_in_the_future_is_waited_for_no_longer(measured, beamline, ahead):
    """The detector's clock is ahead of ours: a whole scan is taken after the wait, a short one after the patience."""
    folder, watcher = beamline
    first, second = (measured.parent / "scans" / f"scan_{i}.txt" for i in (1, 2))
    shutil.copy(first, folder / "scan_1.txt")
    (folder / "scan_2.txt").write_bytes(second.read_bytes()[:9000])
    for name in ("scan_1.txt", "scan_2.txt"):
        stamp(folder / name, 1e9 + ahead)
    assert [watcher.step(1e9 + t) for t in (0, 10, 50, 61)] == [0, 1, 0, 1]
    assert list(watcher.run().table["status"]) == ["ok", "short"]


def test_a_clock_that_is_set_back(measured, beamline):
    """An hour back between two looks: the scans are taken after their usual wait, not an hour later."""
    folder, watcher = beamline
    shutil.copy(measured.parent / "scans" / "scan_1.txt", folder)
    stamp(folder / "scan_1.txt", 1e9)
    assert [watcher.step(1e9 + t) for t in (0, 0.5, -3600, -3598)] == [0, 0, 0, 1]


def test_restarted_it_goes_on(measured, beamline, tmp_path):
    folder, watcher = beamline
    for i in range(4):
        shutil.copy(measured.parent / "scans" / f"scan_{i + 1}.txt", folder)
        stamp(folder / f"scan_{i + 1}.txt", 1e9)
        if i == 1:
            assert watcher.step(1e9 + 10) == 2
    again = Watch(folder, watcher.loaded, watcher.output)
    assert again.rows == 2
    assert again.step(1e9 + 20) == 2
    assert len(again.run()) == 4


@pytest.mark.parametrize(("kind", "rows"), [("block", [0, 1, 1, 2, 2]), ("running", [0, 1, 2, 3, 4])])
def test_an_average_appears_with_its_last_scan(make_series, tmp_path, kind, rows):
    """Blocks of two are there with every second scan, running means of two from the second on; restarted in between."""
    spec = make_series(5, chunk=3, more=f'average = {{ kind = "{kind}", n = 2 }}', name=f"averaged_{kind}")
    scans = [spec.parent / "scans" / f"scan_{i + 1}.txt" for i in range(5)]
    folder, out, seen = tmp_path / "scans", Folder(tmp_path / "out"), []
    folder.mkdir()
    for i, scan in enumerate(scans):
        shutil.copy(scan, folder)
        stamp(folder / scan.name, 1e9)
        if i in (0, 3):
            watcher = Watch(folder, load_spec(spec, SeriesSpec), out)
        watcher.step(1e9 + 10 * (i + 1))
        seen.append(watcher.rows)
    assert seen == rows
    live, plain = watcher.run().table, series(spec, output=tmp_path / "plain").table
    assert list(live["label"]) == list(plain["label"])
    for name in ("n_o", "Co-O.r", "noise", "time", "averaged"):
        np.testing.assert_allclose(live[name], plain[name], rtol=1e-8, err_msg=name)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("timeline = { shared = ['ss_o'] }", r"timeline is one fit of all rows.*xasuite series --resume"),
        ("components = { n = 2 }", r"components are found in all rows at once"),
        ("align = { use = 'mu', smooth = 5 }", r"smooth takes each shift from scans on both sides"),
    ],
)
def test_what_cannot_be_live_says_why_and_what_instead(make_series, tmp_path, more, why):
    spec = make_series(1, more=more, name="whole")
    with pytest.raises(SeriesError, match=why):
        Watch(tmp_path, load_spec(spec, SeriesSpec), Folder(tmp_path / "out"))


def test_valence_is_live(make_series, tmp_path):
    """Each row's valence is its own affair: after every scan the table has it, as a plain run does."""
    spec = make_series(3, more="valence = { spec = 'valence.toml' }", name="valence")
    standards = "".join(
        f'[[standard]]\nlabel = "v{v}"\nvalence = {v}\nsimulate = {{ e0 = 7709.0, shift = {3.0 * (v - 2)}, seed = {v} }}\n'
        for v in (2, 3, 4, 5)
    )
    head = 'xasuite = 2\ntitle = "closure"\n[calibration]\nelement = "Co"\n'
    (spec.parent / "valence.toml").write_text(head + standards)
    folder = tmp_path / "scans"
    folder.mkdir()
    watcher = Watch(folder, load_spec(spec, SeriesSpec), Folder(tmp_path / "out"))
    for i in (1, 2, 3):
        shutil.copy(spec.parent / "scans" / f"scan_{i}.txt", folder)
        stamp(folder / f"scan_{i}.txt", 1e9)
        watcher.step(1e9 + 10 * i)
        assert np.isfinite(watcher.run().table["valence"]).sum() == i
    plain = series(spec, output=tmp_path / "plain").table
    np.testing.assert_allclose(watcher.run().table["valence"], plain["valence"], rtol=1e-8)


def put(measured, folder, number, name=""):
    target = folder / (name or f"scan_{number}.txt")
    shutil.copy(measured.parent / "scans" / f"scan_{number}.txt", target)
    stamp(target, 1e9)
    return target


def test_a_scan_that_is_moved_away_hides_no_other(measured, beamline):
    """Scans 1-3 taken, the first moved away, a fourth arrives: it is taken, and after a restart the fifth is."""
    folder, watcher = beamline
    for i in (1, 2, 3):
        put(measured, folder, i)
    assert watcher.step(1e9 + 10) == 3
    (folder / "scan_1.txt").unlink()
    put(measured, folder, 4)
    assert watcher.step(1e9 + 20) == 1
    again = Watch(folder, watcher.loaded, watcher.output)
    assert (again.scans, again.rows) == (4, 4)
    put(measured, folder, 5)
    assert again.step(1e9 + 30) == 1
    assert list(again.run().table["label"]) == [f"scan_{i}.txt" for i in (1, 2, 3, 4, 5)]
    assert (again.run().table["status"] == "ok").all()


def test_a_replaced_scan_is_said(measured, beamline):
    """The row keeps what was read first; the same content under another name is not taken twice."""
    folder, watcher = beamline
    put(measured, folder, 1)
    put(measured, folder, 2)
    assert watcher.step(1e9 + 10) == 2
    put(measured, folder, 3, name="scan_2.txt")
    assert watcher.step(1e9 + 20) == 0
    assert watcher.said == [
        "scan_2.txt was replaced after it was taken up as scan 2: the row keeps what was read first; give the new scan "
        "another name to have it taken up too"
    ]
    assert watcher.step(1e9 + 30) == 0
    assert watcher.said == []
    put(measured, folder, 1, name="copy.txt")
    assert watcher.step(1e9 + 40) == 0
    assert watcher.said == ["copy.txt holds what scan_1.txt holds and is not taken up again"]
    assert len(watcher.run()) == 2


@pytest.mark.parametrize("cut", ["line", "part"])
def test_a_watch_that_was_killed_goes_on(measured, beamline, cut, tmp_path):
    """The last line of its journal is half there, or a part is damaged: what is missing is taken up again."""
    folder, watcher = beamline
    for i in (1, 2, 3):
        put(measured, folder, i)
        watcher.step(1e9 + 10 * i)
    parts = watcher.output.parts
    if cut == "line":
        journal = parts / "live.jsonl"
        journal.write_text(journal.read_text()[:-20])
        again = Watch(folder, watcher.loaded, watcher.output)
        assert again.rows == 2
        assert again.step(1e9 + 50) == 1
    else:
        (parts / "000000.part").write_bytes(b"")
        with pytest.warns(match="part 0 of the run is damaged; it is done again"):
            again = Watch(folder, watcher.loaded, watcher.output)
    plain = series(measured, output=tmp_path / "plain").table
    # the budget's own values rest on all rows, of which the watch had three
    np.testing.assert_allclose(again.run().table["Co-O.r_stated"], plain["Co-O.r_stated"][:3], rtol=1e-8)


def test_one_more_scan_costs_the_same(co_o, make_series, tmp_path):
    """Files opened and bytes written while a scan is taken up: as many for the 150th as for the 10th.

    Counted and not timed. Only the files that are written anew when the rows have grown by a hundredth grow with the
    series; their share of a scan does not.
    """
    import sys

    from .conftest import scan_of
    from .damage import write_scan

    folder = tmp_path / "scans"
    folder.mkdir()
    watcher = Watch(folder, load_spec(make_series(1), SeriesSpec), Folder(tmp_path / "out"))
    events = []
    watching = [False]
    sys.addaudithook(lambda name, args: events.append(args[0]) if watching[0] and name == "open" else None)

    def opened(i):
        path = write_scan(folder / f"scan_{i + 1}.txt", scan_of(co_o, i))
        stamp(path, 1e9)
        events.clear()
        watching[0] = True
        assert watcher.step(1e9 + 10) == 1
        watching[0] = False
        return sum(str(folder.parent) in str(e) for e in events), watcher.output.part(
            (watcher.rows - 1) // 64
        ).stat().st_size

    early = [opened(i) for i in range(20)][10:]
    watcher.write()
    watcher.written = 10**6  # no files anew from here on
    for i in range(20, 150):
        last = opened(i)
    assert last[0] <= early[0][0]
    assert len(list(watcher.output.parts.glob("*.part"))) == 3


def test_a_row_stands_in_the_files_before_its_budget(measured, tmp_path):
    """Each scan is put there once the row before it is said: the files hold that row, its budget is said after it.

    The end is that of a plain run, number by number: values, errors and their parts, of all rows.
    """
    folder, out, lines, held = tmp_path / "scans", Folder(tmp_path / "out"), [], []
    folder.mkdir()
    watcher = Watch(folder, load_spec(measured, SeriesSpec), out)

    def put_next(number):
        shutil.copyfile(measured.parent / "scans" / f"scan_{number}.txt", folder / f"scan_{number}.txt")

    def say(line):
        lines.append(line)
        if " to its row" in line:
            table = open_run(out.h5).table
            held.append((len(table), table["budget"].iloc[-1], bool(np.isfinite(table["n_o_err"].iloc[-1]))))
            if len(table) < N:
                put_next(len(table) + 1)

    put_next(1)
    live = watch(watcher, until=N, idle=60, say=say)
    assert held == [(i + 1, "follows", True) for i in range(N)]
    for i in range(N):
        name = f"scan_{i + 1}.txt"
        row = next(j for j, x in enumerate(lines) if x.startswith(f"{i + 1} scans; {name}: ok; "))
        assert lines[row].endswith(" s from its last point to its row; its budget follows")
        assert any(
            x.startswith(f"{name}: its budget ") and x.endswith(" s after its last point")
            for x in lines[row:]
        )
    plain = series(measured, output=tmp_path / "plain")
    assert list(live.table) == list(plain.table)
    for name in plain.table:
        if plain.table[name].dtype.kind == "f":
            np.testing.assert_allclose(live.table[name], plain.table[name], rtol=1e-8, err_msg=name)
    assert live.audit["n"] == 5  # the first rows, by the process beside
    assert json.loads(live.budget["facts"])["sampled"] == N


def test_a_watch_whose_helper_is_killed_ends_the_same(measured, beamline, tmp_path):
    """Out of memory while a budget is made: it is made here, and the next helper goes on."""
    folder, watcher = beamline
    for i in range(1, N + 1):
        put(measured, folder, i)
    watcher.later = Beside(watcher.output, watcher.context)
    assert watcher.step(1e9 + 10) == N
    watcher.follow()
    assert watcher.later.busy
    for process in watcher.later._pool._processes.values():
        process.kill()
    watcher.write()
    watcher.later.draw(_touch, wait=True)
    watcher.later.end()
    assert (watcher.output.path / "drawn").read_text() == "series.h5"
    plain = series(measured, output=tmp_path / "plain").table
    np.testing.assert_allclose(watcher.run().table["n_o_err"], plain["n_o_err"], rtol=1e-8)


def _touch(file):
    (file.parent / "drawn").write_text(file.name)


def test_rows_killed_before_their_audit_are_audited_after_a_restart(measured, beamline):
    folder, watcher = beamline
    for i in range(1, 4):
        put(measured, folder, i)
    assert watcher.step(1e9 + 10) == 3  # and it ends here, before Larch is asked
    assert Watch(folder, watcher.loaded, watcher.output).run().audit["n"] == 3


def test_an_idle_watch_ends_and_says_why(beamline):
    _, watcher = beamline
    with pytest.raises(SeriesError, match=r"no usable scan \*\.txt appeared in .* within 0.1 s"):
        watch(watcher, interval=0.05, idle=0.1)


def stamp(path, when):
    import os

    os.utime(path, (when, when))
