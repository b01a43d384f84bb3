"""Search of crystals, their scattering paths as rows of a table, and the ticked paths as tables of a spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import feff
from ..errors import CrystalError
from ..feff.paths import FeffPath

COLUMNS = ("path", "atoms", "N", "R", "legs", "amplitude")
# first guesses and limits for a fit of any shell; the fit reports a value at a limit
STARTS = {"s02": {"guess": 0.9, "min": 0.0}, "enot": {"guess": 0.0}}


@dataclass(frozen=True)
class Choice:
    """A path that can be ticked: its crystal and FEFF's result."""

    crystal: str
    path: FeffPath


def crystals(text: str) -> list[tuple[str, str]]:
    """Name for the spec and description of every crystal that matches `text`, or of the file that it names."""
    if Path(text).suffix.lower() in (".cif", ".xyz"):
        return [(text, Path(text).name)]
    found = [(c.name, f"{c.name}: {c.title}") for c in feff.shipped_crystals(text)]
    try:
        entries = feff.search_crystals(text)
    except CrystalError:
        if not found:
            raise
        entries = ()
    return found + [
        (f"amcsd:{e.number}", f"amcsd:{e.number} {e.name} {e.formula} {e.space_group}") for e in entries[:40]
    ]


def paths(crystal: str, absorber: str, edge: str) -> list[Choice]:
    """The paths of a crystal around an absorber, nearest first (FEFF, cached)."""
    structure = feff.load_crystal(crystal)
    return [Choice(crystal, p) for p in feff.find_paths(structure, absorber=absorber, edge=edge)]


def columns(found: list[Choice]) -> dict[str, list[Any]]:
    """The columns of the table of paths; the bar shows the amplitude relative to the strongest path."""
    return {
        "path": [c.path.index for c in found],
        "atoms": ["-".join(c.path.scatterers) for c in found],
        "N": [f"{c.path.degen:g}" for c in found],
        "R": [f"{c.path.reff:.3f}" for c in found],
        "legs": [c.path.nleg for c in found],
        "amplitude": [_bar(c.path.relative_amplitude) for c in found],
    }


def with_paths(tables: dict[str, Any], chosen: list[Choice]) -> dict[str, Any]:
    """The spec with these paths: N fixed as in the crystal, R and sigma2 fitted for each, one S02 and E0 for all."""
    params: dict[str, Any] = {name: dict(start) for name, start in STARTS.items()}
    out = []
    for i, c in enumerate(chosen, 1):
        params[f"dr{i}"] = {"guess": 0.0}
        params[f"ss{i}"] = {"guess": 0.005, "min": 0.0}
        where = {"amcsd": int(c.crystal[6:])} if c.crystal.startswith("amcsd:") else {"crystal": c.crystal}
        label = f"{'-'.join(c.path.scatterers)} {c.path.reff:.2f}"
        fitted = {"s02": "s02", "e0": "enot", "deltar": f"dr{i}", "sigma2": f"ss{i}"}
        out.append({"label": label, **where, "path": c.path.index, "n": float(c.path.degen), **fitted})
    return tables | {"params": params, "path": out}


def _bar(percent: float) -> str:
    return "\u2588" * max(1, round(percent / 10)) + f" {percent:.0f}"
