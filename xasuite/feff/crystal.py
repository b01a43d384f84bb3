"""Structures: crystals from CIF, AMCSD or space group and lattice, and clusters from xyz coordinates."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import files, references
from ..constants import ELEMENTS
from ..errors import CrystalError
from ..notices import silenced
from ..records import Array, Source, frozen_array
from ..records.table import plain
from ..version import installed
from . import cache, occupancy

# Largest distance (A) of an atom from a symmetry position at which it still counts as equivalent.
_SYMPREC = 0.01
# Fields of a Crystal that depend only on its file, and the folder of the cache that keeps them.
_KEPT = ("symbols", "xyz", "lattice", "site", "labels", "space_group", "notes")
_ROOM = "crystals"
# Exceptions of third-party parsers for text that is not a CIF.
_PARSER_ERRORS = (ValueError, LookupError, AssertionError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Lattice:
    """A crystal given by space group, cell (A, degrees) and one position of each site (fractional).

    Without b or c they are equal to a.
    """

    space_group: str | int
    a: float
    species: tuple[str, ...]
    positions: tuple[tuple[float, float, float], ...]
    b: float | None = None
    c: float | None = None
    alpha: float = 90.0
    beta: float = 90.0
    gamma: float = 90.0
    name: str = "lattice"


@dataclass(frozen=True, eq=False)
class Crystal:
    """Atoms of one cell, or of a cluster (`lattice` is None): symbols (n,) and positions xyz (n, 3) in A.

    `site` (n,) is the number of each atom's inequivalent site, from 1; `labels` are the names of the sites (Co1, O2). `notes` say
    how partial occupancies were resolved.
    """

    name: str
    symbols: tuple[str, ...]
    xyz: Array
    lattice: Array | None
    site: tuple[int, ...]
    labels: tuple[str, ...]
    space_group: str = ""
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", frozen_array(self.xyz))
        if self.lattice is not None:
            object.__setattr__(self, "lattice", frozen_array(self.lattice))

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements, each once, in the order of the atoms."""
        return tuple(dict.fromkeys(self.symbols))

    @property
    def formula(self) -> str:
        """Atoms of the cell by element, as Co2O3."""
        return "".join(f"{e}{n if (n := self.symbols.count(e)) > 1 else ''}" for e in self.elements)

    def sites(self, element: str = "") -> tuple[tuple[int, str, str, int], ...]:
        """The inequivalent sites as (number, label, element, atoms in the cell), all or those of one element."""
        first = ((n, label, self.symbols[self.site.index(n)]) for n, label in enumerate(self.labels, 1))
        return tuple((n, label, e, self.site.count(n)) for n, label, e in first if element in ("", e))

    def around(self, atom: int, radius: float) -> tuple[Array, tuple[int, ...]]:
        """Atoms within `radius` A of an atom, nearest first: positions (m, 3) relative to it, and atom numbers (m,).

        The atom itself is the first one.
        """
        offsets = np.zeros((1, 3))
        if self.lattice is not None:
            # The distance between lattice planes gives the number of cells within the radius.
            spacing = 1 / np.linalg.norm(np.linalg.inv(self.lattice), axis=0)
            reach = np.ceil(radius / spacing).astype(int) + 1
            cells = np.array(list(np.ndindex(*(2 * reach + 1)))) - reach
            offsets = cells @ self.lattice
        where = (self.xyz[None, :, :] - self.xyz[atom] + offsets[:, None, :]).reshape(-1, 3)
        which = np.tile(np.arange(len(self.symbols)), len(offsets))
        far = np.linalg.norm(where, axis=1)
        near = np.flatnonzero(far <= radius)
        where = np.round(where[near], 6) + 0.0
        # Rounding makes the order of equal distances the same on every machine.
        order = np.lexsort((where[:, 2], where[:, 1], where[:, 0], np.round(far[near], 4)))
        return where[order], tuple(int(i) for i in which[near][order])


