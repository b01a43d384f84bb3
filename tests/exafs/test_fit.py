"""Single fits: equal to Larch called directly, to its documented figures, and errors that add up."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite import io, reduce
from xasuite.errors import FitError, RangeError
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.exafs.result import FitResult
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath, read_feff_dat
from xasuite.records import Chi


@pytest.fixture(scope="module")
def feffcu() -> FeffPath:
    """The nearest shell of copper, by FEFF."""
    return find_paths("Cu", absorber="Cu", radius=4.0)[0]


@pytest.fixture(scope="module")
def chi(data_root: Path) -> Chi:
    scan = io.read(data_root / "formats/xdi/cu_metal_rt.xdi")
    return reduce.background(reduce.normalize(scan.mu(), method="polynomial"), rbkg=1.0, kweight=2)


@pytest.fixture(scope="module", params=["generated", "measured"])
def copper(request: pytest.FixtureRequest, feffcu: FeffPath) -> Chi:
    """A spectrum to compare with Larch on: the generated one needs no measured data."""
    made: Chi = (
        request.getfixturevalue("chi")
        if request.param == "measured"
        else synthetic(feffcu, noise=1e-3, **TRUE)
    )
    return made


def model(feff: FeffPath, **changes: object) -> Model:
    path = PathModel("Cu-Cu", feff, parse(12.0), parse("amp"), parse("del_e0"), parse("del_r"), parse("sig2"))
    params = (
        Parameter("amp", 1.0),
        Parameter("del_e0", 0.1),
        Parameter("sig2", 2e-3, min=0),
        Parameter("del_r", 0.0),
    )
    ranges = FitRange((3, 17), (1.4, 3.0), (2,), window="kaiser", dk=4)
    return Model(params, (path,), replace(ranges, **changes))


def larch_directly(chi: Chi, feff: str, m: Model) -> tuple[dict[str, float], dict[str, float], float, float]:
    """The same fit written as a Larch user writes it."""
    larch_xafs = pytest.importorskip("larch.xafs")
    from larch import Group
    from larch.fitting import param, param_group

    group = param_group(
        amp=param(1.0, vary=True),
        del_e0=param(0.1, vary=True),
        sig2=param(2e-3, vary=True, min=0),
        del_r=param(0.0, vary=True),
    )
    path = larch_xafs.feffpath(feff, degen=12, s02="amp", e0="del_e0", sigma2="sig2", deltar="del_r")
    r = m.range
    transform = larch_xafs.feffit_transform(
        fitspace=r.space,
        kmin=r.k[0],
        kmax=r.k[1],
        kweight=r.kweight[0] if len(r.kweight) == 1 else list(r.kweight),
        dk=r.dk,
        window=r.window,
        rmin=r.r[0],
        rmax=r.r[1],
    )
    data = Group(k=np.array(chi.k), chi=np.array(chi.chi))
    out = larch_xafs.feffit(group, [larch_xafs.feffit_dataset(data=data, paths=[path], transform=transform)])
    names = ("amp", "del_e0", "sig2", "del_r")
    values = {n: out.params[n].value for n in names}
    errors = {n: out.params[n].stderr for n in names}
    return values, errors, out.rfactor, out.chi2_reduced


@pytest.mark.parametrize("space", ["r", "q", "k"])
@pytest.mark.parametrize("kweight", [(2,), (1, 2, 3)])
@pytest.mark.parametrize("engine", ["xasuite", "larch"])
def test_equal_to_larch_called_directly(
    copper: Chi, feffcu: FeffPath, tmp_path: Path, space: str, kweight: tuple[int, ...], engine: Any
) -> None:
    m = model(feffcu, space=space, kweight=kweight)
    ours = fit_chi(m, copper, engine=engine)
    (tmp_path / "feff0001.dat").write_text(feffcu.text)
    values, errors, rfactor, redchi = larch_directly(copper, str(tmp_path / "feff0001.dat"), m)
    for name in values:
        got = ours.parameter(name).value
        # feffit stops at 1e-6: within 1e-6 of the value, or of a hundredth of its error where it is near zero
        assert got.value == pytest.approx(values[name], rel=1e-6, abs=1e-3 * errors[name]), name
        assert got.stderr == pytest.approx(errors[name], rel=1e-3), name
    assert ours.rfactor == pytest.approx(rfactor, rel=1e-5)
    assert ours.chi2_reduced == pytest.approx(redchi, rel=1e-4)


def test_larchs_documented_fit(chi: Chi, data_root: Path) -> None:
    """Larch's documentation, feffit example 1: 0.931(39), 4.36(51), 0.00867(31), 2.5418(26), 0.00272."""
    out = fit_chi(model(read_feff_dat(data_root / "published/Cu/feffcu01.dat")), chi)
    for name, value, error in (
        ("amp", 0.9306, 0.0391),
        ("del_e0", 4.3578, 0.5113),
        ("sig2", 8.670e-3, 3.08e-4),
    ):
        got = out.parameter(name).value
        assert abs(got.value - value) < 0.05 * error
        assert got.stderr == pytest.approx(error, rel=0.02)
    assert out.paths[0].r.value == pytest.approx(2.5418, abs=1e-4)
    assert out.rfactor == pytest.approx(0.002722, rel=0.02)
    assert out.n_idp == pytest.approx(15.2602829, abs=1e-6)


