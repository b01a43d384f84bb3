"""`xasuite show FILE`: what a file holds, how it was read, and what was changed on the way in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ..records import Scan

_MANY_CHANNELS = 12


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("show", help="Show what a file of scans holds and what was changed when it was read.")(show)


def show(
    file: str = typer.Argument(
        ..., help="XDI, Athena project, text columns or HDF5, gzipped or not; FILE::GROUP for one group."
    ),
    mu: str = typer.Option(None, "--mu", help='Arithmetic over channels, such as "ln(i0/it)".'),
    reference: str = typer.Option(None, "--reference", help="The same for the reference foil."),
    i0: str = typer.Option(None, "--i0", help="Column of the incident intensity, where no name says so."),
    energy: str = typer.Option(None, "--energy", help="Column of the energies, where no name says so."),
    units: str = typer.Option(None, "--units", help="What --energy holds: eV, keV or angle (degrees)."),
    element: str = typer.Option(None, "--element", help="Element symbol, where the file does not say."),
    edge: str = typer.Option(None, "--edge", help="K, L3, ..."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Print a row a group; notes below, a short summary when there is one scan."""
    from ..io import read_all

    scans = read_all(
        file, element=element, edge=edge, mu=mu, reference=reference, i0=i0, energy=energy, units=units
    )
    if as_json:
        typer.echo(json.dumps(document(scans), indent=1))
        return
    _print(scans)


def document(scans: list[Scan]) -> dict[str, Any]:
    """What --json prints: {"file", "format", "sha256", "groups": [...]}, a dictionary a group."""
    first = scans[0].source
    return {
        "file": first.path,
        "format": first.format,
        "sha256": first.sha256,
        "groups": [_group(s) for s in scans],
    }


def _group(scan: Scan) -> dict[str, Any]:
    return {
        "group": scan.source.group,
        "label": scan.label,
        "element": scan.element,
        "edge": scan.edge,
        "points": int(scan.energy.size),
        "energy": [float(scan.energy[0]), float(scan.energy[-1])],
        "channels": list(scan.channels),
        "mu": scan.mu_expr,
        "reference": scan.reference_expr,
        "notes": list(scan.notes),
    }


def _print(scans: list[Scan]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    several = len(scans) > 1
    shared = len({tuple(s.channels) for s in scans}) == 1
    for name, right in (
        (("#", True), ("group", False)) if several else (("scan", False),)
    ) + (("edge", False), ("points", True), ("from eV", True), ("to eV", True), ("mu", False)):  # fmt: skip
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    if not shared:
        table.add_column("channels", overflow="fold")
    for i, scan in enumerate(scans, start=1):
        label = scan.source.group or scan.label
        row = [*([str(i)] if several else []), escape(label), f"{scan.element or '?'} {scan.edge}".strip()]
        row += [
            str(scan.energy.size),
            f"{scan.energy[0]:.1f}",
            f"{scan.energy[-1]:.1f}",
            escape(_short(scan.mu_expr)),
        ]
        table.add_row(*row, *([] if shared else [escape(_channels(scan))]))
    console.print(table)
    if shared:
        console.print(f"[dim]channels[/dim]  {escape(_channels(scans[0]))}", soft_wrap=True)
    references = sorted({s.reference_expr for s in scans if s.reference_expr})
    if references:
        console.print(f"[dim]reference[/dim] {escape(', '.join(references))}", soft_wrap=True)
    if not several:
        console.print(f"[dim]summary[/dim]   {escape(summary(scans[0]))}", soft_wrap=True)
    _print_notes(console, scans)


def _print_notes(console: Any, scans: list[Scan]) -> None:
    """Every note once, with the groups it is true of."""
    from rich.markup import escape

    where: dict[str, list[int]] = {}
    for i, scan in enumerate(scans, start=1):
        for note in scan.notes:
            where.setdefault(note, []).append(i)
    for note, rows in where.items():
        if len(scans) == 1 or len(rows) == len(scans):
            prefix = ""
        else:
            prefix = f"#{_ranges(rows)}: "
        console.print(f"[dim]note[/dim]      {escape(prefix + note)}", soft_wrap=True)


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
    """A long sum by its first and last terms."""
    terms = expression.split(" + ")
    return f"{terms[0]} + ... + {terms[-1]}" if len(terms) > 4 else expression


def summary(scan: Scan) -> str:
    """One line: roughly how large the edge step is and where, how far the scan goes and how finely."""
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
