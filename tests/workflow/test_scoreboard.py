"""What a score is worth: on cells whose answer is known, and on a shipped table."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest

from xasuite.exafs.model import FitRange
from xasuite.references import fits_dir
from xasuite.specs import load_spec
from xasuite.workflow.resolve import Context
from xasuite.workflow.run import run_spec
from xasuite.workflow.score import (
    COMBINED_ERRORS,
    Cell,
    columns_of,
    constant_row,
    row_difference,
    score_differences,
    score_result,
    smallest_change,
)
from xasuite.workflow.scoreboard import held_out, window_ends
from xasuite.workflow.settings import Refits, Setting, settings


def cell(row: str, published: float, ours: float, err: float, path: str = "A-B") -> Cell:
    gap = (ours - published) / err
    return Cell(
        "p/T", row, path, "n", published, None, ours, err, abs(gap) <= COMBINED_ERRORS, "closure", gap, "", spec="p/s",
        bound=COMBINED_ERRORS * err,
    )  # fmt: skip


def test_the_best_constant_row() -> None:
    """1, 2, 3 with bounds of 0.6: two neighbours share a value, three do not; with bounds of 1.2 all three do."""
    apart = [cell(r, v, v, 0.3) for r, v in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    assert constant_row(apart) == (2, 3)
    assert constant_row([cell(r, v, v, 0.6) for r, v in (("a", 1.0), ("b", 2.0), ("c", 3.0))]) == (3, 3)
    assert constant_row(apart[:1]) == (0, 0)  # one row is no trend


def test_the_smallest_change_is_seen_in_95_of_100() -> None:
    """Against draws: a truth moved by it is scored outside in 95 % of 20 000 (standard error 0.15 %)."""
    change = smallest_change([cell("a", 5.0, 5.0, 0.25)])["n"]
    found = 5.0 + change + np.random.default_rng(1).normal(0, 0.25, 20_000)
    assert np.mean(np.abs(found - 5.0) > 0.5) == pytest.approx(0.95, abs=0.006)


def test_settings_that_flatter_one_half_fail_on_the_other() -> None:
    """A setting made for one row is scored on the other: no cell of it is within."""
    own = [cell("a", 5.0, 5.0, 0.1), cell("b", 5.0, 6.0, 0.1)]
    other = [cell("a", 5.0, 6.0, 0.1), cell("b", 5.0, 5.0, 0.1)]
    assert held_out([own, other]) == (0, 2)
    good = [cell("a", 5.0, 5.1, 0.1), cell("b", 5.0, 5.1, 0.1)]
    assert held_out([good]) == (2, 2)
    assert held_out([own[:1]]) == (0, 0)


def test_the_window_reaches_beyond_the_stated_range() -> None:
    """dk = 4 on 3 to 11: Larch's Hanning window is zero at 1 and at 13 (its taper is centred on the end)."""
    from xasuite.exafs.fourier_transform import k_window

    k = 0.05 * np.arange(300)
    w = k_window(k, (3.0, 11.0), dk=4.0)
    used = k[w > 1e-9]
    ends = window_ends(FitRange((3.0, 11.0), (1.0, 2.0), dk=4.0))
    assert ends == (1.0, 13.0)
    assert used[0] == pytest.approx(ends[0], abs=0.06)
    assert used[-1] == pytest.approx(ends[1], abs=0.06)


@pytest.fixture(scope="module")
def table():  # type: ignore[no-untyped-def]
    from xasuite.specs.published import table_of

    result = run_spec(load_spec(fits_dir() / "ccro/s7_co.toml"), variants=False)
    cells = score_result(result, table_of(result.loaded), "ccro/S7")
    return result, cells


def test_a_spec_refitted_as_it_says_gives_the_same(table) -> None:  # type: ignore[no-untyped-def]
    """The spec's own setting gives its own R and N S02 to the minimiser's precision; the foil is refitted alike.

    The foil's spec has another background (rbkg 1.0, k^2), which moves its S02 by a thousandth.
    """
    result, _ = table
    fit, reduction = result.loaded.spec.fit, result.loaded.spec.reduce
    own = Setting(reduction.rbkg, reduction.bkg_kweight, None, fit.kweight[0], fit.dk, (0.0, 0.0), (0.0, 0.0))
    refits, stated = Refits(Context()), [f.stated or f for f in result.rows]
    for again, first in zip(refits.fits(result, own), stated, strict=True):
        new, old = again.paths[0], first.paths[0]
        assert new.n.value * new.s02.value == pytest.approx(old.n.value * old.s02.value, rel=1e-4)
        assert new.s02.value == pytest.approx(old.s02.value, rel=3e-3)
        assert again.paths[0].r.value == pytest.approx(first.paths[0].r.value, abs=1e-5)
    other = refits.fits(result, replace(own, dk=1.0))
    assert abs(other[0].paths[0].n.value - stated[0].paths[0].n.value) > 0.05


def test_settings_are_drawn_without_looking() -> None:
    assert settings(5) == settings(5)
    assert len(set(settings(30))) == 30


def test_a_constant_row_nearly_passes_a_published_table(table) -> None:  # type: ignore[no-untyped-def]
    """Six rows that differ by less than their errors: the score says so, and the differences are what can tell."""
    result, cells = table
    by_quantity = {q: constant_row(c for c in cells if c.quantity == q) for q in ("n", "r", "sigma2")}
    # printed N spread over 0.2 and sigma2 over 2.1e-3, both less than twice the bound of two errors (0.8, 1.2e-3): one value
    # is within six times; R grows by 33 mA in steps of 4 to 8, and two bounds (5 mA each) hold two or three rows
    assert (by_quantity["n"], by_quantity["sigma2"]) == ((6, 6), (6, 6))
    assert by_quantity["r"] in ((2, 6), (3, 6))
    assert constant_row(cells) == (12 + by_quantity["r"][0], 18)
    fits = {(result.loaded.name, f.label): f for f in result.rows}
    found = score_differences(cells, fits)
    assert (found.within, found.total) == (45, 45)
    # seen are as many as the printed rows, the truth here, let expect of these errors: 29.8 with a standard deviation of 1.8
    expected, variance = 0.0, 0.0
    for (path, quantity), of in columns_of(cells).items():
        for a, b in combinations(of, 2):
            error = row_difference(fits[a.spec, a.row], fits[b.spec, b.row], path, quantity).stderr
            true = abs(b.published - a.published) / error
            seen = NormalDist().cdf(true - 2) + NormalDist().cdf(-true - 2)
            expected, variance = expected + seen, variance + seen * (1 - seen)
    assert abs(found.decided - expected) < 3 * variance**0.5
    assert expected > 25  # with the rows' whole errors it would be 12: what they share cancels
    # every row's R replaced by the mean: the largest differences, of R from first to last, are no longer there
    flat = [replace(c, ours=1.985, difference=0.0) if c.quantity == "r" else c for c in cells]
    assert score_differences(flat, fits).within < 45


def test_cells_of_a_model_do_not_decide() -> None:
    """A model's truth is no published number: its cells are scored, and a reproduction is good without them."""
    from xasuite.workflow.reproduce import Reproduction

    wrong = cell("a", 5.0, 6.0, 0.1)
    assert not Reproduction((), (wrong,), (), (), {}).good
    assert Reproduction((), (replace(wrong, counted=False),), (), (), {}).good
    result = run_spec(load_spec(fits_dir() / "comn/co1_co.toml"), variants=False)
    from xasuite.specs.published import table_of

    assert not any(c.counted for c in score_result(result, table_of(result.loaded), "comn/models"))
