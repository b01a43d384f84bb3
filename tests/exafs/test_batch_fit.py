"""The batched fits: the numpy twin against Larch and against finite differences, the compiled kernel against the twin.

Known truth is simulated with FEFF's paths of copper; tolerances are in standard errors, or relative.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from xasuite.errors import FitError, RangeError
from xasuite.exafs.audits import ALLOWED, compare
from xasuite.exafs.engine import fit_stack, kernel_numpy
from xasuite.exafs.engine.kernel_numpy import evaluate, fit_rows, make_work, stacked
from xasuite.exafs.engine.objective import build as objective
from xasuite.exafs.engine.program import compile_model, run, start_values
from xasuite.exafs.equation import build_tables, path_wave
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel, Restraint
from xasuite.expressions import parse
from xasuite.feff import find_paths, load_crystal
from xasuite.records import Chi

K = 0.05 * np.arange(321)
BACKENDS = ("numpy", "numba")
# The twins do the same arithmetic in another order; what is left is rounding, magnified by a fit's end criterion.
TWIN = 1e-5
# Larch at tight tolerance (docs/decisions/engine.md): the engine ends at steps of 1e-4 standard errors or below.
LARCH, LARCH_ERRORS, LARCH_R = 1e-3, 1e-3, 1e-6


@lru_cache(maxsize=1)
def copper() -> tuple:
    paths = find_paths(load_crystal("Cu"), absorber="Cu", edge="K", radius=4.0)
    return tuple(p for p in paths if p.nleg == 2)[:2]


def one_shell(**changes) -> Model:
    params = (Parameter("amp", 0.9), Parameter("enot", 3.0), Parameter("dr"), Parameter("ss", 0.008))
    path = PathModel("Cu 1", copper()[0], parse(12.0), *(parse(n) for n in ("amp", "enot", "dr", "ss")))
    return Model(params, (path,), FitRange((3, 14), (1.4, 3.0), **changes))


def two_shells(**changes) -> Model:
    """One lattice expansion and one Einstein-like ratio for both: expressions of expressions."""
    params = (
        Parameter("s02", 0.85, vary=False, stderr=0.03),
        Parameter("n1", 11.0, min=0),
        Parameter("alpha", 0.0),
        Parameter("enot", 3.0, min=-10, max=10),
        Parameter("ss1", 0.008, min=0, max=0.03),
        Parameter("factor", 1.4),
        Parameter("ss2", expr=parse("ss1 * factor")),
        Parameter("n2", expr=parse("n1 / 2")),
        Parameter("third", 1e-5),
    )
    paths = (
        PathModel("Cu 1", copper()[0], parse("n1"), parse("s02"), parse("enot"), parse("alpha * 2.5561"),
                  parse("ss1"), parse("third")),
        PathModel("Cu 2", copper()[1], parse("n2"), parse("s02"), parse("enot"), parse("alpha * 3.6149"),
                  parse("max(ss2, 1e-4)"), parse("sqrt(third**2)"), parse("1e-6 * exp(-n1)")),
    )  # fmt: skip
    return Model(params, paths, FitRange((3, 14), (1.4, 3.8), **changes))


def truth(model: Model, m: int) -> np.ndarray:
    program = compile_model(model)
    x = np.tile(start_values(program), (m, 1))
    t = np.linspace(0, 1, m)
    for i, name in enumerate(program.names[: program.n_varied]):
        x[:, i] += {"amp": -0.2, "n1": -1.5, "enot": 1.0, "dr": 0.02, "alpha": 0.004, "ss": 0.003, "ss1": 0.002,
                    "factor": 0.2, "third": 1e-5}[name] * t  # fmt: skip
    return x


def chi_of(model: Model, x: np.ndarray) -> np.ndarray:
    """chi (m, nk) on `K` of parameters x (m, nd)."""
    tables, values = build_tables([p.feff for p in model.paths]), run(compile_model(model), x)[0]
    chi = np.zeros((len(x), K.size))
    for i in range(len(model.paths)):
        chi[:, 1:] += path_wave(tables, i, K[1:], values[:, i])[0].imag
    return chi


def simulate(model: Model, m: int = 12, noise: float = 1e-3, seed: int = 0) -> Chi:
    chi = chi_of(model, truth(model, m))
    chi += noise * np.random.default_rng(seed).normal(size=chi.shape)
    return Chi(k=K, chi=chi, e0=np.zeros(m), edge_step=np.ones(m))


def larchs_noise(model: Model, chi: np.ndarray) -> np.ndarray:
    """epsilon_k per k weight, estimated by Larch's own data set."""
    from larch import Group
    from larch.xafs import feffit_dataset, feffit_transform

    r = model.range
    transform = feffit_transform(
        kmin=r.k[0], kmax=r.k[1], kweight=list(r.kweight), dk=r.dk, window=r.window, rmin=r.r[0], rmax=r.r[1]
    )
    made = feffit_dataset(data=Group(k=K, chi=chi), transform=transform)
    made.estimate_noise(chi=chi)
    return np.atleast_1d(made.epsilon_k)