def available() -> tuple[str, ...]:
    """Names of the crystals and clusters that this project ships.

    Returns
    -------
    tuple of str
        In alphabetical order; each is a name that `load_crystal` takes.

    Examples
    --------
    >>> "Cu" in xs.feff.available()
    True
    """
    folder = references.references_dir()
    found = [*folder.glob("crystals/*.cif"), *folder.glob("clusters/*.xyz")]
    return tuple(sorted(p.stem for p in found))


def load_crystal(crystal: str | Path | Lattice | Crystal) -> Crystal:
    """The structure with that name, or from that file.

    Parameters
    ----------
    crystal : str or Path or Lattice or Crystal
        A shipped name (Co_hcp), a CIF or xyz file, ``amcsd:11296``, or a Lattice.

    Returns
    -------
    Crystal
        Symbols (n,) and positions (n, 3) in A of one cell, or of a cluster without a lattice.

    Raises
    ------
    CrystalError
        The structure does not exist (the message has the nearest names) or cannot be read.

    Examples
    --------
    >>> xs.load_crystal("Cu").formula
    'Cu4'
    """
    if isinstance(crystal, Crystal):
        return crystal
    if isinstance(crystal, Lattice):
        return _from_lattice(crystal)
    text = str(crystal)
    if text.lower().startswith("amcsd:"):
        return _from_cif(_amcsd(text[6:]), text.lower(), Source(path=text.lower(), format="amcsd"))
    path = Path(text)
    if path.suffix.lower() not in (".cif", ".xyz"):
        path = _shipped(text)
    if not path.is_file():
        raise CrystalError(f"{path} is no file; name a CIF or xyz file, a shipped crystal or amcsd:NUMBER")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=128)
def _read(path: Path, mtime_ns: int) -> Crystal:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CrystalError(f"{path} cannot be read as a structure: {exc}") from None
    source = Source(path=str(path), sha256=files.sha256(path), format=path.suffix[1:].lower())
    if path.suffix.lower() == ".xyz":
        return _from_xyz(text, path.stem, source)
    return _from_cif(text, path.stem, source)


def _shipped(name: str) -> Path:
    folder = references.references_dir()
    for path in (folder / "crystals" / f"{name}.cif", folder / "clusters" / f"{name}.xyz"):
        if path.is_file():
            return path
    if Path(name).is_file():
        raise CrystalError(
            f"{name} is no structure: a crystal is a CIF or xyz file, a shipped name or amcsd:NUMBER"
        )
    names = available()
    by_lower = {n.lower(): n for n in names}
    near = [by_lower[n] for n in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(near)}?" if near else "xasuite crystals searches for one"
    raise CrystalError(f"no crystal {name!r}; {hint} (a CIF or xyz file or amcsd:NUMBER will do too)")


def _amcsd(number: str) -> str:
    from larixite.amcsd import AMCSD

    try:
        found = AMCSD(read_only=True).get_cif(int(number))
    except ValueError:
        raise CrystalError(f"amcsd:{number} is no AMCSD number; write amcsd:11296") from None
    if found is None or not found.ciftext:
        raise CrystalError(f"the American Mineralogist database has no crystal {number}")
    return str(found.ciftext)


def _from_cif(text: str, name: str, source: Source) -> Crystal:
    """The crystal of a CIF, parsed once for each version of pymatgen and spglib and then cached: importing them takes a second."""
    versions = " ".join(installed(package) for package in ("pymatgen", "spglib"))
    key = cache.key({"crystal.cif": text}, extra=f"crystal {versions}")
    kept = cache.load(key, _ROOM)
    if kept is None:
        crystal = _parsed_cif(text, name, source)
        fields = plain({f: getattr(crystal, f) for f in _KEPT})
        cache.store(key, {"crystal.json": json.dumps(fields).encode()}, _ROOM)
        return crystal
    fields = {f: tuple(v) if isinstance(v, list) else v for f, v in json.loads(kept["crystal.json"]).items()}
    return Crystal(name=name, source=source, **fields)


