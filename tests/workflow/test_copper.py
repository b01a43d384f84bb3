"""Copper at four temperatures: one Debye or Einstein temperature, one expansion, theory cumulants; and the cumulants themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite.exafs.audits import audit_fit
from xasuite.exafs.engine.program import compile_model, run, start_values
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.specs.load import as_loaded
from xasuite.specs.schema import Spec
from xasuite.workflow import run_spec
from xasuite.workflow.resolve import Context

TEMPERATURES = (10.0, 50.0, 150.0, 295.0)


@pytest.mark.parametrize("name", ["debye", "einstein"])
def test_one_theta(name: str, data_root: Path, tmp_path: Path) -> None:
    """The spec that users run: theta of the literature, sigma2 of Larch's functions, Larch's fit, all with errors."""
    from larch.xafs import feffpath
    from larch.xafs.sigma2_models import sigma2_debye, sigma2_eins

    result = run_spec(load_spec(fits_dir() / f"cu/{name}.toml"), Context(data_root), variants=False)
    fit = result.rows[0]
    theta = fit.parameter("theta").value
    if name == "debye":
        # 315 K, without an error: FEFF's copper example, DEBYE 190 315; see test_what_is_assumed_moves_theta
        assert abs(theta.value - 315) < 2 * theta.stderr
    else:
        # both models give one sigma2 at room temperature, 0.0087(3): Larch's documented fit of a copper foil, 8.67(31)e-3
        assert abs(fit.paths[-1].sigma2.value - 8.67e-3) < 0.31e-3
    assert theta.stderr < 8
    # copper shrinks by 0.324 % from 293 to 10 K (Touloukian): alpha of this form is 0.00324 / (theta / (exp(theta/293) - 1))
    alpha = fit.parameter("alpha").value
    assert abs(alpha.value - 0.00324 * (np.exp(theta.value / 293) - 1) / theta.value) < 2 * alpha.stderr
    path = find_paths("Cu", absorber="Cu", radius=6.0)[0]
    (tmp_path / "feff0001.dat").write_text(path.text)
    theirs = feffpath(str(tmp_path / "feff0001.dat"))
    larchs = {"debye": sigma2_debye, "einstein": sigma2_eins}[name]
    for p, t in zip(fit.paths, TEMPERATURES, strict=True):
        assert p.sigma2.value == pytest.approx(float(larchs(t, theta.value, theirs)), rel=1e-6)
        assert p.sigma2.stderr > 0
        assert p.third.stderr > 0
    chis = [result.inputs[d.label].chi for d in fit.data]
    assert audit_fit(fit.stated, chis).difference < 0.01
    printed = "\n".join(result.summary().notes)
    assert f"theta = {theta}" in printed
    assert "beta = " in printed


# feffit of Larch on the spectra at 10, 50 and 150 K: xraypy/xraylarch, examples/feffit/doc_feffit3.out (MIT)
LARCH = {
    "alpha": (5.2689e-06, 6.6632e-06), "amp": (0.88870032, 0.03075399), "del_e0": (5.37258209, 0.61378630),
    "dr_off": (-3.0870e-04, 0.00272044), "theta": (233.135611, 8.08151807),
}  # fmt: skip


def test_the_documented_fit_of_larch(data_root: Path) -> None:
    """Its settings and FEFF path here: values within 0.1 of its errors, the errors within 10 % (two versions of its autobk)."""
    rows = "".join(
        f'[[data]]\nlabel = "{t} K"\nfile = "published/Cu/cu_{t}k.xmu"\nvariables = {{ T = {t} }}\n'
        for t in (10, 50, 150)
    )
    text = (
        f'xasuite = 2\ntitle = "doc_feffit3"\nerrors = "fit"\n{rows}[sample]\nelement = "Cu"\n[reduce]\nrbkg = 1.0\nbkg_kweight = 2\n'
        'method = "polynomial"\n[fit]\nk = [3, 17]\nkweight = 2\ndk = 4\nwindow = "kaiser"\nr = [1.4, 3.4]\ntogether = true\n[params]\n'
        "amp = { guess = 1 }\ndel_e0 = { guess = 2 }\ntheta = { guess = 250, min = 10 }\ndr_off = { guess = 0 }\nalpha = { guess = 0 }\n"
        f'[[path]]\nlabel = "Cu-Cu"\nfeff = "{data_root}/published/Cu/feffcu01.dat"\nn = 12\ns02 = "amp"\ne0 = "del_e0"\n'
        'deltar = "dr_off + T*alpha*reff"\nsigma2 = "einstein(T, theta)"\n'
    )
    fit = run_spec(parse_spec(text, "doc.toml"), Context(data_root)).rows[0]
    for name, (value, error) in LARCH.items():
        ours = fit.parameter(name).value
        assert abs(ours.value - value) < 0.1 * error, name
        assert ours.stderr == pytest.approx(error, rel=0.1), name
    assert fit.rfactor == pytest.approx(0.01637720, rel=0.05)


def test_what_is_assumed_moves_theta(data_root: Path) -> None:
    """Every line of the guide's table, with the fit's own errors: 315 K is 1.6 of them away, and inside what the choices span."""
    spec = load_spec(fits_dir() / "cu/debye.toml").spec.replace(variant=None, errors="fit")
    path, rows = spec.tables()["path"][0], list(spec.tables()["data"])
    changes: dict[str, dict[str, Any]] = {
        "nothing": {},
        "each row has its own": {"params": {"s02": {"guess": 0.9, "each": True}}},
        "a static part": {
            "params": {"ss0": {"guess": 0.0}},
            "path": [{**path, "sigma2": "ss0 + debye(T, theta)"}],
        },
        '"room temperature" is 290': {"data": [*rows[:3], {**rows[3], "variables": {"T": 290}}]},
        '"room temperature" is 300': {"data": [*rows[:3], {**rows[3], "variables": {"T": 300}}]},
        "without the room-temp": {"data": rows[:3]},
        "FEFF 6": {"path": [{**path, "program": "feff6l"}]},
        "k³": {"fit": {"kweight": [3]}},
        "no third cumulant": {"params": {"beta": {"guess": None, "value": 0.0}}},
    }
    guide = (Path(__file__).parents[2] / "docs/guide/thermal.md").read_text(encoding="utf-8")
    table = dict(
        re.findall(r"^\| ([^|]+?) \| ([\d.()]+) \|$", guide.split("| changed |")[1].split("\n\n")[0], re.M)
    )
    assert len(table) == len(changes)
    thetas, reduced = {}, {}
    for (printed, value), (name, change) in zip(table.items(), changes.items(), strict=True):
        assert printed.startswith(name)
        result = run_spec(as_loaded(spec.replace(**change), Spec), Context(data_root), variants=False)
        fit = result.rows[0]
        thetas[name], reduced[name] = fit.parameter("theta").value, fit.chi2_reduced
        assert str(thetas[name]) == value, name
    values = [t.value for t in thetas.values()]
    assert min(values) < 315 < max(values)
    assert thetas["nothing"].stderr < (max(values) - min(values)) / 2 == pytest.approx(9, abs=1)
    assert reduced["each row has its own"] / reduced["nothing"] == pytest.approx(3 / 4, abs=0.05)
    assert reduced["a static part"] / reduced["nothing"] == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 1.0, 3.0])
def test_cumulants_are_those_of_an_oscillator(ratio: float) -> None:
    """Thermal averages of the eigenstates of p^2/2 + q^2/2 - g q^3, by diagonalisation; first order in g holds to g^2."""
    g, size, theta = 1e-3, 80, 240.0
    lower = np.diag(np.sqrt(np.arange(1, size)), 1)
    q = (lower + lower.T) / np.sqrt(2)
    energy, states = np.linalg.eigh(np.diag(np.arange(size) + 0.5) - g * q @ q @ q)
    weight = np.exp(-(energy - energy[0]) / ratio)
    weight[size // 2 :] = 0  # the basis' own end

    def mean(a: np.ndarray) -> float:
        return float(weight @ np.diag(states.T @ a @ states) / weight.sum())

    first = mean(q)
    centred = q - first * np.eye(size)
    path = find_paths("Cu", absorber="Cu", radius=6.0)[0]
    params = (Parameter("theta", theta), Parameter("beta", 0.3), Parameter("T", theta * ratio, vary=False))
    expressions = {
        "deltar": "3*beta*einstein(T, theta)", "sigma2": "einstein(T, theta)",
        "third": "2*beta*(3*einstein(T, theta)**2 - 2*einstein(1, theta)**2)", "e0": "1e3*einstein(1, theta)",
    }  # fmt: skip
    one = PathModel("p", path, parse(1.0), **{v: parse(text) for v, text in expressions.items()})
    program = compile_model(Model(params, (one,), FitRange((3, 12), (1, 3))))
    _, e0, deltar, sigma2, third, *_ = run(program, start_values(program)[None])[0][0, 0]
    length = np.sqrt(2 * e0 / 1e3)  # of q: sqrt(hbar / m w), and sigma0^2 = hbar / 2 m w
    scale = 0.3 * length / g  # beta is g / length in the oscillator
    assert sigma2 == pytest.approx(length**2 * mean(centred @ centred), rel=1e-3)
    assert deltar == pytest.approx(scale * length * first, rel=1e-3)
    assert third == pytest.approx(scale * length**3 * mean(centred @ centred @ centred), rel=1e-3)
