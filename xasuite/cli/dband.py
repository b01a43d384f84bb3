"""xasuite dband FILE: the d-band centre of an XPS valence band."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import OUT, keep, pair, show


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def dband(
        file: Path = typer.Argument(..., help="Text with two columns: binding energy (eV) and intensity."),
        fermi: float | None = typer.Option(
            None, "--fermi", help="Binding energy of the Fermi level as recorded."
        ),
        fermi_span: str | None = typer.Option(
            None, "--fit-fermi", help='Fit the Fermi edge on "low,high" eV instead.'
        ),
        cut: str = typer.Option("-2,10", "--cut", help='Kept range in eV from the Fermi level, "low,high".'),
        out: Path | None = OUT,
    ) -> None:
        """E_d = integral N(e) e de / integral N(e) de above a Shirley background, with its errors."""
        import numpy as np
        import pandas as pd

        from ..errors import RangeError, ReadError
        from ..report.plots import components as plots
        from ..xanes import FermiEdge, d_band_centre, fermi_level

        try:
            data = np.loadtxt(file, comments=["#", "%", ";"], usecols=(0, 1))
        except (OSError, ValueError) as exc:
            raise ReadError(f"{file} cannot be read as two columns of numbers: {exc}") from None
        within, edges = pair(cut, "cut"), pair(fermi_span, "fit-fermi")
        if within is None:
            raise RangeError("the cut needs two energies")
        level: float | FermiEdge = fermi or 0.0
        if edges is not None:
            level = fermi_level(data[:, 0], data[:, 1], span=edges)
            typer.echo(f"Fermi level {level.position:.3f}({level.stderr:.3f}) eV as recorded")
        found = d_band_centre(data[:, 0], data[:, 1], fermi=level, cut=within)
        table = pd.DataFrame(
            {
                "d-band centre (eV)": [float(found.centre)],
                "error": [float(found.stderr)],
                "from noise": [float(found.noise_err)],
                "from the ends": [float(found.ends_err)],
                "width (eV)": [float(found.width)],
            }
        )
        show(table)
        keep(plots.dband(found), table, out, "dband")
