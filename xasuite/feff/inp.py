"""feff.inp from a structure: the absorber, its site, and the atoms around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..constants import ELEMENTS
from ..errors import CrystalError, FeffError
from ..notices import warn
from ..records import Array
from .crystal import Crystal

# FEFF's numbers of the core holes, for its HOLE card.
HOLES = {"K": 1, "L1": 2, "L2": 3, "L3": 4, "M1": 5, "M2": 6, "M3": 7, "M4": 8, "M5": 9}
# Atoms are written up to this distance (A) beyond the longest path, so that the outer atoms have neighbours, too.
_RIM = 2.0
_WIDEST = 40.0  # A; in the least dense crystal the 1000 atoms that FEFF takes reach half of it
# Atoms nearer than this (A) overlap; the first value is for pairs with hydrogen.
_TOO_CLOSE = {True: 0.5, False: 0.9}
# FEFF's own limits, found by running it.
_MOST_ATOMS = {"feff6l": 500, "feff8l": 1000}
_MOST_POTENTIALS = 7
_MAX_LEGS = 4
_FEFF8 = ("S02 1.0", "CONTROL 1 1 1 1 1 1", "PRINT 1 0 0 0 0 3", "EXCHANGE 0 0.0 0.0")
_SCF_RADIUS = 4.0
# Anions and other light elements: an absorber that is not in the crystal is not put on their sites without being asked to.
_LIGANDS = frozenset(["H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"])


@dataclass(frozen=True, eq=False)
class Cluster:
    """Atoms around an absorber: symbols (m,) and positions xyz (m, 3) in A relative to the absorber, which is the first atom."""

    crystal: str
    site: str
    symbols: tuple[str, ...]
    xyz: Array
    periodic: bool
    notes: tuple[str, ...] = ()

    @property
    def absorber(self) -> str:
        """Symbol of the absorbing atom."""
        return self.symbols[0]

    @property
    def potentials(self) -> tuple[tuple[int, str], ...]:
        """FEFF's unique potentials: 0 for the absorber, then one per element, the nearest first."""
        return tuple(enumerate([self.absorber, *dict.fromkeys(self.symbols[1:])]))

    @property
    def title(self) -> str:
        """One line: crystal, absorber and site."""
        return f"{self.crystal} {self.absorber} on site {self.site}"


def make_cluster(
    crystal: Crystal,
    *,
    absorber: str,
    radius: float = 6.0,
    site: int | str | None = None,
    substitute: Mapping[str, str] | None = None,
) -> Cluster:
    """The atoms within `radius` A of the absorbing site, with `absorber` on that site.

    Parameters
    ----------
    crystal : Crystal
        The structure.
    absorber : str
        The absorbing element.
    radius : float
        Radius of the cluster, A.
    site : int or str, optional
        Number (from 1) or label (Co2) of an inequivalent site, or an element for its first site. By default
        the first site of `absorber`, or, if the crystal has none, the site of the only metal.
    substitute : Mapping str, str, optional
        The element that replaces an element or the atoms of a site label.

    Returns
    -------
    Cluster
        Positions (m, 3) in A with the absorber at the origin, ordered by distance.

    Raises
    ------
    CrystalError
        No such absorber or site, or atoms that overlap.

    Examples
    --------
    >>> cluster = xs.feff.make_cluster(xs.load_crystal("Cu"), absorber="Cu", radius=4.0)
    >>> len(cluster.symbols) > 12
    True
    """
    absorber = _element(absorber)
    symbols = _substituted(crystal, substitute or {})
    number = _site_number(crystal, symbols, absorber, site)
    atom = crystal.site.index(number)
    if not radius <= _WIDEST and crystal.lattice is not None:
        raise CrystalError(
            f"{crystal.name}: a cluster of {radius:g} A holds more atoms than FEFF takes; take a radius of 3 to 10 A"
        )
    xyz, which = crystal.around(atom, radius)
    around = (absorber, *(symbols[i] for i in which[1:]))
    if len(around) == 1:
        raise CrystalError(
            f"{crystal.name}: no atom lies within {radius:g} A of {absorber}; take a larger radius"
        )
    _check_overlap(crystal.name, around, xyz)
    notes = list(crystal.notes) if crystal.lattice is not None else []
    if symbols[atom] != absorber:
        notes.append(f"{absorber} put on the {symbols[atom]} site {crystal.labels[number - 1]}")
    return Cluster(
        crystal.name, crystal.labels[number - 1], around, xyz, crystal.lattice is not None, tuple(notes)
    )


