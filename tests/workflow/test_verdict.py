"""No bad fit passes as a good one: every case that once did, and that the shipped good fits go on being good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xasuite.cli import main
from xasuite.errors import SpecError, XasuiteError
from xasuite.exafs.result import FitResult, Value
from xasuite.records import Chi
from xasuite.references import fits_dir
from xasuite.specs import load_spec, parse_spec
from xasuite.workflow import check_spec, run_spec
from xasuite.workflow.new import new_spec
from xasuite.workflow.run import SpecResult
from xasuite.workflow.verdict import DOUBTFUL, GOOD, NOT_A_FIT, Finding, Verdict, verdict_of

SPEC = """\
xasuite = 2
title = "a foil"
[[data]]
label = "foil"
file = "{file}"
[sample]
element = "{element}"
edge = "{edge}"
[reduce]
rbkg = 1.0
bkg_kweight = 2
[fit]
k = {k}
kweight = [2]
r = {r}
[params]
s02  = {s02}
enot = {{ guess = 0.0 }}
dr   = {{ guess = 0.0 }}
ss   = {ss}
[[path]]
label = "first"
crystal = "{crystal}"
scatterer = "{scatterer}"
n = {n}
s02 = "s02"
e0 = "enot"
deltar = "dr"
sigma2 = "ss"
{more}
"""
DEFAULTS = {
    "file": "foils/Co_foil_QAS.dat", "element": "Co", "edge": "K", "k": "[3, 12]", "r": "[1.4, 2.7]",
    "s02": "{ guess = 0.8 }", "ss": "{ guess = 6e-3 }", "crystal": "Co_hcp", "scatterer": "Co", "n": "12", "more": "",
}  # fmt: skip


def run(folder: Path, **changes: str) -> SpecResult:
    return run_spec(parse_spec(SPEC.format(**(DEFAULTS | changes)), folder / "a.toml"))


@pytest.fixture(scope="module")
def foil(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    found = run(tmp_path_factory.mktemp("foil")).rows[0].stated
    assert found is not None
    return found


def said(fit: FitResult | SpecResult, level: str, *reasons: str) -> None:
    """The verdict has that level and, in some order, reasons that hold these words."""
    verdict = verdict_of(fit) if isinstance(fit, FitResult) else next(iter(fit.verdicts.values()))
    assert verdict.level == level, verdict
    for words in reasons:
        assert any(words in reason for reason in verdict.reasons), (words, verdict)


def with_path(fit: FitResult, **values: Value) -> FitResult:
    return replace(fit, paths=(replace(fit.paths[0], fixed=(), **values), *fit.paths[1:]))  # type: ignore[arg-type]


def test_a_good_foil_is_good(foil: FitResult) -> None:
    assert verdict_of(foil) == Verdict(GOOD)
    assert str(verdict_of(foil)) == "good"


# The cases that passed as good


def test_a_foil_fitted_as_its_oxide(data_root: Path, tmp_path: Path) -> None:
    said(
        run(tmp_path, crystal="CoO", scatterer="O", n="6", r="[1.0, 2.2]"),
        NOT_A_FIT,
        "R factor",
        "the crystal has 2.133 A",
    )
    said(run(tmp_path, crystal="CoO"), NOT_A_FIT, "the crystal has 3.017 A")


def test_another_compound_in_a_foil_s_file(data_root: Path, tmp_path: Path) -> None:
    other = f"{data_root}/standards/Co_oxides.prj::CoO"
    said(run(tmp_path, file=other), NOT_A_FIT, "of which noise makes 0.000", "of the peak is left over")


def test_an_edge_that_the_energies_contradict(data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="its E0 is 7709 eV and the Co L3 edge lies at 778 eV"):
        run(tmp_path, edge="L3")


def test_a_path_far_from_its_length(foil: FitResult) -> None:
    said(
        with_path(foil, r=Value(0.73, 0.04)), NOT_A_FIT, "is nearer than any bond", "the crystal has 2.502 A"
    )


def test_two_paths_that_are_one(data_root: Path, tmp_path: Path) -> None:
    again = '[[path]]\nlabel = "second"\ncrystal = "Co_hcp"\nscatterer = "Co"\ns02 = "s02"\ne0 = "enot"\n'
    same = 'n = 12\ndeltar = "dr"\nsigma2 = "ss"'
    said(run(tmp_path, more=again + same), NOT_A_FIT, "first and second are one path twice")
    text = SPEC.format(**DEFAULTS).replace("[[path]]", "dr2 = { guess = 0.1 }\n[[path]]", 1)
    two = parse_spec(text + again + 'n = 12\ndeltar = "dr2"\nsigma2 = "ss"', tmp_path / "b.toml")
    said(run_spec(two), DOUBTFUL, "the k range resolves, with R free in both")


def test_an_error_as_large_as_the_distance(foil: FitResult) -> None:
    said(with_path(foil, r=Value(2.5, 2.3)), NOT_A_FIT, "R = 2.5(2.3) A has an error above 0.1 A")
    said(with_path(foil, r=Value(2.5, 0.2)), DOUBTFUL, "has an error above 0.1 A")


def test_a_sigma2_that_no_solid_has(foil: FitResult) -> None:
    said(with_path(foil, sigma2=Value(-0.0027, 0.0025)), DOUBTFUL, "sigma2 = -0.0027(25) A^2 is negative")
    said(with_path(foil, sigma2=Value(-0.0027, 0.0005)), NOT_A_FIT, "is negative")
    said(with_path(foil, sigma2=Value(0.04, 0.005)), DOUBTFUL, "is above 0.03 A^2")


def test_more_neighbours_than_the_crystal_has(foil: FitResult) -> None:
    said(with_path(foil, n=Value(15.5, 1.2)), DOUBTFUL, "N = 15.5(1.2), the crystal has 12")
    said(with_path(foil, n=Value(15.5, 2.0)), GOOD)
    said(with_path(foil, n=Value(3.0, 0.5)), DOUBTFUL, "the crystal has 12")
    said(with_path(foil, n=Value(1.0, 15.0)), DOUBTFUL, "an error as large as itself")


# What is no number is no result


def test_a_value_at_its_bound(data_root: Path, tmp_path: Path) -> None:
    said(
        run(tmp_path, s02="{ guess = 0.5, max = 0.65 }"),
        DOUBTFUL,
        "s02 stands at its bound, 0.65, and has no error",
    )


def test_a_spectrum_without_exafs(tmp_path: Path) -> None:
    """An arctangent: an amplitude of it is no S02, whatever error it has."""

    energy = np.arange(7509.0, 8700.0, 1.0)
    mu = 0.3 + np.arctan((energy - 7709) / 1.5) / np.pi
    noise = 2e-4 * np.random.default_rng(3).normal(size=energy.size)
    np.savetxt(tmp_path / "step.dat", np.c_[energy, mu + noise], header="energy mu", fmt="%.8g")
    said(run(tmp_path, file=str(tmp_path / "step.dat")), NOT_A_FIT, "S02 =")


@pytest.mark.parametrize(("key", "value"), [("k", "[3, 3.01]"), ("r", "[2.0, 2.01]")])
def test_ranges_without_information(data_root: Path, tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(SpecError, match=r"4 variables against 1\.[01] independent points"):
        run(tmp_path, **{key: value})


def test_a_start_of_a_million_million(data_root: Path, tmp_path: Path) -> None:
    """Either the fit finds its way back or it is not a fit."""
    found = run(tmp_path, s02="{ guess = 1e12 }")
    verdict = found.verdicts["foil"]
    assert verdict.level == NOT_A_FIT or found.rows[0].parameter("s02").value.value == pytest.approx(
        0.79, abs=0.05
    )


def test_an_amplitude_without_information(foil: FitResult) -> None:
    said(with_path(foil, s02=Value(0.71, 6e13)), NOT_A_FIT, "has an error as large as itself")
    said(with_path(foil, s02=Value(-2e4, 2e5)), NOT_A_FIT, "is outside 0.6 to 1.1")
    states = tuple(replace(p, state="not moved", value=Value(p.value.value)) for p in foil.parameters)
    said(replace(foil, parameters=states), NOT_A_FIT, "no parameter is determined by the data")
    said(
        replace(foil, success=False, message="too many steps"), NOT_A_FIT, "did not converge: too many steps"
    )


def test_noise_is_not_misfit(foil: FitResult) -> None:
    """One R factor, judged by the reduced chi-square that comes with it."""
    data = (replace(foil.data[0], rfactor=0.12),)
    said(
        replace(foil, data=data, chi2_reduced=400.0), NOT_A_FIT, "R factor 0.120, of which noise makes 0.000"
    )
    said(replace(foil, data=data, chi2_reduced=2.0), DOUBTFUL, "of which noise makes 0.060")
    said(replace(foil, data=data, chi2_reduced=1.1), GOOD)


def test_what_a_parameter_was_taken_from(foil: FitResult) -> None:
    bad = Verdict.of([Finding("misfit", NOT_A_FIT, "R factor 0.640, of which noise makes 0.000")])
    verdict = verdict_of(foil, {"s02": bad})
    assert verdict.level == DOUBTFUL
    assert verdict.reasons[0].startswith("s02 comes from a fit that is not a fit: R factor 0.640")
    assert verdict_of(foil, {"s02": Verdict(GOOD)}).level == GOOD


def test_a_finding_says_of_what_kind_it_is(foil: FitResult) -> None:
    """A path named by the words of another reason: a large sigma2 beside a misfit is no shell that was not found."""
    data = (replace(foil.data[0], rfactor=0.07),)
    label = "as the crystal has"
    named = replace(
        foil,
        data=data,
        chi2_reduced=400.0,
        model=replace(foil.model, paths=(replace(foil.model.paths[0], label=label),)),
        paths=(replace(foil.paths[0], label=label, sigma2=Value(0.05, 0.01)),),
    )
    verdict = verdict_of(named)
    assert (verdict.level, {f.kind for f in verdict.findings}) == (DOUBTFUL, {"misfit", "unphysical"})
    assert verdict.reasons == tuple(f.reason for f in verdict.findings)
    far = replace(named, paths=(replace(named.paths[0], r=Value(foil.paths[0].r.value + 0.2, 0.01)),))
    verdict = verdict_of(far)
    assert verdict.level == NOT_A_FIT
    assert {"off the crystal", "wrong model"} <= {f.kind for f in verdict.findings}


# What `from` takes over, and from what


SAMPLE = {
    "file": "standards/Co_oxides.prj::CoO", "crystal": "CoO", "scatterer": "O", "n": '"n_o"', "r": "[1.0, 2.0]",
}  # fmt: skip


def sample(folder: Path, foil: str, *, s02: str = "", reduce: str = "", **changes: str) -> SpecResult:
    """CoO with S02 from a foil's spec of this text, in one folder."""
    (folder / "foil.toml").write_text(foil)
    taken = f'{{ from = "foil.toml", param = "s02"{s02} }}'
    text = SPEC.format(**DEFAULTS | SAMPLE | {"s02": taken} | changes)
    text = text.replace("[params]", "[params]\nn_o = { guess = 6 }").replace(
        "[reduce]", f"[reduce]\n{reduce}"
    )
    path = folder / "sample.toml"
    path.write_text(text)
    return run_spec(load_spec(path))


