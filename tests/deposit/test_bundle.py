"""A deposition of a foil and of an oxide that takes its S02 from it, moved to a machine that has nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import yaml

import xasuite as xs
from tests.copper import copper_spec
from xasuite.cli import main
from xasuite.deposit.archive import SUMS, pack, unpack
from xasuite.errors import FitError, ReadError, SpecError
from xasuite.feff import find_paths

ROOT = Path(__file__).parents[2]


def foil(file: str | Path) -> str:
    """The spec of the foil's file."""
    return copper_spec(
        f'label = "foil"\nfile = "{file}"\nsource = "simulated by the test"\nlicence = "CC0-1.0"',
        "s02 = { guess = 0.8 }\nenot = { guess = 0 }\nss = { guess = 0.006 }",
        'label = "Cu-Cu"\ncrystal = "Cu"\nscatterer = "Cu"\nn = 12\ns02 = "s02"\ne0 = "enot"\nsigma2 = "ss"',
        title="Cu foil", r="[1.4, 2.8]",
    )  # fmt: skip


OXIDE = copper_spec(
    'label = "oxide"\nfiles = ["scans/oxide_*.csv"]',
    's02 = { from = "foil.toml", param = "s02" }\nn_o = { guess = 2 }\nenot = { guess = 0 }\nss = { guess = 0.004 }',
    'label = "Cu-O"\ncrystal = "mine.cif"\nscatterer = "O"\nn = "n_o"\ns02 = "s02"\ne0 = "enot"\nsigma2 = "ss"',
    title="Cu2O", r="[1.0, 2.0]",
)  # fmt: skip