def feff_inp(
    cluster: Cluster,
    *,
    edge: str = "K",
    radius: float = 6.0,
    program: str = "feff8l",
    scf: bool = False,
    polarization: Sequence[float] = (),
) -> str:
    """The text of feff.inp, with the cards of FEFF8, or of FEFF6 for feff6l.

    Parameters
    ----------
    cluster : Cluster
        Atoms around the absorber.
    edge : str
        The edge, as "K" or "L3".
    radius : float
        Half the longest path, A.
    program : str
        feff8l or feff6l.
    scf : bool
        Self-consistent potentials (feff8l only, minutes).
    polarization : sequence of three numbers, optional
        Direction of the electric field (FEFF's card POLARIZATION); by default the mean over all directions.

    Returns
    -------
    str
        A complete input file for `run_feff`.

    Raises
    ------
    FeffError
        An edge that FEFF does not know, SCF with feff6l, or more atoms than FEFF takes.

    Examples
    --------
    >>> cluster = xs.feff.make_cluster(xs.load_crystal("Cu"), absorber="Cu", radius=4.0)
    >>> "POTENTIALS" in xs.feff.feff_inp(cluster, radius=4.0)
    True
    """
    if edge not in HOLES:
        raise FeffError(f"{cluster.title}: no edge {edge!r}; FEFF knows {', '.join(HOLES)}")
    most = _MOST_ATOMS.get(program, _MOST_ATOMS["feff8l"])
    if len(cluster.symbols) > most:
        raise FeffError(
            f"{cluster.title}: {len(cluster.symbols)} atoms within {radius + _RIM:g} A; {program} takes {most}, "
            "so take a smaller radius"
        )
    if len(cluster.potentials) - 1 > _MOST_POTENTIALS:
        raise FeffError(f"{cluster.title}: more elements than FEFF's {_MOST_POTENTIALS} potentials")
    if program == "feff6l":
        if scf:
            raise FeffError("feff6l has no self-consistent potentials; take program feff8l")
        cards = [f"HOLE {HOLES[edge]} 1.0", "CONTROL 1 1 1 1", "PRINT 1 0 0 3", f"RMAX {radius:.4f}"]
    else:
        cards = [f"EDGE {edge}", *_FEFF8, f"RPATH {radius:.4f}", "EXAFS 20"]
    cards.append(f"NLEG {_MAX_LEGS}")
    if scf:
        # l_scf = 1 is FEFF's setting for a molecule; 30 iterations with a mixing of 0.2 converge for oxides, too.
        cards.append(f"SCF {_SCF_RADIUS} {0 if cluster.periodic else 1} 30 0.2")
    if polarization:
        cards.append("POLARIZATION " + " ".join(f"{x:.6f}" for x in polarization))
    kinds = [f"{i:3d} {ELEMENTS.index(symbol) + 1:3d} {symbol}" for i, symbol in cluster.potentials]
    title = f"TITLE {cluster.title}"
    return "\n".join([title, *cards, "POTENTIALS", *kinds, "ATOMS", *_atoms(cluster), "END", ""])


def rim(radius: float) -> float:
    """The radius (A) of the cluster that is written for paths up to `radius`."""
    return radius + _RIM


