"""From starting values to a minimum, and other starts where the first leads to none; compiled or in numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import FitError
from ...records import OK, Array
from . import kernel_numpy, result
from .kernel_numpy import Solution, Work
from .program import CAPS, run, start_values
from .result import AT_MINIMUM, Backend

Start = Mapping[str, float] | Literal["mean", "previous"] | None

_STATUS = {
    kernel_numpy.CONVERGED: result.MAX_ITERATIONS,
    kernel_numpy.AT_LIMIT: result.MAX_ITERATIONS,
    kernel_numpy.SINGULAR: result.SINGULAR,
    kernel_numpy.STUCK: result.STUCK,
}


def solve(
    work: Work,
    data: Array,
    weights: Array,
    start: Start,
    threads: int,
    backend: Backend,
    numbers: Array | None = None,
) -> Solution:
    """Fits of data (m, nr) with weights (m, n weights); rows that end badly are tried again from other starts.

    `numbers` (m, nn) are the rows' own values of the last of the carried parameters and variables.
    """
    if backend not in ("numba", "numpy"):
        raise FitError(f"backend = {backend!r} is not one of numba, numpy")
    program, chain = work.program, start == "previous"
    own = start_values(program, start if isinstance(start, Mapping) else None)
    mean = data.mean(axis=0, keepdims=True), weights.mean(axis=0, keepdims=True)
    first = _from_mean(work, *mean, own) if start == "mean" else own
    numbers = np.empty((len(data), 0)) if numbers is None else numbers
    if chain and backend == "numpy":
        return _chained(work, data, weights, _begun(own, numbers))
    x0 = _begun(first, numbers)
    solution = _run(work, data, weights, x0, threads, backend, chain)
    if settled(solution).all():
        return solution
    alike = len(data) > 1 and work.owner is None
    others = [own] if start == "mean" else [_from_mean(work, *mean, own)] if alike else []
    for other in (*others, *_aside(work, own)):
        rows = np.flatnonzero(~settled(solution))
        if rows.size:
            x0 = _begun(other, numbers[rows])
            again = _run(work.take(rows), data[rows], weights[rows], x0, threads, backend)
            _keep_better(solution, again, rows)
    return solution


def _begun(x: Array, numbers: Array) -> Array:
    """The starts (m, nv + nc) of rows that begin at x (nv + nc,), each with its own variables (m, nn)."""
    x0 = np.broadcast_to(x, (len(numbers), x.size))
    return np.hstack([x0[:, : x.size - numbers.shape[1]], numbers]) if numbers.shape[1] else x0


def settled(s: Solution) -> NDArray[np.bool_]:
    """Rows (m,) that are within `AT_MINIMUM` standard errors of a minimum."""
    return np.asarray((s.ended != kernel_numpy.SINGULAR) & (s.step <= AT_MINIMUM))


def _aside(work: Work, own: Array) -> Iterator[Array]:
    """Two starts away from `own` (nv + nc,), by half the longest step that the minimiser may take, either way."""
    program, nv = work.program, work.program.n_varied
    slopes = np.abs(run(program, own[None])[1][0, :, :, :nv])
    with np.errstate(divide="ignore"):
        far = (CAPS[None, :, None] / slopes).min(axis=(0, 1))
    signs = np.where(np.arange(nv) % 2, -0.5, 0.5)
    for sign in (1, -1):
        moved = own[:nv] + sign * signs * np.where(np.isfinite(far), far, 0)
        yield np.concatenate([np.clip(moved, program.lower, program.upper), own[nv:]])


def _from_mean(work: Work, data: Array, weights: Array, own: Array) -> Array:
    """The solution for the mean spectrum where there is one, else the start it was sought from."""
    mean = kernel_numpy.fit_rows(work, data, weights, own[None])
    found = own.copy()
    if mean.ended[0] == kernel_numpy.CONVERGED:
        found[: work.program.n_varied] = mean.x[0]
    return found


def _chained(work: Work, data: Array, weights: Array, begun: Array) -> Solution:
    rows: list[Solution] = []
    for i in range(len(data)):
        x0 = begun[i].copy()
        if rows and rows[-1].ended[0] == kernel_numpy.CONVERGED:
            x0[: work.program.n_varied] = rows[-1].x[0]
        rows.append(kernel_numpy.fit_rows(work, data[i : i + 1], weights[i : i + 1], x0[None]))
    return kernel_numpy.joined(rows)


def _run(
    work: Work, data: Array, weights: Array, x0: Array, threads: int, backend: Backend, chain: bool = False
) -> Solution:
    if backend == "numpy":
        return kernel_numpy.fit_rows(work, data, weights, x0)
    from . import compiled_fit

    return compiled_fit.fit_rows(work, data, weights, x0, threads=threads, chain=chain)


def _keep_better(solution: Solution, again: Solution, rows: NDArray[np.intp]) -> None:
    """Put the second try in place where it is at a minimum and the first is not, or else lowers chi-square."""
    was, now = settled(solution)[rows], settled(again)
    better = (now & ~was) | ((now == was) & (again.chisq < solution.chisq[rows]))
    for name in Solution.__dataclass_fields__:
        getattr(solution, name)[rows[better]] = getattr(again, name)[better]


def status_of(s: Solution) -> list[str]:
    """The status of each row: by its certificate and, where it is not at a minimum, by how the minimiser ended."""
    return [OK if done else _STATUS[int(ended)] for done, ended in zip(settled(s), s.ended, strict=True)]
