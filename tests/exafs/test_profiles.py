"""Asymmetric errors: an analytic case, lmfit's conf_interval, ends at bounds, how they are printed."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import lmfit
import numpy as np
import pytest
from scipy.stats import chi2

from xasuite.exafs.engine.kernel_numpy import evaluate
from xasuite.exafs.engine.minimise import solve
from xasuite.exafs.engine.stack import fit_stack
from xasuite.exafs.equation import build_tables, path_wave
from xasuite.exafs.fit import Minimum, Problem, _minimum, fit_chi, make_problem
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.exafs.profiles import doubtful, intervals, with_profiles
from xasuite.exafs.stack_profiles import stack_ends
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath
from xasuite.records import Chi
from xasuite.records.quantities import QUANTITIES, rounded, with_ends
from xasuite.records.table import Entry, Table
from xasuite.report.tables import to_latex

RANGE = FitRange((3, 12), (1.2, 2.8))


@pytest.fixture(scope="module")
def feff() -> FeffPath:
    return find_paths("Cu", absorber="Cu", radius=3.0)[0]


def model(feff: FeffPath, s02: str = "s02", params: dict[str, Parameter] | None = None) -> Model:
    own = {"s02": Parameter("s02", 0.9), "enot": Parameter("enot", 1.0), "dr": Parameter("dr", 0.0), "ss": Parameter("ss", 8e-3)}  # fmt: skip
    own |= params or {}
    path = PathModel("Cu-Cu", feff, parse(12), parse(s02), parse("enot"), parse("dr"), parse("ss"))
    return Model(tuple(own.values()), (path,), RANGE)


def data(m: Model, noise: float, seed: int = 1) -> Chi:
    """chi(k) of the model at its starting values, with white noise."""
    k = np.arange(0, 14.01, 0.05)
    blank = Chi(
        k=k, chi=np.random.default_rng(seed).normal(0, 1e-3, k.size), e0=8979.0, edge_step=1.0, label="Cu"
    )
    program = fit_stack(m, blank, epsilon_k=1e-3)
    start = replace(program, x=np.array([[p.value for p in m.varied]]))
    return replace(blank, chi=start.chi()[0] + blank.chi * noise / 1e-3)


def minimum(problem: Problem) -> Minimum:
    return _minimum(problem, solve(problem.work, problem.data, problem.weights, None, 1, "numpy"))


def test_an_exponential_has_the_ends_of_its_exponent(feff: FeffPath) -> None:
    """With all else held chi is linear in the amplitude, whose chi-square is a parabola: ln A ends at ln(A +- error of A)."""
    held = {n: Parameter(n, v, False) for n, v in (("enot", 1.0), ("dr", 0.0), ("ss", 8e-3))}
    linear, logarithm = model(feff, params=held), model(feff, "exp(lna)", held)
    logarithm = replace(logarithm, params=(*logarithm.params[1:], Parameter("lna", -0.1)))
    chi = data(linear, 0.25)
    amplitude = fit_chi(linear, chi).parameter("s02").value
    assert amplitude.stderr > 0.05 * amplitude.value
    problem = make_problem(logarithm, [chi], None)
    found = intervals(problem, minimum(problem).x, [0])["lna"]
    wanted = [math.log(amplitude.value + s * amplitude.stderr) for s in (-1, 1)]
    # ends are sought to 2e-3 of a standard error
    assert found[:, 0].tolist() == pytest.approx(wanted, abs=3e-3 * amplitude.stderr / amplitude.value)


def by_lmfit(problem: Problem) -> dict[str, tuple[float, float]]:
    """The same residual in lmfit's own minimiser, and its conf_interval at the same rise of chi-square."""
    program, work = problem.program, problem.work
    weight = np.sqrt(problem.weights[0, work.weight_of_row])
    free = work.points - program.n_varied

    def residual(values: lmfit.Parameters) -> np.ndarray:
        x = np.array([[values[n].value for n in program.names]])
        return weight * (problem.data - evaluate(work, x)[0])[0]

    params = lmfit.Parameters()
    for i, name in enumerate(program.names):
        params.add(name, program.start[i], min=program.lower[i], max=program.upper[i])
    minimizer = lmfit.Minimizer(residual, params)
    best = minimizer.minimize(method="leastsq", xtol=1e-10, ftol=1e-12)

    def probability(fit: lmfit.minimizer.MinimizerResult, new: lmfit.minimizer.MinimizerResult) -> float:
        return float(chi2.cdf((new.chisqr / fit.chisqr - 1) * free, 1))

    ends = lmfit.conf_interval(minimizer, best, sigmas=[1], prob_func=probability, maxiter=500)
    return {name: (of[0][1], of[2][1]) for name, of in ends.items()}


def test_equal_to_lmfit(feff: FeffPath) -> None:
    """A short k range with strong noise: S02 with sigma2, E0 with R correlated by 0.9 and more, ends that differ by a fifth or more."""
    m = replace(model(feff), range=FitRange((3, 9), (1.2, 2.8)))
    problem = make_problem(m, [data(m, 0.1)], None)
    found = minimum(problem)
    assert np.any(doubtful(problem.program, found.x[None], found.covar[None]))
    ours, theirs = intervals(problem, found.x, range(4)), by_lmfit(problem)
    sigma = np.sqrt(np.diag(found.covar))
    skew = 0.0
    for i, name in enumerate(problem.program.names):
        if name not in ours:
            continue
        own = ours[name][:, i].tolist()
        assert own == pytest.approx(theirs[name], abs=0.02 * sigma[i]), name
        plus, minus = own[1] - found.x[i], found.x[i] - own[0]
        skew = max(skew, plus / minus, minus / plus)
    assert skew > 1.2