def _atoms(cluster: Cluster) -> Iterator[str]:
    number = {symbol: i for i, symbol in cluster.potentials if i > 0}
    ipots = [0, *(number[symbol] for symbol in cluster.symbols[1:])]
    for symbol, ipot, (x, y, z) in zip(cluster.symbols, ipots, cluster.xyz, strict=True):
        far = np.linalg.norm([x, y, z])
        yield f"{x:11.5f}{y:11.5f}{z:11.5f} {ipot:2d} {symbol:2s} {far:10.5f}"


def _element(symbol: str) -> str:
    if symbol.capitalize() not in ELEMENTS:
        raise CrystalError(f"{symbol!r} is no element; write its symbol, as Co")
    return symbol.capitalize()


def _substituted(crystal: Crystal, substitute: Mapping[str, str]) -> tuple[str, ...]:
    symbols = list(crystal.symbols)
    for what, by in substitute.items():
        own = zip(crystal.symbols, crystal.site, strict=True)
        hit = [i for i, (symbol, n) in enumerate(own) if what in (symbol, crystal.labels[n - 1])]
        if not hit:
            raise CrystalError(
                f"{crystal.name}: nothing to substitute, it has no {what!r}; it has {_sites_text(crystal)}"
            )
        for i in hit:
            symbols[i] = _element(by)
    return tuple(symbols)


def _site_number(crystal: Crystal, symbols: tuple[str, ...], absorber: str, site: int | str | None) -> int:
    """The number of the site that absorbs. Raises CrystalError."""
    if site is not None:
        return _named_site(crystal, symbols, site)
    first = {n: symbols[crystal.site.index(n)] for n in range(1, len(crystal.labels) + 1)}
    mine = [n for n, symbol in first.items() if symbol == absorber]
    if not mine:
        metals = {symbol for symbol in first.values() if symbol not in _LIGANDS}
        if len(metals) != 1:
            raise CrystalError(
                f"{crystal.name} has no {absorber}; it has {_sites_text(crystal)}: name the site that "
                f'{absorber} takes (site = "{crystal.labels[0]}")'
            )
        mine = [n for n, symbol in first.items() if symbol in metals]
    if len(mine) > 1 and crystal.lattice is not None:
        others = ", ".join(crystal.labels[n - 1] for n in mine[1:])
        warn(
            f"{crystal.name}: {absorber} absorbs on site {crystal.labels[mine[0] - 1]}; it could be {others} too "
            "(name one with site)",
        )
    return mine[0]


def _named_site(crystal: Crystal, symbols: tuple[str, ...], site: int | str) -> int:
    text = str(site)
    if text.isdigit() and 1 <= int(text) <= len(crystal.labels):
        return int(text)
    if text in crystal.labels:
        return crystal.labels.index(text) + 1
    for element in (symbols, crystal.symbols):
        if text in element:
            return crystal.site[element.index(text)]
    raise CrystalError(f"{crystal.name} has no site {text!r}; it has {_sites_text(crystal)}")


def _sites_text(crystal: Crystal) -> str:
    return ", ".join(f"{label} (site {number})" for number, label, *_ in crystal.sites()[:12])


def _check_overlap(name: str, symbols: tuple[str, ...], xyz: Array) -> None:
    order = np.argsort(xyz[:, 0])
    for shift in range(1, len(xyz)):
        # atoms are sorted by x: if no pair with this shift is near in x, no pair with a larger shift is
        apart = xyz[order[shift:]] - xyz[order[:-shift]]
        if apart[:, 0].min() >= _TOO_CLOSE[False]:
            break
        far = np.linalg.norm(apart, axis=1)
        for at in np.flatnonzero(far < _TOO_CLOSE[False]):
            pair = symbols[order[at]], symbols[order[at + shift]]
            if far[at] < _TOO_CLOSE["H" in pair]:
                raise CrystalError(
                    f"{name}: atoms {pair[0]} and {pair[1]} are {far[at]:.3f} A apart, so they overlap; "
                    "correct the structure"
                )
