"""A spec written for Larch and for Athena: the script is run and the project opened by Larch itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xasuite.cli import main
from xasuite.errors import SpecError, WriteError
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.specs.schema import Spec
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


def same_numbers(spec: Spec, folder: Path) -> str:
    """The script of a spec, after its values were found within 0.01 of the fit's own standard errors."""
    path = folder / "spec.toml"
    # sources of inherited values are named from the folder of the spec
    path.write_text(spec.to_toml().replace('from = "../', f'from = "{fits_dir()}/'), encoding="utf-8")
    ours = run_spec(load_spec(path), variants=False).rows
    script = export(path, folder / "larch" / "fit.py", program="larch")[0]
    theirs = larch_values(script)
    assert len(ours) == len(theirs)
    for fit, values in zip(ours, theirs, strict=True):
        for p in fit.parameters:
            if p.kind == "varied":
                assert abs(values[p.name] - p.value.value) < 0.01 * p.value.stderr, p.name
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["foils/co_foil_closure.toml", "comn/lco1mn1_both.toml"])
def test_the_script_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    """One spectrum from its mu(E), and two edges fitted together."""
    same_numbers(load_spec(fits_dir() / name).spec.replace(errors="fit"), tmp_path)


HERE = Path(__file__).parent / "ifeffit"
COPPER = f"""\
xasuite = 2
title = "copper"
errors = "fit"
[[data]]
label = "Cu foil"
file = "{HERE}/cu.xmu"
[sample]
element = "Cu"
[fit]
k = [3, 12]
kweight = [2]
r = [1.6, 2.9]
[params]
s02 = {{ guess = 0.9 }}
enot = {{ guess = 0.0 }}
dr = {{ guess = 0.0 }}
ss = {{ guess = 0.005 }}
[[path]]
label = "Cu-Cu"
feff = "{HERE}/feff0001.dat"
s02 = "s02"
e0 = "enot"
deltar = "dr"
sigma2 = "ss"
"""
RESTRAINTS = """
[[restraint]]
that = "s02"
is = 0.7
within = 0.02
[[restraint]]
that = "r(\\"Cu-Cu\\") - 2.5"
is = 0.04
within = 0.002
"""


@pytest.mark.parametrize(
    ("old", "new", "written"),
    [
        ("k = [3, 12]", 'k = [3, 12]\nspace = "k"', "fitspace='k'"),
        ("k = [3, 12]", 'k = [3, 12]\nspace = "q"', "fitspace='q'"),
        ("kweight = [2]", "kweight = [1, 2, 3]", "kweight=[1, 2, 3]"),
        ("kweight = [2]", 'kweight = [1, 3]\nwindow = "kaiser"\ndk = 4.0\nepsilon_k = 0.001', "state_noise("),
        ('sigma2 = "ss"', 'sigma2 = "ss"\ndphase = 0.2\nei = 0.5\nthird = 1e-5', "cos((0.2))"),
        ("r = [1.6, 2.9]", "r = [1.2, 2.9]\nbackground = true", "refine_bkg=True"),
        ('sigma2 = "ss"\n', f'sigma2 = "ss"\n{RESTRAINTS}', "restrain(sets[-1], [("),
        ("[sample]", '[reduce]\nbackground = "ifeffit"\n[sample]', "from_chi("),
        (f'feff = "{HERE}/feff0001.dat"', 'scatterer = "Cu"\ncrystal = "Cu"\ndistance = 2.55\nn = 12', "feffpath("),
    ],
)  # fmt: skip
def test_what_a_script_carries(old: str, new: str, written: str, tmp_path: Path) -> None:
    """Spaces, weights, noise, phases, a refined background, restraints, other backgrounds, paths at a distance."""
    assert old in COPPER
    spec = parse_spec(COPPER.replace(old, new), tmp_path / "a.toml").spec
    assert written in same_numbers(spec, tmp_path)


def test_shells_are_written_out(tmp_path: Path) -> None:
    text = COPPER.partition("[[path]]")[0].replace("r = [1.6, 2.9]", "r = [1.6, 4.0]")
    text += '[[shells]]\ncrystal = "Cu"\nupto = 4.0\nalpha = "dr"\nsigma2 = "ss*reff/2.5"\ne0 = "enot"\ns02 = "s02"\n'
    script = same_numbers(parse_spec(text, tmp_path / "a.toml").spec, tmp_path)
    assert script.count("feffpath(str(") == 3


@pytest.mark.parametrize("space", ["r", "k"])
def test_chi_with_noise_of_each_k(space: str, tmp_path: Path) -> None:
    k, chi = np.loadtxt(HERE / "cu.chi", usecols=(0, 1)).T
    np.savetxt(tmp_path / "cu.chi", np.transpose([k, chi, 1e-3 * (1 + 0.2 * k)]), header="k chi err")
    text = COPPER.replace(
        f'file = "{HERE}/cu.xmu"', f'file = "{tmp_path}/cu.chi"\nkind = "chi"\nchi_err = "err"'
    )
    spec = parse_spec(
        text.replace("kweight = [2]", f'kweight = [1, 3]\nspace = "{space}"'), tmp_path / "a.toml"
    ).spec
    assert "state_noise(sets[-1], [" in same_numbers(spec, tmp_path)


@pytest.mark.parametrize(
    "name",
    [pytest.param("cu/cluster.toml", marks=pytest.mark.slow, id="shells to 5.2 A"), "cu/einstein.toml"],
)
def test_shells_and_temperatures(name: str, data_root: Path, tmp_path: Path) -> None:
    """All paths of a crystal by one Debye temperature, and four temperatures by one Einstein temperature."""
    spec = load_spec(fits_dir() / name).spec.replace(errors="fit", variant=None)
    files = [d.model_copy(update={"file": str(data_root / str(d.file))}) for d in spec.data]
    same_numbers(spec.model_copy(update={"data": tuple(files)}), tmp_path)


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
    (tmp_path / "chi.toml").write_text(
        COPPER.replace(f'file = "{HERE}/cu.xmu"', f'file = "{HERE}/cu.chi"\nkind = "chi"'), encoding="utf-8"
    )
    with pytest.raises(SystemExit) as caught:
        main(["export", str(tmp_path / "chi.toml"), "--as", "athena", "-o", str(tmp_path / "chi.prj")])
    assert caught.value.code == 1
    assert "chi.toml: Cu foil is chi(k); an Athena project is written of mu(E)" in capsys.readouterr().err