def _parsed_cif(text: str, name: str, source: Source) -> Crystal:
    from pymatgen.io.cif import CifParser

    _check_numbers(text, source)
    try:
        with silenced():
            # Occupancies of mixed sites that are written as separate atoms may sum to 1 only within rounding.
            parser = CifParser.from_str(text, occupancy_tolerance=1.05, site_tolerance=1e-3)
            structures = parser.parse_structures(primitive=False, on_error="ignore")
    except _PARSER_ERRORS as exc:
        if "no structures" not in str(exc):
            raise _no_cif(source, _first_line(exc)) from None
        structures = []
    if not structures:
        raise CrystalError(f"{source} holds no crystal: it needs a cell, a space group and atom sites")
    return _from_structure(structures[0], name, source)


MOST_SITES = 2000  # in a cell; the time of the parser grows with their square, 15 s for 3000


def _check_numbers(text: str, source: Source) -> None:
    """Raises CrystalError for a cell or position that is not a number: some of these make the parser's C code end the process."""
    for key, value in re.findall(r"^[ \t]*(_cell_(?:length|angle)_\w+)[ \t]+(\S+)", text, re.M):
        number = re.fullmatch(r"\+?(\d+\.?\d*(?:[eE][-+]?\d{1,3})?|\.\d+)(\(\d+\))?", value)
        if not number or not 1e-2 < float(number[1]) < 1e4:
            raise _no_cif(source, f"{key} = {value[:40]} is no length or angle of a cell")
    if re.search(r"\d{100}", text):
        raise _no_cif(source, "a number of more than 100 digits")
    rows = re.search(
        r"^[ \t]*_atom_site_fract_x\b.*\n((?:(?![ \t]*(?:loop_|data_|#|_(?!atom_site_)|$)).*\n)*)", text, re.M
    )
    if rows and (count := rows[1].count("\n")) > MOST_SITES:
        raise _no_cif(source, f"{count} atoms in its cell; at most {MOST_SITES} are read")
    for word in text[max(text.find("_atom_site_"), 0) :].split():
        if word.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise _no_cif(source, f"{word} stands among the numbers of its atoms")


def _no_cif(source: Source, why: str) -> CrystalError:
    return CrystalError(f"{source} cannot be read as a CIF: {why}")


def _from_lattice(lattice: Lattice) -> Crystal:
    from pymatgen.core import Lattice as Cell
    from pymatgen.core import Structure

    if len(lattice.species) != len(lattice.positions):
        raise CrystalError(
            f"{lattice.name}: {len(lattice.species)} species but {len(lattice.positions)} positions"
        )
    angles = lattice.alpha, lattice.beta, lattice.gamma
    cell = Cell.from_parameters(lattice.a, lattice.b or lattice.a, lattice.c or lattice.a, *angles)
    try:
        structure = Structure.from_spacegroup(
            lattice.space_group, cell, list(lattice.species), [list(p) for p in lattice.positions]
        )
    except _PARSER_ERRORS as exc:
        raise CrystalError(
            f"{lattice.name}: space group {lattice.space_group} and this cell make no crystal: {_first_line(exc)}"
        ) from None
    return _from_structure(structure, lattice.name, Source(path=lattice.name, format="lattice"))


def _from_structure(structure: Any, name: str, source: Source) -> Crystal:
    """A pymatgen Structure as a Crystal: ordered, its inequivalent sites numbered."""
    ordered, notes = _order(structure, name)
    numbers, symbol = _equivalent(ordered, name)
    symbols = tuple(site.specie.symbol for site in ordered)
    xyz, lattice = np.array(ordered.cart_coords), np.array(ordered.lattice.matrix)
    labels = _labels(symbols, numbers)
    return Crystal(name, symbols, xyz, lattice, numbers, labels, symbol, notes, source)


