"""Copper at four temperatures: one Debye or Einstein temperature, one expansion, theory cumulants; and the cumulants themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.exafs.audits import audit_fit
from xasuite.exafs.engine.program import compile_model, run, start_values
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.references import fits_dir
from xasuite.specs import load_spec
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
        # 315 K: FEFF's copper example, DEBYE 190 315
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
