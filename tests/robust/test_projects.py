"""Damaged projects: whatever is cut, swapped or overwritten in one, `convert` writes specs or says one sentence."""

from __future__ import annotations

import contextlib
import gzip
import random
import re
import zipfile
from pathlib import Path

import pytest

from tests.workflow.test_convert import fpj, several
from xasuite.errors import ReadError, XasuiteError
from xasuite.workflow.convert import convert

SCRIPTS = Path(__file__).parents[1] / "workflow" / "ifeffit"
LINES = [
    "---",
    "- x",
    "{}",
    "[]",
    "a: [1",
    "~",
    "name: 5",
    "nan",
    "1e400",
    ": :",
    "\t",
    "@args = ('a');",
    "0",
]
NUMBERS = ["nan", "-1", "0", "1e308", "x", "''", "9" * 20, "-inf"]
VALUES = ["[1,2]", "{a: b}", "null", "''", "-3", "1e30"]
SEEDS = 60


def damaged(text: str, rng: random.Random) -> str:
    """The text with one to three of its lines lost, cut, added, overwritten or given another value."""
    lines = text.split("\n")
    for _ in range(rng.randrange(1, 4)):
        i = rng.randrange(len(lines))
        line = lines[i]
        found = list(re.finditer(r"[-+]?\d+\.?\d*", line))
        match rng.randrange(7):
            case 0:
                lines = [*lines[:i], *lines[i + 2 :], ""]
            case 1:
                lines[i] = line[: rng.randrange(len(line) + 1)]
            case 2:
                lines.insert(i, rng.choice(LINES))
            case 3 if line:
                j = rng.randrange(len(line))
                lines[i] = line[:j] + chr(rng.randrange(32, 500)) + line[j + 1 :]
            case 4:
                lines = lines[: i + 1]
            case 5 if found:
                number = rng.choice(found)
                lines[i] = line[: number.start()] + rng.choice(NUMBERS) + line[number.end() :]
            case _:
                lines[i] = f"{line.split(':')[0]}: {rng.choice(VALUES)}"
    return "\n".join(lines)


def survives(path: Path, folder: Path) -> None:
    """Anything but a sentence of ours fails the test."""
    with contextlib.suppress(XasuiteError):
        convert(path, folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("made", [fpj, several], ids=["one", "several"])
def test_artemis(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with zipfile.ZipFile(made(tmp_path)) as source:
        members = {n: source.read(n).decode() for n in source.namelist()}
    path = tmp_path / "damaged.fpj"
    for seed in range(3 * SEEDS):
        rng = random.Random(seed)
        victim = rng.choice(sorted(members))
        with zipfile.ZipFile(path, "w") as target:
            for name, text in members.items():
                if name != victim:
                    target.writestr(name, text)
                elif rng.random() > 0.1:
                    target.writestr(name, damaged(text, rng))
        if rng.random() < 0.2:
            raw = bytearray(path.read_bytes())
            for _ in range(20):
                raw[rng.randrange(len(raw))] ^= 255
            path.write_bytes(bytes(raw))
        survives(path, tmp_path / "out")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["chi.iff", "mu.iff", "restrained.iff", "feffit.inp"])
def test_scripts(name: str, tmp_path: Path) -> None:
    for other in SCRIPTS.iterdir():
        if other.suffix in (".dat", ".chi", ".xmu"):
            (tmp_path / other.name).write_bytes(other.read_bytes())
    text = (SCRIPTS / name).read_text()
    for seed in range(SEEDS):
        (tmp_path / name).write_text(damaged(text, random.Random(seed)), encoding="utf-8")
        survives(tmp_path / name, tmp_path / "out")


@pytest.mark.filterwarnings("ignore")
def test_larix_and_athena(data_root: Path, tmp_path: Path) -> None:
    session = gzip.decompress((data_root / "projects/ZnSe_Feffit.larix").read_bytes()).decode()
    keys = sorted(set(re.findall(r'"(\w+)":', session)))
    for seed in range(SEEDS // 2):
        rng = random.Random(seed)
        other = rng.choice(["5", "null", "[]", '"x"', "{}"])
        key = rng.choice(keys)
        (tmp_path / "s.larix").write_text(session.replace(f'"{key}":', f'"{key}":{other},"other":'))
        survives(tmp_path / "s.larix", tmp_path / "out")
    for project in ("standards/Co_oxides.prj", "formats/athena/fe_athena.prj"):
        raw = (data_root / project).read_bytes()
        text = gzip.decompress(raw).decode() if raw[:2] == b"\x1f\x8b" else raw.decode()
        for seed in range(SEEDS // 2):
            (tmp_path / "p.prj").write_text(damaged(text, random.Random(seed)), encoding="utf-8")
            survives(tmp_path / "p.prj", tmp_path / "out")


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
