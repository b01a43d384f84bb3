"""xasuite dband FILE: the d-band centre of an XPS valence band."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import RangeError, ReadError
from ._xanes import JSON, OUT, Interval, kept
from .common import present, ranged

if TYPE_CHECKING:
    from ..records import Array
    from ..xanes import FermiEdge


def dband(
    file: Path = typer.Argument(..., help="Text of columns: binding energy (eV), then intensity."),
    fermi: float | None = typer.Option(
        None, help="Binding energy of the Fermi level as recorded; left out, zero."
    ),
    fermi_fit_range: Interval | None = ranged(
        None, "--fit-fermi", help="Fit the Fermi edge on these energies instead, as in --fit-fermi -1,1."
    ),
    cut: Interval = ranged("-2,10", "--cut", help="Range kept, in eV of binding from the Fermi level."),
    out: Path | None = OUT,
    json: bool = JSON,
) -> None:
    """The d-band centre of an XPS valence band above a Shirley background, with its errors.

    E_d = integral N(e) e de / integral N(e) de, e from the Fermi level, negative for filled states.
    """
    from dataclasses import replace

    from ..report import plot
    from ..xanes import d_band_centre

    binding, intensity = _columns(file)
    level, said = _fermi(binding, intensity, fermi, fermi_fit_range)
    found = d_band_centre(binding, intensity, fermi=level, cut=cut)
    table = replace(found.summary(), notes=(said,))
    present(json, table, written=kept(out, "dband", table, lambda: plot(found)))


def _columns(file: Path) -> tuple[Array, Array]:
    """The first two columns of a text file. Raises ReadError."""
    from ..io.formats.text import find_block

    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise ReadError(f"{file} does not exist; check the path") from None
    except OSError as exc:
        raise ReadError(f"{file} cannot be read: {exc.strerror}") from None
    columns = find_block(lines, str(file)).columns
    return columns[0], columns[1]


def _fermi(
    binding: Array, intensity: Array, fermi: float | None, fit_range: Interval | None
) -> tuple[float | FermiEdge, str]:
    """The Fermi level, given, fitted or zero, and a line that says which. Raises RangeError."""
    from ..records.quantities import as_printed
    from ..xanes import fermi_level

    if fit_range is None:
        taken = "taken to be" if fermi is None else "given as"
        return fermi or 0.0, f"Fermi level {taken} {fermi or 0.0:g} eV as recorded"
    if fermi is not None:
        raise RangeError("--fermi and --fit-fermi exclude each other; give one of them")
    level = fermi_level(binding, intensity, fit_range=fit_range)
    return level, f"Fermi level {as_printed(level.position, level.stderr)} eV as recorded, fitted"
