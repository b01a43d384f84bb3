"""E0 where the edge is sampled more coarsely than the scan beyond it: on the main rise, against the edge that was put in."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import XasuiteWarning
from xasuite.reduce import main_rise

# element, edge, its energy and half width (eV): three K edges of different core holes and an L3 edge
EDGES = (
    ("Cu", "K", 8979.0, 1.5),
    ("Fe", "K", 7112.0, 1.3),
    ("Ru", "K", 22117.0, 3.0),
    ("Pt", "L3", 11564.0, 3.0),
)
STEPS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0)


def scan(
    edge: tuple, step: float, dense: float, above: float, shift: float, white: bool, seed: int
) -> xs.Spectrum:
    """An edge with steps of `step` eV from 30 eV below to `above` eV above, and of `dense` eV beyond."""
    element, name, e0, width = edge
    begin, end = e0 - 30 + shift * step, e0 + above
    e = [np.arange(e0 - 150, begin, 5.0), np.arange(begin, end, step), np.arange(end + dense, e0 + 60, dense)]
    energy = np.unique(np.round(np.concatenate([*e, np.arange(e0 + 60.5, e0 + 400, 2.0)]), 3))
    x = np.clip(energy - e0, 0.1, None)
    mu = 0.7 + np.arctan((energy - e0) / width) / np.pi
    mu += white * 0.8 * np.exp(-0.5 * ((energy - e0 - 5) / 2.5) ** 2)
    mu += (energy > e0 + 8) * 0.08 * np.sin(5 * np.sqrt(0.2625 * x)) * np.exp(-x / 150)
    mu += np.random.default_rng(seed).normal(0, 3e-4, energy.size)
    return xs.Spectrum(energy, mu, element, name)


def grids() -> list[tuple[float, xs.Spectrum, float]]:
    """The step, the scan and its edge's energy: 1440 scans."""
    every = itertools.product(EDGES, STEPS, (0.2, 0.5, 1.0), (5, 10, 15, 20, 30), (0.0, 0.5), (False, True))
    return [
        (step, scan(edge, step, dense, above, shift, white, seed), edge[2])
        for seed, (edge, step, dense, above, shift, white) in enumerate(every)
    ]


def off(step: float, e0: float, known: float) -> bool:
    """Farther from the edge than one step and what a white line moves the steepest place (2 eV)."""
    return abs(e0 - known) > max(step, 2.0) + 2.0


def test_e0_is_on_the_rise_of_every_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same grids without the rule hold wrong ones, or this would show nothing."""
    made = grids()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)
        assert [s.element for step, s, known in made if off(step, float(xs.find_e0(s)), known)] == []
    monkeypatch.setattr("xasuite.reduce.edge.coarse", lambda *_: False)
    assert sum(off(step, float(xs.find_e0(s)), known) for step, s, known in made) >= 5


@pytest.mark.slow
def test_e0_is_on_the_rise_of_grids_the_rule_was_not_made_on() -> None:
    """2304 scans: other elements, steps and ends of the dense part than those above."""
    edges = (
        ("Ti", "K", 4966.0, 1.2), ("Ni", "K", 8333.0, 1.4), ("Zr", "K", 17998.0, 2.6),
        ("Mo", "K", 20000.0, 2.9), ("Au", "L3", 11919.0, 3.1), ("Ce", "L3", 5723.0, 2.2),
    )  # fmt: skip
    every = itertools.product(
        edges, (1.5, 2.5, 3.5, 6.0), (0.15, 0.4, 0.8, 1.5), (4, 8, 12, 25), (0.0, 0.3, 0.7), (False, True)
    )
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)
        for seed, (edge, *how) in enumerate(every, 100_000):
            if off(how[0], float(xs.find_e0(scan(edge, *how, seed))), edge[2]):
                wrong.append((edge[0], *how))
    assert seed == 100_000 + 2303
    assert wrong == []


def test_what_is_moved_is_said_and_a_stack_is_its_rows() -> None:
    """Steps of 3 eV, and of 0.2 eV from 5 eV above the edge on: the steepest point is none of the edge's."""
    one = scan(EDGES[0], 3.0, 0.2, 5, 0.5, False, 90)
    with pytest.warns(
        XasuiteWarning, match=r"the points across the edge are 3 eV apart; .* E0 = 8979\.\d eV is used"
    ):
        single = float(xs.find_e0(one))
    with pytest.warns(XasuiteWarning, match="and 2 other rows"):
        stack = xs.find_e0(replace(one, mu=np.stack([one.mu, 2 * one.mu, one.mu + 0.1])))
    assert single == pytest.approx(8979.0, abs=1.5)  # half a step
    assert stack == pytest.approx(single, abs=1e-6)


@pytest.mark.parametrize("element", ["Co", "Mn", "Fe", "Ru", "Ni", "Cu"])
def test_measured_foils_keep_larchs_e0(
    element: str, foil: Callable[[str], xs.Spectrum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their edges are sampled finely enough: the rule changes none of them, also not where it is always asked."""
    spectrum = replace(foil(f"{element}_foil_QAS.dat"), element=element, edge="K")
    before = float(xs.find_e0(spectrum))
    monkeypatch.setattr(main_rise, "NEAR", 1e4)
    assert float(xs.find_e0(spectrum)) == before
