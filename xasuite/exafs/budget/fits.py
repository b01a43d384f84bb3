"""Fits of one model with many draws; the model is passed through the response of the background removal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..engine import objective
from ..engine.kernel_numpy import Solution, Work, evaluate, make_work, stacked
from ..engine.minimise import settled, solve
from ..engine.program import Program, compile_model
from ..engine.result import Backend
from ..engine.spread import everything, full
from ..model import FitRange, Model

# range of k in 1/A over which the weight of the model rises: below it FEFF's paths do not describe chi
_ONSET = (1.5, 2.5)
# up to this number of rows numpy is faster than loading the compiled kernel
_FEW = 1024


@dataclass(frozen=True, eq=False)
class Fitted:
    """Fits of m rows: values of all parameters and path quantities (m, n keys), and their covariance by noise (m, n keys, n keys)."""

    keys: tuple[str, ...]
    values: Array
    noise: Array
    ok: NDArray[np.bool_]

    def column(self, key: str) -> Array:
        """One quantity (m,)."""
        return self.values[:, self.keys.index(key)]


@dataclass(frozen=True, eq=False)
class Reduced:
    """chi (m, nk) of one data set on k (nk,), and the response (nk, nk) of a model to its background removal."""

    k: Array
    chi: Array
    response: Array


@dataclass(frozen=True, eq=False)
class Case:
    """The input of one fit: the data sets, their range, and values that replace those of fixed parameters."""

    sets: tuple[Reduced, ...]
    ranges: FitRange
    held: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ready:
    """The problem of one case: work, data (m, nr) in the coordinates of the objective, weights (m, n weights).

    In k and q space, where chi-square is not in units of the noise, `seen` (nr, nr) is the covariance of the data for chi(k) with a
    noise of 1, and `epsilon` (m, nr) is the noise.
    """

    model: Model
    work: Work
    data: Array
    weights: Array
    seen: Array | None = None
    epsilon: Array | None = None

    @property
    def carried(self) -> Array:
        """The values (m, nc) of the carried parameters."""
        return full(self.work.program, np.empty((len(self.data), 0)))

    def solution(self, backend: Backend = "numpy") -> Solution:
        """The fits of its rows."""
        return solve(self.work, self.data, self.weights, None, 1, backend, self.carried)

    def noise(self, x: Array, covar: Array, carried: Array) -> Array:
        """The covariance (m, nv, nv) of the varied parameters by noise epsilon_k, independent of the misfit.

        `covar` is the unscaled covariance, the inverse of J'WJ, at the minimum x (m, nv). In R space chi-square, scaled to
        independent points, is in units of the noise. In k and q space the noise is propagated through the linear solution C J'W.
        """
        per_point = self.work.sizes(len(carried))[1][:, None, None]
        covar = np.nan_to_num(covar)
        if self.seen is None or self.epsilon is None:
            return np.asarray(covar * per_point)
        nv, nr = covar.shape[-1], len(self.seen)
        _, jacobian, *_ = evaluate(self.work, full(self.work.program, x, carried))
        _, weights = self.work.observed(self.data, self.weights)
        pull = covar @ (jacobian[:, :, :nv] * weights[..., None]).swapaxes(1, 2)
        by_data = pull[:, :, :nr] * self.epsilon[:, None]
        known = pull[:, :, nr:]  # the restraints, each with its own standard deviation
        by_restraints = (known * (per_point / weights[:, None, nr:])) @ known.swapaxes(1, 2)
        return np.asarray(by_data @ self.seen @ by_data.swapaxes(1, 2) + by_restraints)


@dataclass(frozen=True, eq=False)
class Fitter:
    """A model compiled once, for fits with many ranges and responses; `owner` (np,) are the data sets of its paths."""

    model: Model
    owner: tuple[int, ...]
    program: Program

    @classmethod
    def of(
        cls,
        model: Model,
        owner: tuple[int, ...],
        changed: Model | None = None,
        variables: Mapping[str, float] | None = None,
    ) -> Fitter:
        """The fitter of a model. `changed` is fitted instead, but results are those of `model`; `variables` are names in it with one number per row.

        Raises FitError as `fit_chi`.
        """
        points = model.range.n_idp * (1 + max(owner))
        return cls(model, owner, compile_model(changed or model, points, variables))

    def prepared(self, case: Case) -> Ready:
        """The problem of a case."""
        program = self.program
        if case.held:
            start = program.start.copy()
            for name, value in case.held.items():
                start[program.slots.index(name)] = value
            program = replace(program, start=start)
        goals, data, weights, seen, epsilon = [], [], [], [], []
        for one in case.sets:
            ranges = case.ranges
            if ranges.k[1] > one.k[-1]:  # a higher E0 moves the end of the data
                ranges = replace(ranges, k=(ranges.k[0], float(one.k[-1])))
            goal = _goal(one.k.tobytes(), ranges)
            matrix = np.ascontiguousarray(((goal.data_matrix @ one.response.T) * onset(one.k))[:, 1:])
            goals.append(replace(goal, k=one.k[1:], model_matrix=matrix))
            data.append(goal.reduce(one.chi))
            noise = goal.noise_of(one.chi, None)
            weights.append(goal.weights(noise, False))
            seen.append(goal.data_matrix)
            epsilon.append(noise[:, goal.weight_of_row])
        work = make_work(self.model, program, goals, self.owner)
        ready = Ready(self.model, work, np.hstack(data), np.hstack(weights))
        if case.ranges.space == "r":
            return ready
        # data sets are independent of each other
        ends = np.cumsum([0, *(len(matrix) for matrix in seen)])
        together = np.zeros((ends[-1], ends[-1]))
        for matrix, low, high in zip(seen, ends, ends[1:], strict=False):
            together[low:high, low:high] = matrix @ matrix.T
        return replace(ready, seen=together, epsilon=np.hstack(epsilon))

    def fit(self, case: Case, numbers: Array | None = None) -> Fitted:
        """The fits of a case; `numbers` (m, nn) are values of each row for the last of the carried parameters and variables."""
        ready = self.prepared(case)
        carried = full(ready.work.program, np.empty((len(ready.data), 0)), numbers)
        backend: Backend = "numba" if len(carried) > _FEW else "numpy"
        solution = solve(ready.work, ready.data, ready.weights, None, 1, backend, carried)
        return self._read(ready, solution, carried)

    def fit_each(self, cases: Iterable[Case]) -> list[Fitted]:
        """The fits of several cases with one k weight each; all in one call if they have few rows."""
        each = [self.prepared(case) for case in cases]
        counts = [len(r.data) for r in each]
        # a fixed value without an error must be the same for all rows of a program
        fixed = {r.work.program.start[len(self.program.names) :].tobytes() for r in each}
        if sum(counts) > _FEW or len(fixed) > 1:
            return [self._read(r, r.solution("numba"), r.carried) for r in each]
        work, data = stacked([r.work for r in each], [r.data for r in each])
        weights, carried = (
            np.concatenate(a) for a in zip(*((r.weights, r.carried) for r in each), strict=True)
        )
        solution = solve(work, data, weights, None, 1, "numpy", carried)
        ends = np.cumsum(counts)
        parts = [slice(end - n, end) for end, n in zip(ends, counts, strict=True)]
        unit = [
            r.noise(solution.x[p], solution.covar[p], r.carried) for r, p in zip(each, parts, strict=True)
        ]
        found = self._fitted(work.program, solution, np.concatenate(unit), carried)
        return [
            Fitted(found.keys, found.values[part], found.noise[part], found.ok[part]) for part in parts
        ]  # fmt: skip

    def _read(self, ready: Ready, solution: Solution, carried: Array) -> Fitted:
        unit = ready.noise(solution.x, solution.covar, carried)
        return self._fitted(ready.work.program, solution, unit, carried)

    def _fitted(self, program: Program, solution: Solution, unit: Array, carried: Array) -> Fitted:
        """`unit` (m, nv, nv) is the covariance by the noise."""
        nv = self.program.n_varied
        params, paths = everything(program, self.model, solution.x, carried)
        both = {**{p.name: params[p.name] for p in self.model.params}, **paths}
        slopes = np.stack([slope[:, :nv] for _, slope in both.values()], axis=1)
        return Fitted(
            keys=tuple(both),
            values=np.stack([v for v, _ in both.values()], axis=1),
            noise=slopes @ unit @ slopes.swapaxes(1, 2),
            ok=settled(solution),
        )


def onset(k: Array) -> Array:
    """The weight (nk,) of the model at each k: 0 below 1.5, 1 above 2.5 1/A."""
    x = np.clip((k - _ONSET[0]) / (_ONSET[1] - _ONSET[0]), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


@lru_cache(maxsize=256)
def _goal(k_bytes: bytes, ranges: FitRange) -> objective.Objective:
    return objective.build(np.frombuffer(k_bytes), ranges)