def synthetic(feff: FeffPath, noise: float = 0.0, seed: int = 1, **true: float) -> Chi:
    """chi(k) of known truth, computed by Larch and not by this package."""
    larch_xafs = pytest.importorskip("larch.xafs")
    import tempfile

    k = np.arange(0, 18.001, 0.05)
    with tempfile.NamedTemporaryFile("w", suffix=".dat") as file:
        file.write(feff.text)
        file.flush()
        path = larch_xafs.feffpath(file.name, degen=12, **true)
        larch_xafs.path2chi(path, k=k)
    chi = np.array(path.chi) + noise * np.random.default_rng(seed).normal(size=k.size)
    return Chi(k=k, chi=chi, e0=8979.0, edge_step=1.0, label="synthetic")


TRUE = {"s02": 0.9, "e0": 3.0, "deltar": 0.01, "sigma2": 0.008}


def test_truth_comes_back(feffcu: FeffPath) -> None:
    out = fit_chi(model(feffcu), synthetic(feffcu, **TRUE))
    for name, true in (("amp", 0.9), ("del_e0", 3.0), ("del_r", 0.01), ("sig2", 0.008)):
        assert out.parameter(name).value.value == pytest.approx(true, rel=1e-5)


def test_an_inherited_error_is_carried_and_adds_in_quadrature(feffcu: FeffPath) -> None:
    """N goes as 1/S02: an S02 of 0.90 +- 0.09 adds 10 % of N, and nothing to R."""
    data = synthetic(feffcu, noise=1e-3, **TRUE)
    base = model(feffcu)
    path = replace(base.paths[0], n=parse("n"), s02=parse("s02"))
    params = (
        Parameter("n", 11.0),
        Parameter("s02", 0.9, vary=False, stderr=0.09, origin="foil"),
        *(p for p in base.params if p.name != "amp"),
    )
    out = fit_chi(Model(params, (path,), base.range), data)
    n = out.parameter("n").value
    assert n.parts["s02"] == pytest.approx(0.1 * n.value, rel=0.02)
    assert n.stderr == pytest.approx(np.hypot(n.parts["fit"], n.parts["s02"]))
    # fitted again with s02 one error up: n moves by its share, to the second order of 10 %
    moved = tuple(replace(p, value=0.99) if p.name == "s02" else p for p in params)
    again = fit_chi(Model(moved, (path,), base.range), data).parameter("n").value.value
    assert n.value - again == pytest.approx(n.parts["s02"], rel=0.12)
    # n and s02 are anticorrelated: their product is as sure as the fit alone makes it
    product = out.params["n"] * out.params["s02"]
    assert product.std_dev == pytest.approx(0.9 * n.parts["fit"], rel=1e-6)
    assert out.paths[0].r.parts.get("s02", 0.0) < 1e-4 * out.paths[0].r.stderr


