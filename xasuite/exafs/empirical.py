"""Empirical standards: scattering paths made from a measured spectrum with a known shell."""

from __future__ import annotations

import numpy as np

from ..constants import ELEMENTS
from ..errors import DataError
from ..feff.paths import FeffPath, parse_feff_dat
from ..records import Chi
from .fourier_transform import filtered, fourier, k_window

_FAR = 1e6  # A, the mean free path that is written: its effect is part of the measured amplitude
_KMAX = 20.0  # 1/A, the end of FEFF's tables
_SEEN = 0.5  # where the k window is below this, amplitude and phase are constant
_HEAD = """ {title}
 Abs   Z={za:2d} Rmt= 1.000 Rnm= 1.000 {edge} shell
 Pot 1 Z={zs:2d} Rmt= 1.000 Rnm= 1.000
 Gam_ch=0.000E+00 H-L exch
 Mu= 0.000E+00 kf=0.000E+00 Vint= 0.000E+00 Rs_int= 1.000
 Path    1      icalc       2
 -----------------------------------------------------------------------
   2 {n:8.3f} {r:9.4f}    1.0000    0.00000 nleg, deg, reff, rnrmav(bohr), edge
        x         y         z   pot at#
     0.0000    0.0000    0.0000  0 {za:3d} {absorber:2s}       absorbing atom
     0.0000    0.0000 {r:9.4f}  1 {zs:3d} {scatterer:2s}
    k   real[2*phc]   mag[feff]  phase[feff] red factor   lambda      real[p]@#
"""


def empirical_standard(
    chi: Chi,
    scatterer: str,
    *,
    n: float,
    distance: float,
    r: tuple[float, float],
    k: tuple[float, float] = (3.0, 12.0),
    kweight: int = 2,
    dk: float = 1.0,
    dr: float = 0.0,
    window: str = "hanning",
) -> FeffPath:
    """A scattering path with amplitude and phase from the measured chi(k) of a standard with a known shell.

    The shell is isolated by a Fourier filter, and its A sin(2 k R + phi) is written in the form of a FEFF path. In a fit
    with this path sigma2, e0 and s02 are relative to the standard: 0, 0 and 1 for the standard itself. Errors of N and R of
    the standard are not included in the errors of the fit.

    Parameters
    ----------
    chi : Chi
        chi(k) of the standard, with E0 chosen as for the samples.
    scatterer : str
        Element of the neighbours.
    n : float
        Known number of neighbours.
    distance : float
        Known distance of the neighbours, A.
    r : tuple of float
        Range of the shell in chi(R), A, not corrected for phase.
    k : tuple of float
        Range of the transform in 1/A; the range of the fit must lie inside. Near its ends amplitude and phase are constant.
    kweight : int
        k weight of the transform.
    dk : float
        Width of the tapers in k, 1/A.
    dr : float
        Width of the tapers in R, A.
    window : str
        Kind of both windows.

    Returns
    -------
    FeffPath
        Its `text` has the form of a feffNNNN.dat. Write it to a file and name that file by ``feff = "..."`` in a [[path]].

    Raises
    ------
    DataError
        An unknown element, N or distance not above 0, or no signal in the range of R.
    RangeError
        k or r is empty or outside the data.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> foil = xs.Chi(k=k, chi=0.3 * np.sin(5.1 * k) * np.exp(-0.01 * k**2), e0=8979.0, edge_step=1.0, element="Cu", edge="K")
    >>> path = xs.empirical_standard(foil, "Cu", n=12, distance=2.556, r=(1.5, 3.2), k=(3, 14))
    >>> path.degen, path.scatterers
    (12.0, ('Cu',))
    """
    for element in (chi.element, scatterer):
        if element not in ELEMENTS:
            raise DataError(f"{chi.label or 'chi'}: {element!r} is no element; name absorber and scatterer")
    if chi.stacked or not (n > 0 and distance > 0):
        raise DataError(f"{chi.label or 'chi'}: a standard is one spectrum with n and distance above 0")
    transform = fourier(chi, k=k, kweight=kweight, window=window, dk=dk, rmax=max(10.0, 1.2 * r[1]))
    seen = k_window(chi.k, k, dk=dk, window=window)
    at = (seen > _SEEN) & (chi.k > 0)
    wave = filtered(transform, r=r, dr=dr, window=window)[at] / seen[at]
    if not np.abs(wave).max() > 0:
        raise DataError(f"{chi.label or 'chi'}: nothing lies at R = {r[0]:g} to {r[1]:g} A")
    q = chi.k[at]
    # the part at positive R of sin(2 k R + phi) is exp(i (2 k R + phi)), with a phase lower by pi / 2
    turn = np.unwrap(np.angle(wave)) + np.pi / 2
    turn += 2 * np.pi * np.rint((2 * q[0] * distance - turn[0]) / (2 * np.pi))
    phase = turn - 2 * q * distance
    size = np.abs(wave) * q ** (1 - kweight) * distance**2 / n
    grid = np.arange(0.0, _KMAX + 0.025, 0.05)
    rows = zip(grid, np.interp(grid, q, size), np.interp(grid, q, phase), strict=True)
    head = _HEAD.format(
        title=f"empirical standard of {chi.label or 'chi(k)'}", edge=chi.edge or "K", n=n, r=distance, absorber=chi.element,
        scatterer=scatterer, za=ELEMENTS.index(chi.element) + 1, zs=ELEMENTS.index(scatterer) + 1,
    )  # fmt: skip
    table = [f"{x:7.3f} {0:.4E} {a:.8E} {p:.8E} {1:.4E} {_FAR:.4E} {x:.6E}" for x, a, p in rows]
    return parse_feff_dat(head + "\n".join(table) + "\n", f"empirical standard {chi.label}".strip(), 100.0)
