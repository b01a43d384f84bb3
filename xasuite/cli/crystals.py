"""``xasuite crystals``: search the shipped crystals and the AMCSD, and list the paths of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from .common import JSON, console, print_json, print_table
from .paths import list_paths

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
        first = shipped[0].name if shipped else f"amcsd:{found[0].number}"
        list_paths(first, json, absorber=absorber)
    elif json:
        known = [{"name": c.name, "title": c.title, "source": c.source} for c in shipped]
        print_json({"shipped": known, "amcsd": [asdict(e) for e in found]})
    else:
        _show(shipped, found, most)


def _show(shipped: Sequence[Shipped], found: Sequence[Entry], most: int) -> None:
    """Print both lists, and a hint how to go on."""
    if shipped:
        rows = [(c.name, c.title, c.source.split(";")[0]) for c in shipped]
        print_table("Shipped", ("crystal", "what", "source"), rows)
    if found:
        heads = ("crystal", "mineral", "formula", "space group", "a, b, c (A)", "source")
        entries = [
            (f"amcsd:{e.number}", e.name, e.formula, e.space_group, ", ".join(e.cell[:3]), e.reference)
            for e in found[:most]
        ]
        print_table(f"AMCSD: {min(most, len(found))} of {len(found)}", heads, entries)
    hint = 'Write the first column as crystal = "..." in a spec; --paths ELEMENT lists scattering paths.'
    console().print(hint, style="dim")
