"""A spec written for Larch and for Athena: the script is run and the project opened by Larch itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from xasuite.cli import main
from xasuite.errors import SpecError, WriteError
from xasuite.references import fits_dir
from xasuite.specs import load_spec
from xasuite.workflow import run_spec
from xasuite.workflow.export import export

CLOSURE = fits_dir() / "foils" / "co_foil_closure.toml"


def larch_values(script: Path) -> list[dict[str, float]]:
    """The best values of every fit of a script, which is run by itself."""
    code = script.read_text(encoding="utf-8")
    code += (
        "\nprint('VALUES', [{n: float(p.value) for n, p in r.params.items()} for r in results.values()])\n"
    )
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, script.name], cwd=script.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.rsplit("VALUES ", 1)[1])


@pytest.mark.parametrize("name", ["foils/co_foil_closure.toml", "comn/lco1mn1_both.toml"])
def test_the_script_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    """One spectrum from its mu(E), and two edges fitted together: within 0.01 of the fit's own standard errors."""
    spec = load_spec(fits_dir() / name).spec.replace(errors="fit")
    path = tmp_path / "spec.toml"
    # sources of inherited values are named from the folder of the spec
    path.write_text(spec.to_toml().replace('from = "../', f'from = "{fits_dir()}/'), encoding="utf-8")
    ours = run_spec(load_spec(path), variants=False).rows
    theirs = larch_values(export(path, tmp_path / "larch" / "fit.py", program="larch")[0])
    for fit, values in zip(ours, theirs, strict=True):
        for p in fit.parameters:
            if p.kind == "varied":
                assert abs(values[p.name] - p.value.value) < 0.01 * p.value.stderr, p.name


def test_larch_opens_the_project_with_the_same_settings(tmp_path: Path) -> None:
    from larch.io import read_athena

    (made,) = export(CLOSURE, tmp_path / "co.prj", program="athena")
    project = read_athena(str(made))
    group = next(g for g in vars(project).values() if hasattr(g, "athena_params"))
    fit = run_spec(load_spec(CLOSURE), variants=False)
    row = next(iter(fit.inputs.values()))
    assert group.athena_params.bkg.rbkg == 1.0
    assert group.athena_params.bkg.kw == 2
    assert group.athena_params.bkg.e0 == pytest.approx(float(row.chi.e0), abs=1e-3)
    assert (group.athena_params.fft.kmin, group.athena_params.fft.kmax) == (3.0, 11.0)


def test_what_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WriteError, match=r"name it co\.py, which larch reads"):
        export(CLOSURE, tmp_path / "co.txt", program="larch")
    with pytest.raises(SpecError, match="there are larch, athena"):
        export(CLOSURE, tmp_path / "co.py", program="ifeffit")
    text = CLOSURE.read_text() + '\n[[restraint]]\nthat = "s02"\nis = 0.8\nwithin = 0.1\n'
    (tmp_path / "held.toml").write_text(text)
    with pytest.raises(SystemExit) as caught:
        main(["export", str(tmp_path / "held.toml"), "--as", "larch", "-o", str(tmp_path / "held.py")])
    assert caught.value.code == 1
    assert "Larch has no restraints" in capsys.readouterr().err
