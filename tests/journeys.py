"""The guide's first pages typed as printed. `python -m tests.journeys` writes what the commands print into the pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide"
# in this order: later pages use the files of earlier ones
PAGES = ("first_fit.md", "merging.md", "oxide.md", "multiple_scattering.md")
_BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```\n", re.M | re.S)


def prepare(folder: Path) -> None:
    """What a reader is asked to put into the folder."""
    import PyMca5

    shutil.copy(GUIDE / "practice.py", folder)
    shutil.copy(next(Path(PyMca5.__file__).parent.rglob("EXAFS_Cu.dat")), folder)


def typed(page: str, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each block of commands of a page as it stands there, and as it comes out when typed in the folder, with the page's text."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    for kind, block in _BLOCK.findall(text):
        if kind == "toml":
            if name := re.match(r"# (\w+\.toml)\n", block):
                (folder / name[1]).write_text(block, encoding="utf-8")
            continue
        lines = []
        for command in re.findall(r"^\$ (.*)$", block, re.M):
            lines += [f"$ {command}", *_run(command, folder)]
        yield text, block, "\n".join(lines) + "\n"


def _run(command: str, folder: Path) -> list[str]:
    words = command.split()
    start = [sys.executable] if words[0] == "python" else [sys.executable, "-m", "xasuite"]
    done = subprocess.run(
        [*start, *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "COLUMNS": "120", "PYTHONPATH": str(GUIDE.parents[1]), "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    said = (done.stdout + done.stderr).replace(f"/{folder.name}/", "/work/")
    return [line.rstrip() for line in said.splitlines() if line.strip()]


def comparable(block: str) -> str:
    """A block without what the last bits of a processor decide."""
    return re.sub(r"agrees to \S+ standard", "agrees to N standard", block)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        prepare(Path(made))
        for page in PAGES:
            for _, block, printed in typed(page, Path(made)):
                path = GUIDE / page
                path.write_text(path.read_text(encoding="utf-8").replace(block, printed, 1), encoding="utf-8")
