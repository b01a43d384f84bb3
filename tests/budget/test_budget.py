"""The error budget: background response, parts in quadrature, what rows share, farther shells, coverage of known truth."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from xasuite import reduce, simulate
from xasuite.constants import ETOK
from xasuite.exafs.budget import Budget, combined, draws, joined
from xasuite.exafs.model import FitRange
from xasuite.feff import find_paths
from xasuite.reduce.autobk_matrices import Settings
from xasuite.reduce.response import background_response
from xasuite.references import fits_dir
from xasuite.specs.load import parse_spec
from xasuite.workflow import drawn
from xasuite.workflow.ensemble import ensemble
from xasuite.workflow.run import run_spec


def test_the_response_is_what_background_does_to_a_shell() -> None:
    """autobk is linear in mu but for its clamp: mu with a shell less mu without it is the shell through the response."""
    paths = simulate.shell(find_paths("Cu", absorber="Cu", radius=3.0), "Cu", n=12, r=2.54, sigma2=8e-3)
    with_, without = (
        simulate.spectrum(p, element="Cu", setup=simulate.Setup(relative_to="atomic")) for p in (paths, ())
    )
    chi = {}
    e0 = float(with_.truth.e0)
    for name, made in (("with", with_), ("without", without)):
        norm = reduce.normalize(made.spectrum, e0=e0)
        norm = replace(norm, edge_step=np.array(1.0))
        chi[name] = reduce.background(norm, rbkg=1.0, kweight=2, k=(0, 13), clamp=(0, 0))
    k = chi["with"].k
    settings = Settings(1.0, 2, (0.0, 13.0), 0.1, "hanning", (0, 0), 3)
    response = background_response(np.asarray(with_.spectrum.energy), e0, settings)
    # chi(k) of the shell as the scan holds it, before any background is taken off
    raw = (with_.spectrum.mu - without.spectrum.mu)[with_.spectrum.energy >= e0]
    own = np.sqrt((with_.spectrum.energy[with_.spectrum.energy >= e0] - e0) * ETOK)
    even = make_interp_spline(own, raw, k=3)(k)
    difference = chi["with"].chi - chi["without"].chi
    assert np.abs(even @ response - difference)[k > 1].max() < 1e-6 * np.abs(difference).max()


def budget(values: float, choices: np.ndarray, shift: float) -> Budget:
    return Budget(
        ("n",), np.array([values]), choices[:, None], np.array([[0.04**2]]), {"theory": np.array([[shift]])}
    )


def test_what_rows_share_cancels_in_their_difference() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(0, 0.3, 4001)
    a, b = (budget(v, v + common + rng.normal(0, 0.1, common.size), 0.2) for v in (6.0, 5.5))
    alone = combined([a], [1], ["n"])
    assert alone.parts["choices"] == pytest.approx(math.hypot(0.3, 0.1), rel=0.05)
    assert alone.stderr == pytest.approx(math.hypot(*alone.parts.values()))
    apart = combined([a, b], [1, -1], ["n", "n"])
    assert apart.value == pytest.approx(0.5)
    assert "theory" not in apart.parts
    assert apart.parts["noise"] == pytest.approx(0.04 * math.sqrt(2))
    assert apart.parts["choices"] == pytest.approx(0.1 * math.sqrt(2), rel=0.05)


def test_covariance_has_the_parts_on_its_diagonal() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, (400, 2)) @ np.array([[0.3, 0.1], [0.0, 0.02]])
    made = Budget(("n", "r"), np.zeros(2), values, np.diag([0.01, 1e-4]), {"theory": np.array([[0.1, 0.0]])})
    total = made.covariance(["n", "r"])
    assert np.sqrt(np.diag(total)) == pytest.approx([made.value(key).stderr for key in made.keys])
    assert np.linalg.eigvalsh(total).min() > 0


def test_draws_keep_a_point_to_spare_and_stay_inside_the_data() -> None:
    stated = FitRange((3.0, 11.0), (1.15, 2.2), (3,), dk=4.0)
    made = draws(stated, 4, 11.6)
    assert made == draws(stated, 4, 11.6)
    assert all(d.range_of(stated).n_idp >= 5 and d.k[1] <= 11.6 for d in made)
    assert {(d.bkg_kweight, d.rbkg) for d in made} == {(2, 0.8), (3, 1.0), (3, 0.8), (2, 1.0)}


def test_a_spec_prints_the_budget_and_keeps_the_stated_fit() -> None:
    """The row's truth is known (N 5.8, R 1.971 A, sigma2 5.3e-3 A^2); the errors must hold it within three of them."""
    path = fits_dir() / "ccro" / "s4b_co.toml"
    text = path.read_text()
    fit = run_spec(parse_spec(text, path), variants=False).rows[0]
    shell = fit.paths[0]
    assert set(shell.n.parts) == {"noise", "choices", "shells", "foil", "theory"}
    for value, truth in ((shell.n, 5.8), (shell.r, 1.971), (shell.sigma2, 5.3e-3)):
        assert abs(value.value - truth) < 3 * value.stderr
    plain = run_spec(parse_spec('errors = "fit"\n' + text, path), variants=False).rows[0]
    assert fit.stated is not None
    assert fit.stated.paths[0].r.value == plain.paths[0].r.value
    assert set(plain.paths[0].n.parts) == {"fit", "s02"}
    ratio = (fit.params["n_o"] / fit.params["n_o"]).s
    assert ratio == pytest.approx(0, abs=1e-12)


