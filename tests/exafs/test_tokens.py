"""Tokens and functions of a path in expressions, against Larch's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import FeffError, FitError
from xasuite.exafs.engine.program import compile_model, run, start_values
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.disorder import debye_terms, einstein_terms, sigma2
from xasuite.feff.paths import FeffPath


@pytest.fixture(scope="module")
def paths() -> tuple[FeffPath, ...]:
    """Single and multiple scattering in CoO: two elements, two, three and four legs."""
    found = find_paths("CoO", absorber="Co", radius=4.5)
    return (*found[:3], next(p for p in found if p.nleg == 4))


def larchs(path: FeffPath, name: str, temperature: float, theta: float, folder: Path) -> float:
    from larch.xafs import feffpath
    from larch.xafs.sigma2_models import sigma2_debye, sigma2_eins

    (folder / "feff0001.dat").write_text(path.text)
    theirs = feffpath(str(folder / "feff0001.dat"))
    return float({"debye": sigma2_debye, "einstein": sigma2_eins}[name](temperature, theta, theirs))


@pytest.mark.parametrize("name", ["debye", "einstein"])
@pytest.mark.parametrize(
    ("temperature", "theta"), [(300.0, 315.0), (77.0, 400.0), (10.0, 300.0), (900.0, 150.0)]
)
def test_thermal_disorder_is_larchs(
    paths: tuple[FeffPath, ...], name: str, temperature: float, theta: float, tmp_path: Path
) -> None:
    """To 1e-6; the correlated Debye model's own integral stops at 1e-9 of a Romberg step, at low T at 1e-6."""
    terms = {"debye": debye_terms, "einstein": einstein_terms}[name]
    for path in paths:
        ours = sigma2(terms(path), temperature, theta)
        assert ours == pytest.approx(larchs(path, name, temperature, theta, tmp_path), rel=1e-6)
        model = Model(
            (Parameter("T", temperature, vary=False), Parameter("theta", theta)),
            (
                PathModel(
                    "p",
                    path,
                    parse("degen"),
                    deltar=parse("0.001*reff*nleg"),
                    sigma2=parse(f"{name}(T, theta)"),
                ),
            ),
            FitRange((3, 12), (1, 3)),
        )
        program = compile_model(model)
        values, grads = run(program, start_values(program)[None])
        assert values[0, 0, 0] == path.degen
        assert values[0, 0, 2] == pytest.approx(0.001 * path.reff * path.nleg)
        assert values[0, 0, 3] == pytest.approx(ours, rel=1e-12)
        step = 1e-4 * theta
        slope = (
            (sigma2(terms(path), temperature, theta + step) - sigma2(terms(path), temperature, theta - step))
            / 2
            / step
        )
        assert grads[0, 0, 3, 0] == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize(
    "text",
    ["asin(x)", "acos(x)", "atan(x)", "atan2(x, 0.3)", "sinh(x)", "cosh(x)", "tanh(x)", "atan2(0.2, x)"],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_functions_and_their_derivatives(text: str, compiled: bool) -> None:
    def at(x: float) -> tuple[float, float]:
        model = Model(
            (Parameter("x", x),),
            (PathModel("p", find_paths("Cu", absorber="Cu", radius=4.0)[0], parse(1.0), sigma2=parse(text)),),
            FitRange((3, 12), (1, 3)),
        )
        p = compile_model(model)
        if not compiled:
            values, grads = run(p, np.array([[x]]))
            return float(values[0, 0, 3]), float(grads[0, 0, 3, 0])
        from xasuite.exafs.engine.compiled_model import _run

        values, grads = np.empty(8), np.zeros((8, 1))
        _run(
            p.ops,
            p.args,
            p.first,
            p.target,
            np.array([x]),
            np.ones((1, 1)),
            values,
            grads,
            np.empty(p.depth),
            np.empty((p.depth, 1)),
            1,
        )
        return float(values[3]), float(grads[3, 0])

    value, slope = at(0.4)
    assert value == pytest.approx(parse(text)({"x": 0.4}))
    assert slope == pytest.approx((at(0.4 + 1e-6)[0] - at(0.4 - 1e-6)[0]) / 2e-6, rel=1e-6)


def test_a_paths_function_needs_a_path() -> None:
    path = PathModel("p", find_paths("Cu", absorber="Cu", radius=4.0)[0], parse(1.0), sigma2=parse("ss"))
    params = (Parameter("theta", 300.0), Parameter("ss", expr=parse("debye(300, theta)")))
    with pytest.raises(FitError, match="debye belongs to a path"):
        compile_model(Model(params, (path,), FitRange((3, 12), (1, 3))))
    with pytest.raises(FeffError, match="above 0 K"):
        sigma2(((1.0, 1.0),), 0.0, 300.0)