def test_together_and_each(feffcu: FeffPath) -> None:
    """Two spectra that share R: one R, an amplitude for each; the chi-square is the sum of the parts."""
    a = replace(synthetic(feffcu, noise=1e-3, seed=1, **TRUE), label="a")
    b = replace(synthetic(feffcu, noise=1e-3, seed=2, **{**TRUE, "s02": 0.6}), label="b")
    base = model(feffcu)
    params = tuple(replace(p, each=p.name == "amp") for p in base.params)
    out = fit_chi(Model(params, base.paths, base.range), [a, b])
    assert out.parameter("amp__0").value.value == pytest.approx(
        0.9, abs=5 * out.parameter("amp__0").value.stderr
    )
    assert out.parameter("amp__1").value.value == pytest.approx(
        0.6, abs=5 * out.parameter("amp__1").value.stderr
    )
    assert out.path("Cu-Cu", "a").r.value == out.path("Cu-Cu", "b").r.value
    assert out.n_idp == pytest.approx(2 * fit_chi(base, a).n_idp)
    alone = fit_chi(base, a)

    def per_noise(fit: FitResult) -> float:  # the error that unit reduced chi-square would give
        return fit.paths[0].r.stderr / np.sqrt(fit.chi2_reduced)

    # twice the data of one R: sqrt(2) smaller, but b has 2/3 of the amplitude: sqrt(1 + 4/9) = 1.20
    assert per_noise(alone) / per_noise(out) == pytest.approx(1.20, rel=0.05)


@pytest.mark.parametrize("space", ["r", "q", "k"])
@pytest.mark.parametrize("kweight", [(2,), (1, 2, 3)])
def test_data_sets_together_are_larchs(feffcu: FeffPath, space: str, kweight: tuple[int, ...]) -> None:
    """Two edges with their own paths, one shared distance, sigma2 twice as large in b: every number as by feffit."""
    a = replace(synthetic(feffcu, noise=1e-3, seed=1, **TRUE), label="a")
    b = replace(synthetic(feffcu, noise=2e-3, seed=2, **{**TRUE, "s02": 0.6, "sigma2": 0.016}), label="b")
    b = replace(b, k=b.k[:300], chi=b.chi[:300])
    base = model(feffcu, space=space, kweight=kweight, k=(3, 14))
    params = (
        *(replace(p, each=p.name in {"amp", "del_e0"}) for p in base.params),
        Parameter("wide", expr=parse("2 * sig2")),
    )
    first = replace(base.paths[0], data="a")
    paths = (first, replace(first, label="far", data="b", sigma2=parse("wide")))
    ours, theirs = (
        fit_chi(Model(params, paths, base.range), [a, b], engine=engine) for engine in ("xasuite", "larch")
    )
    assert ours.success
    assert ours.step < 1e-2
    for p in ours.parameters:
        other = theirs.parameter(p.name).value
        assert abs(p.value.value - other.value) < 1e-3 * other.stderr, p.name
        assert p.value.stderr == pytest.approx(other.stderr, rel=1e-3), p.name
    for name in ("n_idp", "chi2", "chi2_reduced", "rfactor"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-6), name
    assert [d.label for d in ours.data] == ["a", "b"]
    assert set(ours.data[1].paths) == {"far"}


def test_data_on_another_grid_are_interpolated_as_by_larch(copper: Chi, feffcu: FeffPath) -> None:
    off = replace(
        copper,
        k=np.linspace(0, copper.k[-1], 700),
        chi=np.interp(np.linspace(0, copper.k[-1], 700), copper.k, copper.chi),
    )
    ours, theirs = (fit_chi(model(feffcu), off, engine=engine) for engine in ("xasuite", "larch"))
    for p in ours.parameters:
        assert abs(p.value.value - theirs.parameter(p.name).value.value) < 1e-3 * p.value.stderr