RANGES = [
    {},
    {"kweight": (1, 2, 3)},
    {"kweight": (3,), "window": "kaiser", "dk": 4.0},
    {"kweight": (0, 2), "window": "gaussian"},
    {"space": "k"},
    {"space": "q", "kweight": (1, 3), "dr": 0.3, "window": "parzen"},
]


@pytest.mark.parametrize("changes", RANGES, ids=str)
@pytest.mark.parametrize("make", [one_shell, two_shells])
def test_the_twins_agree(make, changes) -> None:
    model = make(**changes)
    chi = simulate(
        model, noise=1e-4
    )  # more noise takes some rows to the kink of sqrt(third**2), where no step is short
    a, b = (fit_stack(model, chi, backend=backend) for backend in BACKENDS)
    assert a.status == b.status == ("ok",) * 12
    for name in a.names:
        assert np.abs(a.values[name] - b.values[name]).max() < TWIN * a.stderr_fit[name].min()
        np.testing.assert_allclose(a.stderr[name], b.stderr[name], rtol=TWIN)
    np.testing.assert_allclose(a.rfactor, b.rfactor, rtol=1e-8)


@pytest.mark.parametrize("changes", RANGES, ids=str)
def test_larch_agrees_on_one_shell(changes) -> None:
    model = one_shell(**changes)
    chi = simulate(model)
    for epsilon in (None, 0.002):
        fit = fit_stack(model, chi, epsilon_k=epsilon)
        found = compare(model, chi, fit, np.array([1, 10]))
        assert max(d.difference for d in found) < LARCH
        assert max(d.stderr for d in found) < LARCH_ERRORS
        assert max(d.rfactor for d in found) < LARCH_R
        larch = fit_chi(
            model, replace(chi, chi=chi.chi[1], e0=0.0, edge_step=1.0), epsilon_k=epsilon, engine="larch"
        )
        assert fit.chi2_reduced[1] == pytest.approx(larch.chi2_reduced, rel=1e-6)
        assert fit.n_idp == pytest.approx(larch.n_idp)
        np.testing.assert_allclose(fit.epsilon_k[1], larch.data[0].epsilon_k, rtol=1e-9)
        if epsilon is None:
            np.testing.assert_allclose(fit.epsilon_k[1], larchs_noise(model, chi.chi[1]), rtol=1e-9)


@pytest.mark.parametrize("changes", [{}, {"kweight": (1, 2, 3)}, {"space": "q"}], ids=str)
def test_larch_agrees_on_expressions_and_cumulants(changes) -> None:
    model = two_shells(**changes)
    chi = simulate(model, noise=3e-4)
    fit = fit_stack(model, chi, start="mean")
    found = compare(model, chi, fit, np.array([0, 11]))
    assert max(d.difference for d in found) < LARCH
    assert max(d.stderr for d in found) < LARCH_ERRORS
    assert max(d.rfactor for d in found) < LARCH_R


