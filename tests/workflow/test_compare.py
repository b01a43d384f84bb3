"""Two models of the same data: criteria against Larch's, the F test against scipy, evidence by quadrature, right answers on known truth."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from xasuite.cli import main
from xasuite.errors import SpecError
from xasuite.exafs.equation import at_zero, build_tables, path_wave
from xasuite.exafs.evidence import RELATIVE_WIDTH, chi_square, evidence_of, log_evidence, prior_of
from xasuite.exafs.fit import fit_chi, make_problem
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath
from xasuite.records import Chi
from xasuite.references import fits_dir
from xasuite.specs import load_spec
from xasuite.workflow import compare_specs
from xasuite.workflow.compare import Comparison, Judged, f_test

SPEC = fits_dir() / "foils" / "co_foil_closure.toml"
K = np.arange(0, 14.01, 0.05)
# 8.3 and 11.7 independent points, against 4 and 6 variables
SHORT, LONG = FitRange((3, 12.5), (1.1, 2.3)), FitRange((3, 13.5), (1.0, 2.6))


@pytest.fixture(scope="module")
def feff() -> FeffPath:
    return find_paths("CoO", absorber="Co", radius=3.0)[0]


def model(feff: FeffPath, shells: int, *, held: tuple[str, ...] = (), ranges: FitRange = SHORT) -> Model:
    """One or two Co-O shells with a common E0 and sigma2, S02 known, R of the second 0.15 A longer to begin with."""
    params = [Parameter("enot"), Parameter("ss", 6e-3, min=1e-3, max=0.03)]
    paths = []
    for i in range(shells):
        params += [
            Parameter(f"n{i}", 6.0 / shells, min=0),
            Parameter(f"dr{i}", 0.15 * i - 0.07 * (shells > 1)),
        ]
        paths.append(PathModel(f"Co-O{i}", feff, parse(f"n{i}"), parse(0.85), parse("enot"), parse(f"dr{i}"), parse("ss")))  # fmt: skip
    params = [replace(p, vary=False) if p.name in held else p for p in params]
    return Model(tuple(params), tuple(paths), ranges)


def data(feff: FeffPath, atoms: list[tuple[float, float, float]], noise: float, seed: int) -> Chi:
    """chi(k) of shells (n, change of R, sigma2) at S02 0.85 and E0 1 eV, with white noise."""
    truth = np.zeros(K.size)
    for n, dr, ss in atoms:
        values = np.array([[0.85 * n, 1.0, dr, ss, 0, 0, 0, 0]])
        truth[1:] += path_wave(build_tables([feff]), 0, K[1:], values)[0].imag[0]
    truth = at_zero(K, truth)
    noisy = truth + np.random.default_rng(seed).normal(0, noise, K.size)
    return Chi(k=K, chi=noisy, e0=7709.0, edge_step=1.0, label="Co-O")


def test_criteria_are_larchs(feff: FeffPath) -> None:
    xafs = pytest.importorskip("larch.xafs")
    from larch import Group
    from larch.fitting import param, param_group

    chi = data(feff, [(6, 0.02, 7e-3)], 2e-3, 1)
    fit = fit_chi(model(feff, 1), chi)
    group = param_group(enot=param(0.0, vary=True), ss=param(6e-3, vary=True), n0=param(6.0, vary=True), dr0=param(0.0, vary=True))  # fmt: skip
    file = Path(__file__).with_name("feff_for_larch.dat")
    file.write_text(feff.text)
    try:
        path = xafs.feffpath(str(file), degen=1, s02="0.85*n0", e0="enot", deltar="dr0", sigma2="ss")
        transform = xafs.feffit_transform(kmin=3, kmax=12.5, kweight=2, dk=1, window="hanning", rmin=1.1, rmax=2.3)  # fmt: skip
        sets = [
            xafs.feffit_dataset(data=Group(k=K, chi=np.array(chi.chi)), paths=[path], transform=transform)
        ]
        out = xafs.feffit(group, sets)
    finally:
        file.unlink()
    ours = Judged("one", fit.n_varys, fit.n_idp, fit.chi2, fit.rfactor, 0.0)
    # Larch stops up to 5e-4 standard errors early
    assert ours.aic == pytest.approx(out.aic, abs=1e-4)
    assert ours.bic == pytest.approx(out.bic, abs=1e-4)


def test_f_test_is_that_of_fisher_and_of_hamilton() -> None:
    small, large = Judged("a", 4, 13.0, 30.0, 0.02, 0.0), Judged("b", 6, 13.0, 16.0, 0.01, 0.0)
    f = ((30.0 - 16.0) / 2) / (16.0 / 7.0)
    assert f_test(small, large) == pytest.approx(stats.f.sf(f, 2, 7), rel=1e-9)
    # Hamilton (1965): the ratio of R factors that is exceeded with probability p
    ratio = np.sqrt(2 / 7 * stats.f.isf(0.05, 2, 7) + 1)
    at = replace(small, chi2=16.0 * ratio**2)
    assert f_test(at, large) == pytest.approx(0.05, rel=1e-9)


def by_quadrature(problem: object, fit_values: dict[str, float], spans: dict[str, np.ndarray]) -> float:
    """The evidence as an integral over all parameters on a grid, the same prior and the same average over the noise."""
    from xasuite.exafs.engine.program import start_values
    from xasuite.exafs.evidence import _SCALES
    from xasuite.exafs.fit import Problem

    assert isinstance(problem, Problem)
    program, work = problem.program, problem.work
    prior = prior_of(program)
    names = program.names[: program.n_varied]
    grids = np.meshgrid(*(spans[n] for n in names), indexing="ij")
    points = np.stack([g.ravel() for g in grids], axis=1)
    x = start_values(program, fit_values)
    chi2 = np.array([chi_square(work, problem.data, problem.weights, np.concatenate([p, x[len(names) :]]))[0] for p in points])  # fmt: skip
    cut = ((edge - prior.middle) / prior.width for edge in (program.lower, program.upper))
    logs = np.sum(stats.truncnorm.logpdf(points, *cut, prior.middle, prior.width), axis=1)
    cell = np.prod([spans[n][1] - spans[n][0] for n in names])
    terms = -0.5 * chi2 / _SCALES[:, None] ** 2 + logs - work.points * np.log(_SCALES)[:, None]
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum() * cell / _SCALES.size))


def test_evidence_is_the_integral(feff: FeffPath) -> None:
    """For the amplitude alone, and for N and sigma2, which are correlated by 0.9: to 0.1, of the 1.1 that decide, which is what 1024 points give."""
    chi = data(feff, [(6, 0.0, 7e-3)], 4e-3, 3)
    for held, points in ((("enot", "dr0", "ss"), 801), (("enot", "dr0"), 81)):
        m = model(feff, 1, held=held)
        fit = fit_chi(m, chi, epsilon_k=4e-3)
        problem = make_problem(m, [chi], 4e-3)
        values = {p.name: p.value.value for p in fit.parameters}
        spans = {
            p.name: np.linspace(max(p.value.value - 6 * p.value.stderr, p.min), p.value.value + 6 * p.value.stderr, points)
            for p in fit.parameters
            if p.kind == "varied"
        }  # fmt: skip
        ours = log_evidence(fit, chi, epsilon_k=4e-3)
        assert ours == evidence_of(problem, values)
        assert ours == pytest.approx(by_quadrature(problem, values, spans), abs=0.1)


def test_the_prior_follows_from_the_paths(feff: FeffPath) -> None:
    program = make_problem(model(feff, 1), [data(feff, [(6, 0, 7e-3)], 1e-3, 1)], None).program
    prior = dict(zip(program.names, zip(*(prior_of(program).middle, prior_of(program).width), strict=True), strict=True))  # fmt: skip
    assert prior["enot"] == (0.0, 5.0)
    assert prior["dr0"] == (0.0, 0.1)
    assert prior["n0"] == pytest.approx((6.0, 6.0 * RELATIVE_WIDTH))
    assert prior["ss"] == pytest.approx((0.0155, 0.029 / np.sqrt(12)))


def test_the_same_data_or_a_sentence() -> None:
    spec = load_spec(SPEC).spec
    changes = (
        ({"fit": {"k": (3, 10)}}, r"differ in \[fit\] k: \(3.0, 11.0\) and \(3.0, 10.0\)"),
        ({"fit": {"kweight": [2]}}, r"differ in \[fit\] kweight: \(3,\) and \(2,\)"),
        ({"reduce": {"rbkg": 0.5}}, r"chi\(k\) of Co foil is not the same"),
        ({"restraint": [{"that": "s02", "is": 0.8, "within": 0.1}]}, "have other restraints"),
    )
    for change, sentence in changes:
        with pytest.raises(SpecError, match=sentence):
            compare_specs(spec, spec.replace(title="other", **change))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = tmp_path / "held.toml"
    held.write_text(re.sub(r"enot = .*", "enot = { value = 0.0 }", SPEC.read_text()).replace("Co foil simulated", "E0 held, simulated"))  # fmt: skip
    with pytest.raises(SystemExit, match="0"):
        main(["compare", str(held), str(SPEC), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert [m["n_varys"] for m in document["models"]] == [3, 4]
    assert set(document["preferred"]) == {"AIC", "BIC", "evidence", "F test"}
    with pytest.raises(SystemExit, match="0"):
        main(["compare", str(held), str(SPEC)])
    out = capsys.readouterr().out
    assert "ln evidence" in out
    assert "F test (Hamilton)" in out


def answers(
    feff: FeffPath, noise: float, count: int, ranges: FitRange, splits: tuple[float, float] = (0.08, 0.25)
) -> dict[str, list[int]]:
    """Right and wrong answers of each criterion, and where the evidence decides nothing, on one- and two-shell truths in turn."""
    out: dict[str, list[int]] = {}
    rng = np.random.default_rng(int(1e6 * noise))
    for i in range(count):
        two = bool(i % 2)
        ss = rng.uniform(4e-3, 8e-3)
        split = rng.uniform(*splits)
        far = rng.uniform(1.5, 3.0)
        atoms = [(6 - far, -split * far / 6, ss), (far, split * (6 - far) / 6, ss)] if two else [(6, rng.normal(0, 0.02), ss)]  # fmt: skip
        chi = data(feff, atoms, noise, 1000 + i)
        judged = []
        for shells in (1, 2):
            fit = fit_chi(model(feff, shells, ranges=ranges), chi)
            judged.append(Judged(f"{shells}", fit.n_varys, fit.n_idp, fit.chi2, fit.rfactor, log_evidence(fit, chi)))  # fmt: skip
        found = Comparison((judged[0], judged[1]), f_test(*judged))
        for criterion, answer in found.preferred.items():
            tally = out.setdefault(criterion, [0, 0, 0])
            tally[2 if not answer else int(answer != ("2" if two else "1"))] += 1
    return out


def test_clear_cases_are_told(feff: FeffPath) -> None:
    """Low noise and shells 0.2 A apart or more: of 8 none is wrong by the evidence, at most one by the F test at 5 %."""
    found = answers(feff, 3e-4, 8, LONG, (0.2, 0.25))
    assert found["evidence"][1] == 0
    assert found["evidence"][0] >= 4
    assert found["F test"][1] <= 1


@pytest.mark.slow
def test_share_of_right_answers(feff: FeffPath) -> None:
    """Prints the table of docs/decisions/comparison.md; `pytest -m slow -s` shows it."""
    lines = ["", "points  noise     criterion  right  wrong  open   (of 60, half of them two shells)"]
    wrong: dict[str, int] = {}
    right: dict[str, int] = {}
    for ranges in (LONG,):
        for noise in (3e-4, 1e-3, 3e-3, 1e-2):
            for criterion, (good, bad, open_) in answers(feff, noise, 60, ranges).items():
                lines.append(
                    f"{ranges.n_idp:<6.1f}  {noise:<8g}  {criterion:<9}  {good:5d}  {bad:5d}  {open_:4d}"
                )
                wrong[criterion] = wrong.get(criterion, 0) + bad
                right[criterion] = right.get(criterion, 0) + good
    sys.stdout.write("\n".join(lines) + "\n")
    # the evidence may leave a case open; where it speaks, at odds of 3 and more, at most a quarter is wrong, within two
    # standard deviations of the count
    decided = right["evidence"] + wrong["evidence"]
    assert wrong["evidence"] <= decided / 4 + 2 * np.sqrt(decided * 3 / 16)