def test_a_difference_has_the_error_of_correlated_values(feffcu: FeffPath) -> None:
    """The sum and the difference of two parameters against the covariance, and against an expression of the model."""
    base = model(feffcu)
    params = (*base.params, Parameter("both", expr=parse("del_e0 - 100 * del_r")))
    out = fit_chi(Model(params, base.paths, base.range), synthetic(feffcu, noise=1e-3, **TRUE))
    u = out.params
    assert (u["del_e0"] - 100 * u["del_r"]).std_dev == pytest.approx(
        out.parameter("both").value.stderr, rel=1e-6
    )
    assert (u["both"] - u["del_e0"] + 100 * u["del_r"]).std_dev < 1e-6 * u["both"].std_dev


def test_a_given_epsilon_makes_chi_square_right(feffcu: FeffPath) -> None:
    """White noise of a stated epsilon_k: reduced chi-square is 1, not 2 (docs/notes/larch_silent_failures.md, 10)."""
    m = model(feffcu, window="hanning", dk=0.1)  # a window that takes no noise away
    found = [
        fit_chi(m, synthetic(feffcu, noise=2e-3, seed=s, **TRUE), epsilon_k=2e-3).chi2_reduced
        for s in range(20)
    ]
    # 11 degrees of freedom a fit, 20 fits: standard error of the mean sqrt(2 / 220) = 0.10; sqrt(2) would show as 2
    assert np.mean(found) == pytest.approx(1.0, abs=0.3)


def test_identical_data_sets_do_not_share_parameters(feffcu: FeffPath) -> None:
    """Larch names parameters by a hash of the data: equal data would collide."""
    a = synthetic(feffcu, **TRUE)
    base = model(feffcu)
    params = tuple(replace(p, each=True) for p in base.params)
    out = fit_chi(Model(params, base.paths, base.range), [replace(a, label="a"), replace(a, label="b")])
    assert out.parameter("amp__0").value.value == pytest.approx(out.parameter("amp__1").value.value, rel=1e-6)


def test_one_path_used_twice_keeps_its_parameters_apart(feffcu: FeffPath) -> None:
    """docs/notes/larch_silent_failures.md, 1: one feff.dat used for two paths shares their parameters in Larch."""
    base = model(feffcu)
    half = replace(base.paths[0], n=parse(6.0))
    moved = replace(half, label="far", deltar=parse("del_r + 0.1"))
    out = fit_chi(Model(base.params, (half, moved), base.range), synthetic(feffcu, **TRUE))
    d = out.data[0]
    assert out.path("far").r.value - out.path("Cu-Cu").r.value == pytest.approx(0.1)
    assert np.allclose(d.paths["Cu-Cu"] + d.paths["far"], d.fit, atol=1e-12)
    assert not np.allclose(d.paths["Cu-Cu"], d.paths["far"])