def test_the_error_of_a_foils_s02_is_carried_as_in_a_single_fit() -> None:
    """fit_chi fits again with s02 moved by its error either way; here the same to first order."""
    model = two_shells()
    chi = simulate(model, noise=3e-4)
    fit = fit_stack(model, chi)
    larch = fit_chi(model, replace(chi, chi=chi.chi[3], e0=0.0, edge_step=1.0), engine="larch")
    for name in ("n1", "n2", "enot", "ss1", "ss2"):
        value = larch.parameter(name).value
        # the second order of s02's 3.5 % error is 1e-3 of it
        assert fit.stderr[name][3] == pytest.approx(value.stderr, rel=5e-3), name
        assert fit.stderr_fit[name][3] == pytest.approx(value.parts["fit"], rel=2e-3), name
    path = larch.path("Cu 2")
    for quantity in ("n", "r", "sigma2", "deltar"):
        assert fit.path_values[f"Cu 2.{quantity}"][3] == pytest.approx(
            getattr(path, quantity).value, rel=1e-4
        )
        assert fit.path_stderr[f"Cu 2.{quantity}"][3] == pytest.approx(
            getattr(path, quantity).stderr, rel=5e-3
        )


@pytest.mark.parametrize("make", [one_shell, two_shells])
def test_derivatives_are_those_of_differences(make) -> None:
    model = make(kweight=(1, 3))
    goal = objective(K, model.range)
    work = make_work(model, compile_model(model), [goal], [0] * len(model.paths))
    x = truth(make(), 3)
    _, jacobian, *_ = evaluate(work, x)
    for i, name in enumerate(work.program.names):
        step = 1e-5 * max(abs(x[0, i]), 1e-3)
        up, down = x.copy(), x.copy()
        up[:, i] += step
        down[:, i] -= step
        slope = (evaluate(work, up)[0] - evaluate(work, down)[0]) / (2 * step)
        assert np.abs(slope - jacobian[..., i]).max() < 1e-5 * np.abs(jacobian[..., i]).max(), name


@pytest.mark.parametrize("make", [one_shell, two_shells])
def test_fits_with_objectives_of_their_own_all_at_once_equal_each_alone(make) -> None:
    """Other ranges, k weights and ends of k, two spectra each: what an error budget fits. One of its restraints is an observation of each."""
    model = make()
    restraint = Restraint(parse("dr") if make is one_shell else parse("alpha"), 0.001, 0.002)
    model = replace(model, restraints=(restraint,))
    program = compile_model(model)
    noise = 2e-3 * np.random.default_rng(4).normal(size=(6, K.size))
    chi = simulate(make(), m=6, noise=0.0).chi + noise
    works, data, weights = [], [], []
    for i, (k, r, kweight) in enumerate(
        (((3, 12), (1.3, 4.2), 2), ((4, 13.5), (1.5, 4.0), 3), ((3, 14), (1.4, 4.4), 2))
    ):
        goal = objective(K[: 285 + 10 * i], replace(model.range, k=k, r=r, kweight=(kweight,)))
        own = chi[2 * i : 2 * i + 2, : 285 + 10 * i]
        matrix = goal.data_matrix[:, 1:]  # on all points of k, not those of its window alone
        spans = ((slice(0, len(matrix)), slice(0, matrix.shape[1])),) * len(model.paths)
        made = make_work(model, program, [goal], [0] * len(model.paths))
        works.append(replace(made, k=K[1 : own.shape[1]], matrix=matrix, spans=spans))
        data.append(goal.reduce(own))
        weights.append(goal.weights(goal.noise_of(own, None), False))
    x0 = np.tile(start_values(program), (6, 1))
    work, padded = stacked(works, data)
    found = fit_rows(work, padded, np.concatenate(weights), x0)
    alone = [fit_rows(w, d, e, x0[:2]) for w, d, e in zip(works, data, weights, strict=True)]
    for name in ("x", "covar", "chisq", "carried"):
        expected = np.concatenate([getattr(a, name) for a in alone])
        # the same arithmetic, summed in another order
        assert getattr(found, name) == pytest.approx(expected, rel=1e-8, abs=1e-12), name
    assert (found.ended == np.concatenate([a.ended for a in alone])).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_truth_is_recovered_with_its_error(backend) -> None:
    """Pulls of 400 noisy spectra have a mean of 0 and a spread of 1.

    The noise is white once it is weighted by k^2, which is what an unweighted sum of squares assumes; with white noise
    in chi(k) the errors of what low k determines (enot) come out too large, in Larch alike.
    """
    model = one_shell()
    chi = simulate(model, m=400, noise=0.0)
    noise = 0.05 * np.random.default_rng(5).normal(size=chi.chi.shape) / np.maximum(K, 1.0) ** 2
    fit = fit_stack(model, replace(chi, chi=chi.chi + noise), backend=backend, start="mean")
    assert fit.ok.all()
    x = truth(model, 400)
    pulls = np.stack([(fit.values[n] - x[:, i]) / fit.stderr[n] for i, n in enumerate(fit.names)])
    assert np.abs(pulls.mean(axis=1)).max() < 0.25  # 5 standard deviations of a mean of 400
    # each row's error rests on its own chi-square of 8 degrees of freedom: Student's spread is 1.15
    assert np.abs(pulls.std(axis=1) - 1.15).max() < 0.2


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("start", [None, "mean", "previous", {"amp": 0.5, "enot": 8.0, "ss": 0.003}], ids=str)
def test_every_start_ends_at_the_same_place(backend, start) -> None:
    model = one_shell()
    chi = simulate(model, m=20)
    here, there = fit_stack(model, chi), fit_stack(model, chi, start=start, backend=backend)
    for name in here.names:
        assert np.abs(here.values[name] - there.values[name]).max() < 1e-3 * here.stderr[name].min()


