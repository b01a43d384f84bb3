"""LCF, PCA, MCR-ALS and isosbestic points: on mixtures of known composition and on the SnO2 series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from xasuite.errors import ComponentError
from xasuite.records import Normalized, Series
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

if TYPE_CHECKING:
    import pandas as pd

    from xasuite.xanes import Combination

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
    with pytest.raises(ComponentError, match="too alike"):
        linear_combination(y, records(np.array([PURE[0], PURE[0]])))
    with pytest.raises(ComponentError, match="does not cover"):
        linear_combination(y, [record(E[100:], PURE[0, 100:], label="short")])
    with pytest.raises(ComponentError, match="more than 10"):
        linear_combination(y, [record(E, pure(i, 0.1 * i, 9 + i), label=str(i)) for i in range(11)])


def test_lcf_of_the_tin_series_agrees_with_catxas(tin: Series, tin_folder: Path) -> None:
    """First and last scan as references: every amplitude within 0.02 of the other program's."""
    import pandas as pd

    ends = [tin.row(0), tin.row(49)]
    found = linear_combination(tin, ends, energy_range=CATXAS_SPAN, array="flat")
    theirs = pd.read_csv(tin_folder / "catxas_results" / "SnO2_TPR_LCF_Fit 1.csv")[
        ["Amp1", "Amp2"]
    ].to_numpy()
    assert np.abs(found.weights - theirs).max() < 0.02
    assert np.abs(found.weights.sum(1) - 1).max() < 1e-12


@pytest.fixture(scope="module")
def middle(tin: Series, tin_folder: Path) -> tuple[Combination, pd.DataFrame, np.ndarray]:
    """Scans 1, 31 and 50 as references: ours, the other program's report, and the scans where it stood still.

    Standing still, by that program's own files: scan 1's weight at its bound of zero, and scan 31's weight still
    the one of the fit without the sum ("Fit 2"), although the sum asks for another.
    """
    import pandas as pd

    results = tin_folder / "catxas_results"
    report = pd.read_csv(results / "First_mid_Last_LCFReport.csv")
    without_sum = pd.read_csv(results / "SnO2_TPR_LCF_Fit 2.csv")
    found = linear_combination(tin, [tin.row(i) for i in (0, 30, 49)], energy_range=CATXAS_SPAN, array="flat")
    still = (report["Amp1"] < 1e-9) & ((report["Amp2"] - without_sum["Amp2"]).abs() < 1e-3)
    still.iloc[[0, 30, 49]] = False  # the references themselves
    return found, report, still.to_numpy()


AMPLITUDES = ["Amp1", "Amp2", "Amp3"]


def test_lcf_with_a_middle_reference_agrees_with_catxas(middle) -> None:
    """Every amplitude within 0.02 where the other program moved; in nine scans it did not."""
    found, report, still = middle
    assert [i + 1 for i in np.flatnonzero(still)] == [34, 35, 36, 37, 39, 40, 41, 42, 43]
    theirs = report[AMPLITUDES].to_numpy()
    assert np.abs(found.weights - theirs)[~still].max() < 0.02
    assert np.abs(theirs.sum(1) - 1).max() > 1e-3  # theirs does not hold its sum at bounds, ours does
    assert np.abs(found.weights.sum(1) - 1).max() < 1e-12


def test_where_catxas_stood_still_its_own_amplitudes_fit_ten_times_worse(middle) -> None:
    """On the same data: its stated chi-square is what its amplitudes leave on our spectra, to 5 per cent."""
    found, report, still = middle
    theirs = report[AMPLITUDES].to_numpy()
    with_theirs = np.sum((theirs @ found.references - found.data) ** 2, axis=1)
    with_ours = found.rms**2 * found.energy.size
    far = np.abs(found.weights - theirs).max(1) > 0.05
    assert [i + 1 for i in np.flatnonzero(far)] == [34, 35, 36, 37, 39]
    assert report["Chi2"].to_numpy()[far] == pytest.approx(with_theirs[far], rel=0.05)
    assert (with_theirs[far] > 10 * with_ours[far]).all()
    assert (with_theirs[still] > with_ours[still]).all()


