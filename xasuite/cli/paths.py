"""``xasuite paths``: the scattering paths around an absorber in a crystal or cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from .common import JSON, print_json, show, spinner

if TYPE_CHECKING:
    from ..feff.paths import FeffPath


def paths(
    crystal: str = typer.Argument(help="A shipped crystal or cluster, a CIF or xyz file, or amcsd:NUMBER."),
    absorber: str = typer.Option(..., help="The absorbing element; put on the site if another is there."),
    edge: str = typer.Option("K", help="K, L1, L2, L3, ..."),
    radius: float = typer.Option(6.0, help="Half the longest path, A."),
    site: str | None = typer.Option(None, help="Absorbing site: number, label (Co2) or element."),
    substitute: list[str] = typer.Option(
        [], metavar="Ru=Co", help="Another element on every such atom; may be repeated."
    ),
    program: str = typer.Option("feff8l", help="feff8l or feff6l."),
    scf: bool = typer.Option(False, help="Self-consistent potentials (feff8l; minutes)."),
    json: bool = JSON,
) -> None:
    """List the scattering paths of a structure: number, atoms, degeneracy, reff, legs, amplitude."""
    from ..errors import CrystalError

    wrong = [s for s in substitute if s.count("=") != 1]
    if wrong:
        raise CrystalError(f"--substitute {wrong[0]!r} is not of the form Ru=Co")
    other = dict(s.split("=") for s in substitute)
    asked: Any = {"edge": edge, "radius": radius, "site": site, "substitute": other}
    list_paths(crystal, json, absorber=absorber, program=program, scf=scf, **asked)


def list_paths(crystal: str, json: bool, **asked: Any) -> None:
    """Find the paths and print them; `asked` as `feff.find_paths` takes it."""
    from .. import feff
    from ..records.quantities import Quantity
    from ..records.table import Table

    structure = feff.load_crystal(crystal)
    with spinner(json) as progress:
        progress(f"FEFF: {structure.name}")
        found = feff.find_paths(structure, **asked)
    if json:
        print_json({"crystal": structure.name, "origin": found[0].origin, "paths": [_row(p) for p in found]})
        return
    names = _shell_names(found)
    columns = (
        "path", Quantity("atoms", "Atoms"), "degen", "reff", Quantity("legs", "Legs"),
        Quantity("amplitude", "Amplitude", "%", form=".2f"), Quantity("shell", "Shell"),
    )  # fmt: skip
    rows = [
        tuple((_row(p) | {"atoms": "-".join(p.scatterers), "shell": names.get(p.index, "")}).values())
        for p in found
    ]
    show(Table.of(found[0].origin, columns, rows, notes=structure.notes))


def _row(path: FeffPath) -> dict[str, Any]:
    return {
        "index": path.index,
        "atoms": list(path.scatterers),
        "degeneracy": path.degen,
        "reff": path.reff,
        "legs": path.nleg,
        "relative_amplitude": path.relative_amplitude,
    }


def _shell_names(found: tuple[FeffPath, ...]) -> dict[int, str]:
    """Path number -> the shell it belongs to, as select counts them; * marks the one that select takes."""
    from .. import feff

    out = {}
    for element in dict.fromkeys(p.scatterers[0] for p in found if p.nleg == 2):
        for shell in feff.shells(found, element):
            for path in shell.paths:
                mark = "*" if len(shell.paths) > 1 and path.index == shell.path.index else ""
                out[path.index] = f"{element} {shell.number}{mark}"
    return out
