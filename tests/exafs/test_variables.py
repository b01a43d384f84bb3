"""Variables of the data rows in expressions (T): single fits, fits together, stacks, fits along a series; noise of each k."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite.errors import FitError
from xasuite.exafs.audits import audit_fit, compare
from xasuite.exafs.engine import fit_stack
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.exafs.trends.timeline import fit_timeline
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath
from xasuite.records import Chi

K = 0.05 * np.arange(301)
THETA, ALPHA, S02 = 315.0, 1.7e-5, 0.9
TEMPERATURES = np.array([10.0, 77.0, 150.0, 220.0, 300.0, 400.0])
RANGES = FitRange((3, 14), (1.5, 3.0))


@pytest.fixture(scope="module")
def path() -> FeffPath:
    return find_paths("Cu", absorber="Cu", radius=4.0)[0]


@pytest.fixture(scope="module")
def chis(path: FeffPath, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """chi(k) of Larch's own path with Larch's own sigma2_debye, a row a temperature."""
    from larch.xafs import feffpath, path2chi
    from larch.xafs.sigma2_models import sigma2_debye

    file = tmp_path_factory.mktemp("feff") / "feff0001.dat"
    file.write_text(path.text)
    rows = []
    for t in TEMPERATURES:
        theirs = feffpath(str(file), degen=12, s02=S02, e0=1.0, deltar=ALPHA * (t - 300) * path.reff)
        theirs.sigma2 = float(sigma2_debye(t, THETA, theirs))
        path2chi(theirs, k=K)
        rows.append(theirs.chi)
    noise = np.random.default_rng(3).normal(scale=2e-4, size=(len(rows), K.size))
    return np.array(rows) + noise


def single(row: np.ndarray, t: float, label: str = "") -> Chi:
    return Chi(k=K, chi=row, e0=0.0, edge_step=1.0, label=label or f"{t:g} K", variables={"T": t})


def model(path: FeffPath, *, held: bool = False) -> Model:
    params = (
        Parameter("s02", S02 if held else 1.0, vary=not held),
        Parameter("enot", 1.0 if held else 0.0, vary=not held),
        Parameter("alpha", ALPHA if held else 0.0, vary=not held),
        Parameter("theta", 280.0, min=50),
        Parameter("dr", expr=parse("alpha*(T - 300)")),
    )
    one = PathModel(
        "Cu-Cu", path, parse(12.0), parse("s02"), parse("enot"), parse("dr*reff"), parse("debye(T, theta)")
    )
    return Model(params, (one,), RANGES)


def test_one_theta_of_rows_fitted_together(path: FeffPath, chis: np.ndarray) -> None:
    """The truth is Larch's sigma2_debye; Larch's fit of the same data agrees within 0.01 standard errors."""
    rows = [single(c, t) for c, t in zip(chis, TEMPERATURES, strict=True)]
    fit = fit_chi(model(path), rows)
    for name, true in (("theta", THETA), ("alpha", ALPHA), ("s02", S02)):
        value = fit.parameter(name).value
        assert abs(value.value - true) < 3.5 * value.stderr, name
        assert value.stderr < 0.02 * abs(true), name
    assert fit.parameter("dr__0").value.value == pytest.approx(ALPHA * -290, rel=0.02)
    assert audit_fit(fit, rows).difference < 0.01


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("start", [None, "mean", "previous"])
def test_a_stacks_rows_have_their_own(path: FeffPath, chis: np.ndarray, backend: Any, start: Any) -> None:
    """Row by row what a single fit gives (1e-3 standard errors), whatever it starts from."""
    stack = Chi(
        k=K, chi=chis, e0=np.zeros(6), edge_step=np.ones(6), variables={"T": TEMPERATURES}
    )  # fmt: skip
    held = model(path, held=True)
    fit = fit_stack(held, stack, backend=backend, start=start)
    assert fit.ok.all()
    for i, t in enumerate(TEMPERATURES):
        one = fit_chi(held, single(chis[i], t))
        mine = one.parameter("theta").value
        assert abs(fit.values["theta"][i] - mine.value) < 1e-3 * mine.stderr
        assert fit.stderr["theta"][i] == pytest.approx(mine.stderr, rel=1e-3)
        assert fit.path_values["Cu-Cu.sigma2"][i] == pytest.approx(one.paths[0].sigma2.value, rel=1e-4)
        np.testing.assert_allclose(fit.chi()[i], one.data[0].fit, atol=1e-6)
    if backend == "numba" and start is None:
        assert max(d.difference for d in compare(held, stack, fit, np.array([0, 3]))) < 0.01


def test_one_theta_along_a_series(path: FeffPath, chis: np.ndarray) -> None:
    """`shared` ties theta over all rows: the truth, and the fit of the rows together with the others held."""
    stack = Chi(
        k=K, chi=chis, e0=np.zeros(6), edge_step=np.ones(6), variables={"T": TEMPERATURES}
    )  # fmt: skip
    held = model(path, held=True)
    line = fit_timeline(held, stack, np.arange(6.0), shared=["theta"])
    rows = [single(c, t) for c, t in zip(chis, TEMPERATURES, strict=True)]
    together = fit_chi(held, rows).parameter("theta").value
    assert line.converged
    # weights differ: noise is estimated row by row in both, chi-square scaled by the mean in one
    assert abs(line.trend["theta"] - together.value) < 0.2 * together.stderr
    assert abs(line.trend["theta"] - THETA) < 3.5 * line.trend_stderr["theta"]


def test_a_row_without_its_temperature(path: FeffPath, chis: np.ndarray) -> None:
    with pytest.raises(FitError, match="'T' is neither a parameter nor one of the row's variables"):
        fit_chi(model(path), Chi(k=K, chi=chis[0], e0=0.0, edge_step=1.0, label="x"))
    with pytest.raises(FitError, match="x: its variable T is nan"):
        fit_chi(model(path), single(chis[0], np.nan, "x"))
    lost = np.where(TEMPERATURES == 150, np.nan, TEMPERATURES)
    stack = Chi(k=K, chi=chis, e0=np.zeros(6), edge_step=np.ones(6), variables={"T": lost})  # fmt: skip
    fit = fit_stack(model(path, held=True), stack)
    assert [s == "ok" for s in fit.status] == [True, True, False, True, True, True]


def noisy(path: FeffPath, seed: int) -> Chi:
    """A path with noise that grows with k, known."""
    from xasuite.exafs.equation import path_chi

    clean = np.zeros(K.size)
    clean[1:] = path_chi(path, K[1:], n=12, s02=0.9, sigma2=0.006).imag
    error = 2e-4 * (1 + (K / 6) ** 2)
    noise = error * np.random.default_rng(seed).normal(size=K.size)
    return Chi(k=K, chi=clean + noise, e0=0.0, edge_step=1.0, label="x", chi_err=error)


def simple(path: FeffPath, ranges: FitRange) -> Model:
    params = (Parameter("s02", 1.0), Parameter("enot", 0.0), Parameter("dr", 0.0), Parameter("ss", 0.005))
    one = PathModel("Cu-Cu", path, parse(12.0), parse("s02"), parse("enot"), parse("dr"), parse("ss"))
    return Model(params, (one,), ranges)


@pytest.mark.parametrize("space", ["r", "q", "k"])
@pytest.mark.parametrize("kweight", [(2,), (1, 2, 3)])
def test_noise_of_each_k_in_larch(path: FeffPath, space: str, kweight: tuple[int, ...]) -> None:
    """feffit with the same noise ends at the same minimum with the same errors; in k space it divides point by point."""
    chi = noisy(path, 1)
    fit = fit_chi(simple(path, FitRange((3, 14), (1.5, 3.0), kweight, space)), chi)
    found = audit_fit(fit, chi)
    assert found.difference < 0.01
    assert found.stderr < 2e-3
    assert fit.data[0].noise == "of each k, with the data"


def test_noise_of_each_k_in_feffit_itself(path: FeffPath, tmp_path: Path) -> None:
    """feffit called directly with an array epsilon_k: the same values, and chi-square twice ours (docs/decisions/noise.md)."""
    from larch import Group
    from larch.fitting import param, param_group
    from larch.xafs import feffit, feffit_dataset, feffit_transform, feffpath

    chi = noisy(path, 2)
    file = tmp_path / "feff0001.dat"
    file.write_text(path.text)
    group = param_group(
        **{n: param(v, vary=True) for n, v in (("s02", 1.0), ("enot", 0.0), ("dr", 0.0), ("ss", 0.005))}
    )
    theirs = feffit(
        group,
        feffit_dataset(
            data=Group(k=K, chi=chi.chi, epsilon_k=chi.chi_err),
            paths=[feffpath(str(file), degen=12, s02="s02", e0="enot", deltar="dr", sigma2="ss")],
            transform=feffit_transform(kmin=3, kmax=14, kweight=2, dk=1, window="hanning", rmin=1.5, rmax=3, fitspace="k"),
        ),
        tol=1e-12,
    )  # fmt: skip
    fit = fit_chi(simple(path, FitRange((3, 14), (1.5, 3.0), (2,), "k")), chi)
    for name in ("s02", "enot", "dr", "ss"):
        value = fit.parameter(name).value
        assert abs(theirs.params[name].value - value.value) < 0.01 * value.stderr
    assert theirs.chi_square == pytest.approx(2 * fit.chi2, rel=1e-6)


def test_known_noise_gives_a_chi_square_of_one(path: FeffPath) -> None:
    """Mean reduced chi-square over 60 spectra in R space: 1; its standard deviation of the mean is some 0.07."""
    ranges = FitRange((3, 14), (1.2, 5.0))
    reduced = [fit_chi(simple(path, ranges), noisy(path, s)).chi2_reduced for s in range(60)]
    assert np.mean(reduced) == pytest.approx(1.0, abs=0.2)
