"""Standard errors of everything that follows from the fitted parameters, for m fits of one model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...records import Array
from ..model import Model
from .program import Keyed, Program, parameters, path_quantities


class Spread:
    """Errors of functions of the parameters from the scaled covariance (m, nv, nv) and the inherited errors.

    `response` (m, nv, nc) is how the varied parameters move with each carried one, whose own standard errors the program
    holds. The fit's own part and those of the carried parameters are independent.
    """

    def __init__(self, program: Program, covar: Array, response: Array) -> None:
        self.nv = program.n_varied
        self.held = np.isnan(np.einsum("mii->mi", covar))
        self.clean = np.where(self.held[:, :, None] | self.held[:, None, :], 0.0, covar)
        # a carried parameter moves everything through the varied ones, and by itself
        own = np.broadcast_to(
            np.eye(program.carried.size), (len(covar), program.carried.size, program.carried.size)
        )
        self.inherited = np.concatenate([np.nan_to_num(response), own], axis=1) * program.carried

    def parts(self, slope: Array) -> tuple[Array, Array]:
        """The fit's own standard error (m,), NaN where there is none, and each carried parameter's (m, nc).

        `slope` (m, nv + nc) is the derivative by the varied and the carried parameters.
        """
        by_varied = slope[:, : self.nv]
        used = np.flatnonzero(by_varied.any(axis=0))  # most functions depend on one or two
        some = by_varied[:, used]
        own = np.einsum("mi,mij,mj->m", some, self.clean[:, used[:, None], used], some)
        shares = np.abs(np.einsum("mi,mic->mc", slope, self.inherited))
        lost = ((by_varied != 0) & self.held).any(axis=1)
        shares[lost] = np.nan
        return np.where(lost | (own <= 0), np.nan, np.sqrt(np.maximum(own, 0))), shares

    def covariance(self, slopes: Array) -> Array:
        """The covariance (m, n, n) of n functions with slopes (m, n, nv + nc), inherited errors included."""
        by_varied, carried = slopes[..., : self.nv], slopes @ self.inherited
        return by_varied @ self.clean @ by_varied.swapaxes(1, 2) + carried @ carried.swapaxes(1, 2)


def total(own: Array, shares: Array) -> Array:
    """The parts in quadrature (m,); NaN where there is none."""
    square = np.nan_to_num(own) ** 2 + (shares**2).sum(axis=1)
    return np.where(square > 0, np.sqrt(square), np.nan)


def full(program: Program, x: Array, numbers: Array | None = None) -> Array:
    """The varied x (m, nv) with the carried values, and with the rows' variables (m, nn) in the place of the last of them."""
    carried = np.tile(program.start[program.n_varied : len(program.names)], (len(x), 1))
    if numbers is not None and numbers.shape[1]:
        carried[:, -numbers.shape[1] :] = numbers
    return np.hstack([x, carried])


def numbers_of(variables: Mapping[str, Array], m: int) -> Array:
    """Variables (m,) of m rows as columns (m, nn)."""
    return np.reshape(list(variables.values()), (len(variables), m)).T


def everything(program: Program, model: Model, x: Array, numbers: Array | None = None) -> tuple[Keyed, Keyed]:
    """Values and slopes of every parameter, and of every path's quantities, at the varied x (m, nv)."""
    at = full(program, x, numbers)
    return parameters(program, at), path_quantities(program, model, at)