def write_spectrum(crystal: str, target: Path, seed: int) -> None:
    paths = [p for p in find_paths(crystal, absorber="Cu") if p.nleg == 2]
    truth = [xs.simulate.TruthPath(p, n=p.degen, s02=0.9, sigma2=6e-3) for p in paths]
    made = xs.simulate.spectrum(truth, element="Cu", noise=3e-4, seed=seed).spectrum
    np.savetxt(
        target,
        np.column_stack([made.energy, made.mu]),
        delimiter=",",
        header="energy,mu",
        comments="",
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: generated spectra, one of them named by its absolute path, a crystal of one's own, fits, the deposition."""
    folder = tmp_path_factory.mktemp("user") / "work"
    (folder / "scans").mkdir(parents=True)
    elsewhere = folder.parent / "beamtime" / "Cu foil.csv"
    elsewhere.parent.mkdir()
    write_spectrum("Cu", elsewhere, 1)
    for seed in (2, 3):
        write_spectrum("Cu2O", folder / "scans" / f"oxide_{seed}.csv", seed)
    shutil.copy(ROOT / "references" / "crystals" / "Cu2O.cif", folder / "mine.cif")
    (folder / "foil.toml").write_text(foil(elsewhere))
    (folder / "oxide.toml").write_text(OXIDE)
    for name in ("foil", "oxide"):
        with pytest.raises(SystemExit) as done:
            main(["fit", str(folder / f"{name}.toml"), "-o", str(folder / "results"), "--no-figures", "-q"])
        assert not done.value.code
    xs.bundle(folder / "results", folder.parent / "paper.zip", authors=["Curie, Marie"], figures=False)
    return folder


@pytest.fixture(scope="module")
def paper(work: Path) -> Path:
    return work.parent / "paper.zip"


def elsewhere(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """The command on another machine: other home, caches and data, no network."""
    home = folder / "home"
    env = {n: v for n, v in os.environ.items() if not n.startswith(("XASUITE", "XDG"))}
    env |= {"HOME": str(home), "XASUITE_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "from xasuite.cli import main\n"
        "main(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=folder, env=env, capture_output=True, text=True
    )


def test_another_machine_makes_the_same_numbers(work: Path, paper: Path, tmp_path: Path) -> None:
    shutil.copy(paper, tmp_path / "paper.zip")
    away = work.rename(work.with_name("moved"))
    beamtime = work.parent / "beamtime"
    beamtime.rename(work.parent / "gone")
    try:
        done = elsewhere(tmp_path, "reproduce", "paper.zip", "--json", "--no-figures")
    finally:
        away.rename(work)
        (work.parent / "gone").rename(beamtime)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["equal"]
    assert document["feff_again"] == 0
    assert not (tmp_path / "home" / "cache").exists(), "the user's cache is left alone"
    for name in ("foil", "oxide"):
        before = json.loads((work / "results" / "work" / name / "result.json").read_text())
        after = json.loads((tmp_path / "results" / "work" / name / "result.json").read_text())
        for old, new in zip(before["rows"], after["rows"], strict=True):
            for q in ("n", "r", "sigma2", "s02", "e0"):
                a, b = old["paths"][0][q], new["paths"][0][q]
                # the same data, paths and draws: only the last bits of sums may differ
                assert b["value"] == pytest.approx(a["value"], rel=1e-9)
                assert (b["stderr"] or 0) == pytest.approx(a["stderr"] or 0, rel=1e-6)
    # rows of the tables hold N, R, sigma2, S02, E0 and the R factor
    assert {n["spec"] for n in document["numbers"]} == {"work/foil", "work/oxide"}
    assert len(document["numbers"]) == 12


def test_it_holds_what_a_deposition_needs(work: Path, paper: Path, tmp_path: Path) -> None:
    folder = unpack(paper, tmp_path / "open")
    (inp,) = [p for p in folder.glob("feff/*/feff.inp") if "O " in p.read_text() or " O" in p.read_text()]
    assert (inp.parent / "feff0001.dat").is_file()
    for name in ("table.csv", "table.tex", "table.docx", "methods.md", "result.json", "curves.h5"):
        assert (folder / "results/work/oxide" / name).is_file()
    assert (folder / "data/scans/oxide_2.csv").read_bytes() == (work / "scans/oxide_2.csv").read_bytes()
    assert (folder / "data/work/Cu foil.csv").is_file(), "a file named by its absolute path is copied"
    spectrum = xs.read(folder / "xdi/work/foil/foil.xdi").mu()
    given = np.loadtxt(folder / "data/work/Cu foil.csv", delimiter=",", skiprows=1)
    assert np.allclose(spectrum.mu, given[:, 1], rtol=1e-12)
    cited = yaml.safe_load((folder / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["authors"] == [{"family-names": "Curie", "given-names": "Marie"}]
    assert "license" not in cited, "one licence is not stated"
    assert "10.1088/1742-6596/430/1/012007" in (folder / "references.bib").read_text()
    assert "xraylarch==" in (folder / "requirements.txt").read_text()
    for file in folder.rglob("*"):
        if file.is_file():
            for place in (str(work.parent), "xasuite-deposit-", str(ROOT)):
                assert place.encode() not in file.read_bytes(), f"{file} names {place}"


def test_the_ro_crate_reads_and_names_every_file(paper: Path, tmp_path: Path) -> None:
    """By the package of the RO-Crate community; checksums against Python's own."""
    rocrate = pytest.importorskip("rocrate.rocrate")
    import hashlib

    folder = unpack(paper, tmp_path / "open")
    crate = rocrate.ROCrate(folder)
    assert crate.name == "Cu foil"
    held = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    named = {unquote(e.id): e for e in crate.data_entities}  # identifiers are addresses
    assert set(named) == held - {"ro-crate-metadata.json", SUMS}
    for name, entity in named.items():
        assert entity["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    licences = [x if isinstance(x, str) else x.id for x in crate.license]
    assert licences[0] == "https://spdx.org/licenses/CC0-1.0"
    assert "oxide" in licences[1]


def test_missing_licences_and_authors_are_said(work: Path, tmp_path: Path) -> None:
    made = xs.bundle(work / "oxide.toml", tmp_path / "a.zip", figures=False)
    assert made.unlicensed == ("work/oxide oxide",)
    said = " ".join(made.summary().notes)
    assert "licence" in said
    assert "author" in said
    made = xs.bundle(work / "oxide.toml", tmp_path / "b.zip", figures=False, licence="CC-BY-4.0")
    assert made.unlicensed == ()
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        readme = archive.read("README.md").decode()
    assert "CC-BY-4.0" in readme
    assert "CC0-1.0" in readme, "the spec's own statement stays"


def test_a_result_made_in_python(work: Path, tmp_path: Path) -> None:
    """mu(E) that no file holds is deposited, and gives the numbers of the result."""
    from xasuite.deposit import reproduce_bundle

    spectrum = xs.read(work / "scans/oxide_2.csv", element="Cu", edge="K").mu()
    moved = xs.shift(spectrum, 0.5)
    result = xs.fit(moved, crystal="Cu2O", shells=1, k=(3, 11), r=(1.0, 2.0), s02=0.9)
    made = xs.bundle(result, tmp_path / "python.zip", figures=False)
    assert made.compared == made.numbers > 0
    again = reproduce_bundle(tmp_path / "python.zip")
    assert again.good
    r = result.rows[0].paths[0].r
    assert again.reproduction.results[0].rows[0].paths[0].r.value == pytest.approx(
        r.value, abs=1e-3 * r.stderr
    )


def test_the_command_says_what_it_wrote(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "c.zip"
    argv = [
        "bundle",
        str(work / "results/work/foil"),
        "-o",
        str(target),
        "--no-figures",
        "--author",
        "A, B",
        "--json",
    ]
    with pytest.raises(SystemExit) as done:
        main(argv)
    document = json.loads(capsys.readouterr().out)
    assert not done.value.code
    told = {row["what"]: row["is"] for row in document["rows"]}
    assert told["file"] == str(target)
    assert told["numbers"] == told["equal to those of the results that were named"] == "6"
    assert document["notes"] == [], "licence and author are stated"


def test_other_versions_are_said(paper: Path, tmp_path: Path) -> None:
    from xasuite.deposit import reproduce_bundle

    def older(folder: Path) -> None:
        for result in folder.rglob("result.json"):
            document = json.loads(result.read_text())
            document["provenance"]["versions"]["scipy"] = "0.1"
            result.write_text(json.dumps(document))

    done = reproduce_bundle(repacked(paper, tmp_path, older))
    assert done.good
    (line,) = done.versions
    assert line.startswith("scipy 0.1 there, ")
    assert line in done.summary().notes[-1]


# ------------------------------------------------------------------------------------------------------ what is wrong


def repacked(paper: Path, tmp_path: Path, change: Callable[[Path], None]) -> Path:
    """The deposition with a change and with checksums that match it."""
    folder = unpack(paper, tmp_path / "open")
    change(folder)
    return pack(folder, tmp_path / "changed.zip")


def test_another_spec_gives_other_numbers(
    paper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fewer(folder: Path) -> None:
        spec = folder / "specs/work/foil.toml"
        spec.write_text(spec.read_text().replace("n = 12", "n = 11"))

    changed = repacked(paper, tmp_path, fewer)
    with pytest.raises(SystemExit) as done:
        main(["reproduce", str(changed), "-o", str(tmp_path / "out"), "--no-figures"])
    out = capsys.readouterr().out
    assert done.value.code == 2
    assert "NOT every number equals" in out
    assert "differs: work/foil foil Cu-Cu" in out
    assert "differs: work/oxide oxide Cu-O" in out, "the foil's S02 goes into the oxide's N"


def test_results_that_are_not_the_specs(work: Path, tmp_path: Path) -> None:
    """Data that changed since the fit, and a spec that changed, are not deposited."""
    folder = tmp_path / "work"
    shutil.copytree(work, folder)
    result = folder / "results/work/foil/result.json"
    document = json.loads(result.read_text())
    document["spec"] = str(folder / "foil.toml")
    document["table"]["rows"][0]["r"]["value"] += 0.5 * document["table"]["rows"][0]["s02"]["stderr"]
    result.write_text(json.dumps(document))
    with pytest.raises(FitError, match="1 of 6 numbers are not those of the result"):
        xs.bundle(result.parent, tmp_path / "no.zip", figures=False)
    spec = folder / "foil.toml"
    spec.write_text(spec.read_text() + "\n# later\n")
    with pytest.raises(SpecError, match="changed since"):
        xs.bundle(result.parent, tmp_path / "no.zip", figures=False)
    spec.unlink()
    with pytest.raises(ReadError, match="is not there"):
        xs.bundle(result.parent, tmp_path / "no.zip", figures=False)
    assert not (tmp_path / "no.zip").exists()


def rewritten(paper: Path, target: Path, edit: Callable[[dict[str, bytes]], object]) -> Path:
    """The archive with other members, its checksums left as they are."""
    with zipfile.ZipFile(paper) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target


TABLE = "results/work/foil/table.csv"
EDITS: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "changed byte": (lambda m: m.update({TABLE: m[TABLE].replace(b"1", b"2", 1)}), f"{TABLE} was changed"),
    "missing file": (lambda m: m.pop(TABLE), f"lacks {TABLE}"),
    "added file": (lambda m: m.update({"run.py": b"1"}), "holds run.py"),
    "no checksums": (lambda m: m.pop(SUMS), "no deposition"),
    "bad checksums": (lambda m: m.update({SUMS: b"hello\n"}), "damaged"),
    "climbs out": (lambda m: m.update({"../out.txt": b"1"}), "outside its folder"),
    "climbs out within": (lambda m: m.update({"data/../../out.txt": b"1"}), "outside its folder"),
    "absolute": (lambda m: m.update({"/tmp/out.txt": b"1"}), "outside its folder"),
    "drive": (lambda m: m.update({"C:\\out.txt": b"1"}), "outside its folder"),
    "two names": (lambda m: m.update({"readme.MD": b"1"}), "two files called"),
    "bomb": (lambda m: m.update({"zeros": bytes(200_000_000)}), "times its size"),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_damaged_archive_is_a_sentence(
    what: str, paper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, said = EDITS[what]
    bad = rewritten(paper, tmp_path / "bad.zip", edit)
    with pytest.raises(SystemExit) as done:
        main(["reproduce", str(bad), "--unpack", str(tmp_path / "open")])
    err = capsys.readouterr().err
    assert done.value.code == 1
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out.txt").exists()
    assert not (tmp_path / "open").exists(), "nothing of it stays"


def test_links_are_refused(paper: Path, tmp_path: Path) -> None:
    bad = shutil.copy(paper, tmp_path / "bad.zip")
    with zipfile.ZipFile(bad, "a") as archive:
        link = zipfile.ZipInfo("data/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ReadError, match="data/link, which is a link"):
        unpack(bad, tmp_path / "open")


def test_files_that_are_no_archive(paper: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(paper.read_bytes()[:5000])
    with pytest.raises(ReadError, match="no zip that can be read"):
        unpack(cut)
    # a byte within the packed data: zip's own checksum or ours sees it
    damaged = bytearray(paper.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    cut.write_bytes(bytes(damaged))
    with pytest.raises(ReadError, match=r"damaged|changed"):
        unpack(cut)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(ReadError, match="is not empty"):
        unpack(paper, tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").read_text() == "x"


def test_what_cannot_be_bundled(work: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a deposition is a zip"):
        xs.bundle(work / "foil.toml", tmp_path / "paper.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match=r"no result\.json, no series\.h5 and no spec"):
        xs.bundle(tmp_path / "empty", tmp_path / "paper.zip")
    with pytest.raises(ReadError, match="no result of xasuite fit, reproduce or series and no spec"):
        xs.bundle(work / "scans/oxide_2.csv", tmp_path / "paper.zip")
    gone = tmp_path / "gone.toml"
    gone.write_text(foil("not_there.csv"))
    with pytest.raises(ReadError, match=r"no file not_there\.csv"):
        xs.bundle(gone, tmp_path / "paper.zip")


def test_published_tables_are_scored_again(data_root: Path, tmp_path: Path) -> None:
    """A shipped spec on measured spectra: the scores of the deposition are those of its own published table."""
    shipped = ROOT / "fits/foils/co_foil.toml"
    xs.bundle(shipped, tmp_path / "foil.zip", data_root=data_root, figures=False)
    done = elsewhere(tmp_path, "reproduce", "foil.zip", "--json", "--no-figures")
    document = json.loads(done.stdout)
    assert document["equal"]
    cells = document["reproduction"]["cells"]
    assert {c["table"] for c in cells} == {"ccro/S4a"}
    assert done.returncode == (0 if all(c["within"] for c in cells) else 2)
