"""Muffin-tin potentials and scattering phases of a cluster from feff8l, for full multiple scattering.

The programs rdinp and pot give the potentials, self-consistent unless this is turned off; xsph gives phase shifts and
dipole matrix elements on an energy mesh for the edge region. rdinp has no XANES card, so the mesh is set by
four values of xsph.json. Both runs are kept in the cache. See docs/decisions/xanes_theory.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._larch.feff_programs import feff_binary
from ..constants import ELEMENTS
from ..errors import FeffError, TheoryError
from ..records import Array, ComplexArray, frozen_array
from . import cache, inp
from .inp import Cluster
from .pad import PadReader
from .run import FeffRun, run_feff

HARTREE = 27.211386245988  # eV, CODATA 2018
BOHR = 0.529177210903  # A, CODATA 2018
# FEFF has atomic data up to this element; for heavier ones it ends without a message or gives wrong results.
HEAVIEST = 92
SCF_RADIUS = 4.0  # A; 3.1 to 5 give the same R within 5 % (docs/decisions/xanes_theory.md)
SCF_ITERATIONS = 30
SCF_MIXING = (0.2, 0.05)  # share of the new density; the second is used if the first does not converge
SCF_TIMEOUT = 1800.0  # s
# Largest change of the Fermi energy (eV) between the last two iterations that counts as converged.
_SCF_TOLERANCE = 0.05
# Attempts that failed are kept and not run again, except for a time limit or a missing program.
_FAILED_ROOM, _CRASHED = "scf", "ended with code"
_POT_FILES = ("pot.pad", "geom.json", "global.json", "xsph.json")
_XSPH_FILES = ("phase.pad", "xsect.json")
# ispec = 1 is the mesh for the edge: k up to xkmax (1/A) in steps of xkstep; vixan (eV) is the step below the edge.
_MESH = {"ispec": 1, "xkmax": 5.0, "xkstep": 0.05, "vixan": 0.5}


@dataclass(frozen=True, eq=False)
class Phases:
    """Potentials and phases of a cluster, in atomic units (Hartree, Bohr) unless stated otherwise.

    xyz (n, 3) in A with the absorber first and ipot (n,) its potentials; energy (ne,) complex mesh and
    reference (ne,) the complex muffin-tin zero; shifts (npot, ne, lmax + 1); dipole (2, ne) the matrix
    elements to p3/2 and p1/2; atom (ne,) the bare atom's complex absorption and norm (ne,) its magnitude;
    points [0, n_edge) of the mesh run along the edge, the others up from the Fermi energy; fermi, gamma
    (full core-hole width) and emu (photon energy that reaches the Fermi level, by FEFF's atom) in eV.
    """

    title: str
    edge: str
    symbols: tuple[str, ...]
    xyz: Array
    ipot: NDArray[np.int_]
    energy: ComplexArray
    reference: ComplexArray
    shifts: ComplexArray
    dipole: ComplexArray
    atom: ComplexArray
    norm: Array
    n_edge: int
    fermi: float
    gamma: float
    emu: float
    scf: bool
    nohole: bool
    key: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("xyz", "norm"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        for name in ("energy", "reference", "shifts", "dipole", "atom"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), complex))
        object.__setattr__(self, "ipot", frozen_array(self.ipot, int))

    @property
    def wavenumber(self) -> ComplexArray:
        """k (ne,) in 1/Bohr, on the branch that decays outward (Im k >= 0)."""
        k = np.sqrt(2 * (self.energy - self.reference))
        return np.where(k.imag < 0, -k, k)


def compute_phases(
    cluster: Cluster,
    *,
    edge: str = "K",
    scf: bool = True,
    nohole: bool = False,
    mesh: Mapping[str, float] | None = None,
    scf_radius: float = SCF_RADIUS,
    timeout: float = SCF_TIMEOUT,
) -> Phases:
    """Potentials and phases of a cluster, from the cache if they were computed before.

    Parameters
    ----------
    cluster: a cluster from `make_cluster`.
    edge: "K", the only edge that the theory treats.
    scf: self-consistent potentials (6-100 s, once), else overlapped free atoms (0.3 s).
    nohole: without the core hole (better for metals; with the hole is better for oxides).
    mesh: values of xsph.json that replace the edge mesh; ``{}`` gives FEFF's EXAFS mesh.
    scf_radius: radius in A of the cluster in which the density is made self-consistent.
    timeout: time limit in s of each run of FEFF.

    Raises TheoryError (edge, element, SCF that does not converge), FeffError, CrystalError.
    """
    _check(cluster, edge)
    label = f"{cluster.title}, {'self-consistent' if scf else 'overlapped'} potentials"
    if scf:
        pot, notes = _self_consistent(cluster, edge, nohole, scf_radius, timeout, label)
    else:
        pot = _run_pot(_input(cluster, edge, "", nohole), timeout, label)
        notes = ("overlapped free-atom potentials, not self-consistent",)
    files = {name: pot.files[name].decode("latin-1") for name in _POT_FILES}
    xsph = json.loads(files["xsph.json"])
    xsph.update(_MESH if mesh is None else mesh)
    files["xsph.json"] = json.dumps(xsph, indent=0)
    run = run_feff(
        files, steps=(("feff8l_xsph", "phase.pad"),), keep=_XSPH_FILES, timeout=timeout, label=label
    )
    return _assemble(cluster, edge, scf, nohole, files["geom.json"], run, (*cluster.notes, *notes))


def _check(cluster: Cluster, edge: str) -> None:
    if edge != "K":
        raise TheoryError(
            f"{cluster.title}: theory computes K edges, not {edge}; an L edge needs d states with multiplets"
        )
    for symbol in dict.fromkeys(cluster.symbols):
        z = ELEMENTS.index(symbol) + 1
        if z > HEAVIEST:
            raise TheoryError(
                f"{cluster.title}: {symbol} (Z = {z}) lies beyond feff8l's tables, which "
                f"end at Z = {HEAVIEST}"
            )


def _run_pot(text: str, timeout: float, label: str) -> FeffRun:
    steps = (("feff8l_rdinp", "geom.json"), ("feff8l_pot", "pot.pad"))
    return run_feff(text, steps=steps, keep=_POT_FILES, timeout=timeout, label=label)


def _self_consistent(
    cluster: Cluster, edge: str, nohole: bool, radius: float, timeout: float, label: str
) -> tuple[FeffRun, tuple[str, ...]]:
    """The potentials with the fastest mixing of densities that converges. Raises TheoryError when none does."""
    failed: FeffError | TheoryError | None = None
    for mixing in SCF_MIXING:
        card = f"SCF {radius:g} {0 if cluster.periodic else 1} {SCF_ITERATIONS} {mixing:g}"
        text = _input(cluster, edge, card, nohole)
        name = cache.key({"feff.inp": text}, [feff_binary("feff8l_pot")], extra="scf failed")
        known = cache.load(name, _FAILED_ROOM)
        if known is not None:
            failed = TheoryError(known["why.txt"].decode())
            continue
        try:
            pot = _run_pot(text, timeout, label)
            notes = _scf_notes(pot.log, label)
        except (FeffError, TheoryError) as exc:
            # With too strong a mixing the density oscillates more and more, until pot crashes.
            failed = exc
            if isinstance(exc, TheoryError) or _CRASHED in str(exc):
                cache.store(name, {"why.txt": str(exc).encode()}, _FAILED_ROOM)
            continue
        if failed is not None:
            notes = (*notes, f"densities mixed by {mixing:g}, because stronger mixing did not converge")
        return pot, notes
    raise TheoryError(
        f"{label}: SCF does not converge with any mixing of {', '.join(f'{m:g}' for m in SCF_MIXING)}; correct the "
        f"structure, try another SCF radius, or turn SCF off (last: {failed})"
    )


def _input(cluster: Cluster, edge: str, scf_card: str, nohole: bool) -> str:
    """feff.inp with the additional cards for XANES."""
    text = inp.feff_inp(cluster, edge=edge, radius=5.0)
    cards = [card for card in (scf_card, "NOHOLE" if nohole else "", "POTENTIALS\n") if card]
    return text.replace("POTENTIALS\n", "\n".join(cards), 1)


def _scf_notes(log: str, label: str) -> tuple[str, ...]:
    """Notes on the convergence from the log of pot. Raises TheoryError if the iterations ended before it converged."""
    counted = re.findall(r"SCF ITERATION NUMBER\s+(\d+)\s+OUT OF\s+(\d+)", log)
    levels = [float(v) for v in re.findall(r"mu_new=\s*([-\d.]+)", log)]
    if not counted or not levels:
        raise FeffError(
            f"{label}: feff8l_pot made no self-consistent iteration; read its log or turn SCF off"
        )
    done, most = (int(v) for v in counted[-1])
    moved = abs(levels[-1] - levels[-2]) if len(levels) > 1 else np.inf
    if done >= most and moved > _SCF_TOLERANCE:
        raise TheoryError(
            f"{label}: not converged in {most} iterations (the Fermi energy still moved by {moved:.2f} eV)"
        )
    return (f"self-consistent after {done} iterations, Fermi energy {levels[-1]:.3f} eV",)


@dataclass(frozen=True, eq=False)
class PhaseFile:
    """The contents of phase.pad: complex mesh and reference (ne,), shifts (npot, ne, lmax + 1), rkk (8, ne)."""

    energy: ComplexArray
    reference: ComplexArray
    shifts: ComplexArray
    rkk: ComplexArray
    n_edge: int
    edge: float


def parse_phase_pad(text: str, origin: str = "phase.pad") -> PhaseFile:
    """The mesh, phase shifts and matrix elements of a phase.pad's text. Raises FeffError.

    The file holds a header (nsp, ne, ne1, ne3, nph, ihole, ik0, npad, ...); Norman radius, Fermi level and edge (real);
    the mesh; the reference of each spin; for every potential lmax and the shifts of l = -lmax ... lmax at each energy
    (the two signs are the two couplings to spin, equal here except for rounding); eight rows of rkk.
    """
    reader = PadReader(text, origin)
    try:
        spins, ne, n_edge, _, npot, *_ = (int(v) for v in reader.words()[:8])
    except ValueError as exc:
        raise FeffError(f"{origin} is no phase.pad: {exc}") from None
    edge = float(reader.reals(3)[2])
    energy = reader.complexes(ne)
    reference = reader.complexes(ne * spins)[:ne]
    rows = []
    for _ in range(npot + 1):
        lmax = int(reader.words()[0])
        both = reader.complexes(ne * spins * (2 * lmax + 1)).reshape(spins, ne, 2 * lmax + 1)[0]
        rows.append(both[:, lmax:])
    shifts = np.zeros((len(rows), ne, max(r.shape[1] for r in rows)), complex)
    for i, row in enumerate(rows):
        shifts[i, :, : row.shape[1]] = row
    rkk = reader.complexes(ne * spins * 8).reshape(spins, 8, ne)[0]
    return PhaseFile(energy, reference, shifts, rkk, n_edge, edge)


def parse_xsect(text: str, origin: str = "xsect.json") -> tuple[ComplexArray, Array, float, float]:
    """The bare atom's complex absorption (ne,), its norm (ne,), photon energy at the edge and core width (eV).

    Raises FeffError.
    """
    try:
        held = json.loads(text)
        atom = np.array(held["dum1"]) + 1j * np.array(held["dum2"])
        return atom, np.array(held["xsnorm"]), float(held["emu"]) * HARTREE, float(held["gamach"])
    except (ValueError, KeyError, TypeError) as exc:
        raise FeffError(f"{origin} is no xsect.json of feff8l: {exc}") from None


def parse_geometry(text: str, origin: str = "geom.json") -> tuple[Array, NDArray[np.int_]]:
    """Positions (n, 3) in A and potential numbers (n,) of a geom.json. Raises FeffError."""
    try:
        held = json.loads(text)
        xyz = np.array([held["x"], held["y"], held["z"]], float).T
        ipot = np.array(held["iph"], int)
    except (ValueError, KeyError, TypeError) as exc:
        raise FeffError(f"{origin} is no geom.json of feff8l: {exc}") from None
    return xyz[: held["natt"]], ipot[: held["natt"]]


def _assemble(
    cluster: Cluster, edge: str, scf: bool, nohole: bool, geometry: str, run: FeffRun, notes: tuple[str, ...]
) -> Phases:
    phase = parse_phase_pad(run.files["phase.pad"].decode("latin-1"), f"{cluster.title}: phase.pad")
    atom, norm, emu, gamma = parse_xsect(run.files["xsect.json"].decode(), f"{cluster.title}: xsect.json")
    xyz, ipot = parse_geometry(geometry, f"{cluster.title}: geom.json")
    symbols = dict(cluster.potentials)
    if not (np.isfinite(phase.shifts).all() and np.isfinite(phase.rkk).all()):
        raise TheoryError(
            f"{cluster.title}: feff8l's phase shifts hold NaN; correct the structure or turn SCF off"
        )
    return Phases(
        title=cluster.title,
        edge=edge,
        symbols=tuple(symbols[int(i)] for i in ipot),
        xyz=xyz,
        ipot=ipot,
        energy=phase.energy,
        reference=phase.reference,
        shifts=phase.shifts,
        dipole=phase.rkk[:2],
        atom=atom,
        norm=norm,
        n_edge=phase.n_edge,
        fermi=phase.edge * HARTREE,
        gamma=gamma,
        emu=emu,
        scf=scf,
        nohole=nohole,
        key=run.key,
        notes=notes,
    )
