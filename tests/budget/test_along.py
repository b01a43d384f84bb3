"""The budgets of a run's rows from those of some: common lines of known shape, rows' own noise of known size."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite._series.row_budgets import spread_rows
from xasuite.exafs.budget import Budget, carry, combined

N_DRAWS, NOISE, OWN = 40, 0.02, 0.03


def run_of(line: np.ndarray, size: np.ndarray, scatter: float, seed: int = 1) -> list[Budget]:
    """A budget a row: draw j lies at d_j line, times the row's size, and its own scatter; a shift of 0.1 line."""
    rng = np.random.default_rng(seed)
    d = rng.normal(0, 1, N_DRAWS)
    out = []
    for at, unit in zip(line, size, strict=True):
        draws = unit * (5.0 + d * at + rng.normal(0, scatter, N_DRAWS))
        shift = np.array([[0.1 * at * unit]])
        out.append(
            Budget(
                ("n",),
                np.array([5.0 * unit]),
                draws[:, None],
                np.array([[(NOISE * unit) ** 2]]),
                {"theory": shift},
            )
        )
    return out


def carried(budgets: list[Budget], rows: np.ndarray, size: np.ndarray, relative: bool):  # type: ignore[no-untyped-def]
    """The stated fits lie 2 % below the estimates; their own noise is half the budget's."""
    stated, noise = 4.9 * size[:, None], 0.5 * NOISE * size[:, None]
    return carry(budgets, ["n"], rows.astype(float), stated, noise, np.array([relative]))


def test_a_line_is_carried_to_the_rows_between() -> None:
    """Common part a line from 0.1 to 0.3 over 1001 rows; 21 of them give every row's error, without a row's own scatter."""
    line = np.linspace(0.1, 0.3, 1001)
    rows = np.arange(0, 1001, 50)
    ones = np.ones(rows.size)
    whole = run_of(line, np.ones(1001), OWN)
    found = carried([whole[i] for i in rows], rows, ones, False)
    x, stated = np.arange(1001.0), np.full(1001, 4.9)
    assert found.knots.size == 2
    np.testing.assert_allclose(found.moved("n", x, stated), 5.0)
    draws = np.random.default_rng(1).normal(0, 1, N_DRAWS)
    truth = line * np.hypot(1.4826 * np.median(np.abs(draws)), 0.1)
    np.testing.assert_allclose(found.common_error("n", x, stated), truth, rtol=0.1)
    # noise 0.02, and 0.03 of the draws' own scatter (its size is a median over 40: a tenth)
    own = found.own_error("n", np.full(1001, 0.5 * NOISE))
    np.testing.assert_allclose(own, np.hypot(NOISE, OWN), rtol=0.12)
    assert found.missed < 0.15


def test_what_rows_share_cancels_in_trends() -> None:
    """Of a difference a part of the common line is left, its growth; of equal rows nothing; noise of each row stays."""
    line = np.linspace(0.1, 0.3, 101)
    rows = np.arange(0, 101, 5)
    found = carried([run_of(line, np.ones(101), 0.0)[i] for i in rows], rows, np.ones(rows.size), False)
    x, stated, noise = np.array([0.0, 100.0]), np.array([4.9, 4.9]), np.full(2, 0.5 * NOISE)
    total = combined([found.weighted("n", x, stated, noise, np.array([-1.0, 1.0]))], [1.0], ["n"])
    size = 1.4826 * np.median(np.abs(np.random.default_rng(1).normal(0, 1, N_DRAWS)))
    assert total.value == pytest.approx(0.0, abs=1e-9)
    assert total.parts["choices"] == pytest.approx(0.2 * size, rel=1e-6)
    assert total.parts["theory"] == pytest.approx(0.02, rel=1e-6)
    assert total.parts["noise"] == pytest.approx(NOISE * np.sqrt(2), rel=1e-6)
    same = found.weighted("n", np.array([50.0, 50.0]), stated, noise, np.array([-1.0, 1.0]))
    assert set(combined([same], [1.0], ["n"]).parts) == {"noise"}


def test_relative_parts_follow_the_value_of_a_row_between() -> None:
    """A row of a third of its neighbours' N, itself no row of the sample, has a third of their common error."""
    size = np.ones(41)
    rows = np.arange(0, 41, 2)
    found = carried([run_of(np.full(41, 0.2), size, 0.0)[i] for i in rows], rows, size[rows], True)
    x, stated = np.array([10.0, 11.0]), np.array([4.9, 4.9 / 3])
    full, third = found.common_error("n", x, stated)
    assert third == pytest.approx(full / 3)
    assert found.moved("n", x, stated)[1] == pytest.approx(5.0 / 3)


def test_one_row_is_a_run_too() -> None:
    """No other row to tell the common part from: its own budget is all common but for the noise."""
    (only,) = run_of(np.array([0.2]), np.ones(1), OWN)
    found = carried([only], np.array([7]), np.ones(1), False)
    x, stated = np.array([7.0]), np.array([4.9])
    own, common = found.own_error("n", np.array([0.5 * NOISE])), found.common_error("n", x, stated)
    assert float(np.hypot(own, common)[0]) == pytest.approx(only.value("n").stderr)
    assert np.isnan(found.missed)


def test_a_growing_run_takes_rows_that_it_had() -> None:
    """A live series makes a budget of few new rows: all but the last row were there before, or every second of them."""
    had = set(spread_rows(np.arange(64), 32))
    for n in range(65, 200):
        now = spread_rows(np.arange(n), 32)
        assert now.size <= 33
        assert now[0] == 0
        assert now[-1] == n - 1
        step = now[1] - now[0]
        assert set(now[:-1]) <= set(range(0, n, step))
        assert len(set(now) - had) <= 2 or step > 2
        had |= set(now)
