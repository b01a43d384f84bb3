"""E0 of stacks against Larch's own, one by one: measured edges, with noise up to where the first guess moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite._larch import reduction
from xasuite.errors import ReductionError
from xasuite.records import Spectrum
from xasuite.reduce.edge_stack import LEAST, steepest, usable

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
    assert usable(s.energy)
    larch = np.array([reduction.find_e0(s.energy, m) for m in stack.mu])
    np.testing.assert_allclose(s.energy[steepest(s.energy, stack.mu)], larch, rtol=0, atol=1e-6)
    np.testing.assert_allclose(xs.find_e0(stack, which="maximum"), larch, rtol=0, atol=1e-6)
    # and with the choice between two inflections, row by row what a single spectrum gets
    single = [float(xs.find_e0(replace(stack, mu=m))) for m in stack.mu]
    np.testing.assert_allclose(xs.find_e0(stack), single, rtol=0, atol=1e-6)


def test_a_few_points_are_left_to_larch(made: Made) -> None:
    """Larch takes other ways for scans of few points, and moves points apart that are closer than 5 meV."""
    s = made(noise=1e-3)
    thin = s.energy[:: s.energy.size // (LEAST // 2)]
    assert not usable(thin)
    close = np.sort(np.append(s.energy, s.energy[40] + 0.004))
    assert not usable(close)
    stack = replace(s, energy=close, mu=np.stack([np.interp(close, s.energy, s.mu)] * 3))
    assert xs.find_e0(stack, which="maximum").tolist() == [reduction.find_e0(close, m) for m in stack.mu]


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
