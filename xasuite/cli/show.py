"""`xasuite show FILE`: what a file holds, how it was read, and what was changed on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ._xanes import MU
from .common import ABSORPTION_EDGE, ELEMENT, ENERGY, I0, JSON, UNITS, print_json
from .common import show as show_table

if TYPE_CHECKING:
    from ..records import Scan
    from ..records.table import Table

_MANY_CHANNELS = 12


def show(
    file: str = typer.Argument(
        ..., help="XDI, Athena project, text columns or HDF5, gzipped or not; FILE::GROUP for one group."
    ),
    mu: str | None = MU,
    reference: str = typer.Option(None, help="Expression of channels for mu of the reference foil."),
    i0: str = I0,
    energy: str = ENERGY,
    units: str = UNITS,
    element: str = ELEMENT,
    edge: str = ABSORPTION_EDGE,
    as_json: bool = JSON,
) -> None:
    """Show what a file of scans holds and what was changed when it was read."""
    from ..io import read_all

    scans = read_all(
        file, element=element, edge=edge, mu=mu, reference=reference, i0=i0, energy=energy, units=units
    )
    if as_json:
        print_json(document(scans))
        return
    show_table(_table(scans))


def document(scans: list[Scan]) -> dict[str, Any]:
    """What --json prints: {"file", "format", "sha256", "groups": [...]}, one dictionary per group."""
    first = scans[0].source
    file = {"file": first.path, "format": first.format, "sha256": first.sha256}
    return file | {"groups": [_group(s) for s in scans]}


def _group(scan: Scan) -> dict[str, Any]:
    named = {"group": scan.source.group} | {n: getattr(scan, n) for n in ("label", "element", "edge")}
    size = {"points": scan.energy.size, "energy": scan.energy[[0, -1]], "channels": list(scan.channels)}
    return named | size | {"mu": scan.mu_expr, "reference": scan.reference_expr, "notes": scan.notes}


def _table(scans: list[Scan]) -> Table:
    """One row per group; channels once where all groups have the same; every note once, with the rows it holds for."""
    from ..records.quantities import Quantity
    from ..records.table import Table

    several = len(scans) > 1
    shared = len({tuple(s.channels) for s in scans}) == 1
    rows: list[tuple[Any, ...]] = [
        (
            i, s.source.group or s.label, f"{s.element or '?'} {s.edge}".strip(), int(s.energy.size), float(s.energy[0]),
            float(s.energy[-1]), _short(s.mu_expr), _channels(s),
        )
        for i, s in enumerate(scans, start=1)
    ]  # fmt: skip
    columns: tuple[Quantity, ...] = (
        Quantity("#"), Quantity("group", "Group" if several else "Scan"), Quantity("edge", "Edge"), Quantity("points", "Points"),
        Quantity("from", "From", "eV", form=".1f"), Quantity("to", "To", "eV", form=".1f"), Quantity("mu", "mu"),
        Quantity("channels", "Channels"),
    )  # fmt: skip
    shown = slice(0 if several else 1, len(columns) - shared)
    facts = [("Channels", _channels(scans[0]))] if shared else []
    references = sorted({s.reference_expr for s in scans if s.reference_expr})
    facts += [("Reference", ", ".join(references))] if references else []
    facts += [] if several else [("Summary", summary(scans[0]))]
    where: dict[str, list[int]] = {}
    for i, scan in enumerate(scans, start=1):
        for note in scan.notes:
            where.setdefault(note, []).append(i)
    notes = (n if len(of) == len(scans) else f"#{_ranges(of)}: {n}" for n, of in where.items())
    first = scans[0].source
    title = f"{Path(first.path).name}, {first.format}".rstrip(", ")
    return Table.of(title, columns[shown], [r[shown] for r in rows], facts=tuple(facts), notes=tuple(notes))


def _ranges(rows: list[int]) -> str:
    out: list[list[int]] = []
    for row in rows:
        if out and row == out[-1][1] + 1:
            out[-1][1] = row
        else:
            out.append([row, row])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def _channels(scan: Scan) -> str:
    names = list(scan.channels)
    more = len(names) - _MANY_CHANNELS
    return ", ".join(names[:_MANY_CHANNELS]) + (f" and {more} more" if more > 0 else "")


def _short(expression: str) -> str:
    """An expression; a long sum as its first and last terms."""
    terms = expression.split(" + ")
    return f"{terms[0]} + ... + {terms[-1]}" if len(terms) > 4 else expression


def summary(scan: Scan) -> str:
    """One line: approximate edge step and edge energy, end of the scan in k, smallest step."""
    import numpy as np

    from ..constants import KTOE
    from ..edges import tabulated
    from ..io.edges import find_jump, rough_step

    spectrum = scan.mu()
    jump = find_jump(spectrum.energy, spectrum.mu)
    line = tabulated(scan.element, scan.edge) if scan.element and scan.edge else None
    parts = []
    if jump.quality > 0:
        step = rough_step(spectrum.energy, spectrum.mu, jump.energy)
        about = f"edge step about {step:.3g}, " if step else ""
        parts.append(f"{about}half of the rise at {jump.energy:.1f} eV")
    if line:
        parts.append(f"tabulated {scan.element} {scan.edge} {line:.1f} eV")
        if spectrum.energy[-1] > line:
            parts.append(f"measured to k = {np.sqrt((spectrum.energy[-1] - line) / KTOE):.1f} 1/A")
    parts.append(f"finest step {np.diff(spectrum.energy).min():.2g} eV")
    return "; ".join(parts)
