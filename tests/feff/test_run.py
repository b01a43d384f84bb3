"""Running FEFF: what is kept, what is refused, and that a second run starts no FEFF."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from xasuite._larch.feff_programs import FEFF_ENV, feff_folder
from xasuite.errors import CrystalError, FeffError, XasuiteWarning
from xasuite.feff import (
    cache,
    feff_inp,
    find_paths,
    load_crystal,
    make_cluster,
    parse_feff_dat,
    run_feff,
    select,
    shells,
)
from xasuite.feff import run as run_module

CU = {"absorber": "Cu", "radius": 3.8}


def inp(radius: float = 3.8, program: str = "feff8l") -> str:
    cluster = make_cluster(load_crystal("Cu"), absorber="Cu", radius=radius)
    return feff_inp(cluster, radius=radius, program=program)


def fake_feff(folder: Path, script: str) -> Path:
    """A folder in which every FEFF program is this shell script."""
    folder.mkdir()
    for chain in run_module.PROGRAMS.values():
        for name, _ in chain:
            file = folder / name
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize("program", ["feff8l", "feff6l"])
def test_copper(program: str) -> None:
    """12 atoms at a/sqrt 2, 6 at a: crystallography; amplitudes fall as FEFF prints them."""
    paths = find_paths("Cu", program=program, **CU)
    single = [p for p in paths if p.nleg == 2]
    assert [p.degen for p in single] == [12, 6]
    assert [p.reff for p in single] == pytest.approx([3.6149 / 2**0.5, 3.6149], abs=1e-4)
    assert single[0].relative_amplitude == 100
    assert 15 < single[1].relative_amplitude < 30
    assert program in paths[0].origin


def test_own_input_gives_larix_paths() -> None:
    """The same 135 atoms through the input that larixite writes: amplitude to 0.1 %, phase to 2 mrad.

    (Cut off at the longest path, 5 A, larixite's cluster gives amplitudes 2.4 % higher at k = 3: the reason for
    the rim, docs/decisions/feff_input.md.)
    """
    from larixite import cif2feffinp
    from larixite.amcsd import AMCSD

    cif = AMCSD(read_only=True).get_cif(11169).ciftext
    text = cif2feffinp(cif, absorber="Co", edge="K", cluster_size=7.0).replace("RPATH     7.00", "RPATH 5.0")
    reference = parse_feff_dat(run_feff(text).files["feff0001.dat"].decode())
    ours = find_paths("Co_hcp", absorber="Co", radius=5.0)[0]
    assert (ours.degen, ours.reff) == (reference.degen, reference.reff)
    above = reference.k > 2.9
    np.testing.assert_allclose(ours.amp[above], reference.amp[above], rtol=1e-3)
    np.testing.assert_allclose(ours.pha[above], reference.pha[above], atol=2e-3)


def test_second_run_starts_no_feff(monkeypatch: pytest.MonkeyPatch) -> None:
    first = find_paths("Cu", **CU)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("FEFF was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    again = find_paths("Cu", **CU)
    assert [p.sha256 for p in again] == [p.sha256 for p in first]
    with pytest.raises(AssertionError, match="FEFF was started"):
        find_paths("Cu", absorber="Cu", radius=3.9)


def test_another_binary_is_another_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The programs' bytes are in the key: a replaced FEFF is run, and here fails."""
    find_paths("Cu", **CU)
    monkeypatch.setenv(FEFF_ENV, str(fake_feff(tmp_path / "bin", "echo ' Fatal: this is not FEFF'")))
    with pytest.raises(FeffError, match=r'left no geom.json; FEFF says: "Fatal: this is not FEFF"'):
        find_paths("Cu", **CU)


def test_binary_renewed_in_place_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = fake_feff(tmp_path / "bin", "exit 3")
    monkeypatch.setenv(FEFF_ENV, str(folder))
    before = cache.binary_hash(folder / "feff6l")
    (folder / "feff6l").write_text("#!/bin/sh\nexit 44\n")
    assert cache.binary_hash(folder / "feff6l") != before


def test_exit_code_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FEFF_ENV, str(fake_feff(tmp_path / "bin", "echo out of luck; exit 3")))
    with pytest.raises(FeffError, match=r"feff6l ended with code 3; FEFF says: \"out of luck\"") as caught:
        run_feff(inp(program="feff6l"), program="feff6l")
    log = Path(str(caught.value).split("log: ")[1].rstrip(")"))
    assert log.read_text() == "out of luck\n"


def test_time_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FEFF_ENV, str(fake_feff(tmp_path / "bin", "echo working; exec sleep 30")))
    with pytest.raises(FeffError, match=r"feff8l_rdinp was stopped after the time limit of 0.3 s"):
        run_feff(inp(), timeout=0.3)


