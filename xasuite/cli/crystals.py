"""``xasuite crystals``: search the shipped crystals and the AMCSD, and list the paths of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .common import JSON, console, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..feff.library import Entry, Shipped


def crystals(
    text: str = typer.Argument(
        "", help="Mineral (hematite), formula (Fe2O3), elements (Fe O), space group (R-3c) or AMCSD number."
    ),
    absorber: str | None = typer.Option(
        None,
        "--paths",
        metavar="ELEMENT",
        help="List the paths around this element in the first structure found.",
    ),
    most: int = typer.Option(15, min=1, help="Structures to list."),
    json: bool = JSON,
) -> None:
    """Search crystal structures, offline: those shipped, then the American Mineralogist database."""
    from .. import feff
    from ..errors import CrystalError

    shipped = feff.shipped_crystals(text)
    found: tuple[Entry, ...] = ()
    try:
        found = feff.search_crystals(text) if text else ()
    except CrystalError:
        if not shipped:
            raise
    if absorber is not None:
        from .paths import paths

        first = shipped[0].name if shipped else f"amcsd:{found[0].number}"
        paths(
            first,
            absorber=absorber,
            edge="K",
            radius=6.0,
            site=None,
            substitute=[],
            program="feff8l",
            scf=False,
            json=json,
        )
        return
    if json:
        print_json(
            {
                "shipped": [{"name": c.name, "title": c.title, "source": c.source} for c in shipped],
                "amcsd": [{k: getattr(e, k) for k in e.__dataclass_fields__} for e in found],
            }
        )
        return
    _show(shipped, found, most)


def _show(shipped: Sequence[Shipped], found: Sequence[Entry], most: int) -> None:
    """Both lists on the terminal."""
    if shipped:
        print_table(
            "Shipped",
            ("crystal", "what", "source"),
            [(c.name, c.title, c.source.split(";")[0]) for c in shipped],
        )
    if found:
        print_table(
            f"AMCSD: {min(most, len(found))} of {len(found)}",
            ("crystal", "mineral", "formula", "space group", "a, b, c (A)", "source"),
            [
                (f"amcsd:{e.number}", e.name, e.formula, e.space_group, ", ".join(e.cell[:3]), e.reference)
                for e in found[:most]
            ],
        )
    console().print(
        'Write the first column as crystal = "..." in a spec; --paths ELEMENT lists scattering paths.',
        style="dim",
    )