def test_threads_change_nothing() -> None:
    model = one_shell()
    chi = simulate(model, m=300)
    one, two = (fit_stack(model, chi, threads=n) for n in (1, 2))
    for name in one.names:
        np.testing.assert_array_equal(one.values[name], two.values[name])
        np.testing.assert_array_equal(one.stderr[name], two.stderr[name])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bound_that_is_reached_is_named(backend) -> None:
    model = one_shell()
    tight = replace(model, params=(replace(model.params[0], max=0.75), *model.params[1:]))
    chi = simulate(model)
    fit = fit_stack(tight, chi, backend=backend)
    assert fit.status[0] == "at bound"
    assert "amp" in fit.reason[0]
    assert fit.values["amp"][0] == 0.75
    assert np.isnan(fit.stderr["amp"][0])
    # the others have the errors of a fit with amp held there, which is what Larch's transformed bound tends to
    held = replace(model, params=(replace(model.params[0], value=0.75, vary=False), *model.params[1:]))
    other = fit_stack(held, chi)
    for name in ("enot", "dr", "ss"):
        assert abs(fit.values[name][0] - other.values[name][0]) < 1e-3 * other.stderr[name][0]
    # the last spectra have amp 0.7: the same bound does not touch them
    assert fit.status[-1] == "ok"
    assert compare(tight, chi, fit, np.array([11]))[0].difference < LARCH


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_data_do_not_determine_has_no_error_and_says_so(backend) -> None:
    model = one_shell()
    params = (*model.params, Parameter("twin", 1.0))
    path = replace(model.paths[0], s02=parse("amp * twin"))
    fit = fit_stack(Model(params, (path,), model.range), simulate(model), backend=backend)
    assert set(fit.status) == {"singular"}
    assert all(np.isnan(fit.stderr[n]).all() for n in fit.names)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_of_nan_is_marked_and_stops_nothing(backend) -> None:
    model = one_shell()
    chi = simulate(model)
    values = chi.chi.copy()
    values[4, 100] = np.nan
    values[7] = np.inf
    fit = fit_stack(model, replace(chi, chi=values), backend=backend)
    clean = fit_stack(model, chi, backend=backend)
    rest = np.setdiff1d(np.arange(12), [4, 7])
    assert [i for i, s in enumerate(fit.status) if s == "no data"] == [4, 7]
    for name in fit.names:
        assert np.isnan(fit.values[name][[4, 7]]).all()
        np.testing.assert_allclose(fit.values[name][rest], clean.values[name][rest], rtol=1e-9)


