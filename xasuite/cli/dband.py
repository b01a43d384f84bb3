"""xasuite dband FILE: the d-band centre of an XPS valence band."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import RangeError, ReadError
from ._xanes import OUT, keep, pair, show

if TYPE_CHECKING:
    import pandas as pd

    from ..records import Array
    from ..xanes import DBand, FermiEdge


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def dband(
        file: Path = typer.Argument(..., help="Text of columns: binding energy (eV), then intensity."),
        fermi: float | None = typer.Option(
            None, "--fermi", help="Binding energy of the Fermi level as recorded; left out, zero."
        ),
        fermi_span: str | None = typer.Option(
            None, "--fit-fermi", help="Fit the Fermi edge on these energies instead, as in --fit-fermi=-1,1."
        ),
        cut: str = typer.Option(
            "-2,10", "--cut", help="Range kept, in eV of binding from the Fermi level, as in --cut=-2,10."
        ),
        out: Path | None = OUT,
    ) -> None:
        """The d-band centre of an XPS valence band above a Shirley background, with its errors.

        E_d = integral N(e) e de / integral N(e) de, e from the Fermi level, negative for filled states.
        """
        from ..report.plots import components as plots
        from ..xanes import d_band_centre

        within = pair(cut, "cut")
        if within is None:
            raise RangeError('--cut is needed: "low,high" in eV')
        binding, intensity = _columns(file)
        level = _fermi(binding, intensity, fermi, pair(fermi_span, "fit-fermi"))
        found = d_band_centre(binding, intensity, fermi=level, cut=within)
        table = _table(found)
        show(table)
        keep(plots.dband(found), table, out, "dband")


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
    binding: Array, intensity: Array, fermi: float | None, fit_range: tuple[float, float] | None
) -> float | FermiEdge:
    """The Fermi level as given, fitted, or taken to be zero, and a line that says which. Raises RangeError."""
    from ..xanes import fermi_level

    if fit_range is None:
        taken = "taken to be" if fermi is None else "given as"
        typer.echo(f"Fermi level {taken} {fermi or 0.0:g} eV as recorded")
        return fermi or 0.0
    if fermi is not None:
        raise RangeError("--fermi and --fit-fermi exclude each other; give one of them")
    level = fermi_level(binding, intensity, fit_range=fit_range)
    typer.echo(f"Fermi level {level.position:.3f}({level.stderr:.3f}) eV as recorded, fitted")
    return level


def _table(found: DBand) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "d-band centre (eV)": [float(found.centre)],
            "error": [float(found.stderr)],
            "from noise": [float(found.noise_err)],
            "from the ends": [float(found.ends_err)],
            "width (eV)": [float(found.width)],
        }
    )