def test_a_foil_at_its_bound_is_not_taken_over(data_root: Path, tmp_path: Path) -> None:
    foil = SPEC.format(**DEFAULTS | {"s02": "{ guess = 0.5, max = 0.65 }"})
    with pytest.raises(
        SpecError, match=r"foil\.toml, foil, is doubtful: s02 stands at its bound, 0\.65.*force = true"
    ):
        sample(tmp_path, foil)
    with pytest.raises(SpecError, match="is doubtful: s02 stands at its bound"):
        check_spec(load_spec(tmp_path / "sample.toml"))
    forced = sample(tmp_path, foil, s02=", force = true")
    assert any("is taken over by force" in w for w in forced.warnings)
    said(forced, DOUBTFUL, "s02 comes from a fit that is doubtful: s02 stands at its bound")


def test_a_foil_that_is_another_compound_is_not_taken_over(data_root: Path, tmp_path: Path) -> None:
    foil = SPEC.format(**DEFAULTS | {"file": "standards/Co_oxides.prj::CoO"})
    with pytest.raises(SpecError, match=r"foil\.toml, foil, is not a fit: R factor"):
        sample(tmp_path, foil)


def test_foil_and_sample_are_normalised_alike(data_root: Path, tmp_path: Path) -> None:
    """A sample that says nothing is normalised as its foil; one that says otherwise is told what N it costs."""
    rule = 'norm_range = [100, 400]\nnnorm = 2\nmethod = "polynomial"\n'
    foil = SPEC.format(**DEFAULTS).replace("[reduce]", f"[reduce]\n{rule}")
    alike = sample(tmp_path, foil)
    used = alike.inputs["foil"].norm.history[-1].settings
    assert (used["method"], used["norm_range"], used["nnorm"]) == ("polynomial", (100, 400), 2)
    assert not any("normalised otherwise" in w for w in alike.warnings)
    other = sample(tmp_path, foil, reduce='method = "atomic"')
    told = next(w for w in other.warnings if "normalised otherwise than the foil (atomic" in w)
    steps = [float(r.inputs["foil"].norm.edge_step) for r in (other, alike)]
    assert f"its edge step is {steps[0] / steps[1] - 1:+.1%} of what the foil's rule gives" in told


