"""Projects, specs, patterns and crystals from a stranger: a sentence, within a time and a memory that honest ones take."""

from __future__ import annotations

import copy
import gzip
import io as streams
import json
import os
import random
import shutil
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.robust.corpus import damaged, honest, limited
from tests.workflow import test_convert
from xasuite import io
from xasuite.errors import CrystalError, ReadError, SpecError, XasuiteError
from xasuite.feff.crystal import load_crystal
from xasuite.io import sources
from xasuite.io.projects import read_project
from xasuite.io.table import clean_names
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.workflow.convert import convert

SECONDS, SIZE = 60.0, 3 << 30
SPEC = (fits_dir() / "foils" / "co_foil_closure.toml").read_text()
PROJECTS = (
    "projects/FeS2.apj", "published/FeS2/FeS2_final.fpj", "projects/ZnSe_Feffit.larix", "published/FeS2/FeS2.inp",
    "formats/athena/fe_athena.prj", "formats/athena/athena_json.prj",
)  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 0, float("nan"), float("inf"), "", [], {}, "x" * 5000, "1/0", 10**400, [[]], {"a": {}}, "../../etc/passwd", [1] * 3,
]  # fmt: skip
FOREIGN = [
    b"", b"a: &a [*a,*a]\n", b"!!python/object/apply:os.system ['touch pwned']", b"[" * 50_000, b"{" * 5000, b"a: " + b"9" * 5000,
    b"\xff\xfe" * 30, b"- 1\n" * 10,
]  # fmt: skip


def said(work: Any) -> str:
    """ "record", or "sentence" where what is raised is one."""
    try:
        work()
    except SpecError as exc:
        wrong = [m for m in exc.mistakes if "\n" in m or len(m) > 2000]
        return f"no sentence: {wrong}" if wrong else "sentence"
    except XasuiteError as exc:
        text = str(exc)
        return (
            "sentence" if text.strip() and "\n" not in text and len(text) < 2000 else f"no sentence: {text}"
        )
    return "record"


def bounded(work: Any, seconds: float = SECONDS) -> str:
    return limited(lambda: said(work), seconds, SIZE)


# --------------------------------------------------------------------------------------------- projects


def changed(document: Any, rng: random.Random) -> None:
    """A value of a JSON document taken out, or another in its place."""
    at: tuple[Any, Any] | None = None
    here = document
    while isinstance(here, (dict, list)) and here and (at is None or rng.random() < 0.85):
        key = rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        at, here = (here, key), here[key]
    if at is None:
        return
    if rng.randrange(3) == 0:
        del at[0][at[1]]
    else:
        # a copy: a later change of it must neither change VALUES nor put a container into itself
        at[0][at[1]] = copy.deepcopy(rng.choice(VALUES))


def zipped(raw: bytes, rng: random.Random) -> bytes:
    """The zip with some members left out, damaged or made of something else."""
    source, out = zipfile.ZipFile(streams.BytesIO(raw)), streams.BytesIO()
    names = source.namelist()
    of_fit = [n for n in names if any(t in n for t in ("yaml", "desc", "order", "HORAE", ".dat", ".inp"))]
    hit = {*rng.sample(names, rng.choice([1, 3])), rng.choice(of_fit or names)}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            held, way = source.read(name), rng.randrange(6)
            if name in hit and way == 0:
                continue
            if name in hit and held:
                held = damaged(held, rng) if way < 5 else rng.choice(FOREIGN)
            target.writestr(name, held)
    return out.getvalue()


def damaged_project(name: str, raw: bytes, rng: random.Random) -> bytes:
    if name.endswith(("apj", "fpj")):
        return zipped(raw, rng) if rng.random() < 0.85 else damaged(raw, rng)
    if not raw.startswith(b"\x1f\x8b"):
        return damaged(raw, rng)
    if not name.endswith("larix") or rng.random() < 0.3:
        return gzip.compress(damaged(gzip.decompress(raw), rng), 1)
    lines = gzip.decompress(raw).decode().split("\n")
    at = rng.choice([i for i, line in enumerate(lines) if line[:1] in "{[" and len(line) > 2])
    document = json.loads(lines[at])
    for _ in range(rng.choice([1, 5, 40])):
        changed(document, rng)
    lines[at] = json.dumps(document)
    return gzip.compress("\n".join(lines).encode(), 1)