def test_larch_stands_still_where_a_weight_starts_below_its_bound(middle) -> None:
    """catXAS calls Larch's lincombo_fit, which starts from the free fit. A weight that is negative there is put on
    its bound, where the derivative of lmfit's mapping of bounds vanishes up to rounding: scans 35 to 37. Whether a step is
    found depends on the processor; Larch stands where it started, as catXAS does, or goes to our minimum."""
    larch = pytest.importorskip("larch")
    from larch.math.lincombo_fitting import lincombo_fit

    found, report, _ = middle
    group = [
        larch.Group(energy=found.energy, norm=y, filename=name)
        for y, name in zip(found.references, "abc", strict=True)
    ]
    for i in (34, 35, 36):
        free = np.linalg.lstsq(found.references.T, found.data[i], rcond=None)[0]
        assert free[0] < 0
        other = lincombo_fit(
            larch.Group(energy=found.energy, norm=found.data[i], filename="y"),
            group,
            minvals=[0] * 3,
            maxvals=[1] * 3,
        ).weights
        assert report["Amp2"][i] == pytest.approx(free[1], abs=0.02)  # catXAS stands where it started
        assert abs(found.weights[i, 1] - free[1]) > 0.15
        started, minimum = (abs(other["b"] - b) for b in (free[1], found.weights[i, 1]))
        assert min(started, minimum) < 1e-3


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
    found = pca(tin, energy_range=(29050, 29450), array="flat")
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


MCR_SPAN = (29050.0, 29450.0)


@pytest.fixture(scope="module")
def catxas_profiles(tin_folder: Path) -> np.ndarray:
    return np.loadtxt(tin_folder / "catxas_results" / "SnO2_TPR_MCRALS_C.csv", delimiter=",")


def test_mcr_of_the_tin_series_matches_catxas(tin: Series, catxas_profiles: np.ndarray) -> None:
    """Three components on 29050-29450 eV: RMS no worse than 0.0046, profiles as theirs within the freedom.

    As found (start by EFA) they correlate by 0.97 to 0.99; ALS from another start is another member of one
    family of equal fits, and the member closest to theirs correlates above 0.98 in every component.
    """
    found = mcr_als(tin, 3, energy_range=MCR_SPAN, array="flat")
    assert found.rms < 0.0046
    assert found.rms < 1.1 * found.rms_least
    matched = match(found, catxas_profiles)
    assert min(matched.correlations) > 0.97
    assert min(matched.correlations_rotated) > 0.98
    assert np.abs(matched.concentrations.sum(1) - 1).max() < 1e-9
    assert matched.rms_rotated < 0.05


@pytest.mark.parametrize(
    ("choice", "rms", "correlations"),
    [
        ({"start": "efa"}, 0.00138, (0.989, 0.973, 0.984)),
        ({"start": "purest"}, 0.00139, (0.981, 0.948, 0.993)),
        ({"start": (0, 30, 49)}, 0.00139, (0.986, 0.956, 0.986)),
        ({"start": "efa", "closure": False}, 0.00137, (0.989, 0.973, 0.985)),
        ({"start": "efa", "unimodal": True}, 0.00142, (0.984, 0.967, 0.983)),
        ({"start": "efa", "array": "norm"}, 0.00175, (0.986, 0.958, 0.983)),
    ],
)
def test_what_each_choice_of_mcr_gives(
    tin: Series, catxas_profiles: np.ndarray, choice: dict, rms: float, correlations: tuple[float, ...]
) -> None:
    """The table of docs/decisions/mcr_als.md: as found, no choice exceeds 0.98 in the middle component.

    The flattened spectra fit alike to 4 per cent whatever the start: the residual chooses none of them.
    """
    found = mcr_als(tin, 3, energy_range=MCR_SPAN, **{"array": "flat", **choice})
    assert found.rms == pytest.approx(rms, abs=2e-5)
    assert match(found, catxas_profiles).correlations == pytest.approx(correlations, abs=0.006)


