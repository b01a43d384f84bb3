"""The effect of background removal on chi(k) itself: the spline follows a part of every shell."""

from __future__ import annotations

import numpy as np

from ..records import Array
from .autobk_matrices import CLAMP_BASE, Settings, spline_matrices


def background_response(energy: Array, e0: float, settings: Settings) -> Array:
    """The matrix T (nk, nk) with chi @ T the chi(k) that `background` gives for a chi(k) on top of a background that the spline can follow.

    With E0 fixed autobk is a linear least squares but for the strength of its clamp, which is taken at its least. A model
    fitted through T is compared with the data after the same removal, whatever rbkg and k weight it had
    (docs/decisions/error_budget.md).

    Parameters
    ----------
    energy : Array
        (n,) in eV, the scan's own points.
    e0 : float
        Origin of k, eV.
    settings : Settings
        What autobk was asked for; k must be set.

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