def test_states_are_named(feffcu: FeffPath) -> None:
    data = synthetic(feffcu, noise=1e-3, **TRUE)
    base = model(feffcu)
    params = tuple(replace(p, min=9e-3, value=0.01) if p.name == "sig2" else p for p in base.params)
    out = fit_chi(Model(params, base.paths, base.range), data)
    assert out.parameter("sig2").state == "at min"
    assert out.status == "at bound"
    assert out.path("Cu-Cu").states["sigma2"] == "at min"
    assert any("sig2 ended at its bound 0.009: it has no error" in w for w in out.warnings)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"k": (3, 25)}, RangeError, r"k = \[3, 25\] 1/A goes beyond the data, which end at 18\.00 1/A"),
        ({"r": (1.4, 1.6)}, FitError, "4 variables against 2.8 independent points"),
    ],
)
def test_ranges_are_refused(feffcu: FeffPath, change: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        fit_chi(model(feffcu, **change), synthetic(feffcu, **TRUE))


def test_bad_input_is_refused(feffcu: FeffPath) -> None:
    base, data = model(feffcu), synthetic(feffcu, **TRUE)
    with pytest.raises(FitError, match="'idle' is varied but no path uses it"):
        fit_chi(Model((*base.params, Parameter("idle", 1.0)), base.paths, base.range), data)
    broken = np.array(data.chi)
    broken[5] = np.nan
    with pytest.raises(FitError, match="NaN or inf"):
        fit_chi(base, replace(data, chi=broken))
    with pytest.raises(FitError, match="two paths have one label"):
        fit_chi(Model(base.params, base.paths * 2, base.range), data)
    with pytest.raises(FitError, match="no path"):
        fit_chi(Model((), (), base.range), data)
    renamed = (Parameter("reff", 1.0), *base.params)
    with pytest.raises(FitError, match="'reff' cannot name a parameter"):
        fit_chi(Model(renamed, base.paths, base.range), data)


@pytest.mark.parametrize("text", ["1/0", "9**9**9", "(-8)**0.5", "ln(0 - sig2)", "1e308*10"])
def test_a_value_that_is_no_number_is_named(feffcu: FeffPath, text: str) -> None:
    base = model(feffcu)
    paths = (replace(base.paths[0], third=parse(text)),)
    with pytest.raises(FitError, match=r"path 'synthetic/Cu-Cu': third is (inf|nan) at the start"):
        fit_chi(Model(base.params, paths, base.range), synthetic(feffcu, **TRUE))


def test_expressions_of_parameters_that_no_order_or_number_can_have(feffcu: FeffPath) -> None:
    base, data = model(feffcu), synthetic(feffcu, **TRUE)
    zero = (Parameter("zero", 0.0, False), Parameter("far", expr=parse("0.01/zero")))
    paths = (replace(base.paths[0], third=parse("far")),)
    with pytest.raises(FitError, match="third is inf at the start"):
        fit_chi(Model((*base.params, *zero), paths, base.range), data)
    ring = (Parameter("far", expr=parse("2*near")), Parameter("near", expr=parse("far/2")))
    with pytest.raises(FitError, match="parameters far, near depend on each other in a ring"):
        fit_chi(Model((*base.params, *ring), paths, base.range), data)


def test_what_is_no_fit_is_not_ok(feffcu: FeffPath) -> None:
    """Identical paths, an atom behind the absorber, a start far away, ranges without a point."""
    base, data = model(feffcu), synthetic(feffcu, noise=1e-3, **TRUE)
    second = replace(base.paths[0], label="same", s02=parse("more"))
    out = fit_chi(Model((*base.params, Parameter("more", 0.5)), (base.paths[0], second), base.range), data)
    assert out.status != "ok"
    assert not out.success
    for name, value in (("del_e0", 1e6), ("sig2", 1e3)):
        far = tuple(replace(p, value=value) if p.name == name else p for p in base.params)
        assert fit_chi(Model(far, base.paths, base.range), data).status != "ok"
    behind = tuple(replace(p, value=-5.0) if p.name == "del_r" else p for p in base.params)
    with pytest.raises(FitError, match="behind the absorber"):
        fit_chi(Model(behind, base.paths, base.range), data)
    with pytest.raises((FitError, RangeError), match=r"2\.01\] A hold no point|independent points"):
        fit_chi(model(feffcu, r=(2.0, 2.01)), data)


def test_threads_give_the_numbers_of_one_and_change_nothing_else(feffcu: FeffPath) -> None:
    from concurrent.futures import ThreadPoolExecutor

    base = model(feffcu)
    spectra = [synthetic(feffcu, noise=1e-3, seed=s, **TRUE) for s in range(8)]
    alone = [fit_chi(base, s) for s in spectra]
    before = sys.stdout, list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda s: fit_chi(base, s), spectra * 4))
    assert (sys.stdout, list(warnings.filters)) == before
    for i, fit in enumerate(together):
        for p in fit.parameters:
            assert p.value == alone[i % 8].parameter(p.name).value
