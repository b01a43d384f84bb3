"""E0 of stacks against Larch's own, one by one: measured edges, with noise up to where the first guess moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import ReductionError
from xasuite.records import Spectrum
from xasuite.reduce.steepest import steepest

from .. import larch_reduction as reduction

Made = Callable[..., Spectrum]
NOISES = (0.0, 1e-4, 1e-3, 5e-3, 3e-2)  # of the edge's height, a point
FOILS = ("Co", "Mn", "Fe", "Ru", "Ni", "Cu")


def noisy(s: Spectrum, copies: int = 4) -> Spectrum:
    """Copies of a spectrum at each noise."""
    levels = np.repeat(NOISES, copies)[:, None] * np.ptp(s.mu)
    rng = np.random.default_rng(3)
    return replace(
        s, mu=s.mu + levels * rng.standard_normal((levels.size, s.mu.size)), mu_err=None, reference=None
    )


@pytest.mark.parametrize("element", FOILS)
def test_measured_foils_as_larch_has_them(data_root: Path, element: str) -> None:
    """Both choose a point of the scan: the same one for every row. At a noise of 3 % of the edge the first guess lands
    on glitches, before the first twentieth of the scan too."""
    s = xs.read(str(data_root / f"foils/{element}_foil_QAS.dat"), element=element, edge="K").mu()
    stack = noisy(s)
    larch = np.array([reduction.find_e0(s.energy, m) for m in stack.mu])
    np.testing.assert_allclose(s.energy[steepest(s.energy, stack.mu)], larch, rtol=0, atol=1e-6)
    np.testing.assert_allclose(xs.find_e0(stack, which="maximum"), larch, rtol=0, atol=1e-6)
    # and with the choice between two inflections, row by row what a single spectrum gets
    single = [float(xs.find_e0(replace(stack, mu=m))) for m in stack.mu]
    np.testing.assert_allclose(xs.find_e0(stack), single, rtol=0, atol=1e-6)


@pytest.mark.parametrize("every", [1, 2, 3, 5, 8, 15])
def test_few_points_as_larch_has_them(made: Made, every: int) -> None:
    """Larch takes other thresholds for scans of few points: the point found is the same one."""
    s = made(noise=1e-3)
    energy, mu = s.energy[::every], s.mu[::every]
    found = xs.find_e0(replace(s, energy=energy, mu=mu), which="maximum")
    assert float(found) == pytest.approx(reduction.find_e0(energy, mu), abs=1e-6)


@pytest.mark.parametrize("apart", [0.004, 0.0008])
def test_close_points_as_larch_has_them(made: Made, apart: float) -> None:
    s = made(noise=1e-3)
    close = np.sort(np.append(s.energy, s.energy[40] + apart))
    stack = replace(s, energy=close, mu=np.stack([np.interp(close, s.energy, s.mu)] * 3))
    assert xs.find_e0(stack, which="maximum").tolist() == [reduction.find_e0(close, m) for m in stack.mu]


def test_too_few_points_are_refused(made: Made) -> None:
    s = made()
    with pytest.raises(ReductionError, match="13 points are too few to find E0; give e0"):
        xs.find_e0(replace(s, energy=s.energy[:13], mu=s.mu[:13]))


def test_a_stack_of_any_shape_keeps_it(made: Made) -> None:
    s = made(noise=1e-3)
    stack = replace(s, mu=np.stack([[s.mu, s.mu], [s.mu, s.mu], [s.mu, 2 * s.mu]]))
    found = xs.find_e0(stack)
    assert found.shape == (3, 2)
    assert np.ptp(found) == 0


def test_the_row_without_an_edge_is_named(made: Made) -> None:
    """Flat in energy but for a fall: no rise within reach of what is steepest."""
    s = replace(made(), element="Co", edge="K")
    falling = -np.linspace(0, 1, s.energy.size)
    with pytest.raises(ReductionError, match=r"\[1\].*mu never rises"):
        xs.find_e0(replace(s, mu=np.stack([s.mu, falling]), label="run"), which="first")