def test_what_a_stack_cannot_do_is_refused_by_name() -> None:
    chi = simulate(one_shell())
    with pytest.raises(FitError, match="'w'"):
        fit_stack(one_shell(space="w"), chi)
    model = one_shell()
    with pytest.raises(FitError, match="'Co edge'"):
        fit_stack(replace(model, paths=(replace(model.paths[0], data="Co edge"),)), chi)


def test_mistakes_are_named() -> None:
    model, chi = one_shell(), simulate(one_shell())
    with pytest.raises(FitError, match="'idle' is varied but no path uses it"):
        fit_stack(replace(model, params=(*model.params, Parameter("idle"))), chi)
    with pytest.raises(FitError, match="'ghost'"):
        fit_stack(replace(model, paths=(replace(model.paths[0], sigma2=parse("ghost")),)), chi)
    with pytest.raises(RangeError):
        fit_stack(replace(model, range=replace(model.range, k=(3, 19))), chi)
    with pytest.raises(FitError, match="independent points"):
        fit_stack(replace(model, range=replace(model.range, k=(3, 5))), chi)
    with pytest.raises(FitError, match="backend"):
        fit_stack(model, chi, backend="cuda")


def test_the_audit_passes_what_is_right_and_names_what_is_not() -> None:
    model = one_shell()
    chi = simulate(model, m=40)
    fit = fit_stack(model, chi)
    rows = np.array([3, 17, 31])
    found = compare(model, chi, fit, rows)
    assert max(d.difference for d in found) < 1e-3
    moved = {**fit.values, "amp": fit.values["amp"] + 0.02 * fit.stderr["amp"]}
    wrong = compare(model, chi, replace(fit, values=moved), rows)
    assert min(d.difference for d in wrong) > ALLOWED
    assert [d.parameter for d in wrong] == ["amp"] * 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_row_certifies_its_minimum(backend) -> None:
    """A fit of four steps at most is not at a minimum, and says so; the others' derivatives vanish to 1e-2 errors."""
    model = one_shell()
    chi = simulate(model, m=40)
    fit = fit_stack(model, chi, backend=backend)
    assert fit.ok.all()
    assert fit.step.max() < 1e-2
    # the certificate is the distance: fitted again from 0.5 errors away, every row comes back to within it
    moved = {n: float(fit.values[n][0] + 0.5 * fit.stderr[n][0]) for n in fit.names}
    again = fit_stack(model, chi.take(np.array([0])), start=moved, backend=backend)
    for name in fit.names:
        assert abs(again.values[name][0] - fit.values[name][0]) < 1e-2 * fit.stderr[name][0]


def test_a_row_that_does_not_reach_a_minimum_is_marked(monkeypatch) -> None:
    """With two evaluations a fit no nearer than 1e-2 errors to its minimum stays unsettled from every start."""
    monkeypatch.setattr(kernel_numpy, "MAX_ITERATIONS", 2)
    model = one_shell()
    fit = fit_stack(model, simulate(model, m=3), backend="numpy", start={"amp": 0.3, "enot": -8.0})
    assert (fit.step > 1e-2).any()
    assert [s == "max iterations" for s in fit.status] == list(fit.step > 1e-2)


def test_the_fitted_curve_is_larchs() -> None:
    model = two_shells()
    chi = simulate(model)
    larch = fit_chi(model, replace(chi, chi=chi.chi[0], e0=0.0, edge_step=1.0), engine="larch")
    curve = fit_stack(model, chi).chi(np.array([0]))[0]
    seen = K > 1.5
    assert np.abs(curve - larch.data[0].fit)[seen].max() < 1e-6