def test_missing_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FEFF_ENV, str(tmp_path))
    with pytest.raises(FeffError, match="feff8l_rdinp is missing; reinstall xraylarch"):
        run_feff(inp())


def test_feffs_own_words_are_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two atoms in one place, past our own check: FEFF's complaint reaches the user."""
    text = inp(program="feff6l").replace("POTENTIALS", "POTENTIALS\n 9 29 Cu")
    with pytest.raises(FeffError, match="FEFF says"):
        run_feff(text, program="feff6l")


def test_larch_is_not_imported_to_find_feff() -> None:
    import sys

    code = (
        "import sys; from xasuite._larch.feff_programs import feff_binary; feff_binary('feff6l');"
        "assert 'larch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert feff_folder().is_dir()


def test_many_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Eight threads want the same new entry: all get it, and one whole file is left."""
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path))
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(run_feff(inp(3.0, "feff6l"), program="feff6l").log))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert [p.suffix for p in (tmp_path / "feff").rglob("*") if p.is_file()] == [".kept"]


def test_damaged_entry_is_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """400 entries with bytes flipped, cut off, cut out or blanked: none is read, each is made again."""
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path))
    contents = {"files.dat": b"some text" * 50, "log.txt": b"more" * 100}
    rng = np.random.default_rng(1)
    name = cache.key({"feff.inp": "TITLE"})
    whole = cache.store(name, contents).read_bytes()
    for trial in range(400):
        held = bytearray(whole)
        at = int(rng.integers(len(held)))
        damage = trial % 4
        if damage == 0:
            held[at] ^= 1 << int(rng.integers(8))
        elif damage == 1:
            del held[at:]
        elif damage == 2:
            del held[at : at + 5]
        else:
            held[at : at + 20] = b"~" * 20
        cache.entry(name).write_bytes(held)
        assert cache.load(name) is None
        cache.store(name, contents)
        assert cache.load(name) == contents
    text = inp(3.0, "feff6l")
    first = run_feff(text, program="feff6l")
    cache.entry(first.key).write_bytes(b"cut short")
    second = run_feff(text, program="feff6l")
    assert not second.cached
    assert dict(second.files) == dict(first.files)
    assert run_feff(text, program="feff6l").cached


def test_a_cache_that_cannot_be_written_is_replaced_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(cache, "_instead", [])
    name = cache.key({"feff.inp": "TITLE"})
    with pytest.warns(XasuiteWarning, match="Name a folder for the cache in XASUITE_CACHE"):
        cache.store(name, {"a": b"b"})
    assert cache.load(name) == {"a": b"b"}


def test_a_crystal_is_parsed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second process reads every field as the first had it, and does without pymatgen."""
    monkeypatch.setenv("XASUITE_CACHE", str(tmp_path))
    show = (
        "import sys; from xasuite.feff import load_crystal; c = load_crystal('Co3O4'); "
        "print(c.symbols, c.xyz.tolist(), c.lattice.tolist(), c.site, c.labels, c.space_group, c.notes, c.source); "
        "print('pymatgen' in sys.modules)"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", show], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for _ in range(2)
    )
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("True", "False")


def test_a_feff_that_prints_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run_module, "MOST_PRINTED", 200_000)
    monkeypatch.setenv(
        FEFF_ENV, str(fake_feff(tmp_path / "bin", "while true; do echo again and again; done"))
    )
    with pytest.raises(FeffError, match=r"feff6l was stopped after printing 0\.2 MB; FEFF says"):
        run_feff(inp(3.0, "feff6l"), program="feff6l")


def test_nothing_is_left_in_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    run_feff(inp(3.1, "feff6l"), program="feff6l")
    assert list(tmp_path.iterdir()) == []


def test_input_does_not_depend_on_the_order_of_equal_distances() -> None:
    """The text is the key: it is the same every time, without a date or a path."""
    assert inp() == inp()
    assert "-0.00000" not in inp()


def test_limits_are_said_before_feff_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_cluster(load_crystal("Cu"), absorber="Cu", radius=12.0)
    with pytest.raises(FeffError, match="feff6l takes 500"):
        feff_inp(cluster, radius=10.0, program="feff6l")
    # 3055 atoms, which took FEFF more than a minute: refused from their number, and no FEFF is started
    monkeypatch.setattr(run_module.subprocess, "Popen", None)
    with pytest.raises(
        FeffError, match=r"3055 atoms within 20.5 A; feff8l takes 1000, so take a smaller radius"
    ):
        find_paths("Cu", absorber="Cu", radius=18.5)
    for wrong in ({"edge": "K3"}, {"scf": True, "program": "feff6l"}):
        with pytest.raises(FeffError):
            feff_inp(make_cluster(load_crystal("Cu"), absorber="Cu", radius=3), **wrong)
    with pytest.raises(FeffError, match="no FEFF program 'feff9'"):
        find_paths("Cu", program="feff9", **CU)


