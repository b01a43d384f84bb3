"""LCF, PCA, MCR-ALS and isosbestic points: on mixtures of known composition and on the SnO2 series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import ComponentError
from xasuite.model import Normalized, Series
from xasuite.xanes import (
    isosbestic_points,
    linear_combination,
    match,
    mcr_als,
    pca,
    rank_references,
    target_test,
)

from .conftest import record

E = np.arange(-60.0, 200.0, 0.5)
SIGMA = 0.003
CATXAS_SPAN = (29150.0, 29247.5)  # its 390 points at 0.25 eV


def pure(shift: float, line: float, wave: float) -> np.ndarray:
    x = E - shift
    step = 0.5 + np.arctan(x / 1.5) / np.pi
    return step * (
        1 + line * np.exp(-(((x - 6) / 5) ** 2)) + 0.1 * np.sin(x / wave) * np.exp(-((x / 80) ** 2))
    )


PURE = np.array([pure(0, 0.7, 9.0), pure(3.0, 0.3, 12.0), pure(-2.5, 0.1, 15.0)])


def records(rows: np.ndarray) -> list[Normalized]:
    return [record(E, y, label=name) for y, name in zip(rows, "ABCDEFGH", strict=False)]


def mixtures(c: np.ndarray, sigma: float = SIGMA, seed: int = 0) -> Normalized:
    rng = np.random.default_rng(seed)
    return record(E, c @ PURE[: c.shape[1]] + rng.normal(0, sigma, (len(c), E.size)))


def process(m: int = 30) -> np.ndarray:
    t = np.linspace(0, 1, m)
    a, c = np.exp(-((t / 0.35) ** 2)), 1 - np.exp(-((t / 0.7) ** 4))
    return (
        np.column_stack([a, np.clip(1 - a - c, 0, None), c]) / (a + np.clip(1 - a - c, 0, None) + c)[:, None]
    )


# ------------------------------------------------------------------------------- linear combinations


def test_weights_of_known_mixtures_within_their_errors() -> None:
    rng = np.random.default_rng(2)
    c = rng.dirichlet([2, 2, 2], 60)
    found = linear_combination(mixtures(c), records(PURE))
    pull = (found.weights - c) / found.stderr
    assert np.abs(pull).max() < 4
    assert np.std(pull) == pytest.approx(1.0, rel=0.3)


def test_the_sum_holds_with_bounds() -> None:
    """Larch's lincombo_fit gives 1.0003 here: the sum is exact, also where a weight is at its bound."""
    c = np.array([[1.0, 0, 0], [0.6, 0.4, 0], [0, 0, 1], [0.2, 0.3, 0.5]])
    found = linear_combination(mixtures(c, sigma=0.01), records(PURE))
    assert np.abs(found.weights.sum(1) - 1).max() < 1e-12
    assert found.weights.min() >= 0


