"""A theoretical K-edge XANES of a crystal or cluster, averaged over its inequivalent absorbers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..errors import TheoryError
from ..feff import cache
from ..feff.crystal import Crystal, Lattice, load_crystal
from ..feff.inp import Cluster, make_cluster
from ..feff.potentials import HARTREE, SCF_RADIUS, Phases, compute_phases
from ..records import Array, ComplexArray, Record, axes
from . import broadening, solve

RADIUS = 6.5  # A
LMAX = solve.LMAX
GRID = (-10.0, 80.0, 0.25)  # eV from the Fermi level: first, last, step
NORM_AT = 50.0  # eV above the Fermi level where the bare atom's absorption is one
# Potentials are computed for atoms to this radius (A) at least, so that a study of radii shares them.
_POTENTIAL_RADIUS = 7.0
_LAYOUT = "1"
_CACHE = "theory"

LABEL = "theory"
LIMITS = (
    "muffin-tin potentials: no full potential, so shapes below 10 eV are the least certain",
    "core hole full or none, never screened by the theory of response",
    "one electron: no multiplets, no charge transfer, no shake-up",
    "dipole only: no quadrupole pre-edge, no polarisation (powder average), K edges only",
    "atoms without thermal motion, or one displacement (sigma2) for every pair: no thermal expansion",
    "energy relative to the Fermi level: the shift to a measured scale is fitted, never predicted",
)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class TheoryXanes(Record):
    """A computed XANES: mu (n,) on energy (n,) in eV from the Fermi level, 1 far above the edge.

    `atom` (n,) is the bare atom with the same Fermi cut. Both are broadened by the core hole, not by a
    monochromator. `sites` names the absorbers with their weights; `limits` says what the theory leaves out.
    """

    energy: Array = field(metadata=axes("energy"))
    mu: Array = field(metadata=axes("energy"))
    atom: Array = field(metadata=axes("energy"))
    label: str
    absorber: str
    edge: str = "K"
    radius: float = RADIUS
    lmax: int = LMAX
    atoms: int = 0
    sigma2: float = 0.0
    scf: bool = True
    nohole: bool = False
    gamma: float = 0.0
    sites: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = LIMITS
    key: str = ""
    meta: Mapping[str, Any] = field(default_factory=lambda: {"kind": LABEL})

    def broadened(self, *, gauss: float = 0.0, lorentz: float = 0.0) -> TheoryXanes:
        """The spectrum broadened by a Gaussian (sigma in eV) and a Lorentzian that grows with energy (eV/eV)."""
        matrix = broadening.broadening_matrix(self.energy, gauss, lorentz)
        return replace(self, mu=matrix @ self.mu, atom=matrix @ self.atom)

    def peaks(self, *, gauss: float = 2.0) -> tuple[float, ...]:
        """Energies (eV from the Fermi level) of the maxima after broadening by a Gaussian."""
        return broadening.maxima(self.energy, self.broadened(gauss=gauss).mu)


def theory_xanes(
    structure: str | Path | Lattice | Crystal,
    *,
    absorber: str,
    edge: str = "K",
    radius: float = RADIUS,
    lmax: int = LMAX,
    scf: bool = True,
    nohole: bool = False,
    site: int | str | None = None,
    substitute: Mapping[str, str] | None = None,
    scf_radius: float = SCF_RADIUS,
    sigma2: float = 0.0,
    dtype: DTypeLike = np.complex64,
    workers: int | None = None,
    progress: Progress | None = None,
) -> TheoryXanes:
    """The K-edge XANES of an absorber in a structure, by full multiple scattering in muffin tins.

    Parameters
    ----------
    structure : str, Path, Lattice or Crystal
        As for `load_crystal`: a shipped name, a CIF or xyz file, ``"amcsd:11296"``, a Lattice.
    absorber : str
        Element; it replaces another one on the absorbing site.
    edge : str
        Only "K" can be computed.
    radius : float
        Radius in A of the atoms that scatter.
    lmax : int
        Largest angular momentum; 2 is not enough, 3 is enough to 60 eV.
    scf : bool
        Self-consistent potentials (minutes, once for a structure).
    nohole : bool
        Without the core hole.
    site : int or str, optional
        One site (number, label, element). Left out, a crystal's inequivalent sites of the absorber are averaged by multiplicity, and a
        cluster's first atom of it absorbs.
    substitute : mapping, optional
        Another element on every atom of an element or site.
    scf_radius : float
        Radius in A of the self-consistency.
    sigma2 : float
        Mean square relative displacement of every pair of atoms in A^2; 0: no thermal motion.
    dtype : numpy dtype
        complex64, or complex128 for a check.
    workers : int, optional
        Threads; left out, one for each core.
    progress : callable, optional
        Called with the name of the step, steps done and steps in all.

    Returns
    -------
    TheoryXanes
        mu on energies from the Fermi level, with the bare atom's and the limits (docs/decisions/xanes_theory.md).

    Raises
    ------
    CrystalError
        No such structure or site.
    FeffError
        FEFF failed.
    TheoryError
        Another edge than K, or an impossible setting.

    Examples
    --------
    >>> theory = theory_xanes("Cu", absorber="Cu", radius=3.0, scf=False)
    >>> theory.atoms
    13
    """
    crystal = load_crystal(structure)
    if not radius > 0:
        raise TheoryError(f"{crystal.name}: a radius of {radius:g} A holds no atom; take 3 to 8 A")
    if lmax < 1:
        raise TheoryError(f"lmax {lmax} leaves out the p states that a K edge reaches; take 3")
    settings: dict[str, Any] = {"radius": radius, "lmax": lmax, "sigma2": sigma2}
    parts, reach = [], max(radius, _POTENTIAL_RADIUS)
    for number, weight in _sites(crystal, absorber, site):
        cluster = make_cluster(crystal, absorber=absorber, radius=reach, site=number, substitute=substitute)
        if progress is not None:
            progress(f"potentials of {cluster.title}", 0, 1)
        phases = compute_phases(cluster, edge=edge, scf=scf, nohole=nohole, scf_radius=scf_radius)
        g = _spectrum(phases, {**settings, "dtype": dtype}, workers, progress)
        parts.append((cluster, weight, phases, g))
    return TheoryXanes(
        label=crystal.name, absorber=absorber, edge=edge, **settings, **_average(parts, radius)
    )


def _sites(crystal: Crystal, absorber: str, site: int | str | None) -> list[tuple[int | str | None, float]]:
    """The absorbing sites with their weights."""
    mine = crystal.sites(absorber)
    if site is not None or not mine:
        return [(site, 1.0)]
    if crystal.lattice is None:
        return [(mine[0][0], 1.0)]
    total = sum(count for *_, count in mine)
    return [(number, count / total) for number, _, _, count in mine]


def _spectrum(
    phases: Phases, settings: Mapping[str, Any], workers: int | None, progress: Progress | None
) -> ComplexArray:
    """g on the mesh (ne,), from the cache when it was computed before with these settings of `scattering`."""
    atoms = solve.within(phases, settings["radius"])
    used = f"{settings['lmax']} {settings['sigma2']!r} {np.dtype(settings['dtype'])}"
    digest = hashlib.sha256(f"{_LAYOUT} {phases.key} {used}".encode())
    for values in (phases.xyz[atoms], phases.ipot[atoms], phases.shifts, phases.energy):
        digest.update(np.ascontiguousarray(values).tobytes())
    name = digest.hexdigest()
    kept = cache.load(name, _CACHE)
    if kept is not None and "g.npy" in kept:
        return np.load(io.BytesIO(kept["g.npy"]))
    report = None if progress is None else partial(progress, f"scattering in {phases.title}")
    g = solve.scattering(phases, **settings, workers=workers, progress=report)
    held = io.BytesIO()
    np.save(held, g)
    cache.store(name, {"g.npy": held.getvalue()}, _CACHE)
    return g


def absorption(phases: Phases, g: ComplexArray, energy: Array) -> tuple[Array, Array]:
    """Absorption, and that of the bare atom (n,), at energies (n,) in eV from the Fermi level.

    On the complex energies chi = -(sum of squared matrix elements) g / 3 and mu = Im(atom + norm chi); the Fermi cut
    and the width of the core hole follow.
    """
    chi = -(phases.dipole**2).sum(0) * g / 3
    values = np.stack([phases.atom + phases.norm * chi, phases.atom])
    mesh = phases.energy * HARTREE
    cut = broadening.fermi_cut(mesh, values, phases.n_edge, phases.fermi, energy + phases.fermi).imag
    along = phases.energy.real[: phases.n_edge] * HARTREE - phases.fermi
    unit = np.interp(NORM_AT, along, phases.norm[: phases.n_edge])
    return cut[0] / unit, cut[1] / unit


def _average(parts: list[tuple[Cluster, float, Phases, ComplexArray]], radius: float) -> dict[str, Any]:
    """Fields of TheoryXanes: sites averaged by multiplicity, each shifted by its own atom's edge energy."""
    first, last, step = GRID
    energy: Array = np.linspace(first, last, round((last - first) / step) + 1)
    centre = sum(weight * phases.emu for _, weight, phases, _ in parts)
    mu, atom = np.zeros_like(energy), np.zeros_like(energy)
    for _, weight, phases, g in parts:
        along = phases.energy.real[: phases.n_edge] * HARTREE - phases.fermi
        at = np.clip(energy + centre - phases.emu, along[0], along[-1])
        one, bare = absorption(phases, g, at)
        mu += weight * one
        atom += weight * bare
    notes = list(dict.fromkeys(note for _, _, phases, _ in parts for note in phases.notes))
    if len(parts) > 1:
        spread = [f"{c.site} {w:.3g} at {p.emu - centre:+.2f} eV" for c, w, p, _ in parts]
        notes.append(f"average over sites: {', '.join(spread)}")
    _, _, phases, _ = parts[0]
    same = {name: getattr(phases, name) for name in ("scf", "nohole", "gamma")}
    return same | {
        "energy": energy,
        "mu": mu,
        "atom": atom,
        "atoms": len(solve.within(phases, radius)),
        "sites": tuple((c.site, w) for c, w, _, _ in parts),
        "notes": tuple(notes),
        "key": hashlib.sha256("".join(p.key for _, _, p, _ in parts).encode()).hexdigest(),
    }