def test_shells_and_selection() -> None:
    """hcp Ru's 6+6 and CCRO's 2+2+2 are one shell each, taken apart by within=0 or FEFF's number."""
    ru = find_paths("Ru_hcp", absorber="Co", radius=4.5)
    first = shells(ru, "Ru")[0]
    assert (first.n, len(first.paths)) == (12, 2)
    assert first.reff == pytest.approx((2.6496 + 2.7039) / 2, abs=2e-4)
    assert select(ru, scatterer="Ru").index == 1
    assert select(ru, scatterer="Ru", shell=2, within=0).index == 2
    assert select(ru, path=2).reff == pytest.approx(2.7039, abs=1e-4)
    assert select(ru, scatterer="Ru", shell=2).reff == pytest.approx(3.7857, abs=1e-3)
    oxygen = shells(find_paths("CCRO", absorber="Co", radius=3.0), "O")
    assert len(oxygen) == 1
    assert oxygen[0].n == 6
    # Nearest to the mean of 1.968 A.
    assert oxygen[0].path.reff == pytest.approx(1.962, abs=1e-3)
    for wrong, says in (
        ({"scatterer": "O"}, "no O scatters; there are Ru"),
        ({"scatterer": "Ru", "shell": 9}, "no shell 9 of Ru; there are 1: 2.677 A"),
        ({"path": 900}, "no path 900; FEFF numbered them 1 to"),
        ({"path": 1, "scatterer": "O"}, "path 1 scatters from Ru, not from O"),
        ({}, "name a scatterer"),
    ):
        with pytest.raises(CrystalError) as caught:
            select(ru, **wrong)
        assert says in str(caught.value)


def test_amplitudes_are_relative_to_the_strongest() -> None:
    """RuO2's four oxygens are second in distance and first in strength."""
    paths = find_paths("RuO2", absorber="Ru", radius=3.0)
    assert max(p.relative_amplitude for p in paths) == 100
    assert select(paths, path=2).relative_amplitude == 100


def test_l3_edge_and_molecule() -> None:
    l3 = find_paths("Ru_hcp", absorber="Ru", edge="L3", radius=3.0)
    assert "L3" in l3[0].text
    site = find_paths("L-Co1Mn1-NC", absorber="Mn", radius=3.0)
    assert select(site, scatterer="N").degen == 3
    assert select(site, scatterer="Co").reff == pytest.approx(2.88, abs=1e-3)


def test_scf_changes_the_potentials(tmp_path: Path) -> None:
    """Self-consistency moves the Fermi level of a small molecule; the geometry stays."""
    file = tmp_path / "dimer.xyz"
    file.write_text("3\nthree atoms\nCo 0 0 0\nO 1.9 0 0\nO -1.9 0 0\n")
    plain = find_paths(file, absorber="Co", radius=3.0)[0]
    scf = find_paths(file, absorber="Co", radius=3.0, scf=True)[0]
    assert (plain.reff, plain.degen) == (scf.reff, scf.degen)
    assert "SCF" in scf.origin
    assert np.abs(plain.pha - scf.pha).max() > 1e-3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_no_feff_is_left_by_a_command_that_is_ended(tmp_path: Path, name: str) -> None:
    """The signal goes to xasuite alone; a zombie that nobody has waited for yet is as good as gone."""
    if name == "SIGKILL" and not run_module._tied():
        pytest.skip("needs Linux and setpriv")
    folder = fake_feff(
        tmp_path / "bin",
        f"echo $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; exec sleep 60",
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        command = subprocess.Popen(
            [sys.executable, "-m", "xasuite", "paths", "Cu", "--absorber", "Cu"],
            env={**os.environ, FEFF_ENV: str(folder), "XASUITE_CACHE": str(tmp_path / "cache")},
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    _until(lambda: (tmp_path / "pid").exists())
    feff = (tmp_path / "pid").read_text().strip()
    assert _state(feff)
    command.send_signal(getattr(signal, name))
    _, said = command.communicate(timeout=60)
    assert "Traceback" not in said
    _until(lambda: _state(feff) in ("", "Z"))


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _state(pid: str) -> str:
    """R, S, Z ... of a process, empty where there is none."""
    return subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True).stdout.strip()[:1]