def test_the_bounded_optimum_is_the_one_a_general_minimiser_finds() -> None:
    from scipy.optimize import minimize

    y = mixtures(np.array([[1.0, 0.1, -0.1]]), sigma=0.01)
    found = linear_combination(y, records(PURE))
    general = minimize(
        lambda w: np.sum((y.norm[0] - w @ PURE) ** 2),
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.weights[0] == pytest.approx(general.x, abs=1e-5)


def test_ranking_names_the_right_pair_and_hamilton_refuses_a_third() -> None:
    y = mixtures(np.array([[0.6, 0.4, 0.0]]))
    ranked = rank_references(record(E, y.norm[0]), records(PURE))
    assert len(ranked) == 7
    pair = ranked[ranked["references"] == "A + B"].iloc[0]
    three = ranked[ranked["size"] == 3].iloc[0]
    assert pair["needed (p)"] < 1e-6
    assert three["needed (p)"] > 0.01
    assert ranked[ranked["size"] == 2].iloc[0]["references"] == "A + B"


def test_lcf_mistakes() -> None:
    y = mixtures(np.array([[0.6, 0.4, 0.0]]))
    with pytest.raises(ComponentError, match="cannot be told apart"):
        linear_combination(y, records(np.array([PURE[0], PURE[0]])))
    with pytest.raises(ComponentError, match="does not cover"):
        linear_combination(y, [record(E[100:], PURE[0, 100:], label="short")])
    with pytest.raises(ComponentError, match="more than 10"):
        linear_combination(y, [record(E, pure(i, 0.1 * i, 9 + i), label=str(i)) for i in range(11)])


def test_lcf_of_the_tin_series_agrees_with_catxas(tin: Series, tin_folder: Path) -> None:
    """First and last scan as references: every amplitude within 0.02 of the other program's."""
    import pandas as pd

    ends = [tin.row(0), tin.row(49)]
    found = linear_combination(tin, ends, span=CATXAS_SPAN, array="flat")
    theirs = pd.read_csv(tin_folder / "catxas_results" / "SnO2_TPR_LCF_Fit 1.csv")[
        ["Amp1", "Amp2"]
    ].to_numpy()
    assert np.abs(found.weights - theirs).max() < 0.02
    assert np.abs(found.weights.sum(1) - 1).max() < 1e-12


def test_lcf_with_a_middle_reference_where_catxas_converged(tin: Series, tin_folder: Path) -> None:
    """Scans 1, 31 and 50 as references: within 0.035, but for scans whose other fit did not reach the minimum.

    For those (34 to 37 and 39) the other program's amplitudes leave more than twice our residual on the same
    data, which the exact minimum cannot.
    """
    import pandas as pd

    names = ["Amp1", "Amp2", "Amp3"]
    refs = [tin.row(i) for i in (0, 30, 49)]
    found = linear_combination(tin, refs, span=CATXAS_SPAN, array="flat")
    theirs = pd.read_csv(tin_folder / "catxas_results" / "First_mid_Last_LCFReport.csv")[names].to_numpy()
    rms = np.sqrt(np.mean((theirs @ found.references - found.data) ** 2, axis=1))
    stuck = (rms > 2 * found.rms) & (rms > 0.005)
    assert [i + 1 for i in np.flatnonzero(stuck)] == [34, 35, 36, 37, 39]
    assert np.abs(theirs.sum(1) - 1).max() > 1e-3  # theirs does not hold its sum at bounds, ours does
    assert np.abs(found.weights.sum(1) - 1).max() < 1e-12
    assert np.abs(found.weights - theirs)[~stuck].max() < 0.035


# ------------------------------------------------------------------------------ principal components


def test_pca_counts_the_species() -> None:
    found = pca(mixtures(process()))
    assert found.n_ind == 3
    assert found.n_f == 3
    assert found.re[2] == pytest.approx(SIGMA, rel=0.1)  # the real error is the noise that was put in


def test_spoil_tells_what_belongs() -> None:
    """Malinowski's rule: below 3 a target belongs, above 6 it does not."""
    found = pca(mixtures(process()))
    rng = np.random.default_rng(4)
    noisy = PURE + rng.normal(0, SIGMA, PURE.shape)
    stranger = pure(1.5, 0.9, 7.0)
    tests = target_test(found, records(np.vstack([noisy, stranger])), 3)
    assert [t.verdict for t in tests[:3]] == ["belongs"] * 3
    assert tests[3].verdict == "does not belong"
    assert tests[3].spoil > 6
    with pytest.raises(ComponentError, match="at least one left over"):
        target_test(found, records(PURE), 30)
    with pytest.raises(ComponentError, match="too few"):
        pca(records(PURE)[:2])


def test_pca_of_the_tin_series(tin: Series) -> None:
    """Three or four components above the noise: the third takes a hundred times the fifth's eigenvalue."""
    found = pca(tin, span=(29050, 29450), array="flat")
    assert found.n_ind in (3, 4)
    assert found.singular[2] ** 2 > 30 * found.singular[4] ** 2


# ------------------------------------------------------------------------------------------- MCR-ALS


def test_mcr_recovers_a_process_with_pure_ends() -> None:
    c = process()
    found = mcr_als(mixtures(c), 3, array="norm")
    assert found.rms < 1.1 * SIGMA
    assert np.abs(found.concentrations.sum(1) - 1).max() < 1e-9
    assert found.concentrations.min() >= 0
    assert found.spectra.min() >= 0
    assert min(match(found, c).correlations) > 0.97
    assert min(match(found, c).correlations_rotated) > 0.999


def test_unimodal_profiles_go_the_wrong_way_much_less() -> None:
    def wrong_way(c: np.ndarray) -> float:
        total = 0.0
        for column in c.T:
            top = int(np.argmax(column))
            total += (
                np.clip(-np.diff(column[: top + 1]), 0, None).sum()
                + np.clip(np.diff(column[top:]), 0, None).sum()
            )
        return total

    data = mixtures(process(), sigma=0.02)
    free = mcr_als(data, 3, array="norm")
    kept = mcr_als(data, 3, array="norm", unimodal=True)
    assert wrong_way(kept.concentrations) < 0.3 * wrong_way(free.concentrations)  # closure leaves a little
    assert kept.rms < 1.1 * free.rms


def test_freedom_holds_the_truth() -> None:
    c = process()
    found = mcr_als(mixtures(c), 3, array="norm", freedom=True)
    assert found.low is not None
    assert found.high is not None
    order = match(found, c).order
    low, high = found.low[:, order], found.high[:, order]
    assert np.mean((c >= low - 0.03) & (c <= high + 0.03)) > 0.9
    with pytest.raises(ComponentError, match="choose 2 to"):
        mcr_als(mixtures(c), 1)
    with pytest.raises(ComponentError, match="is unknown"):
        mcr_als(mixtures(c), 3, start="luck")


def test_mcr_of_the_tin_series_matches_catxas(tin: Series, tin_folder: Path) -> None:
    """Three components on 29050-29450 eV: RMS no worse than 0.0046, profiles as theirs within the freedom.

    As found (start by EFA) they correlate by 0.97 to 0.99; ALS from another start is another member of one
    family of equal fits, and the member closest to theirs correlates above 0.98 in every component.
    """
    theirs = np.loadtxt(tin_folder / "catxas_results" / "SnO2_TPR_MCRALS_C.csv", delimiter=",")
    found = mcr_als(tin, 3, span=(29050, 29450), array="flat")
    assert found.rms < 0.0046
    assert found.rms < 1.1 * found.rms_least
    matched = match(found, theirs)
    assert min(matched.correlations) > 0.96
    assert min(matched.correlations_rotated) > 0.98
    assert np.abs(matched.concentrations.sum(1) - 1).max() < 1e-9
    assert matched.rms_rotated < 0.05


# -------------------------------------------------------------------------------- isosbestic points


def test_two_species_cross_in_one_point_and_three_do_not() -> None:
    t = np.linspace(0, 1, 20)
    two = mixtures(np.column_stack([1 - t, t]))
    points = isosbestic_points(two, span=(-20, 60), noise=SIGMA)
    assert points
    assert all(p.holds for p in points)
    d = PURE[0] - PURE[1]
    for p in points:
        exact = E[np.argmin(np.abs(E - p.energy))]
        assert abs(np.interp(p.energy, E, d)) < 5 * SIGMA or abs(exact - p.energy) < 0.5
    three = isosbestic_points(mixtures(process()), span=(-20, 60), noise=SIGMA)
    assert not any(p.holds for p in three)
    with pytest.raises(ComponentError, match="must be positive"):
        isosbestic_points(two, span=(-20, 60), noise=-1.0)


def test_tin_has_no_isosbestic_point_over_the_whole_reduction(tin: Series) -> None:
    points = isosbestic_points(tin, span=(29190, 29260), array="flat")
    assert points
    assert not any(p.holds for p in points)