def _order(structure: Any, name: str) -> tuple[Any, tuple[str, ...]]:
    """The structure with one whole atom on each position, and notes on how mixed sites were resolved."""
    from pymatgen.core import Structure

    if structure.is_ordered and all(hasattr(site, "specie") for site in structure):
        species = [_symbol(site.specie, name) for site in structure]
        return Structure(structure.lattice, species, structure.frac_coords), ()
    kinds: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for i, site in enumerate(structure):
        mix: dict[str, float] = {}
        for specie, amount in site.species.items():
            symbol = _symbol(specie, name)
            mix[symbol] = mix.get(symbol, 0.0) + float(amount)
        kinds.setdefault(tuple(sorted((s, round(o, 4)) for s, o in mix.items())), []).append(i)
    chosen = [""] * len(structure)
    notes = []
    for mix_key, members in kinds.items():
        counts = occupancy.share(dict(mix_key), len(members))
        placed = occupancy.arrange(
            np.array(structure.cart_coords)[members], np.array(structure.lattice.matrix), counts
        )
        for i, symbol in zip(members, placed, strict=True):
            chosen[i] = symbol
        if len(mix_key) > 1 or mix_key[0][1] < 0.999:
            mixed = " ".join(f"{s} {o:g}" for s, o in mix_key)
            given = ", ".join(f"{c} {s or 'vacant'}" for s, c in counts.items())
            notes.append(f"site of {mixed}: {given} of {len(members)} positions, like atoms farthest apart")
    kept = [i for i, symbol in enumerate(chosen) if symbol != occupancy.VACANCY]
    if not kept:
        raise CrystalError(f"{name}: every site is more vacant than filled; give a CIF of an ordered cell")
    ordered = Structure(structure.lattice, [chosen[i] for i in kept], structure.frac_coords[kept])
    return ordered, tuple(notes)


def _symbol(specie: Any, name: str) -> str:
    symbol = str(getattr(specie, "symbol", specie)).capitalize()
    if symbol in ("D", "T"):
        return "H"
    if symbol not in ELEMENTS:
        raise CrystalError(f"{name}: {symbol!r} is no element; name the atoms by element in the CIF")
    return symbol


def _equivalent(structure: Any, name: str) -> tuple[tuple[int, ...], str]:
    """The number of each atom's inequivalent site, from 1 in the order of the atoms, and the space group."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    try:
        data = SpacegroupAnalyzer(structure, symprec=_SYMPREC).get_symmetry_dataset()
    except _PARSER_ERRORS as exc:
        raise CrystalError(f"{name}: the symmetry cannot be found: {_first_line(exc)}") from None
    if data is None:
        raise CrystalError(f"{name}: the symmetry cannot be found; do atoms overlap?")
    order = list(dict.fromkeys(int(i) for i in data.equivalent_atoms))
    return tuple(order.index(int(i)) + 1 for i in data.equivalent_atoms), str(data.international)


def _labels(symbols: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    out = []
    for number in range(1, max(numbers) + 1):
        symbol = symbols[numbers.index(number)]
        seen[symbol] = seen.get(symbol, 0) + 1
        out.append(f"{symbol}{seen[symbol]}")
    return tuple(out)


def _from_xyz(text: str, name: str, source: Source) -> Crystal:
    """The xyz format: number of atoms, a comment, then symbol x y z (A) on each line; # starts a comment."""
    lines = text.splitlines()
    try:
        count = int(lines[0].split()[0])
        atoms = []
        for line in lines[2:]:
            words = line.split("#")[0].split()
            if words:
                atoms.append((words[0], [float(v) for v in words[1:4]]))
    except (IndexError, ValueError) as exc:
        raise CrystalError(f"{source} is no xyz file: {exc}") from None
    if count != len(atoms) or any(len(position) != 3 for _, position in atoms):
        raise CrystalError(f"{source}: its first line says {count} atoms, {len(atoms)} follow (symbol x y z)")
    xyz = np.array([position for _, position in atoms])
    if not np.isfinite(xyz).all():
        raise CrystalError(f"{source}: the position of an atom is not a finite number")
    symbols = tuple(_symbol(symbol, name) for symbol, _ in atoms)
    numbers = tuple(range(1, count + 1))
    notes = (lines[1].strip(),) if lines[1].strip() else ()
    return Crystal(name, symbols, xyz, None, numbers, _labels(symbols, numbers), notes=notes, source=source)


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
