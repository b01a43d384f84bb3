"""Budgets of rows fitted together, of chi(k) files and of spectra corrected for over-absorption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xasuite import reduce
from xasuite.constants import ETOK
from xasuite.exafs.budget import Absorption, GivenChi, Spectra
from xasuite.exafs.budget.model_changes import changeable, changes
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.exafs.result import FitResult
from xasuite.expressions import parse
from xasuite.feff import find_paths
from xasuite.reduce.autobk_matrices import Settings
from xasuite.reduce.corrections import amplitude_factor
from xasuite.references import fits_dir
from xasuite.specs.load import parse_spec
from xasuite.workflow.run import SpecResult, run_spec
from xasuite.workflow.score import row_difference

FOIL = fits_dir() / "foils" / "co_foil_closure.toml"


def foil(old: str = "", new: str = "") -> SpecResult:
    return run_spec(parse_spec(FOIL.read_text().replace(old, new), FOIL), variants=False)


def two_rows(noise: str = "3e-4") -> str:
    """The spec of the foil with a second spectrum of it, each fitted alone."""
    text = FOIL.read_text()
    one = '[[data]]\nlabel = "Co foil"\nsimulate = { row = "Co foil", noise = 3e-4, seed = 7 }\n'
    assert one in text
    again = one.replace("Co foil", "again", 1).replace("noise = 3e-4, seed = 7", f"noise = {noise}, seed = 8")
    return text.replace(one, one + again)


def together(text: str) -> FitResult:
    """The fit of all rows of a spec at once."""
    text = text.replace("[fit]\n", "[fit]\ntogether = true\n")
    (fit,) = run_spec(parse_spec(text, FOIL), variants=False).rows
    return fit


def test_rows_together_that_share_nothing_have_the_budgets_of_each_alone() -> None:
    """Every parameter is each row's own: the two fits are one sum of squares of two terms without a common variable."""
    rows = two_rows(noise="3e-3")
    alone = run_spec(parse_spec(rows, FOIL), variants=False)
    head, tail = rows.split("[params]\n")
    params, *rest = tail.split("[[path]]")
    fit = together("[[path]]".join([f"{head}[params]\n{params.replace(' }', ', each = true }')}", *rest]))
    assert fit.budget is not None
    for path in fit.paths:
        own = alone.row(path.data).paths[0]
        for quantity in ("s02", "e0", "r", "sigma2"):
            a, b = getattr(path, quantity), getattr(own, quantity)
            # both end within 1e-4 standard errors of a minimum; the edge step is split into two parts, and N is not linear in it
            assert a.value == pytest.approx(b.value, abs=1e-3 * b.stderr)
            assert dict(a.parts) == pytest.approx(dict(b.parts), rel=5e-3)


def test_what_rows_together_share_is_wrong_in_both_alike() -> None:
    """One S02 of two rows: noise falls as the square root of two, potentials and edge step do not."""
    fit = together(two_rows())
    (alone,) = foil().rows
    for name in ("s02", "ss1"):
        a, b = fit.parameter(name).value.parts, alone.parameter(name).value.parts
        assert a["noise"] == pytest.approx(b["noise"] / np.sqrt(2), rel=0.1)
        assert a["choices"] == pytest.approx(b["choices"], rel=0.2)
    assert a["theory"] == pytest.approx(b["theory"], rel=0.1)


def test_a_difference_of_rows_together() -> None:
    """S02 of both rows is one parameter: no difference and no error. sigma2 of each: noise of both, S02's error cancels in part."""
    fit = together(two_rows().replace("max = 0.03 }", "max = 0.03, each = true }"))
    names = ("Co foil", "again")
    same = row_difference(fit, fit, "Co-Co", "s02", names)
    assert not same.value
    assert not same.stderr > 0
    found = row_difference(fit, fit, "Co-Co", "sigma2", names)
    a, b = (fit.path("Co-Co", name).sigma2 for name in names)
    assert found.value == pytest.approx(b.value - a.value, abs=1e-9)
    # S02's noise moves both alike
    assert 0 < found.parts["noise"] < np.hypot(a.parts["noise"], b.parts["noise"])
    assert found.stderr < 0.7 * min(a.stderr, b.stderr)


def test_what_rows_share_and_what_each_has_of_its_own() -> None:
    (path,) = find_paths("Cu", absorber="Cu", radius=2.6)
    model = Model(
        (Parameter("s02", 0.9, vary=False), Parameter("ss", 0.01)),
        tuple(PathModel(f"{row}/Cu", path, parse(12.0), parse("s02"), sigma2=parse("ss")) for row in "abc"),
        FitRange((3, 12), (1, 3)),
    )
    sources = (GivenChi(np.zeros(2), np.zeros((1, 2))),) * 3
    spectra = Spectra(
        model, sources, (0, 1, 2), {"edge step": 0.05}, own_step=0.03, energy_scale=0.004, beamline=(0, 1, 0)
    )
    found: dict[str, list[dict[str, float]]] = {}
    for cause, change in changes(spectra):
        found.setdefault(cause, []).append(change)
    assert [sorted(c) for c in found["energy scale"]] == [
        ["changed_n_0", "changed_n_2", "changed_r_0", "changed_r_2"],
        ["changed_n_1", "changed_r_1"],
    ]
    # one path of three rows: its potentials are wrong in all three alike
    assert [sorted(c) for c in found["potentials"]] == [
        [f"changed_{q}_{i}" for i in range(3)] for q in ("n", "r", "sigma2")
    ]
    common, *own = found["edge step"]
    assert [*common.values()] == pytest.approx([0.04] * 3)
    assert own == [{f"changed_n_{i}": 0.03} for i in range(3)]


