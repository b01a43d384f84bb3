"""Fits that begin on few points of k: they end where those on all points end, wherever the rows lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.exafs.test_batch_fit import LARCH, RANGES, one_shell, simulate, two_shells
from xasuite.exafs.audits import compare
from xasuite.exafs.engine import fit_stack, nodes
from xasuite.exafs.engine.kernel_numpy import CONVERGED, evaluate, fit_rows, make_work
from xasuite.exafs.engine.objective import build as objective
from xasuite.exafs.engine.program import compile_model, run, start_values
from xasuite.exafs.equation import path_wave

M = nodes.MANY
# A step below 1e-4 standard errors ends a fit, or one below 3e-3 that leaves less than 1e-5 if steps go on shrinking as they
# did: ends reached on two ways lie that far apart.
ENDS = 3e-4


def found_by(model, chi):
    """What fit_stack finds points for, and the points."""
    program, goal = compile_model(model), objective(chi.k, model.range)
    work = make_work(model, program, [goal], [0] * len(model.paths))
    return work, nodes.nodes(work, start_values(program))


# the third, with five values of a path free, needs more points than gain anything: below
FEW = [
    (make, c) for make in (one_shell, two_shells) for c in RANGES[:4] if (make, c) != (two_shells, RANGES[2])
]


@pytest.mark.parametrize(("make", "changes"), FEW, ids=lambda v: getattr(v, "__name__", str(v)))
def test_few_points_stand_for_all_inside_their_box(make, changes) -> None:
    """chi of drawn values, none of them among those that the points were found with, as the objective sees it."""
    model = make(**changes)
    work, found = found_by(model, simulate(model))
    assert found is not None
    assert found.k.shape[1] < 0.5 * work.k.size
    rng = np.random.default_rng(8)
    for path, (middle, reach) in enumerate(zip(found.middle, found.reach, strict=True)):
        values = middle + np.where(np.isfinite(reach), reach, 0.0) * rng.uniform(-1, 1, (300, len(middle)))
        every = path_wave(work.tables, path, work.k, values)[0].imag @ work.matrix.T
        few = path_wave(work.tables, path, found.k[path], values)[0].imag @ found.matrix[path].T
        # curves below 3e-6 of the strongest are left out; hundreds of draws find the box's corners, where they add up
        assert (np.linalg.norm(few - every, axis=1) / np.linalg.norm(every, axis=1)).max() < 3e-4


@pytest.mark.parametrize("changes", [*RANGES[:3], {"space": "q", "kweight": (1, 3)}], ids=str)
@pytest.mark.parametrize("make", [one_shell, two_shells])
def test_fits_end_where_those_on_all_points_do(make, changes) -> None:
    model = make(**changes)
    chi = simulate(model, m=M, noise=1e-4)
    few, every = fit_stack(model, chi, start="mean"), fit_stack(model, chi, start="mean", backend="numpy")
    assert few.status == every.status
    ok = few.ok  # some rows of two shells end at the kink of sqrt(third**2), where no step is short
    assert ok.sum() >= 0.98 * M
    assert few.step[ok].max() < 3e-3
    for name in few.names:
        off = np.abs(few.values[name] - every.values[name]) / every.stderr_fit[name]
        assert off[ok].max() < ENDS
        np.testing.assert_allclose(few.stderr[name][ok], every.stderr[name][ok], rtol=LARCH)
    assert max(d.difference for d in compare(model, chi, few, np.array([0, M - 1]))) < LARCH


def test_rows_outside_the_box_are_fitted_on_all_points() -> None:
    """deltar from -0.17 to 0.17 A about a start that is good for 0.12 A."""
    model = one_shell()
    start = {p.name: float(p.value) for p in model.params}
    shifts = np.linspace(-0.17, 0.17, M)
    program = fit_stack(model, simulate(model, m=M, noise=0.0))
    x = np.tile([0.85, 4.0, 0.0, 0.008], (M, 1))
    x[:, 2] = shifts
    moved = replace(program, x=x, k=simulate(model).k).chi()
    noise = 1e-4 * np.random.default_rng(3).normal(size=moved.shape)
    chi = replace(simulate(model, m=M), chi=moved + noise)
    fit, twin = fit_stack(model, chi, start=start), fit_stack(model, chi, start=start, backend="numpy")
    assert fit.ok.all()
    assert np.abs(fit.values["dr"] - shifts).max() < 0.01
    for name in fit.names:
        assert (np.abs(fit.values[name] - twin.values[name]) / twin.stderr_fit[name]).max() < ENDS
    assert fit.evaluations.max() > fit.evaluations.min()


def test_threads_and_runs_change_nothing() -> None:
    model = two_shells()
    chi = simulate(model, m=M, noise=1e-4)
    one = fit_stack(model, chi, start="mean")
    nodes._found.cache_clear()
    two = fit_stack(model, chi, start="mean", threads=2)
    for name in one.names:
        np.testing.assert_array_equal(one.values[name], two.values[name])
        np.testing.assert_array_equal(one.stderr[name], two.stderr[name])


def box(found, m, rng):
    """Values (m, np, 8) of the paths drawn inside the box, the first half of them at its corners."""
    side = rng.uniform(-1, 1, (m, *found.middle.shape))
    side[: m // 2] = np.sign(side[: m // 2])
    return found.middle + np.where(np.isfinite(found.reach), found.reach, 0.0) * side


@pytest.mark.parametrize(("make", "changes"), FEW, ids=lambda v: getattr(v, "__name__", str(v)))
def test_the_bound_holds_inside_the_box_and_is_near(make, changes) -> None:
    """The model on few points against that on all, in standard errors of an R factor of `MISFIT`.

    The noise of a fit with R is |data| sqrt(R / degrees of freedom) in each direction that counts.
    """
    model = make(**changes)
    work, found = found_by(model, simulate(model))
    amplitude = run(work.program, start_values(work.program)[None])[0][0, :, 0]
    values, nr = box(found, 400, np.random.default_rng(2)), len(work.matrix)
    few, every, size2 = np.zeros((400, nr)), np.zeros((400, nr)), 0.0
    for path, a in enumerate(amplitude):
        of = work.tables, path
        few += a * path_wave(*of, found.k[path], values[:, path])[0].imag @ found.matrix[path].T
        every += a * path_wave(*of, work.k, values[:, path])[0].imag @ work.matrix.T
        middle = path_wave(*of, work.k, found.middle[path][None])[0].imag @ work.matrix.T
        size2 += float(np.square(a * middle).sum())
    free = work.points - work.program.n_varied
    off = np.linalg.norm(few - every, axis=1) / np.sqrt(size2) * np.sqrt(free / nodes.MISFIT)
    # amplitudes are rounded to powers of two for the bound
    assert off.max() < found.bound <= nodes.LIMIT
    assert off.max() > found.bound / 12


@pytest.mark.parametrize("changes", RANGES[:3], ids=str)
def test_fits_on_few_points_end_within_the_bound(changes) -> None:
    """Minima on few points and on all, for data from all over the box with an R factor near 0.01: in standard errors.

    The bound is of the start of the last step; a step on all points leaves a twentieth of it.
    """
    model = one_shell(**changes)
    work, found = found_by(model, simulate(model))
    rng, n = np.random.default_rng(4), found.k.shape[1]
    few = replace(work, k=found.k[0], matrix=found.matrix[0], spans=((work.spans[0][0], slice(0, n)),))
    values = box(found, 60, rng)[:, 0]
    values[:, 3] = np.maximum(values[:, 3], 0.002)
    x = np.column_stack([np.full(60, 0.9), *(0.8 * values + 0.2 * found.middle[0])[:, 1:4].T])
    clean = evaluate(work, x)[0]
    noise = rng.normal(size=clean.shape)
    noise *= 0.1 * np.linalg.norm(clean, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    data, weights = clean + noise, np.ones((60, work.weight_of_row.max() + 1))
    every, ends = fit_rows(work, data, weights, x), fit_rows(few, data, weights, x)
    free = work.points - work.program.n_varied
    stderr = np.sqrt(np.einsum("mii->mi", every.covar) * (every.chisq / free)[:, None])
    inside = (np.abs(run(work.program, ends.x)[0] - found.middle) <= found.reach).all(axis=(1, 2))
    ok = inside & (every.ended == CONVERGED) & (ends.ended == CONVERGED)
    assert ok.sum() > 30
    rfactor = every.chisq / np.square(data).sum(axis=1)
    off = (np.abs(ends.x - every.x) / stderr).max(axis=1)
    # either fit ends within `ENDS` of its minimum
    assert (off - ENDS < found.bound * np.sqrt(nodes.MISFIT / rfactor))[ok].all()


def test_too_many_points_are_none() -> None:
    """A Kaiser window, k^3 and the cumulants of both paths: where the bound needs most of the points, all are used."""
    model = two_shells(**RANGES[2])
    assert found_by(model, simulate(model))[1] is None


def test_a_window_down_to_zero_has_no_few_points() -> None:
    """1 / q at the bottom of the band moves with e0: no few points stand for it."""
    model = one_shell()
    wide = replace(model, range=replace(model.range, k=(0.3, 4.0)))
    assert found_by(wide, simulate(model))[1] is None