def outcomes(
    projects: Sequence[Path], folder: Path, count: int, seed: int, crystal: str = ""
) -> Counter[str]:
    found: Counter[str] = Counter()
    for number in range(count):
        name = projects[number % len(projects)].name
        rng = random.Random(f"{seed} {number}")
        path = folder / f"{number}{Path(name).suffix}"
        path.write_bytes(damaged_project(name, projects[number % len(projects)].read_bytes(), rng))
        came = bounded(lambda path=path: convert(path, folder / "out", crystal=crystal or None))
        assert came in ("record", "sentence"), (seed, number, name, came)
        found[came] += 1
    return found


def test_some_damaged_projects(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = outcomes([data_root / p for p in PROJECTS], tmp_path, 60, seed=0, crystal="FeS2")
    assert min(found.values()) > 5, found
    assert not (tmp_path / "pwned").exists()


@pytest.mark.filterwarnings("ignore")
def test_damaged_projects_of_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Artemis projects of one fit and of several, and scripts of Ifeffit; they need no measured data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "several").mkdir()
    made = [test_convert.fpj(tmp_path), test_convert.several(tmp_path / "several")]
    scripts = Path(__file__).parents[1] / "workflow" / "ifeffit"
    for other in scripts.iterdir():
        if other.suffix in (".dat", ".chi", ".xmu"):
            shutil.copy(other, tmp_path)
    made += [scripts / name for name in ("chi.iff", "mu.iff", "restrained.iff", "feffit.inp")]
    found = outcomes(made, tmp_path, 300, seed=2)
    assert min(found["record"], found["sentence"]) > 30, found


@pytest.mark.slow
def test_600_damaged_projects(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = outcomes([data_root / p for p in PROJECTS], tmp_path, 600, seed=1, crystal="FeS2")
    print(found)  # noqa: T201
    assert not (tmp_path / "pwned").exists()


def fpj(data_root: Path, path: Path, more: dict[str, bytes]) -> Path:
    source = zipfile.ZipFile(data_root / "published/FeS2/FeS2_final.fpj")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, more.pop(name, source.read(name)))
        for name, held in more.items():
            target.writestr(name, held)
    return path


def test_a_zip_that_is_a_bomb(data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"unpacks to .* MB; a project has less than 512"):
        read_project(fpj(data_root, tmp_path / "a.fpj", {"x": bytes(600 << 20)}))
    gds = "fits/zdcyp/gds.yaml"
    with pytest.raises(ReadError, match=r"gds.yaml has more than 5 MB"):
        read_project(fpj(data_root, tmp_path / "b.fpj", {gds: b"- a: 1\n" * (1 << 20)}))
    path = fpj(data_root, tmp_path / "c.fpj", {})
    path.write_bytes(
        path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    )
    with pytest.raises(ReadError, match="encrypted"):
        read_project(path)


