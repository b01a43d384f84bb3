"""A background refined with the fit against Larch's refine_bkg, and on a known background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import FitError, SpecError
from xasuite.exafs.audits import audit_fit
from xasuite.exafs.engine import fit_stack
from xasuite.exafs.engine.objective import background_basis
from xasuite.exafs.equation import path_chi
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath
from xasuite.io import read_chi
from xasuite.records import Chi

K = 0.05 * np.arange(321)


@pytest.fixture(scope="module")
def path() -> FeffPath:
    return find_paths("CoO", absorber="Co", radius=4.5)[0]


def model(path: FeffPath, n: float, ranges: FitRange) -> Model:
    params = (Parameter("amp", 0.9), Parameter("enot", 0.0), Parameter("dr", 0.0), Parameter("ss", 0.005))
    one = PathModel("p", path, parse(n), parse("amp"), parse("enot"), parse("dr"), parse("ss"))
    return Model(params, (one,), ranges)


@pytest.mark.parametrize("kweight", [(2,), (1, 2, 3)])
def test_it_is_larchs_refine_bkg(path: FeffPath, kweight: tuple[int, ...], data_root: Path) -> None:
    """Values, errors, R factor and reduced chi-square of feffit with refine_bkg, on simulated and on measured chi(k)."""
    rng = np.random.default_rng(5)
    left = 0.02 * np.sin(1.1 * K + 0.4) * np.exp(-0.05 * K)  # below 1.2 A: a poor background
    chi = np.zeros(K.size)
    chi[1:] = path_chi(path, K[1:], n=6, s02=0.85, e0=1.0, sigma2=0.006).imag
    made = Chi(k=K, chi=chi + left + 3e-4 * rng.normal(size=K.size), e0=0.0, edge_step=1.0, label="x")
    copper = find_paths("Cu", absorber="Cu", radius=4.0)[0]
    for data, feff, n, r in ((made, path, 6.0, (1.2, 2.4)), (read_chi(data_root / "published/Cu/cu.chi"), copper, 12.0, (1.6, 3.0))):  # fmt: skip
        m = model(feff, n, FitRange((3, 14), r, kweight, background=True))
        ours, theirs = (fit_chi(m, data, engine=e) for e in ("xasuite", "larch"))
        found = audit_fit(ours, data)
        assert found.difference < 0.01
        assert found.stderr < 1e-3
        assert ours.rfactor == pytest.approx(theirs.rfactor, rel=1e-4)
        assert ours.chi2_reduced == pytest.approx(theirs.chi2_reduced, rel=1e-4)
        assert ours.n_idp == pytest.approx(1 + 2 * 11 * r[1] / np.pi)
        assert ours.n_varys == 4 + 1 + round(2 * r[0] * 11 / np.pi)


def test_a_known_background_comes_out(path: FeffPath) -> None:
    """chi of known values plus one of the spline's own curves: the values come back, and the curve; without it they are off."""
    ranges = FitRange((3, 14), (1.3, 2.4), background=True)
    basis = background_basis(K, ranges)
    curve = basis @ (0.01 * np.cos(2.3 * np.arange(basis.shape[1])))
    chi = np.zeros(K.size)
    chi[1:] = path_chi(path, K[1:], n=6, s02=0.85, e0=1.0, sigma2=0.006).imag
    data = Chi(k=K, chi=chi + curve, e0=0.0, edge_step=1.0, label="x")
    fit = fit_chi(model(path, 6.0, ranges), data)
    for name, true in (("amp", 0.85), ("enot", 1.0), ("ss", 0.006)):
        assert fit.parameter(name).value.value == pytest.approx(true, rel=1e-4)
    inside = (K > 3) & (K < 14)
    np.testing.assert_allclose(fit.data[0].background[inside], curve[inside], atol=1e-6)
    np.testing.assert_allclose(fit.data[0].fit[inside], data.chi[inside], atol=1e-6)
    without = fit_chi(model(path, 6.0, FitRange((3, 14), (1.3, 2.4))), data)
    assert abs(without.parameter("amp").value.value - 0.85) > 100 * abs(
        fit.parameter("amp").value.value - 0.85
    )


def test_where_there_is_none(path: FeffPath) -> None:
    data = Chi(k=K, chi=np.sin(4 * K), e0=0.0, edge_step=1.0, label="x")
    with pytest.raises(FitError, match="needs 4"):
        fit_chi(model(path, 6.0, FitRange((3, 6), (0.8, 4.0), background=True)), data)
    with pytest.raises(FitError, match="R space"):
        fit_chi(model(path, 6.0, FitRange((3, 14), (1.2, 4.0), space="k", background=True)), data)
    stack = Chi(k=K, chi=np.sin(4 * K)[None], e0=np.zeros(1), edge_step=np.ones(1))
    with pytest.raises(FitError, match="not of a stack"):
        fit_stack(model(path, 6.0, FitRange((3, 14), (1.2, 4.0), background=True)), stack)


def test_in_a_spec() -> None:
    from xasuite.references import fits_dir
    from xasuite.specs import load_spec

    spec = load_spec(fits_dir() / "foils/co_foil.toml").spec
    assert spec.replace(fit={"background": True}).fit.background
    with pytest.raises(SpecError, match='background = true needs space = "r"'):
        spec.replace(fit={"background": True, "space": "q"})
    with pytest.raises(SpecError, match="a spline of 4 coefficients does not fit"):
        spec.replace(fit={"background": True, "r": (0.3, 3.0)})
