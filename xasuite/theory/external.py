"""Input files for FEFF9, FEFF10 and FDMNES, which pip does not install, and their output as theory records.

The input of FDMNES is made by larixite. Their spectra are compared by the same functions as those computed here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import files
from ..errors import ReadError, TheoryError
from ..feff.crystal import Crystal, Lattice, load_crystal
from ..feff.inp import HOLES, feff_inp, make_cluster
from .xanes import TheoryXanes

FEFF_PROGRAMS = ("feff9", "feff10")
_EXTERNAL_LIMITS = ("computed by another program: its own settings and limits apply",)


def write_feff(
    structure: str | Path | Lattice | Crystal,
    target: str | Path,
    *,
    absorber: str,
    program: str = "feff10",
    edge: str = "K",
    radius: float = 6.0,
    scf: bool = True,
    nohole: bool = False,
    site: int | str | None = None,
) -> list[Path]:
    """feff.inp for a FEFF9 or FEFF10 XANES by full multiple scattering.

    The core hole is screened (COREHOLE RPA), which the theory of this package cannot do, unless `nohole`.

    Parameters
    ----------
    structure : str, Path, Lattice or Crystal
        As for `theory_xanes`.
    target : str or Path
        The file to write (feff.inp).
    absorber : str
        The absorbing element.
    program : str
        "feff9" or "feff10".
    edge : str
        The edge.
    radius : float
        Radius of the cluster, A.
    scf : bool
        Self-consistent potentials.
    nohole : bool
        Without the core hole.
    site : int or str, optional
        The absorbing site.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    TheoryError
        An unknown program.
    CrystalError
        No such structure.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> [p.name for p in write_feff("Cu", f"{mkdtemp()}/feff.inp", absorber="Cu")]
    ['feff.inp']
    """
    if program not in FEFF_PROGRAMS:
        raise TheoryError(f"no input for {program!r}; there are {', '.join(FEFF_PROGRAMS)} and fdmnes")
    if edge not in HOLES:
        raise TheoryError(f"no edge {edge!r}; FEFF knows {', '.join(HOLES)}")
    cluster = make_cluster(load_crystal(structure), absorber=absorber, radius=radius + 2.0, site=site)
    text = feff_inp(cluster, edge=edge, radius=radius)
    body = text[text.index("POTENTIALS") :]
    cards = [
        f"TITLE {cluster.title}",
        f"EDGE {edge}",
        "S02 1.0",
        "CONTROL 1 1 1 1 1 1",
        "PRINT 1 0 0 0 0 0",
        "EXCHANGE 0 0.0 0.0 2",
        "COREHOLE None" if nohole else "COREHOLE RPA",
        *([f"SCF {min(radius, 5.0):g} {0 if cluster.periodic else 1} 100 0.1 3"] if scf else []),
        f"FMS {radius:g} {0 if cluster.periodic else 1}",
        "XANES 5.0 0.05 0.1",
        "LDOS -20 20 0.1",
        "",
    ]
    return [files.write_text(target, "\n".join(cards) + body)]


def write_fdmnes(
    structure: str | Path | Lattice | Crystal,
    target: str | Path,
    *,
    absorber: str,
    radius: float = 6.0,
    scf: bool = True,
    green: bool = False,
    spectrum_range: str = "-10.0 0.25 60.0 1.0 100.0",
) -> list[Path]:
    """FDMNES's job.inp and the fdmfile.txt that names it, by larixite.

    Parameters
    ----------
    structure : str, Path, Lattice or Crystal
        As for `theory_xanes`.
    target : str or Path
        The file to write (job.inp).
    absorber : str
        The absorbing element.
    radius : float
        Radius of the cluster, A.
    scf : bool
        Self-consistent potentials.
    green : bool
        Multiple scattering on muffin tins instead of finite differences (full potential).
    spectrum_range : str
        Energies as FDMNES writes them: start, step, end, step, end, ... in eV from the edge.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    TheoryError
        FDMNES's input cannot be made of the structure.
    CrystalError
        No such structure.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> sorted(p.name for p in write_fdmnes("Cu", f"{mkdtemp()}/job.inp", absorber="Cu"))
    ['fdmfile.txt', 'job.inp']
    """
    import tempfile

    from larixite.fdmnes import FDMNES_DEFAULT_PARAMS, FdmnesXasInput

    target = Path(target)
    crystal = load_crystal(structure)
    if absorber not in crystal.symbols:
        raise TheoryError(f"{crystal.name} has no {absorber}; it has {', '.join(crystal.elements)}")
    with tempfile.TemporaryDirectory(prefix="xasuite-fdmnes-") as folder:
        path = _structure_file(crystal, Path(folder))
        params = {**FDMNES_DEFAULT_PARAMS, "Green": green, "SCF": scf, "Quadrupole": True}
        job = FdmnesXasInput(
            str(path),
            absorber,
            edge="K",
            radius=radius,
            erange=spectrum_range,
            params=params,
            fileout_prefix=target.stem,
            struct_type="crystal" if crystal.lattice is not None else "molecule",
        )
        text = job.get_input()
    return [
        files.write_text(target, text),
        files.write_text(target.parent / "fdmfile.txt", f"1\n{target.name}\n"),
    ]


def _structure_file(crystal: Crystal, folder: Path) -> Path:
    """The crystal as a CIF, or the cluster as xyz, for larixite."""
    if crystal.lattice is None:
        path = folder / f"{crystal.name}.xyz"
        atoms = [
            f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(crystal.symbols, crystal.xyz, strict=True)
        ]
        return files.write_text(path, "\n".join([str(len(atoms)), crystal.name, *atoms, ""]))
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifWriter

    path = folder / f"{crystal.name}.cif"
    structure = Structure(crystal.lattice, list(crystal.symbols), crystal.xyz, coords_are_cartesian=True)
    return files.write_text(path, str(CifWriter(structure, symprec=0.01)))


_PHOTON = 400.0  # eV; energies that begin above this are photon energies, not relative to the edge


def read_xmu(path: str | Path, *, label: str = "", absorber: str = "") -> TheoryXanes:
    r"""FEFF's xmu.dat (omega, e, k, mu, mu0, chi) as a theory record; e is from the Fermi level.

    Parameters
    ----------
    path : str or Path
        The file.
    label : str
        Name of the record; "" takes the file's.
    absorber : str
        The absorbing element.

    Returns
    -------
    TheoryXanes
        On energies from the Fermi level.

    Raises
    ------
    ReadError
        The file is no xmu.dat.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> rows = [f"{8979 + e:.3f} {e:.3f} 1.0 {float(e > 0):.4f} {float(e > 0):.4f} 0.0" for e in np.arange(-10.0, 60.0, 0.5)]
    >>> file = Path(mkdtemp()) / "xmu.dat"
    >>> _ = file.write_text("# FEFF\n" + "\n".join(rows))
    >>> float(read_xmu(file, absorber="Cu").energy[0])
    -10.0
    """
    table = _numbers(path, 6, "a FEFF xmu.dat (six columns: omega, e, k, mu, mu0, chi)")
    return _record(table[:, 1], table[:, 3], table[:, 4], label or Path(path).stem, absorber, "FEFF xmu.dat")


def read_fdmnes(path: str | Path, *, label: str = "", absorber: str = "") -> TheoryXanes:
    r"""FDMNES's output (energy from the Fermi level, absorption; convoluted or not) as a theory record.

    FDMNES gives no bare atom: it is replaced by a straight line fitted to the last third of the spectrum, from the Fermi level on. Photon energies
    (keyword Energpho) are made relative by the E_edge in the first line of the file.

    Parameters
    ----------
    path : str or Path
        The file.
    label : str
        Name of the record; "" takes the file's.
    absorber : str
        The absorbing element.

    Returns
    -------
    TheoryXanes
        On energies from the Fermi level.

    Raises
    ------
    ReadError
        The file is no output of FDMNES.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> lines = ["    Energy    <xanes>"] + [f"{e:10.3f} {1e-3 * (e > 0):.4e}" for e in np.arange(-10.0, 60.0, 0.5)]
    >>> file = Path(mkdtemp()) / "cu_conv.txt"
    >>> _ = file.write_text("\n".join(lines))
    >>> float(read_fdmnes(file, absorber="Cu").energy[0])
    -10.0
    """
    what = "an FDMNES spectrum (columns: energy, absorption)"
    table = _numbers(path, 2, what)
    energy, mu = table[:, 0], table[:, 1]
    if energy[0] > _PHOTON:
        first = Path(path).read_text().split("\n", 1)[0]
        if "E_edge" not in first:
            raise ReadError(
                f"{path}: its energies, from {energy[0]:.1f} eV on, are photon energies, and no first line with E_edge "
                "says where the edge is; give FDMNES's own file, or subtract the edge"
            )
        energy = energy - float(first.split()[0])
    late = energy > energy[0] + 2 / 3 * (energy[-1] - energy[0])
    line = np.polyval(np.polyfit(energy[late], mu[late], 1), energy)
    atom = np.where(energy > 0, line, 0.0)
    return _record(energy, mu, atom, label or Path(path).stem, absorber, "FDMNES output")


def _numbers(path: str | Path, columns: int, what: str) -> np.ndarray:
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ReadError(f"{path} cannot be read as {what}: {exc}") from None
    rows = []
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        try:
            values = [float(w) for w in line.split()]
        except ValueError:
            # a title; the number of rows is checked below
            continue
        if len(values) >= columns:
            rows.append(values[:columns])
    table = np.array(rows)
    if len(rows) < 10 or not (np.diff(table[:, 0]) > 0).all():
        raise ReadError(f"{path} is not {what}: {len(rows)} rows of rising energy found")
    return table


def _record(
    energy: np.ndarray, mu: np.ndarray, atom: np.ndarray, label: str, absorber: str, origin: str
) -> TheoryXanes:
    """A theory record in steps of 0.25 eV, scaled so that the bare atom is 1 at 50 eV above the Fermi level."""
    grid = np.arange(np.ceil(energy[0] * 4) / 4, energy[-1] + 1e-9, 0.25)
    unit = np.interp(min(50.0, energy[-1]), energy, atom)
    return TheoryXanes(
        energy=grid,
        mu=np.interp(grid, energy, mu) / unit,
        atom=np.interp(grid, energy, atom) / unit,
        label=label,
        absorber=absorber,
        notes=(f"read from {origin}",),
        limits=_EXTERNAL_LIMITS,
    )
