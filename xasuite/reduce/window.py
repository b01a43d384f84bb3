"""Windows of Fourier transforms; their tapers end on points of the grid, as in Ifeffit and Larch."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, RangeError
from ..records import Array

WINDOWS = ("hanning", "kaiser", "parzen", "welch", "gaussian", "sine")
_SHORT = {name[:3]: name for name in WINDOWS}


def window_name(name: str) -> str:
    """The full name of a window from its name or first three letters. Raises DataError."""
    found = _SHORT.get(str(name).strip().lower()[:3])
    if found is None:
        raise DataError(f"no window {name!r}; choose one of {', '.join(WINDOWS)}")
    return found


def ft_window(
    x: Array, limits: tuple[float, float], *, dx: float = 1.0, dx2: float | None = None, kind: str = "hanning"
) -> Array:
    """The window (n,): 1 inside `limits`, with a taper of width `dx` about each end.

    Parameters
    ----------
    x : (n,) ascending in equal steps, 1/A or A.
    limits : the middles of the two tapers, in the unit of x.
    dx, dx2 : widths of the lower and upper taper (dx2 defaults to dx). For "kaiser" dx is the parameter
        of the Bessel function, for "gaussian" the standard deviation.
    kind : one of `WINDOWS`.

    Returns
    -------
    (n,) values between 0 and 1. Ends of the tapers lie on points of x, as in Ifeffit and Larch.

    Raises DataError for an unknown window, RangeError for empty limits.
    """
    nam = window_name(kind)[:3]
    xmin, xmax = float(limits[0]), float(limits[1])
    if not xmin < xmax:
        raise RangeError(f"the window from {xmin:g} to {xmax:g} is empty; give (lower, upper)")
    corners, xeps = _corners(x, xmin, xmax, dx, dx if dx2 is None else dx2, nam)
    i1, i2, i3, i4 = corners
    x1, x2, x3, x4 = (float(x[i]) for i in corners)
    x2 += xeps if x1 == x2 else 0.0
    x4 += xeps if x3 == x4 else 0.0
    if nam == "kai":
        cen, wid = (x4 + x1) / 2, (x4 - x1) / 2
        arg = np.maximum(1 - (x - cen) ** 2 / wid**2, 0)
        return (np.i0(dx * np.sqrt(arg)) - 1) / max(1e-10, float(np.i0(dx)) - 1)
    if nam == "gau":
        width = max(dx, xeps)
        return np.exp(-((x - (x4 + x1) / 2) ** 2) / (2 * width**2))
    out = np.zeros(len(x))
    if nam == "sin":
        out[i1 : i4 + 1] = np.sin(np.pi * (x4 - x[i1 : i4 + 1]) / (x4 - x1))
        return out
    out[i2:i3] = 1.0
    up, down = slice(i1, i2 + 1), slice(i3, i4 + 1)
    rise, fall = (x[up] - x1) / (x2 - x1), (x[down] - x3) / (x4 - x3)
    if nam == "han":
        out[up], out[down] = np.sin(np.pi / 2 * rise) ** 2, np.cos(np.pi / 2 * fall) ** 2
    elif nam == "par":
        out[up], out[down] = rise, 1 - fall
    else:
        out[up], out[down] = 1 - ((x[up] - x2) / (x2 - x1)) ** 2, 1 - fall**2
    return out


def _corners(
    x: Array, xmin: float, xmax: float, dx: float, dx2: float, nam: str
) -> tuple[tuple[int, int, int, int], float]:
    """Indices where the window starts, is 1, is no longer 1 and ends; and Ifeffit's small step."""
    xstep = (x[-1] - x[0]) / (len(x) - 1)
    xeps = 1e-4 * xstep
    if nam == "gau":
        dx = max(dx, xeps)
    ends = (
        max(float(x[0]), xmin - dx / 2),
        xmin + dx / 2 + xeps,
        xmax - dx2 / 2 - xeps,
        min(float(x[-1]), xmax + dx2 / 2),
    )
    i1, i2, i3, i4 = (int((v + xeps) / xstep) for v in ends)
    i1, i2 = max(0, i1), max(0, i2)
    i3, i4 = min(len(x) - 1, i3), min(len(x) - 1, i4)
    if i2 == i1:
        i1 = max(0, i2 - 1)
    if i4 == i3:
        i3 = max(i2, i4 - 1)
    return (i1, i2, i3, i4), xeps
