"""Ifeffit scripts and feffit.inp as specs, against what Debian's ifeffit and feffit 1.2.11d print (ifeffit/make.py)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import xasuite as xs
from xasuite.cli import main
from xasuite.errors import ReadError
from xasuite.workflow.convert import convert

HERE = Path(__file__).parent / "ifeffit"
# In Ifeffit's standard errors. On one chi(k) what is left is the grid of R, which Ifeffit cuts at its points, and how
# several k weights are pooled (docs/decisions/rfactor.md).
CLOSE = 0.1


def printed(name: str, log: str) -> tuple[float, float]:
    """Value and standard error of a parameter as Ifeffit's `show`, or feffit's log, prints them."""
    text = (HERE / log).read_text()
    if found := re.search(rf"^ +{name} += +(\S+) +([\d.]+) +\S+$", text, re.M):
        return float(found[1]), float(found[2])
    value, error = (re.findall(rf"^ {n} += +([-\d.E+]+)", text, re.M)[-1] for n in (name, f"delta_{name}"))
    return float(value), float(error)


@pytest.mark.parametrize(
    ("script", "log", "names"),
    [
        ("chi.iff", "chi.out", "amp enot alpha ss1 ss2"),
        ("restrained.iff", "restrained.out", "amp enot dr ss"),
        ("feffit.inp", "feffit.log", "amp e0 dr sig2"),
    ],
)
def test_fits_of_chi_come_back(script: str, log: str, names: str, tmp_path: Path) -> None:
    done = convert(HERE / script, tmp_path)
    assert not done.refused
    params = xs.fit(done.specs[0]).params
    for name in names.split():
        value, error = printed(name, log)
        assert abs(params[name].n - value) < CLOSE * error, name


def test_a_script_with_its_background_comes_back(tmp_path: Path) -> None:
    done = convert(HERE / "mu.iff", tmp_path)
    spec = xs.load_spec(done.specs[0]).spec
    assert (spec.reduce.e0, spec.reduce.rbkg, spec.reduce.bkg_kweight, spec.reduce.nnorm) == (8979, 1.0, 2, 2)
    assert spec.params["twice"].expr == "2 * ss"
    result = xs.fit(done.specs[0])
    for name in ("s02", "e0shift", "alpha", "ss"):
        value, error = printed(name, "mu.out")
        # over a short range of R the points at its ends weigh more: Ifeffit fits 1.626 to 2.884 A of 1.6 to 2.9
        assert abs(result.params[name].n - value) < 2 * CLOSE * error, name


FIT = """read_data(file = cu.chi, type = chi, group = cu)
kmin = 3, kmax = 12, kweight = 2, dk = 1, rmin = 1.6, rmax = 2.9
guess amp = 0.9
path(1, feff = feff0001.dat, s02 = amp, ei = 0.5, sigma2 = eins(300, 240))
feffit(1, chi = cu.chi, k = cu.k)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cu.chi", "cu.xmu", "feff0001.dat", "feff0002.dat"):
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def written(folder: Path, text: str) -> str:
    """The spec of a script."""
    (folder / "a.iff").write_text(text)
    return convert(folder / "a.iff", folder / "out").specs[0].read_text()


def test_values_are_those_at_the_place_of_the_script(folder: Path) -> None:
    head = "a = 1.d-1\nset b = a + 1\ndef c = a + 1\na = 2\n"
    text = written(folder, head + FIT.replace("s02 = amp", "s02 = amp * b / c"))
    assert "b = { value = 1.1 }" in text
    assert 'c = { expr = "a + 1" }' in text
    assert "a = { value = 2.0 }" in text


def test_paths_values_of_ifeffit_are_ours(folder: Path) -> None:
    text = written(folder, FIT)
    assert "ei = 0.5" in text
    assert 'sigma2 = "einstein(300, 240)"' in text


def test_columns_made_by_arithmetic(folder: Path) -> None:
    made = "read_data(file = cu.xmu, type = raw, group = d)\nd.mu2 = -ln(exp(-d.2))\n"
    spline = "spline(energy = d.1, xmu = d.mu2, e0 = 8979, rbkg = 1)\n"
    written(folder, made + spline + FIT.replace("cu.chi, k = cu.k", "d.chi, k = d.k"))
    spectrum = xs.read(folder / "out/data/d.xdi").mu()
    assert spectrum.mu == pytest.approx(xs.read(HERE / "cu.xmu").mu().mu, abs=1e-9)


def test_what_changes_no_fit_is_listed(folder: Path) -> None:
    text = written(
        folder, "macro draw\n plot(cu.k, cu.chi)\nend macro\nload other.iff\n" + FIT + "draw\n" + FIT
    )
    assert "# Not carried over: line 4: load, a command that describes no fit here." in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("feff0001.dat", "gone.dat"), "a.iff:5: FEFF's file gone.dat of path 1 is not there"),
        (("file = cu.chi", "file = gone.chi"), "a.iff:1: the data file .*gone.chi is not there"),
        (("feffit(1,", "feffit(1-2,"), "a.iff:5: path 2 was not given a file of FEFF"),
        (
            ("chi = cu.chi, k", "chi = other.chi, k"),
            "a.iff:5: feffit fits other.chi, which no read_data or spline",
        ),
        (("rmax = 2.9", "rnax = 2.9"), "a.iff:5: feffit without rmax"),
        (("feffit(1, chi", "feffit(1, chi = (cu.chi"), "a.iff:5: a bracket is opened and never closed"),
        (
            ("guess amp = 0.9", "macro start\n guess amp = 0.9\nend macro\nstart"),
            "a.iff:6: the macro start changes the fit and cannot be carried over; write its commands out",
        ),
        (
            ("feffit(1, chi = cu.chi, k = cu.k)", "macro go\n feffit(1, chi = cu.chi)\nend macro"),
            "its fit is made by the macro go, which cannot be carried over",
        ),
        (("s02 = amp", "s02 = amp * unknown"), "uses unknown, which is no parameter of the fit"),
        (("s02 = amp", "s02 = system(amp)"), "system"),
    ],
)
def test_what_cannot_be_carried_over_is_one_sentence(
    folder: Path, change: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert change[0] in FIT
    (folder / "a.iff").write_text(FIT.replace(*change))
    with pytest.raises(SystemExit) as caught:
        main(["convert", str(folder / "a.iff"), "-o", str(folder / "out")])
    err = capsys.readouterr().err
    assert caught.value.code == 1
    assert re.search(said, err), err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_feffit_inp_with_more_data_sets_is_refused(folder: Path) -> None:
    text = (HERE / "feffit.inp").read_text()
    (folder / "feffit.inp").write_text(text + "\nnext data set\n data = cu.chi\n")
    with pytest.raises(ReadError, match="next data set cannot be carried over"):
        convert(folder / "feffit.inp", folder / "out")
