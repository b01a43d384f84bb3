"""Fits of one model under many draws, through the response of the background removal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..engine import objective
from ..engine.kernel_numpy import Solution, Work, make_work
from ..engine.minimise import Backend, settled, solve
from ..engine.program import Program, compile_model
from ..engine.spread import everything
from ..model import FitRange, Model

# k in 1/A over which the model sets in: below, FEFF's paths do not describe chi, and the spline must not see them
_ONSET = (1.5, 2.5)
# rows up to which all fits of a budget in numpy take less time than loading the compiled kernel
_FEW = 4


@dataclass(frozen=True, eq=False)
class Fitted:
    """Fits of m rows: every parameter and path quantity (m, n keys), the variance of noise in each (m, n keys, n keys)."""

    keys: tuple[str, ...]
    values: Array
    noise: Array
    ok: NDArray[np.bool_]

    def column(self, key: str) -> Array:
        """One quantity (m,)."""
        return self.values[:, self.keys.index(key)]


@dataclass(frozen=True, eq=False)
class Ready:
    """One draw's problem: work, data (m, nr) in the objective's coordinates, weights (m, n weights)."""

    model: Model
    work: Work
    data: Array
    weights: Array

    def solution(self) -> Solution:
        """The fits of its rows."""
        backend: Backend = "numba" if len(self.data) > _FEW else "numpy"
        return solve(self.work, self.data, self.weights, None, 1, backend)


@dataclass(frozen=True, eq=False)
class Fitter:
    """A model made ready once for fits under many ranges and responses."""

    model: Model
    program: Program

    @classmethod
    def of(cls, model: Model) -> Fitter:
        """Raises FitError as `fit_chi`."""
        return cls(model, compile_model(model))

    def prepared(
        self, k: Array, chi: Array, ranges: FitRange, response: Array, held: Mapping[str, float] | None = None
    ) -> Ready:
        """What is minimised for chi (m, nk) on k (nk,), the model seen through `response` (nk, nk); `held` replaces fixed values."""
        program = self.program
        if held:
            start = program.start.copy()
            for name, value in held.items():
                start[program.slots.index(name)] = value
            program = replace(program, start=start)
        if ranges.k[1] > k[-1]:  # E0 moved up takes the end of the data along
            ranges = replace(ranges, k=(ranges.k[0], float(k[-1])))
        goal = _goal(k.tobytes(), ranges)
        matrix = np.ascontiguousarray(((goal.data_matrix @ response.T) * onset(k))[:, 1:])
        work = replace(self._work(goal), k=k[1:], matrix=matrix, program=program, spans=self._spans(matrix))
        return Ready(self.model, work, goal.reduce(chi), goal.weights(goal.noise_of(chi, None), False))

    def fit(
        self, k: Array, chi: Array, ranges: FitRange, response: Array, held: Mapping[str, float] | None = None
    ) -> Fitted:
        """The fits of what `prepared` gives."""
        ready = self.prepared(k, chi, ranges, response, held)
        solution, program = ready.solution(), ready.work.program
        params, paths = everything(program, self.model, solution.x)
        both = {**params, **paths}
        slopes = np.stack([slope[:, : program.n_varied] for _, slope in both.values()], axis=1)
        # the covariance for residuals of the size of the noise: chi-square of n_idp - n_varied, however large it is
        unit = np.nan_to_num(solution.covar) * ready.work.per_point
        return Fitted(
            keys=tuple(both),
            values=np.stack([np.broadcast_to(v, len(chi)) for v, _ in both.values()], axis=1),
            noise=slopes @ unit @ slopes.swapaxes(1, 2),
            ok=settled(solution),
        )

    def _work(self, goal: objective.Objective) -> Work:
        return make_work(self.model, self.program, [goal], [0] * len(self.model.paths))

    def _spans(self, matrix: Array) -> tuple[tuple[slice, slice], ...]:
        whole = (slice(0, matrix.shape[0]), slice(0, matrix.shape[1]))
        return (whole,) * len(self.model.paths)


def onset(k: Array) -> Array:
    """The share (nk,) of the model that counts at each k: 0 below 1.5, 1 above 2.5 1/A."""
    x = np.clip((k - _ONSET[0]) / (_ONSET[1] - _ONSET[0]), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


@lru_cache(maxsize=256)
def _goal(k_bytes: bytes, ranges: FitRange) -> objective.Objective:
    return objective.build(np.frombuffer(k_bytes), ranges)