def test_a_third_cumulant_of_the_model_is_not_doubted() -> None:
    """A thermal cumulant is a doubt about models without one; one that is fitted would take it up."""
    (path,) = find_paths("Cu", absorber="Cu", radius=2.6)
    plain = PathModel("Cu", path, parse(12.0), sigma2=parse("ss"))
    model = Model(
        (Parameter("ss", 0.01), Parameter("c3", 1e-4)),
        (plain, replace(plain, label="b", third=parse("c3"))),
        FitRange((3, 12), (1, 3)),
    )
    values = {"ss": 0.01, "c3": 1e-4, "changed_third": 1.0}
    without, fitted = (p.third(values) for p in changeable(model, [300.0, 300.0]).paths)
    # 2 sigma2 alpha T R (Frenkel and Rehr 1993), with alpha of metals, 1e-5 1/K
    assert without == pytest.approx(0.01 * 2 * 1e-5 * 300 * path.reff)
    assert fitted == pytest.approx(1e-4)


def test_e0_of_a_chi_file_is_a_choice() -> None:
    """sin(2 R k) counted from an E0 that is 1.5 eV higher: k'^2 = k^2 - 1.5 ETOK."""
    k = 0.05 * np.arange(300)
    source = GivenChi(k, np.sin(4.0 * k)[None])
    for shift in (0.0, 1.5, -1.5):
        found = source.reduced(3, 1.0, shift)
        at = np.sqrt(np.maximum(found.k**2 + ETOK * shift, 0.0))
        used = found.k > 1.0  # a cubic spline of a wave of 31 points a period
        assert found.chi[0, used] == pytest.approx(np.sin(4.0 * at[used]), abs=2e-4)
        assert found.k[-1] <= source.kmax
    assert (source.reduced(2, 0.8, 0.0).response == np.eye(found.k.size)).all()


def test_a_chi_file_has_the_budget_of_its_spectrum_less_the_background(tmp_path: Path) -> None:
    """Same chi(k), read from a file: the same foil within its errors; what normalisation may do is an analyst's usual error."""
    measured = foil()
    chi = measured.inputs["Co foil"].chi
    np.savetxt(tmp_path / "co.chi", np.transpose([chi.k, chi.chi]), header="k chi")
    given = 'file = "co.chi"\nkind = "chi"'
    text = FOIL.read_text().split("[simulate]")[0]
    text = text.replace('simulate = { row = "Co foil", noise = 3e-4, seed = 7 }', given).replace(
        'reproduces = "ccro/S4a"\n', ""
    )
    (tmp_path / "co.toml").write_text(text)
    (row,) = run_spec(parse_spec(text, tmp_path / "co.toml"), variants=False).rows
    (from_mu,) = measured.rows
    assert row.budget is not None
    for name in ("s02", "enot", "dr1", "ss1"):
        a, b = row.parameter(name).value, from_mu.parameter(name).value
        assert abs(a.value - b.value) < b.stderr, name
        assert a.parts["noise"] == pytest.approx(b.parts["noise"], rel=0.2), name
    # 4 % of polynomials over ranges of the user's own (docs/decisions/edge_step.md); a measured file has an energy scale too
    s02 = row.parameter("s02").value
    assert s02.parts["choices"] > (1 - 1 / 1.04) * s02.value


def test_a_shell_is_seen_through_background_and_correction() -> None:
    """A small shell more in a thick sample's fluorescence changes the corrected chi(k) as the response says."""
    geometry = reduce.Geometry("CuO", angle_in=45.0, angle_out=45.0)
    energy = np.arange(8780.0, 9780.0, 1.0)
    k = np.sqrt(np.maximum(energy - 8979.0, 0.0) * ETOK)
    kout = 0.05 * np.arange(280)
    shell = 1e-3 * np.sin(2 * 2.5 * kout) * np.exp(-0.01 * kout**2) * (kout > 2)
    factor = amplitude_factor(kout, geometry, "Cu", "K")
    base = 0.005 * np.sin(2 * 2.0 * k) * np.exp(-0.02 * k**2) * (energy > 8985)
    chis = []
    for extra in (np.zeros_like(k), np.interp(k, kout, shell / factor)):
        mu = (energy > 8979.0) * (1 + base + extra)
        settings = Settings(1.0, 2, (0.0, 13.0), 0.1, "hanning", (0, 0), 3)
        source = Absorption(
            energy, mu[None], np.array([8979.0]), np.array([1.0]), settings, None, (geometry, "Cu", "K")
        )
        chis.append(source.reduced(2, 1.0, 0.0))
    n = chis[0].k.size
    found = (chis[1].chi - chis[0].chi)[0]
    expected = shell[:n] @ chis[0].response
    used = (chis[0].k > 3) & (chis[0].k < 12)
    # the correction is not linear: a chi of 0.005 beside the shell changes its slope by 1 to 2 %
    assert np.abs(found - expected)[used].max() < 0.03 * np.abs(shell).max()
    assert np.abs(found)[used].max() > 0.7 * np.abs(shell)[60:].max()