@pytest.mark.parametrize(
    ("regressor", "ends", "correlations"),
    [
        ("OLS", False, (0.997, 0.972, 0.999)),
        ("NNLS", True, (0.984, 0.945, 0.979)),
        ("OLS", True, (0.991, 0.941, 0.993)),
    ],
)
def test_neither_clipping_nor_known_ends_lead_to_the_other_profiles(
    tin: Series, catxas_profiles: np.ndarray, regressor: str, ends: bool, correlations: tuple[float, ...]
) -> None:
    """pymcr by itself, from EFA: least squares cut off at zero, as in Tauler's first programs, instead of
    non-negative least squares; and the first ten scans held at pure SnO2, the last at its product."""
    from pymcr.constraints import Constraint, ConstraintNonneg, ConstraintNorm
    from pymcr.mcr import McrAR

    from xasuite.xanes.matrix import matrix
    from xasuite.xanes.mcr import evolving_factors
    from xasuite.xanes.rotation import closest

    class Ends(Constraint):
        def transform(self, A: np.ndarray) -> np.ndarray:
            A = A.copy()
            A[:10] = (1.0, 0.0, 0.0)
            A[-1] = (0.0, 0.0, 1.0)
            return A

    data = matrix(tin, energy_range=MCR_SPAN, array="flat").rows
    known = [Ends()] if ends else []
    als = McrAR(
        max_iter=40,
        c_regr=regressor,
        st_regr=regressor,
        c_constraints=[ConstraintNonneg(), ConstraintNorm(), *known],
        st_constraints=[ConstraintNonneg()],
        tol_increase=np.inf,
        tol_n_increase=50,
        tol_n_above_min=50,
        tol_err_change=1e-9,
    )
    als.fit(data, C=evolving_factors(data, 3))
    matched = closest(als.C_opt_, als.ST_opt_, catxas_profiles)
    assert matched.correlations == pytest.approx(correlations, abs=0.006)


def test_the_other_profiles_are_no_least_squares_solution(tin: Series, catxas_profiles: np.ndarray) -> None:
    """Their concentrations, with the spectra that fit them best, leave a fifth more than three components must,
    and their first ten scans, all unreduced SnO2 below 50 C, scatter in the middle component twice as much as ours."""
    found = mcr_als(tin, 3, energy_range=MCR_SPAN, array="flat")
    best = catxas_profiles @ np.linalg.lstsq(catxas_profiles, found.data, rcond=None)[0]
    assert np.sqrt(np.mean((found.data - best) ** 2)) > 1.2 * found.rms
    ours = found.concentrations[:, match(found, catxas_profiles).order]
    assert catxas_profiles[:10, 1].std() > 1.5 * ours[:10, 1].std()
    assert catxas_profiles[:10, 0].max() < 0.8  # where nothing but SnO2 is in the beam
    assert ours[:10, 0].min() > 0.9


# -------------------------------------------------------------------------------- isosbestic points


def test_two_species_cross_in_one_point_and_three_do_not() -> None:
    t = np.linspace(0, 1, 20)
    two = mixtures(np.column_stack([1 - t, t]))
    points = isosbestic_points(two, energy_range=(-20, 60), noise=SIGMA)
    assert points
    assert all(p.holds for p in points)
    d = PURE[0] - PURE[1]
    for p in points:
        exact = E[np.argmin(np.abs(E - p.energy))]
        assert abs(np.interp(p.energy, E, d)) < 5 * SIGMA or abs(exact - p.energy) < 0.5
    three = isosbestic_points(mixtures(process()), energy_range=(-20, 60), noise=SIGMA)
    assert not any(p.holds for p in three)
    with pytest.raises(ComponentError, match="must be positive"):
        isosbestic_points(two, energy_range=(-20, 60), noise=-1.0)


def test_tin_has_no_isosbestic_point_over_the_whole_reduction(tin: Series) -> None:
    points = isosbestic_points(tin, energy_range=(29190, 29260), array="flat")
    assert points
    assert not any(p.holds for p in points)
