"""The paths of a whole cluster as truth: shells with given values, all other paths with estimated ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from ..errors import CrystalError, DataError
from ..feff.disorder import debye_terms, sigma2
from ..feff.paths import FeffPath
from ..feff.search import shells
from .truth import TruthPath

# Debye temperatures of elements in K (Kittel, Introduction to Solid State Physics); what is not here, oxides
# and carbons among them, is taken at _OTHER_THETA.
_THETA = {"Co": 445.0, "Ru": 600.0, "Cu": 343.0, "Ni": 450.0, "Fe": 470.0, "Mn": 410.0, "Sn": 200.0}
_OTHER_THETA = 500.0


def shell(
    paths: Sequence[FeffPath],
    scatterer: str,
    *,
    n: float,
    r: float,
    sigma2: float,
    number: int = 1,
    distances: int = 1,
    s02: float = 1.0,
    e0: float = 0.0,
    third: float = 0.0,
    fourth: float = 0.0,
) -> tuple[TruthPath, ...]:
    """A shell of `n` atoms at mean distance `r` with mean square spread `sigma2`, from the paths of a structure.

    Parameters
    ----------
    paths : sequence of FeffPath
        Paths of the structure.
    scatterer : str
        Element of the shell.
    n : float
        Coordination number.
    r : float
        Mean distance, A.
    sigma2 : float
        Mean square spread of the whole shell, A^2.
    number : int
        Number, from 1, of the first distance of that element in the structure.
    distances : int
        Number of successive distances among which the atoms are divided as in the structure. Their splitting is kept, and its variance
        subtracted from sigma2 of each.
    s02 : float
        Amplitude reduction factor.
    e0 : float
        Energy shift, eV.
    third, fourth : float
        Cumulants, A^3 and A^4.

    Returns
    -------
    tuple of TruthPath
        One for each distance.

    Raises
    ------
    CrystalError
        There is no such shell.
    DataError
        The splitting alone exceeds sigma2.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> [first] = shell(paths, "Cu", n=12, r=2.56, sigma2=0.008)
    >>> round(float(first.deltar + first.feff.reff), 3)
    2.56
    """
    found = [s.path for s in shells(paths, scatterer, within=0)]
    chosen = found[number - 1 : number - 1 + distances]
    if len(chosen) < distances or number < 1:
        origin = paths[0].origin if paths else "no structure"
        raise CrystalError(
            f"{origin}: {len(found)} distances of {scatterer}; {number} to {number + distances - 1} asked"
        )
    total = sum(p.degen for p in chosen)
    mean = sum(p.degen * p.reff for p in chosen) / total
    spread = sum(p.degen * (p.reff - mean) ** 2 for p in chosen) / total
    if distances > 1 and spread >= sigma2:
        raise DataError(
            f"{paths[0].origin}: {scatterer} at {distances} distances spreads by {spread:.4f} A^2, more than the "
            f"sigma2 of {sigma2:.4f} asked for; take fewer distances"
        )
    return tuple(
        TruthPath(
            p, n=n * p.degen / total, s02=s02, e0=e0, deltar=r - mean, sigma2=sigma2 - spread, third=third,
            fourth=fourth, label=f"{p.absorber}-{scatterer}",
        )
        for p in chosen
    )  # fmt: skip


def rest(
    paths: Sequence[FeffPath],
    *,
    but: Collection[FeffPath] = (),
    beyond: float = 0.0,
    scale: float = 1.0,
    s02: float = 1.0,
    e0: float = 0.0,
    temperature: float = 300.0,
    theta: float | None = None,
) -> tuple[TruthPath, ...]:
    """Every other path of a structure: its own degeneracy times `scale`, sigma2 by the correlated Debye model.

    Parameters
    ----------
    paths : sequence of FeffPath
        Paths of the structure.
    but : collection of FeffPath
        Paths to leave out, such as those of a shell.
    beyond : float
        Only paths of reff above this, A.
    scale : float
        Factor on the degeneracies.
    s02 : float
        Amplitude reduction factor.
    e0 : float
        Energy shift of each path, eV.
    temperature : float
        K.
    theta : float, optional
        Debye temperature in K; by default that of the element for paths of one element, else 500.

    Returns
    -------
    tuple of TruthPath
        One for each path.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> all(p.sigma2 > 0 for p in rest(paths, beyond=3.0))
    True
    """
    left_out = {p.index for p in but}
    out = []
    for path in paths:
        if path.index in left_out or path.reff <= beyond:
            continue
        symbols = {leg.symbol for leg in path.legs}
        kelvin = theta or (_THETA.get(path.absorber, _OTHER_THETA) if len(symbols) == 1 else _OTHER_THETA)
        out.append(
            TruthPath(
                path, n=path.degen * scale, s02=s02, e0=e0, sigma2=debye(path, temperature, kelvin),
                label="-".join((path.absorber, *path.scatterers)),
            )
        )  # fmt: skip
    return tuple(out)


@lru_cache(maxsize=4096)
def debye(path: FeffPath, temperature: float, theta: float) -> float:
    """sigma2 in A^2 of a path by the correlated Debye model, both temperatures in K.

    Raises FeffError when the path's text lacks FEFF's mean Norman radius.
    """
    return sigma2(debye_terms(path), temperature, theta)
