"""path_chi against Larch's own chi(k) of the same feff.dat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import FitError
from xasuite.exafs.audits import audit_fit
from xasuite.exafs.equation import build_tables, path_chi, path_wave
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath, read_feff_dat
from xasuite.records import Chi

K = 0.05 * np.arange(321)
CASES = [
    {"n": 12.0, "s02": 0.8, "sigma2": 0.006},
    {"n": 3.1, "s02": 0.77, "e0": 4.7, "deltar": 0.03, "sigma2": 0.0034},
    {"n": 5.5, "s02": 1.0, "e0": -8.2, "deltar": -0.06, "sigma2": 0.012, "third": 2e-4, "fourth": 3e-5},
    {
        "n": 6.0,
        "s02": 0.9,
        "e0": 2.2,
        "deltar": 0.02,
        "sigma2": 0.005,
        "third": 1e-4,
        "fourth": 1e-5,
        "ei": 1.7,
    },
    {"n": 6.0, "s02": 0.9, "e0": -3.0, "sigma2": 0.003, "ei": -0.8},
]


@pytest.fixture(scope="module")
def paths() -> tuple[FeffPath, ...]:
    return find_paths("CoO", absorber="Co", radius=4.5)


@pytest.mark.parametrize("values", CASES)
def test_equals_larch(paths: tuple[FeffPath, ...], values: dict[str, float], tmp_path) -> None:
    """Single and multiple scattering to 1e-8 of the largest |chi|: only the splines' own rounding is left."""
    from larch.xafs import feffpath, path2chi

    for path in (paths[0], next(p for p in paths if p.nleg > 2)):
        file = tmp_path / "feff0001.dat"
        file.write_text(path.text)
        theirs = feffpath(
            str(file),
            degen=values["n"],
            **{k: values.get(k, 0.0) for k in ("e0", "deltar", "sigma2", "third", "fourth", "ei")},
            s02=values["s02"],
        )
        path2chi(theirs, k=K)
        ours = path_chi(path, K, **values)
        scale = np.abs(theirs.chi[20:]).max()
        assert np.abs(ours.imag - theirs.chi)[20:].max() < 1e-8 * scale
        assert np.abs(-ours.real - theirs.chi_imag)[20:].max() < 1e-8 * scale


def test_signs_are_ifeffits(data_root: Path) -> None:
    """chi of Ifeffit 1.2.11 (ff2chi, Debian's package) at k = 3, 6, 10; its interpolation differs by some 2 % of max |chi|."""
    path = read_feff_dat(data_root / "published/Cu/feffcu01.dat")
    k = np.array([3.0, 6.0, 10.0])
    both = path_chi(
        path, k, n=12, s02=0.9, e0=2.2, sigma2=0.005, third=1e-4, deltar=0.02, ei=1.7, dphase=0.3
    ).imag  # fmt: skip
    np.testing.assert_allclose(both, [-0.010547, 0.056999, 0.003884], atol=0.0025)
    turned = path_chi(path, k, n=12, s02=0.9, e0=2.2, sigma2=0.005, dphase=0.3).imag
    np.testing.assert_allclose(turned, [-0.019742, 0.060562, -0.001337], atol=0.003)


def test_dphase_turns_the_path(paths: tuple[FeffPath, ...]) -> None:
    """chi = Im(z exp(i dphase)), as Ifeffit's reference has it: the analytic case."""
    values = {"n": 6.0, "s02": 0.9, "e0": 2.2, "deltar": 0.02, "sigma2": 0.005, "ei": 0.7}
    plain, turned = path_chi(paths[0], K, **values)[1:], path_chi(paths[0], K, dphase=0.3, **values)[1:]
    np.testing.assert_allclose(turned, plain * np.exp(0.3j), rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_slopes_of_ei_and_dphase(paths: tuple[FeffPath, ...], compiled: bool) -> None:
    """Derivatives by all path values against differences of chi, which Larch's equation holds above."""
    k = K[40:280]
    tables = build_tables([paths[0]])
    at = np.array([[5.2, 3.1, 0.02, 0.006, 1e-4, 1e-5, 1.3, 0.4]])

    def chi(values: np.ndarray) -> np.ndarray:
        return path_wave(tables, 0, k, values)[0].imag[0]

    if compiled:
        from xasuite.exafs.engine.compiled_model import N_COLUMNS, _columns, _slopes

        col, rows = np.empty((N_COLUMNS, k.size)), np.zeros((8, k.size))
        _columns(k, at[0, 1], tables.coef[0], tables.left[0], tables.cell[0], tables.width[0], col)
        assert _slopes(at[0], tables.reff[0], np.ones(8, bool), col, rows) == 8
        np.testing.assert_allclose(at[0, 0] * rows[0], chi(at), atol=1e-12)
        slopes = list(rows)
    else:
        slopes = [s[0] for s in path_wave(tables, 0, k, at, [True] * 8)[1]]
    for j, step in enumerate((1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-4, 1e-5)):
        move = np.zeros((1, 8))
        move[0, j] = step
        expected = (chi(at + move) - chi(at - move)) / (2 * step)
        # central differences: relative error of some 1e-6 of the largest slope
        np.testing.assert_allclose(slopes[j], expected, atol=2e-6 * np.abs(expected).max(), err_msg=str(j))


def test_larch_fits_ei_and_dphase(paths: tuple[FeffPath, ...]) -> None:
    """The audit's feffit has no dphase of its own: both fits find the same minimum, within 0.01 standard errors."""
    rng = np.random.default_rng(4)
    chi = path_chi(paths[0], K, n=6, s02=0.9, e0=1.0, sigma2=0.006, ei=0.9, dphase=0.25).imag
    data = Chi(k=K, chi=chi + 3e-4 * rng.normal(size=K.size), e0=0.0, edge_step=1.0, label="x")
    path = PathModel(
        "Co-O", paths[0], parse(6.0), s02=parse("amp"), e0=parse(1.0), sigma2=parse("ss"), ei=parse("ei"), dphase=parse("0.5*turn")
    )  # fmt: skip
    params = (Parameter("amp", 1.0), Parameter("ss", 0.004), Parameter("ei", 0.0), Parameter("turn", 0.0))
    fit = fit_chi(Model(params, (path,), FitRange((3, 14), (1, 3))), data)
    assert fit.paths[0].dphase.value == pytest.approx(0.25, abs=4 * fit.paths[0].dphase.stderr)
    assert fit.paths[0].ei.value == pytest.approx(0.9, abs=4 * fit.paths[0].ei.stderr)
    assert audit_fit(fit, data).difference < 0.01


def test_rows_equal_singles(paths: tuple[FeffPath, ...]) -> None:
    e0 = np.array([-3.0, 0.0, 5.0])
    n = np.array([4.0, 5.0, 6.0])
    stacked = path_chi(paths[0], K, n=n, e0=e0, sigma2=0.005)
    for i in range(3):
        np.testing.assert_array_equal(stacked[i], path_chi(paths[0], K, n=n[i], e0=e0[i], sigma2=0.005))


def test_atom_behind_the_absorber(paths: tuple[FeffPath, ...]) -> None:
    with pytest.raises(FitError, match="behind the absorber"):
        path_chi(paths[0], K, deltar=-3.0)
