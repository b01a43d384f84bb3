"""Restraints: Ifeffit's numbers, the same objective in Larch and in both kernels, priors, bond-valence sums, mistakes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import FitError, SpecError
from xasuite.exafs.audits import audit_fit
from xasuite.exafs.engine.program import compile_model, run_all, start_values
from xasuite.exafs.engine.stack import fit_stack
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel, Restraint
from xasuite.exafs.restraints import bound
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.feff.paths import read_feff_dat
from xasuite.records import Chi
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.workflow.audit import audit_spec
from xasuite.workflow.run import run_spec

HERE = Path(__file__).with_name("ifeffit_restraint")
EPSILON = 2e-3
VALENCE = Restraint(parse("valence_sum(2)"), 1.3, 0.1)

# What `ifeffit -x run.iff` (Debian's 1.2.11d-12.5) printed in that folder: values and standard errors without and with its
# `restraint = bvs`, chi-square with it, and the restraint's own value. data.chi is one path of CoO, N = 4.6, R + 0.02 A, sigma2 =
# 8e-3, E0 = 2, times 0.8, with white noise of 2e-3; the bond-valence sum 1.3 is 3.5 of its errors from the free fit's.
IFEFFIT_FREE = {"n": (4.01443161, 0.377481291), "enot": (3.06936792, 1.09687563), "dr": (0.0290938072, 0.00917218443), "ss": (0.00564018278, 0.00124693459)}  # fmt: skip
IFEFFIT = {"n": (4.29457139, 0.345326397), "enot": (2.75543867, 1.19160890), "dr": (0.0274033444, 0.0104175796), "ss": (0.00645360528, 0.00122033037)}  # fmt: skip
IFEFFIT_RESTRAINT = -0.903685930


@pytest.fixture(scope="module")
def chi() -> Chi:
    k, chi = np.loadtxt(HERE / "data.chi").T
    return Chi(k=k, chi=chi, e0=7709.0, edge_step=1.0, label="CoO")


def model(*restraints: Restraint, **changes: Parameter) -> Model:
    params = {"n": Parameter("n", 5.0), "enot": Parameter("enot"), "dr": Parameter("dr"), "ss": Parameter("ss", 6e-3), "s02": Parameter("s02", 0.8, False)}  # fmt: skip
    values = {q: parse(q if q != "e0" else "enot") for q in ("n", "s02", "e0")}
    path = PathModel("Co-O", read_feff_dat(HERE / "feff0001.dat"), **values, deltar=parse("dr"), sigma2=parse("ss"))  # fmt: skip
    return Model(tuple((params | changes).values()), (path,), FitRange((3, 12), (1, 2.4)), restraints)


@pytest.mark.parametrize(("restraints", "theirs"), [((), IFEFFIT_FREE), ((VALENCE,), IFEFFIT)])
def test_equal_to_ifeffit(
    chi: Chi, restraints: tuple[Restraint, ...], theirs: dict[str, tuple[float, float]]
) -> None:
    """To 0.1 standard errors: the free fits differ by 0.06, as R grids and windows do."""
    fit = fit_chi(model(*restraints), chi, epsilon_k=EPSILON)
    for name, (value, stderr) in theirs.items():
        assert fit.parameter(name).value.value == pytest.approx(value, abs=0.1 * stderr), name
    for r in fit.restraints:
        assert (r.value.value - r.wanted) / r.within == pytest.approx(IFEFFIT_RESTRAINT, abs=0.1)
        # the restraint moved N, and moved it as far as Ifeffit's did: 0.75 of the free fit's standard errors
        moved = fit.parameter("n").value.value - IFEFFIT_FREE["n"][0]
        assert moved == pytest.approx(IFEFFIT["n"][0] - IFEFFIT_FREE["n"][0], abs=0.1 * 0.38)


def test_engines_and_larch_minimise_the_same(chi: Chi) -> None:
    """Both kernels to rounding; Larch, whose own machinery evaluates the restraint, to what its tolerance leaves."""
    m = model(VALENCE, Restraint(parse('sigma2("Co-O") * 1000 + enot'), 10.0, 1.0))
    single = fit_chi(m, chi, epsilon_k=EPSILON)
    stacks = [fit_stack(m, chi, epsilon_k=EPSILON, backend=b) for b in ("numba", "numpy")]
    for stack in stacks:
        for name in stack.names:
            own = single.parameter(name).value
            assert stack.values[name][0] == pytest.approx(own.value, abs=1e-6 * own.stderr)
            assert stack.stderr[name][0] == pytest.approx(own.stderr, rel=1e-6)
        assert stack.rfactor[0] == pytest.approx(single.rfactor, rel=1e-5)
    audit = audit_fit(single, chi, epsilon_k=EPSILON)
    assert audit.difference < 1e-3
    assert audit.stderr < 1e-3
    larch = fit_chi(m, chi, epsilon_k=EPSILON, engine="larch")
    assert larch.chi2 == pytest.approx(single.chi2, rel=1e-5)
    assert larch.chi2_reduced == pytest.approx(single.chi2_reduced, rel=1e-5)
    assert larch.rfactor == pytest.approx(single.rfactor, rel=1e-5)
    assert [r.value.value for r in larch.restraints] == pytest.approx([r.value.value for r in single.restraints], rel=1e-4)  # fmt: skip


def test_chi_square_holds_the_restraint_as_one_more_point(chi: Chi) -> None:
    loose, fit = (fit_chi(m, chi, epsilon_k=EPSILON) for m in (model(), model(VALENCE)))
    r = fit.restraints[0]
    # at a minimum what the restraint gains is more than what the data lose
    assert 0 < fit.chi2 - r.chi2 - loose.chi2 < r.chi2 + fit.chi2 - loose.chi2
    assert fit.chi2_reduced == pytest.approx(fit.chi2 / (fit.n_idp + 1 - 4))
    far = fit_chi(model(replace(VALENCE, within=1e3)), chi, epsilon_k=EPSILON)
    assert far.parameter("n").value.value == pytest.approx(loose.parameter("n").value.value, rel=1e-6)
    assert far.rfactor == pytest.approx(loose.rfactor, rel=1e-9)


def test_derivatives_are_exact() -> None:
    text = 'valence_sum(2, "Co-O") + r("Co-O") * n("Co-O") - sqrt(ss) / s02'
    program = compile_model(model(Restraint(parse(text), 0.0, 1.0)))
    x = start_values(program)
    *_, slopes = run_all(program, x[None])
    for i, step in enumerate((1e-6, 1e-6, 1e-7, 1e-8)):
        up, down = x.copy(), x.copy()
        up[i], down[i] = x[i] + step, x[i] - step
        numeric = (run_all(program, up[None])[2] - run_all(program, down[None])[2])[0, 0] / (2 * step)
        assert slopes[0, 0, i] == pytest.approx(numeric, rel=1e-6, abs=1e-9)


def test_a_prior_decides_what_the_data_cannot(chi: Chi) -> None:
    """N and S02 enter as a product: a prior on S02 alone gives S02 its own value and width, and N the error of the quotient."""
    prior = Restraint(parse("s02"), 0.8, 0.08)
    fit = fit_chi(model(prior, s02=Parameter("s02", 0.7)), chi, epsilon_k=EPSILON)
    alone = fit_chi(model(), chi, epsilon_k=EPSILON)
    assert fit.parameter("s02").value.value == pytest.approx(0.8, abs=1e-5)
    # errors are scaled by the misfit, the prior's too; a parameter with its prior leaves the degrees of freedom as they are
    assert fit.chi2_reduced == pytest.approx(alone.chi2_reduced, rel=1e-6)
    assert fit.parameter("s02").value.stderr == pytest.approx(0.08 * math.sqrt(fit.chi2_reduced), rel=1e-4)
    n = alone.parameter("n").value
    wanted = math.hypot(n.stderr / n.value, 0.1 * math.sqrt(fit.chi2_reduced)) * n.value
    assert fit.parameter("n").value.stderr == pytest.approx(wanted, rel=1e-3)


def test_rows_fitted_together(chi: Chi) -> None:
    """A restraint on what each row has of its own holds for each row; one on what they share counts once."""
    own = replace(Parameter("n", 5.0), each=True)
    shared = Restraint(parse("enot"), 2.0, 1.0)
    m = model(VALENCE, shared, n=own)
    rows = [chi, replace(chi, label="again")]
    fit = fit_chi(m, rows, epsilon_k=EPSILON)
    assert [r.that for r in fit.restraints] == ["valence_sum(2)", "valence_sum(2)", "enot"]
    assert fit.restraints[0].value.value == pytest.approx(fit.restraints[1].value.value, rel=1e-9)
    assert audit_fit(fit, rows, epsilon_k=EPSILON).difference < 1e-3


# Bond-valence sums of ordered crystals whose oxidation state is not in doubt. The scatter of such sums over structures
# is 0.05 to 0.1 valence units (Brown and Altermatt 1985), more where a site is strained: NiO 1.85, CoO 1.82
CRYSTALS = [("MnO", "Mn", 2), ("NiO", "Ni", 2), ("CoO", "Co", 2), ("SnO2", "Sn", 4), ("ZnO", "Zn", 2), ("RuO2", "Ru", 4), ("TiO2_rutile", "Ti", 4)]  # fmt: skip


@pytest.mark.parametrize(("crystal", "metal", "valence"), CRYSTALS)
def test_crystals_have_their_valence(crystal: str, metal: str, valence: int) -> None:
    feff = find_paths(crystal, absorber=metal, radius=3.0)
    bonds = [p for p in feff if p.nleg == 2 and p.scatterers == ("O",) and p.reff < 2.6]
    paths = tuple(PathModel(f"M-O{i}", p, parse(p.degen)) for i, p in enumerate(bonds))
    r = bound(Restraint(parse("valence_sum"), valence, 0.1), paths)
    assert r.that({}) == pytest.approx(valence, abs=0.1 * valence)
    assert f"{metal}{valence}+-O" in r.note


def test_bonds_without_parameters_are_refused() -> None:
    path = PathModel("Co-O", read_feff_dat(HERE / "feff0001.dat"), parse(6.0))
    with pytest.raises(
        FitError, match=r"no parameters for Co5\+ with O; it has Co2\+, Co3\+; write the sum out"
    ):
        bound(Restraint(parse("valence_sum"), 5.0, 0.1), [path])
    with pytest.raises(FitError, match="no path 'Co-S'"):
        bound(Restraint(parse('n("Co-S")'), 5.0, 0.1), [path])


SPEC = (fits_dir() / "foils" / "co_foil_closure.toml").read_text()


def with_restraint(that: str, wanted: str = "0.75", within: str = "0.01") -> str:
    return SPEC + f"\n[[restraint]]\nthat = {that}\nis = {wanted}\nwithin = {within}\n"


def test_mistakes_have_their_line() -> None:
    last = len(SPEC.splitlines()) + 3
    for text, sentence in (
        (with_restraint("'n(\"Co-Cu\")'"), 'restraint 1: that = n("Co-Cu"): "Co-Cu" is no path; did you mean "Co-Co"?'),
        (with_restraint('"s03"'), 'restraint 1: that = "s03" is no parameter; did you mean "s02"?'),
        (with_restraint('"2 + 2"'), 'restraint 1: that = "2 + 2" names no parameter and no value of a path'),
        (with_restraint("'r(s02)'"), "restraint 1: that: 'r(s02)': r takes the label of a path: r(\"Co-O\")"),
        (with_restraint('"s02"', within="0"), "restraint 1: within: found 0; must be above 0"),
        (SPEC.replace('n = 12', "n = 'r(\"Co-Co\")'"), 'r("Co-Co") is a value of paths; it can stand in a [[restraint]] only'),
    ):  # fmt: skip
        with pytest.raises(SpecError) as caught:
            parse_spec(text, "s.toml")
        assert any(sentence in m for m in caught.value.mistakes), caught.value.mistakes
    with pytest.raises(SpecError) as caught:
        parse_spec(with_restraint('"s03"'), "s.toml")
    assert caught.value.mistakes[0].startswith(f"s.toml:{last}: ")


def test_a_spec_prints_and_audits_it() -> None:
    loaded = parse_spec(with_restraint('"s02"', "0.75", "0.002"), fits_dir() / "foils" / "s.toml")
    result = run_spec(loaded, variants=False)
    free = run_spec(load_spec(fits_dir() / "foils" / "co_foil_closure.toml"), variants=False)
    found, before = (r.params["s02"].n for r in (result, free))
    # the budget's draws see the restraint as the stated fit does
    assert abs(found - 0.75) < 0.8 * abs(before - 0.75)
    note = next(n for n in result.summary().notes if "adds" in n)
    assert "s02 = " in note
    assert "known as 0.75 ± 0.002" in note
    document = json.loads(json.dumps(result.to_dict()))
    assert document["rows"][0]["restraints"][0]["is"] == 0.75
    audit = audit_spec(result, again=True)
    assert audit is not None
    assert audit.passed
