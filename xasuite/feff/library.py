"""Search for crystals: shipped ones, and those of the American Mineralogist database (AMCSD) in larixite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .. import references
from ..errors import CrystalError

# Two compositions are the same formula if all atomic fractions agree within this; 2 % of vacancies on a site are allowed.
_SAME_FRACTION = 0.01
_TERM = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)")


@dataclass(frozen=True)
class Entry:
    """One structure of the database.

    Attributes
    ----------
    number : int
        AMCSD number; ``load_crystal(f"amcsd:{number}")`` loads it.
    name : str
        Mineral name, "" where the structure is no mineral.
    formula, space_group : str
        As the database writes them.
    cell : tuple of str
        a, b, c in Angstrom, alpha, beta, gamma in degrees, as the database writes them (some hold misprints).
    reference : str
        Journal, volume, first page and year.
    note : str
        Temperature, pressure or sample as given in the title, or "".
    """

    number: int
    name: str
    formula: str
    space_group: str
    cell: tuple[str, ...]
    reference: str
    note: str


@dataclass(frozen=True)
class Shipped:
    """A crystal that comes with the package: its name for ``load_crystal``, its title and its source."""

    name: str
    title: str
    source: str


def shipped_crystals(text: str = "") -> tuple[Shipped, ...]:
    """Shipped crystals whose name, formula, elements or title match `text`; all of them for an empty text.

    Parameters
    ----------
    text : str
        As in `search_crystals`.

    Returns
    -------
    tuple of Shipped
        In order of their names; empty when none matches.

    Examples
    --------
    >>> [c.name for c in shipped_crystals("hematite")]
    ['Fe2O3']
    """
    found = []
    for path in sorted((references.references_dir() / "crystals").glob("*.cif")):
        head = path.read_text(encoding="utf-8").split("\n")[:2]
        title, source = (line.lstrip("# ").strip() for line in head)
        formula = path.stem.split("_")[0]
        entry = Entry(0, title, formula, "", (), source, "")
        words = text.lower() in title.lower() if len(text) > 2 else False
        if not text or words or text == path.stem or _by_formula(text, entry) or _by_elements(text, entry):
            found.append(Shipped(path.stem, title, source))
    return tuple(found)


def search_crystals(text: str) -> tuple[Entry, ...]:
    """Structures of the database by mineral name, formula, elements, space group or number.

    Parameters
    ----------
    text : str
        A mineral's name or its beginning (``"hematite"``), a formula (``"Fe2O3"``), elements that make up the
        structure (``"Fe O"``, ``"Fe-O"``), a space group (``"R-3c"``), or a number (``"amcsd:143"``, ``"143"``).

    Returns
    -------
    tuple of Entry
        Structures at ambient conditions first (those whose title names no pressure or temperature), then by number.

    Raises
    ------
    CrystalError
        Nothing is found.

    Examples
    --------
    >>> search_crystals("hematite")[0].formula
    'Fe2 O3'
    >>> {e.name for e in search_crystals("TiO2")} >= {"Rutile", "Anatase", "Brookite"}
    True
    """
    wanted = text.strip()
    rows = _rows()
    kinds = (_by_number, _by_space_group, _by_formula, _by_elements, _by_name)
    found = next((hits for kind in kinds if (hits := [e for e in rows if kind(wanted, e)])), [])
    if not found:
        raise CrystalError(
            f"nothing in the crystal database matches {text!r}; write a mineral (hematite), a formula (Fe2O3), elements "
            "(Fe O), a space group (R-3c) or a number (143)"
        )
    found.sort(key=lambda e: (bool(re.search(r"\b(P|T) =|kbar|GPa", e.note)), e.number))
    return tuple(found)


def _by_number(text: str, entry: Entry) -> bool:
    return text.lower().removeprefix("amcsd:") == str(entry.number)


def _by_space_group(text: str, entry: Entry) -> bool:
    return " " not in text and _plain(text) == _plain(entry.space_group.split("%")[0])


def _by_name(text: str, entry: Entry) -> bool:
    return len(text) > 2 and entry.name.lower().startswith(text.lower())


def _by_formula(text: str, entry: Entry) -> bool:
    if re.search(r"[A-Z][a-z]?[\s,-]", text):
        return False  # "Fe O" names elements, "FeO" is a formula
    wanted, found = _composition(text), _composition(entry.formula)
    if not wanted or wanted.keys() != found.keys():
        return False
    return all(abs(wanted[e] - found[e]) < _SAME_FRACTION for e in wanted)


def _by_elements(text: str, entry: Entry) -> bool:
    wanted = set(re.split(r"[\s,-]+", text))
    return bool(wanted) and wanted == set(_composition(entry.formula))


def _plain(space_group: str) -> str:
    return space_group.replace(" ", "").replace("_", "").lower()


def _composition(formula: str) -> dict[str, float]:
    """Atomic fractions of a formula, with brackets multiplied out; {} for text that is not a formula."""
    text = formula.replace(" ", "")
    inner = re.compile(r"\(([^()]*)\)(\d*\.?\d*)")
    while bracket := inner.search(text):
        times = float(bracket[2] or 1)
        text = text[: bracket.start()] + _written(bracket[1], times) + text[bracket.end() :]
    if not text or _TERM.sub("", text):
        return {}
    amounts: dict[str, float] = {}
    for element, amount in _terms(text):
        amounts[element] = amounts.get(element, 0.0) + amount
    total = sum(amounts.values())
    return {element: amount / total for element, amount in amounts.items()} if total > 0 else {}


def _written(part: str, times: float) -> str:
    return "".join(f"{element}{amount * times:.6f}" for element, amount in _terms(part))


def _terms(part: str) -> Iterator[tuple[str, float]]:
    for element, amount in _TERM.findall(part):
        yield element, float(amount) if amount not in ("", ".") else 1.0


@lru_cache(maxsize=1)
def _rows() -> list[Entry]:
    """Every structure, read directly from the database file: its own package takes seconds to open it."""
    import importlib.util
    import sqlite3

    spec = importlib.util.find_spec("larixite")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0], "amcsd_cif1.db") if folders else None
    if path is None or not path.is_file():
        said = "the crystal database of larixite is not installed; pip install larixite brings it"
        raise CrystalError(said)
    query = (
        "SELECT cif.id, minerals.name, formula, hm_notation, a, b, c, alpha, beta, gamma, journalname, volume, "
        "page_first, year, pub_title FROM cif JOIN minerals ON minerals.id = mineral_id "
        "JOIN spacegroups ON spacegroups.id = spacegroup_id JOIN publications ON publications.id = publication_id"
    )
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(query).fetchall()
    found = []
    for number, name, formula, group, *cell, journal, volume, page, year, title in rows:
        note = " ".join((title or "").split()).partition("Note: ")[2]
        reference = f"{journal} {volume}, {page} ({year})"
        mineral = "" if name == "<missing>" else name
        found.append(Entry(number, mineral, formula, group, tuple(cell), reference, note))
    return found
