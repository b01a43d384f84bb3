"""The data of a series that a fit along time needs, and the chi-square of its rows with derivatives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...errors import FitError
from ...records import Array, Chi, Rows, axes, concat
from ..engine import objective
from ..engine.kernel_numpy import CHUNK, evaluate, make_work
from ..engine.result import BatchFit
from ..engine.spread import full
from ..engine.stack import fit_stack
from ..model import Model


@dataclass(frozen=True, eq=False)
class Kept(Rows):
    """The data of each row for a fit along time: `data` (m, nr), chi(k) in the coordinates of the objective, and the row's own fit.

    These are 40 to 60 numbers per row and those of the fit, instead of the spectrum and chi(k), so that a series of any length can be
    fitted (see `keep`).
    """

    data: Array = field(metadata=axes("row", "coordinate"))
    fit: BatchFit = field(metadata=axes("row"))


def keep(model: Model, blocks: Iterable[Chi], *, epsilon_k: float | None = None, threads: int = 1) -> Kept:
    """The input of a fit along time, from successive blocks of chi (m, nk); each row is fitted by itself.

    Only one block is in memory at a time. Raises what fit_stack raises, and FitError if there is no block.
    """
    data, fits = [], []
    for chi in blocks:
        fits.append(fit_stack(model, chi, epsilon_k=epsilon_k, start="mean", threads=threads))
        data.append(objective.build(chi.k, model.range).reduce(np.atleast_2d(chi.chi)))
    if not fits:
        raise FitError("there is no row to fit along time")
    return Kept(np.concatenate(data), concat(fits))


class RowsChi2:
    """The chi-square of each row: its information matrix and half its negative gradient ("pull") at any parameters."""

    def __init__(self, model: Model, kept: Kept, used: NDArray[np.bool_]) -> None:
        fit = kept.fit
        goal = objective.build(fit.k, model.range)
        program = fit.program
        self.work = make_work(model, program, [goal], [0] * len(model.paths))
        self.nv = program.n_varied
        numbers = fit.numbers[used]
        self.carried = full(program, np.empty((len(numbers), 0)), numbers)
        given = fit.epsilon_given is not None
        self.data, self.weights = self.work.observed(
            kept.data[used], goal.weights(fit.epsilon_k[used], given)
        )
        self.free = self.work.points - self.nv
        self.to_chi2 = goal.n_idp / goal.n_residual

    def information(self, x: Array, scale: float) -> tuple[Array, Array, float]:
        """Information matrices (m, nv, nv), pulls (m, nv), and the sum of chi-square, all divided by `scale`."""
        normal, pull = np.empty((len(x), self.nv, self.nv)), np.empty((len(x), self.nv))
        total = 0.0
        for i in range(0, len(x), CHUNK):
            part = slice(i, i + CHUNK)
            model, jacobian, *_ = evaluate(self.work, np.hstack([x[part], self.carried[part]]))
            jacobian, residual = jacobian[..., : self.nv], self.data[part] - model
            weighted = jacobian * self.weights[part][..., None]
            normal[part] = np.einsum("mri,mrj->mij", weighted, jacobian) / scale
            pull[part] = np.einsum("mri,mr->mi", weighted, residual) / scale
            total += float(np.einsum("mr,mr->", self.weights[part], residual**2)) / scale
        return normal, pull, total
