"""The wheel alone: built, installed with its dependencies in an empty environment, and run outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")


def test_the_lock_is_of_this_pyproject() -> None:
    """Every dependency is locked, and within its bounds: `uv lock --check` without the network."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {
        p["name"]: p.get("version", "") for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    needs = [
        *project["project"]["dependencies"],
        *(r for g in project["project"]["optional-dependencies"].values() for r in g),
    ]
    for text in needs:
        need = Requirement(text)
        name = need.name.lower().replace("_", "-")
        if name != "xasuite":
            assert need.specifier.contains(locked[name], prereleases=True), (
                f"{text}: uv.lock has {locked[name]}; run uv lock"
            )
    bounds, overrides = (
        project["tool"]["uv"]["constraint-dependencies"],
        project["tool"]["uv"]["override-dependencies"],
    )
    for file, listed in (("constraints.txt", bounds), ("overrides.txt", overrides)):
        lines = (ROOT / file).read_text().splitlines()
        assert [line.replace('"', "'") for line in lines if line and line[0] != "#"] == listed, (
            f"{file} and [tool.uv] differ"
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if UV is None:
        pytest.skip("uv is not installed")
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [UV, "build", "--wheel", "--no-progress", "-o", out, ROOT], capture_output=True, text=True
    )
    if done.returncode and "error sending request" in done.stderr + done.stdout:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def installed() -> dict[str, str]:
    """The environment in which every Python that pyenv has is found, and not only the one that it makes the default."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = sorted(p.name for p in versions.glob("3.1[1-9].*"))
    return {"PYENV_VERSION": ":".join(names)} if names else {}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_foils_from_the_wheel(wheel: Path, tmp_path: Path, version: str) -> None:
    """PyMca5's copper foil comes with pip; nothing of the checkout or of the measured data is there."""
    assert UV is not None
    if subprocess.run(
        [UV, "python", "find", "--no-python-downloads", version],
        capture_output=True,
        env=os.environ | installed(),
    ).returncode:
        pytest.skip(f"Python {version} is not installed")
    bare = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XASUITE_DATA", "VIRTUAL_ENV")}
    bare |= installed() | {
        "XASUITE_CACHE": str(tmp_path / "cache"),
        "HOME": os.environ.get("HOME", str(tmp_path)),
    }
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [UV, "venv", "-q", "--no-python-downloads", "-p", version, tmp_path / "env"], check=True, env=bare
    )
    install = [
        UV,
        "pip",
        "install",
        "-q",
        "--python",
        python,
        "-c",
        ROOT / "constraints.txt",
        "--overrides",
        ROOT / "overrides.txt",
    ]
    done = subprocess.run([*install, f"{wheel}[examples]"], capture_output=True, text=True, env=bare)
    assert done.returncode == 0, done.stderr
    where = "import xasuite, xasuite.references as r; print(xasuite.__file__); print(r.fits_dir() / 'foils')"
    said = subprocess.run(
        [python, "-c", where], capture_output=True, text=True, env=bare, cwd=tmp_path, check=True
    ).stdout
    package, foils = said.split()
    assert Path(package).is_relative_to(tmp_path / "env")
    run = [python.with_name("xasuite"), "reproduce", foils, "--output", tmp_path / "results"]
    done = subprocess.run(run, capture_output=True, text=True, env=bare, cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Cu" in done.stdout
    assert any((tmp_path / "results").rglob("*.html"))
