"""The effect of the background removal on chi(k): the spline also follows a part of every shell."""

from __future__ import annotations

import numpy as np

from ..records import Array
from .autobk_matrices import CLAMP_BASE, Settings, spline_matrices


def background_response(energy: Array, e0: float, settings: Settings) -> Array:
    """The matrix T (nk, nk) of the background removal: for a true chi(k), `background` gives chi @ T.

    This holds for a background that the spline can follow. For a fixed E0 autobk is a linear least-squares problem except for the
    strength of its clamp, for which the smallest value is used. With T a model is compared with the data after the same background
    removal, for any rbkg and k weight (docs/decisions/error_budget.md).

    Parameters
    ----------
    energy : Array
        (n,) in eV, the scan's own points.
    e0 : float
        Origin of k, eV.
    settings : Settings
        Settings of autobk; `k` must be set.

    Returns
    -------
    Array
        (nk, nk) on k from 0 in steps of 0.05 1/A.
    """
    spline = spline_matrices(energy.tobytes(), float(e0), settings)
    taken = spline.low_r @ spline.inside
    clamp = CLAMP_BASE**2
    taken += clamp * spline.clamp_of @ spline.clamp_rows
    return np.eye(spline.k.size) - (taken / (1 + clamp * spline.stiff)) @ spline.chi_of