def test_a_bound_ends_the_interval(feff: FeffPath) -> None:
    true = model(feff, params={"ss": Parameter("ss", 8e-3)})
    chi = data(true, 0.02)
    free = fit_chi(true, chi).parameter("ss").value
    near = free.value - 0.5 * free.stderr
    fit = with_profiles(fit_chi(model(feff, params={"ss": Parameter("ss", 8e-3, min=near)}), chi), chi)
    ss = fit.parameter("ss").value
    assert ss.minus == pytest.approx(0.5 * free.stderr, rel=1e-3)
    assert ss.plus > 0.9 * free.stderr
    assert fit.path("Cu-Cu").sigma2.plus == pytest.approx(ss.plus)
    assert str(ss) == with_ends(ss.value, ss.plus, ss.minus)
    # drawn onto its bound: no standard error, and an end on the side that is open
    beyond = free.value + 0.5 * free.stderr
    held = with_profiles(fit_chi(model(feff, params={"ss": Parameter("ss", 0.02, min=beyond)}), chi), chi)
    found = held.parameter("ss")
    assert (found.state, math.isnan(found.value.stderr)) == ("at min", True)
    # the parabola about the free minimum: from half an error above it, one error's rise is sqrt(1.25) - 0.5 errors away
    assert found.value.plus == pytest.approx((math.sqrt(1.25) - 0.5) * free.stderr, rel=0.1)
    assert found.value.minus == pytest.approx(0, abs=1e-9)
    shown = found.entry.text(QUANTITIES["sigma2"])
    assert shown == f"{round(1e3 * beyond, 4):g} {rounded(1e3 * found.value.plus, '+')} (at min)"
    document = json.loads(json.dumps(held.to_dict()))["params"]["ss"]
    assert document["plus"] == pytest.approx(found.value.plus)


def test_where_all_is_well_nothing_changes(feff: FeffPath) -> None:
    m = model(feff)
    chi = data(m, 1e-4)
    fit = with_profiles(fit_chi(m, chi), chi)
    assert all(math.isnan(p.value.plus) for p in fit.parameters)


def test_printed_everywhere() -> None:
    entry = Entry(5.42, 0.7, plus=0.91, minus=0.48)
    table = Table.of("t", ["path", "n"], [("Co-O", entry), ("Co-Co", Entry(6.0, 0.3))])
    assert "5.4 +0.9 -0.5" in str(table)
    assert "{$5.4^{+0.9}_{-0.5}$}" in to_latex(table)
    assert table.to_dict()["rows"][0]["n"]["plus"] == 0.91
    assert Table.from_dict(table.to_dict()).rows[0][1] == entry
    frame = table.to_dataframe()
    assert frame["n_err_plus"][0] == 0.91
    assert frame["n_err_minus"].isna().tolist() == [False, True]


def test_ends_of_a_stack() -> None:
    """At each end chi-square, with all others fitted again, lies one standard error's rise above the minimum; the bound ends the rest."""
    path = find_paths("Cu", absorber="Cu", radius=3.0)[0]
    k = np.arange(0, 14.01, 0.05)
    rng = np.random.default_rng(3)
    stack = np.zeros((4, k.size))
    for row, (n, ss, noise) in enumerate(
        [(12, 0.008, 1e-3), (2, 0.002, 0.02), (12, 5e-4, 0.05), (2, 0.002, 0.02)]
    ):
        values = np.array([[0.9 * n, 1.0, -0.01, ss, 0, 0, 0, 0]])
        stack[row, 1:] = path_wave(build_tables([path]), 0, k[1:], values)[0].imag[0]
        stack[row] += rng.normal(0, noise, k.size)
    params = (Parameter("n", 6.0, min=0), Parameter("e", 0.0), Parameter("dr", 0.0), Parameter("ss", 5e-3, min=0, max=0.03))  # fmt: skip
    model = Model(
        params,
        (PathModel("Cu", path, parse("n"), parse(0.9), parse("e"), parse("dr"), parse("2*ss")),),
        FitRange((3, 12), (1.6, 2.9), (2,)),
    )
    chi = Chi(k=k, chi=stack, e0=np.zeros(4), edge_step=np.ones(4))
    fit = fit_stack(model, chi)
    ends = stack_ends(fit, chi)
    # a fit far from its bounds, with E0 and R correlated and straight, needs none
    assert all(np.isnan(side[0]) for both in ends.values() for side in both)
    seen = 0
    for name in fit.names:
        for sign, side in zip((-1, 1), ends.get(name, ()), strict=False):
            for row in np.flatnonzero(np.isfinite(side)):
                value = float(fit.values[name][row] + sign * side[row])
                held = replace(model, params=tuple(replace(p, value=value, vary=False, min=-np.inf, max=np.inf) if p.name == name else p for p in params))  # fmt: skip
                again = fit_chi(held, Chi(k=k, chi=stack[row], e0=0.0, edge_step=1.0))
                risen = (again.chi2 - fit.chi2[row]) / fit.chi2_reduced[row]
                bound = next(p for p in params if p.name == name)
                at_bound = min(abs(value - bound.min), abs(value - bound.max)) < 1e-12
                assert risen < 1 if at_bound else risen == pytest.approx(1.0, abs=0.06), (name, row)
                seen += 1
    assert seen >= 6
    for side, own in zip(ends["Cu.sigma2"], ends["ss"], strict=True):
        np.testing.assert_allclose(side, 2 * own)
