"""Scattering paths of a structure, shells, and the choice of one path."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import CrystalError, FeffError
from ..records import Array
from .crystal import Crystal, Lattice, load_crystal
from .inp import feff_inp, make_cluster, rim
from .paths import FeffPath, parse_feff_dat
from .run import TIMEOUT, FeffRun, run_feff

# Distances of one element whose gaps are below this (A) are one shell; see docs/decisions/shells.md.
SHELL_GAP = 0.1
# A; FEFF's own rounding of positions is 1e-4 or less
_ALIKE = 0.02
_SCF_TIMEOUT = 1200.0


def find_paths(
    crystal: str | Path | Lattice | Crystal,
    *,
    absorber: str,
    edge: str = "K",
    radius: float = 6.0,
    site: int | str | None = None,
    substitute: Mapping[str, str] | None = None,
    program: str = "feff8l",
    scf: bool = False,
    polarization: Sequence[float] = (),
    timeout: float | None = None,
) -> tuple[FeffPath, ...]:
    """FEFF's scattering paths around an absorber, shortest first.

    Parameters
    ----------
    crystal : str or Path or Lattice or Crystal
        A structure as for `load_crystal`.
    absorber : str
        Absorbing element; it replaces the element on the absorbing site if that is another one.
    edge : str
        The edge, as "K" or "L3".
    radius : float
        Half the length of the longest path, A.
    site : int or str, optional
        Number, label or element of the absorbing site (see `make_cluster`).
    substitute : Mapping str, str, optional
        The element that replaces an element or the atoms of a site label.
    program : str
        feff8l or feff6l.
    scf : bool
        Self-consistent potentials (feff8l only, takes minutes).
    polarization : sequence of three numbers, optional
        Direction of the electric field in the Cartesian axes of a single crystal; by default the mean over all
        directions. With it, paths of one length differ by their angle to the field.
    timeout : float, optional
        Time limit in s; by default 300, with scf 1200.

    Returns
    -------
    tuple of FeffPath
        The paths; `relative_amplitude` is in % of the strongest.

    Raises
    ------
    CrystalError
        An unusable structure, site, radius or polarization.
    FeffError
        FEFF failed, or found no path.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> round(paths[0].reff, 3)
    2.556
    """
    structure = load_crystal(crystal)
    if not radius > 0:
        raise CrystalError(f"{structure.name}: a radius of {radius:g} A holds no path; take 3 to 10 A")
    cluster = make_cluster(structure, absorber=absorber, radius=rim(radius), site=site, substitute=substitute)
    field = tuple(float(x) for x in polarization)
    if field and (len(field) != 3 or not any(field)):
        raise CrystalError(
            f"{structure.name}: polarization = {list(polarization)} is no direction: three numbers, not all 0"
        )
    text = feff_inp(cluster, edge=edge, radius=radius, program=program, scf=scf, polarization=field)
    limit = timeout if timeout is not None else (_SCF_TIMEOUT if scf else TIMEOUT)
    run = run_feff(text, program=program, timeout=limit, label=cluster.title)
    origin = f"{cluster.title}, {edge} edge, {program}{' SCF' if scf else ''}"
    if field:
        origin += f", polarization {' '.join(f'{x:g}' for x in field)}"
    found = _paths_of(run, origin)
    if not found:
        raise FeffError(f"{cluster.title}: FEFF found no path within {radius:g} A; take a larger radius")
    return found


# The same run gives the same records, so that what is computed for a path (its splines) is computed once.
_PARSED: OrderedDict[tuple[str, str], tuple[FeffPath, ...]] = OrderedDict()
_MOST_PARSED = 32


def _paths_of(run: FeffRun, origin: str) -> tuple[FeffPath, ...]:
    """The paths of a run; the last `_MOST_PARSED` runs are kept."""
    key = (run.key, origin)
    if key not in _PARSED:
        amplitudes = _amplitudes(run.files["files.dat"].decode())
        found = [
            parse_feff_dat(content.decode(), origin, amplitudes.get(name, 0.0))
            for name, content in sorted(run.files.items())
            if name.startswith("feff") and name[4:8].isdigit()
        ]
        _PARSED[key] = tuple(sorted(found, key=lambda p: p.index))
        while len(_PARSED) > _MOST_PARSED:
            _PARSED.popitem(last=False)
    _PARSED.move_to_end(key)
    return _PARSED[key]


def _amplitudes(text: str) -> dict[str, float]:
    """File name -> amplitude in % of the strongest path, from files.dat."""
    out = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 6 and words[0].startswith("feff") and words[0].endswith(".dat"):
            out[words[0]] = float(words[2])
    # FEFF's ratios are to the shortest path, which need not be the strongest.
    strongest = max(out.values(), default=100.0)
    return {name: 100 * ratio / strongest for name, ratio in out.items()}


@dataclass(frozen=True, eq=False)
class Shell:
    """Single-scattering paths of one element at nearly the same distance; `number` counts the shells from 1, nearest first."""

    element: str
    number: int
    paths: tuple[FeffPath, ...]

    @property
    def n(self) -> float:
        """Atoms in the shell."""
        return sum(p.degen for p in self.paths)

    @property
    def reff(self) -> float:
        """Mean distance in A, weighted by the atoms."""
        return sum(p.degen * p.reff for p in self.paths) / self.n

    @property
    def path(self) -> FeffPath:
        """The path that represents the shell: the one nearest to the mean distance (the shorter of two equally near)."""
        nearest = min(self.paths, key=lambda p: (round(abs(p.reff - self.reff), 3), p.reff))
        return replace(nearest, shell=(self.n, self.reff)) if len(self.paths) > 1 else nearest


def shells(paths: Sequence[FeffPath], scatterer: str, *, within: float = SHELL_GAP) -> tuple[Shell, ...]:
    """The shells of an element: a gap of more than `within` starts a new shell.

    Parameters
    ----------
    paths : sequence of FeffPath
        Paths from `find_paths`.
    scatterer : str
        The scattering element.
    within : float
        Largest gap in A within a shell; with 0 every distance is a shell.

    Returns
    -------
    tuple of Shell
        The shells by distance, each with its paths, mean distance in A and number of atoms.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> [round(s.reff, 2) for s in xs.feff.shells(paths, "Cu")]
    [2.56, 3.61]
    """
    single = sorted(
        (p for p in paths if p.nleg == 2 and p.scatterers[0].strip() == scatterer), key=lambda p: p.reff
    )
    groups: list[list[FeffPath]] = []
    for path in single:
        if not groups or path.reff - groups[-1][-1].reff > within:
            groups.append([])
        groups[-1].append(path)
    return tuple(Shell(scatterer, i, tuple(g)) for i, g in enumerate(groups, 1))


def select(
    paths: Sequence[FeffPath],
    *,
    scatterer: str | None = None,
    legs: Sequence[str] = (),
    shell: int = 1,
    path: int | None = None,
    within: float = SHELL_GAP,
) -> FeffPath:
    """One path: by FEFF's number (`path`), by the atoms along it (`legs`), or the one that represents a shell of an element.

    A split shell (2+2+2 oxygen atoms of a distorted perovskite, 6+6 atoms in hcp) counts as one shell unless `within` is 0
    or the path is given by its number.

    Parameters
    ----------
    paths : sequence of FeffPath
        Paths from `find_paths`.
    scatterer : str, optional
        The scattering element.
    legs : sequence of str
        The atoms along the path, in either direction: ("O", "Co") for absorber-O-Co-absorber.
    shell : int
        Number of the element's shell, counted from the absorber; with `legs` the number of the path, the shortest first.
    path : int, optional
        FEFF's number of the path.
    within : float
        Largest gap in A within a shell.

    Returns
    -------
    FeffPath
        The path as FEFF wrote it; its degeneracy is that of the crystal.

    Raises
    ------
    CrystalError
        There is no such path; the message lists those that exist.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> round(xs.feff.select(paths, scatterer="Cu", shell=1).reff, 3)
    2.556
    """
    origin = paths[0].origin if paths else "no structure"
    if path is not None:
        named = next((p for p in paths if p.index == path), None)
        if named is None:
            raise CrystalError(f"{origin}: no path {path}; FEFF numbered them {_numbers(paths)}")
        if scatterer is not None and scatterer not in named.scatterers:
            of = "-".join(named.scatterers)
            raise CrystalError(f"{origin}: path {path} scatters from {of}, not from {scatterer}")
        return named
    if legs:
        return _along(paths, list(legs), shell, origin)
    if scatterer is None:
        raise CrystalError(f"{origin}: name a scatterer or FEFF's path number")
    found = shells(paths, scatterer, within=within)
    if not found:
        there = dict.fromkeys(p.scatterers[0] for p in paths if p.nleg == 2)
        raise CrystalError(f"{origin}: no {scatterer} scatters; there are {', '.join(there)}")
    return found[_counted(shell, found, f"{origin}: no shell {shell} of {scatterer}")].path


def _counted(number: int, found: Sequence[Shell | FeffPath], none: str) -> int:
    """The index of item number `number`, counted from 1. Raises CrystalError with a list of the items."""
    if not 1 <= number <= len(found):
        listed = ", ".join(f"{i}: {one.reff:.3f} A" for i, one in enumerate(found, 1))
        raise CrystalError(f"{none}; there are {listed}")
    return number - 1


def counterpart(path: FeffPath, paths: Sequence[FeffPath]) -> FeffPath | None:
    """The path of another run of FEFF along the same atoms; None if that run left it out as too weak.

    Each run numbers the paths, and chooses among equivalent ones, in its own way. Paths are therefore compared by their elements and
    by all distances between their atoms, in both directions; the nearest one within 0.02 A is taken.
    """
    symbols, apart = _ways(path)[0]
    near = [p for p in paths if p.nleg == path.nleg and abs(p.reff - path.reff) < _ALIKE]
    off = [(float(np.abs(a - apart).max()), p) for p in near for s, a in _ways(p) if s == symbols]
    least, found = min(off, key=lambda pair: pair[0], default=(_ALIKE, None))
    return found if least < _ALIKE else None


def _ways(path: FeffPath) -> list[tuple[tuple[str, ...], Array]]:
    """Elements (nleg,) and distances in A (nleg, nleg) of a path's atoms, the absorber first, in both directions."""
    legs = [path.legs, (path.legs[0], *path.legs[:0:-1])]
    where = [np.array([leg.xyz for leg in way]) for way in legs]
    return [
        (tuple(leg.symbol.strip() for leg in way), np.linalg.norm(xyz[:, None] - xyz, axis=2))
        for way, xyz in zip(legs, where, strict=True)
    ]


def _along(paths: Sequence[FeffPath], legs: list[str], number: int, origin: str) -> FeffPath:
    """Path number `number` (from 1, by length) along these atoms."""
    found = sorted(
        (p for p in paths if [s.strip() for s in p.scatterers] in (legs, legs[::-1])),
        key=lambda p: (p.reff, p.index),
    )
    if not found:
        there = dict.fromkeys("-".join(p.scatterers) for p in sorted(paths, key=lambda p: p.reff))
        raise CrystalError(
            f"{origin}: no path passes {'-'.join(legs)}; there are {', '.join(list(there)[:12])}"
        )
    return found[_counted(number, found, f"{origin}: no path {number} along {'-'.join(legs)}")]


def _numbers(paths: Sequence[FeffPath]) -> str:
    numbers = [p.index for p in paths]
    gaps = set(range(numbers[0], numbers[-1] + 1)) - set(numbers) if numbers else set()
    text = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
    return text + (f" without {', '.join(map(str, sorted(gaps)))}" if gaps else "")
