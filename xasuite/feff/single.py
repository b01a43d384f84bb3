"""Single-scattering paths at any distance, by a list of paths given to FEFF."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..constants import ELEMENTS
from ..errors import CrystalError, FeffError
from .crystal import Crystal
from .inp import feff_inp, make_cluster, rim
from .paths import FeffPath, parse_feff_dat
from .run import run_feff, steps_of

# the CONTROL card as `feff_inp` writes it, and the one with which FEFF reads a list of paths instead of searching them
_CONTROL = {
    "feff8l": ("CONTROL 1 1 1 1 1 1", "CONTROL 1 1 1 0 1 1"),
    "feff6l": ("CONTROL 1 1 1 1", "CONTROL 1 0 1 1"),
}

Atoms = tuple[tuple[float, float, float, int, str], ...]


@dataclass(frozen=True)
class Listed:
    """A path for FEFF's list: atoms after the absorber as (x, y, z in A, potential, tag), half length (A), degeneracy, number of legs."""

    atoms: Atoms
    reff: float
    degen: float = 1.0
    nleg: int = 2


def paths_dat(paths: Iterable[Listed]) -> str:
    """The text of FEFF's list of paths, paths.dat; the absorber is the last atom of each path."""
    lines = [" paths of a list", " " + "-" * 71]
    for i, p in enumerate(paths, 1):
        lines.append(f"{i:6d}{p.nleg:5d}{p.degen:8.3f}  index, nleg, degeneracy, r={p.reff:8.4f}")
        lines.append("      x           y           z     ipot  label      rleg      beta        eta")
        for x, y, z, potential, tag in (*p.atoms, (0.0, 0.0, 0.0, 0, "abs")):
            lines.append(f"{x:12.6f}{y:12.6f}{z:12.6f}{potential:4d} '{tag[:6]:6s}'" + "    0.0000" * 3)
    return "\n".join(lines) + "\n"


def single_path(
    scatterer: str,
    distance: float,
    *,
    absorber: str,
    crystal: Crystal | None = None,
    edge: str = "K",
    radius: float = 6.0,
    site: int | str | None = None,
    program: str = "feff8l",
    scf: bool = False,
) -> FeffPath:
    """The single-scattering path of one atom at any distance.

    Parameters
    ----------
    scatterer : str
        Element of the scattering atom.
    distance : float
        Its distance from the absorber, A.
    absorber : str
        The absorbing element.
    crystal : Crystal, optional
        The structure whose potentials are used (Artemis's SSPath); it must contain the scatterer. By default a rock-salt
        structure of absorber and scatterer with `distance` between neighbours (Artemis's quick first shell). This is valid for a
        first shell only: at larger distances the atoms in the rock salt become too large.
    edge : str
        The edge, as "K" or "L3".
    radius : float
        Radius in A as for `find_paths`.
    site : int or str, optional
        Number, label or element of the absorbing site.
    program : str
        feff8l or feff6l.
    scf : bool
        Self-consistent potentials (feff8l only, takes minutes).

    Returns
    -------
    FeffPath
        The path, with degeneracy 1.

    Raises
    ------
    CrystalError
        The crystal has no such scatterer, or atoms would overlap.
    FeffError
        FEFF failed; the message has FEFF's words.

    Examples
    --------
    >>> path = xs.feff.single_path("O", 1.95, absorber="Cu", program="feff6l")
    >>> path.reff, path.degen, path.scatterers
    (1.95, 1.0, ('O',))
    """
    steps = [step for step in steps_of(program) if step[0] != "feff8l_pathfinder"]
    if scatterer not in ELEMENTS or not 0.5 <= distance <= 12:
        raise CrystalError(
            f"no path to {scatterer} at {distance:g} A: name an element and a distance of 0.5 to 12 A"
        )
    if crystal is None:
        crystal, site = _rock_salt(absorber, scatterer, distance), 1
        radius = max(2.5 * distance - rim(0.0), distance)
    cluster = make_cluster(crystal, absorber=absorber, radius=rim(radius), site=site)
    potential = next((i for i, symbol in cluster.potentials if i and symbol == scatterer), None)
    if potential is None:
        raise CrystalError(
            f"{crystal.name} has no {scatterer} to scatter; there are {', '.join(dict.fromkeys(cluster.symbols[1:]))}"
        )
    path = Listed(((distance, 0.0, 0.0, potential, scatterer),), distance)
    text = feff_inp(cluster, edge=edge, radius=radius, program=program, scf=scf).replace(*_CONTROL[program])
    inputs = {"feff.inp": text, "paths.dat": paths_dat([path])}
    run = run_feff(inputs, program=program, steps=steps, label=cluster.title)
    if "feff0001.dat" not in run.files:
        raise FeffError(f"{cluster.title}: FEFF made no path to {scatterer} at {distance:g} A")
    origin = f"{cluster.title}, {edge} edge, {program}{' SCF' if scf else ''}, {scatterer} at {distance:g} A"
    made = parse_feff_dat(run.files["feff0001.dat"].decode(), origin, 100.0)
    return replace(made, shell=(math.nan, distance))  # the number of atoms is not known


def _rock_salt(absorber: str, scatterer: str, distance: float) -> Crystal:
    """The two elements in rock salt, `distance` (A) apart."""
    half = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]
    return Crystal(
        name=f"rock salt of {absorber} and {scatterer}", symbols=(absorber,) * 4 + (scatterer,) * 4, xyz=distance * np.array(half),
        lattice=2 * distance * np.eye(3), site=(1,) * 4 + (2,) * 4, labels=(f"{absorber}1", f"{scatterer}2"),
    )  # fmt: skip