def test_products_of_parameters_have_the_budget_s_error() -> None:
    """N sigma2 and N S02 by linear propagation, against each draw and each cause put through the product itself."""
    path = fits_dir() / "ccro" / "s7_co.toml"
    fit = run_spec(parse_spec(path.read_text(), path), variants=False).rows[0]
    b = fit.budget
    assert b is not None
    for x, y, ratio in (("n_o", "ss_o", 1.16), ("n_o", "s02", 0.98)):
        at = [b.keys.index(x), b.keys.index(y)]
        (v, w), draws_of = b.values[at], b.draws[:, at]
        slope = np.array([w, v])
        choices = 1.4826 * np.median(np.abs(draws_of.prod(axis=1) - v * w))
        causes = sum(float(((shift[:, at] @ slope) ** 2).sum()) for shift in b.shifts.values())
        direct = math.sqrt(choices**2 + slope @ b.noise[np.ix_(at, at)] @ slope + causes)
        # the median of 40 draws of a product is not that of linear propagation: 3 % here
        assert (fit.params[x] * fit.params[y]).s == pytest.approx(direct, rel=0.05)
        alone = math.hypot(w * fit.params[x].s, v * fit.params[y].s)
        assert direct / alone == pytest.approx(ratio, abs=0.03)  # without the correlation it would be 1


def test_measured_foils_hold_crystallography(data_root: Path) -> None:
    """hcp Co: 6 + 6 at 2.497 and 2.507 A. Two foils of two beamlines, within two printed errors."""
    path = fits_dir() / "foils" / "co_foil.toml"
    rows = run_spec(parse_spec(path.read_text(), path), variants=False).rows
    for row in rows:
        r = row.paths[0].r
        assert abs(r.value - 2.502) < 2 * r.stderr
        assert 0.004 < r.stderr < 0.010
    gap = abs(rows[0].parameter("s02").value.value - rows[1].parameter("s02").value.value)
    assert gap < 2 * math.hypot(*(r.parameter("s02").value.stderr for r in rows))


def test_an_ensemble_counts_what_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few truths by feff6l only: that errors are of the right size, not their exact coverage (docs/decisions)."""
    path = fits_dir() / "ccro" / "s4b_co.toml"
    monkeypatch.setattr(drawn, "PROGRAMS", ("feff6l",))
    found = ensemble(parse_spec(path.read_text(), path), truths=6, seed=11, noises=(3e-4,))
    for c in found.coverage():
        if c.scheme == "budget":
            assert c.count == 6
            assert c.two >= 5 / 6, c
            assert 0.2 < c.rms / c.width < 2, c


def test_causes_of_different_models_add_in_quadrature() -> None:
    """Shared causes cancel in a difference; two rows whose models have different causes keep both."""
    draws_ = np.zeros((3, 1))
    one, two, other = (
        Budget(("r",), np.zeros(1), draws_, np.zeros((1, 1)), {"theory": np.array(shift)})
        for shift in ([[3.0]], [[3.0]], [[4.0], [0.0]])
    )
    alike, unlike = (combined([one, b], [-1.0, 1.0], ["r", "r"]) for b in (two, other))
    assert not alike.stderr > 0
    assert unlike.stderr == pytest.approx(5.0)


def test_beamlines_share_all_but_their_own_causes() -> None:
    """Two beamlines: potentials move both by 0.05, each has its own energy scale of 0.01 and noise of 0.002."""
    each = [
        Budget(
            keys=("s02",),
            values=np.array([value]),
            draws=np.array([[value - 0.02], [value], [value + 0.02]]),
            noise=np.array([[0.002**2]]),
            shifts={"potentials": np.array([[0.05]]), "energy scale": np.array([[0.01]])},
        )
        for value in (0.80, 0.83)
    ]
    both = joined(each, ["s02", "s02"])
    covar = both.covariance(both.keys)
    choices = (1.4826 * 0.02) ** 2
    assert covar[0, 0] == pytest.approx(0.002**2 + 0.01**2 + 0.05**2 + choices)
    assert covar[0, 1] == pytest.approx(0.05**2 + choices)
    # the error of the difference holds neither potentials nor choices
    assert covar[0, 0] + covar[1, 1] - 2 * covar[0, 1] == pytest.approx(2 * (0.002**2 + 0.01**2))
    # one value's own error, with the parts that are printed
    assert each[0].value("s02").parts == pytest.approx(
        {"noise": 0.002, "choices": 1.4826 * 0.02, "theory": np.hypot(0.05, 0.01)}
    )