@dataclass(frozen=True)
class Convergence:
    """Convergence with the radius: radii (A), atoms within each, and the change of the spectrum against the largest.

    `change` is the root mean square of the difference after a Gaussian of 1 eV, in units of the edge jump.
    """

    radii: tuple[float, ...]
    atoms: tuple[int, ...]
    change: tuple[float, ...]
    tolerance: float
    spectra: tuple[TheoryXanes, ...]

    @property
    def radius(self) -> float | None:
        """The smallest radius from which on no step changes the spectrum by more than the tolerance."""
        good = None
        for radius, change in zip(self.radii[::-1], self.change[::-1], strict=True):
            if change > self.tolerance:
                break
            good = radius
        return good if good is not None and good < self.radii[-1] else None

    def __str__(self) -> str:
        lines = [
            f"{r:6.2f} A {n:5d} atoms  {c:.4f}"
            for r, n, c in zip(self.radii, self.atoms, self.change, strict=True)
        ]
        found = self.radius
        if found is None:
            lines.append(
                f"not converged to {self.tolerance:g} of the edge jump at {self.radii[-1]:.2f} A: take more atoms"
            )
        else:
            lines.append(f"within {self.tolerance:g} of the edge jump from {found:.2f} A on")
        return "\n".join(lines)


def converge(
    structure: str | Path | Lattice | Crystal,
    *,
    absorber: str,
    most: float = 7.0,
    tolerance: float = 0.02,
    shells: int = 8,
    **settings: Any,
) -> Convergence:
    """Spectra for increasing radii, and the radius from which on they no longer change.

    Parameters
    ----------
    structure : str, Path, Lattice or Crystal
        As for `theory_xanes`.
    absorber : str
        The absorbing element.
    most : float
        Largest radius, A.
    tolerance : float
        Root mean square change, in units of the edge step, below which a spectrum counts as unchanged.
    shells : int
        Number of radii, spread over the shells of the structure.
    **settings
        As for `theory_xanes`.

    Returns
    -------
    Convergence
        Radii, numbers of atoms, and the change of the spectrum at each.

    Raises
    ------
    TheoryError
        What `theory_xanes` raises.

    Examples
    --------
    >>> study = converge("Cu", absorber="Cu", most=4.0, shells=2, scf=False)
    >>> len(study.radii)
    2
    """
    crystal = load_crystal(structure)
    cluster = make_cluster(
        crystal,
        absorber=absorber,
        radius=most,
        site=settings.get("site") or _sites(crystal, absorber, None)[0][0],
        substitute=settings.get("substitute"),
    )
    far = np.unique(np.round(np.linalg.norm(cluster.xyz[1:], axis=1), 2))
    if len(far) > shells:
        far = far[np.unique(np.round(np.linspace(0, len(far) - 1, shells)).astype(int))]
    radii = tuple(float(r) + 0.05 for r in far)
    spectra = tuple(theory_xanes(crystal, absorber=absorber, radius=r, **settings) for r in radii)
    smooth = [s.broadened(gauss=1.0).mu for s in spectra]
    last = smooth[-1]
    change = [float(np.sqrt(np.mean((s - last) ** 2))) for s in smooth]
    return Convergence(radii, tuple(s.atoms for s in spectra), tuple(change), tolerance, spectra)