# A foil that tells on its energy scale


def test_a_foil_off_its_usual_distance(data_root: Path) -> None:
    """CLS's ruthenium lies 0.011 to 0.02 A short of QAS's, whose scale is right to 0.2 %."""
    spec = load_spec(fits_dir() / "foils/ru_foil.toml")
    result = run_spec(spec, variants=False)
    told = [w for w in result.warnings if "energy scale may be at fault" in w]
    assert [w.partition(":")[0] for w in told] == ["Ru foil CLS"]


# What ships is good, or says a true reason


@pytest.mark.parametrize("name", ["co_foil", "co_foil_closure", "ru_foil_closure", "cu_pymca"])
def test_shipped_foils_are_good(name: str) -> None:
    try:
        result = run_spec(load_spec(fits_dir() / f"foils/{name}.toml"), variants=False, skip_missing=True)
    except XasuiteError as exc:
        pytest.skip(str(exc))
    if not result.rows:
        pytest.skip("; ".join(result.missing.values()))
    assert {v.level for v in result.verdicts.values()} == {GOOD}


def test_the_command_says_it_and_ends_with_3(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.toml").write_text(SPEC.format(**DEFAULTS | {"crystal": "CoO"}))
    with pytest.raises(SystemExit) as caught:
        main(["fit", str(tmp_path / "a.toml"), "-o", str(tmp_path / "out"), "--no-figures"])
    assert caught.value.code == 3
    assert "foil: not a fit" in capsys.readouterr().out
    (tmp_path / "b.toml").write_text(SPEC.format(**DEFAULTS))
    with pytest.raises(SystemExit) as caught:
        main(["fit", str(tmp_path / "b.toml"), "-o", str(tmp_path / "out"), "--no-figures"])
    assert caught.value.code == 0
    assert "verdict: good" in capsys.readouterr().out


# A stack


def test_the_rows_of_a_stack_that_are_not_fits(data_root: Path, tmp_path: Path) -> None:
    """A foil, an oxide and the foil again, fitted with the foil's model: the oxide's row is no fit."""
    from xasuite import io, reduce
    from xasuite.exafs.engine import fit_stack
    from xasuite.workflow.verdict import rows_not_fits

    model = run(tmp_path).rows[0].model
    k = np.arange(0, 13, 0.05)
    chi = []
    for name in ("foils/Co_foil_QAS.dat", "standards/Co_oxides.prj::CoO", "foils/Co_foil_APS13ID.xdi"):
        one = reduce.background(reduce.normalize(io.read(f"{data_root}/{name}").mu()), rbkg=1.0, kweight=2)
        chi.append(np.interp(k, one.k, one.chi))
    fits = fit_stack(model, Chi(k=k, chi=np.stack(chi), e0=np.zeros(3), edge_step=np.ones(3)))
    found = rows_not_fits(fits, {"first": np.ones(3, bool)})
    assert list(found) == [1]
    assert "R factor" in found[1]
    assert rows_not_fits(fits, {"first": np.zeros(3, bool)}).get(0) is None


def test_a_metal_that_is_called_an_oxide(data_root: Path, tmp_path: Path) -> None:
    """An iron foil with the oxygen of Fe2O3, as `new` writes it: every finding alone is a doubt, all together are no fit."""
    target = tmp_path / "fe.toml"
    text = new_spec([data_root / "formats/xdi/fe_metal_rt.xdi"], crystal="Fe2O3", target=target).text
    said(
        run_spec(parse_spec(text, target)),
        NOT_A_FIT,
        "neither describes the data nor finds the crystal's shell",
    )