def test_aliases_that_stand_for_millions(tmp_path: Path) -> None:
    """YAML in which each line stands for ten of the one before: 10^9 words in 500 bytes."""
    lines = ["---", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with zipfile.ZipFile(tmp_path / "a.fpj", "w") as archive:
        archive.writestr("order", "---\n1: one\n")
        archive.writestr("fits/one/gds.yaml", "\n".join(lines))
        archive.writestr("fits/one/structure.yaml", "---\n- x\n---\n[]\n")
    with pytest.raises(
        ReadError, match=r"gds\.yaml is no YAML: its aliases stand for more than any project holds"
    ):
        convert(tmp_path / "a.fpj", tmp_path / "out")


@pytest.mark.parametrize(
    "work", [lambda p: convert(p, "out"), lambda p: load_spec(p, None), io.read, io.read_chi]
)
def test_pipes_and_devices_are_no_projects_and_no_specs(tmp_path: Path, work: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/urandom", "/dev/full"):
        with pytest.raises(XasuiteError, match="not a regular file"):
            work(path)


@pytest.mark.parametrize("label", ["", "one name for all"])
def test_a_project_of_50_000_groups(tmp_path: Path, label: str) -> None:
    """Names are made each one once: that took the square of their number."""
    args = {"label": label} if label else {}
    groups = {f"g{i}": {"args": args, "x": [1], "y": [2]} for i in range(50_000)}
    path = tmp_path / "a.prj"
    path.write_text(json.dumps({"_____header1": "# Athena project file -- Demeter", **groups}))
    for work in (io.groups, io.read_all, read_project):
        assert bounded(lambda work=work: work(path), 30) in ("record", "sentence")
    assert len(set(clean_names(["c"] * 20_000))) == 20_000


# --------------------------------------------------------------------------------------------- specs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SPEC + "".join(f"k{i} = {i}\n" for i in range(100_000)), "characters; a spec has at most 200000"),
        (SPEC + "".join(f"k{i} = {i}\n" for i in range(13_000)), "and 12980 mistakes more"),
        (SPEC.replace("[params]", "[params]\n" + "".join(f"p{i} = {{ guess = 1.0 }}\n" for i in range(5000))), "mistakes more"),
        (SPEC + "".join(f"[t{i}]\n" for i in range(15_000)), "mistakes more"),
        (SPEC + ".".join(["a"] * 10_000) + " = 1\n", "not TOML that can be read"),
    ],
    ids=["100 000 keys", "13 000 keys", "5000 parameters", "15 000 tables", "10 000 deep"],
)  # fmt: skip
def test_a_spec_of_many_things(text: str, says: str) -> None:
    def work() -> None:
        with pytest.raises(SpecError, match=says):
            parse_spec(text, "m.toml", None)

    assert bounded(work, 40) == "record"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("9" * 700, "is no number: it is beyond 1.8e308"),
        ("9" * 4000 + "**2", "has more than 1000 characters"),
        (f"max({','.join(['dr1'] * 5000)})", "has more than 1000 characters"),
    ],
    ids=["700 digits", "4000 digits", "5000 arguments"],
)
def test_a_long_expression(value: str, says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        parse_spec(SPEC.replace("n = 12", f'n = "{value}"'), "m.toml", None)
    assert all(len(m) < 1000 for m in caught.value.mistakes)


@pytest.mark.parametrize(
    "pattern", ["/proc/*/fd/*", "//", "", "\0", "*" * 5000, "a" * 300, "[!", "~/*", "{a,b}*"], ids=range(9)
)
def test_a_pattern_that_names_no_files(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ReadError, match=r"no file|no pattern of files"):
        sources.find_files([pattern], [tmp_path])


# --------------------------------------------------------------------------------------------- crystals


def test_a_crystal_that_takes_for_ever(tmp_path: Path) -> None:
    cif = honest(tmp_path)["cu.cif"].decode()
    (tmp_path / "a.cif").write_text(cif + "".join(f"Cu{i} Cu {i / 1e5} 0 0\n" for i in range(100_000)))
    with pytest.raises(CrystalError, match=r"10000\d atoms in its cell; at most 2000 are read"):
        load_crystal(str(tmp_path / "a.cif"))
    digits = f"loop_\n_symmetry_equiv_pos_as_xyz\n'x+{'9' * 5000},y,z'\n"
    (tmp_path / "b.cif").write_text(cif + digits)
    with pytest.raises(CrystalError, match="a number of more than 100 digits"):
        load_crystal(str(tmp_path / "b.cif"))


def test_an_xyz_whose_places_are_no_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("2\nx\nCu nan 0 0\nCu 0 0 0\n")
    with pytest.raises(CrystalError, match="the position of an atom is not a finite number"):
        load_crystal(str(tmp_path / "a.xyz"))
