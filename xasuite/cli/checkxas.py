"""``xasuite checkxas``: what a referee asks of data and fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._xanes import MU
from .common import ABSORPTION_EDGE, ELEMENT, ENERGY, I0, JSON, UNITS, present

if TYPE_CHECKING:
    from ..workflow.checkxas import Checked

FAILED = 2


def checkxas(
    target: str = typer.Argument(
        help="A file of scans, or results: a fit's folder or result.json, a series' folder or series.h5."
    ),
    mu: str | None = MU,
    i0: str | None = I0,
    energy: str | None = ENERGY,
    units: str | None = UNITS,
    element: str | None = ELEMENT,
    edge: str | None = ABSORPTION_EDGE,
    json: bool = JSON,
) -> None:
    """Check data, fits or a series as a referee does: pass, note or fail, with numbers. Exit code 2 where a check fails."""
    from .. import io
    from ..errors import ReadError
    from ..workflow.checkxas import check_spectrum

    path = Path(target)
    reading = {"mu": mu, "i0": i0, "energy": energy, "units": units, "element": element, "edge": edge}
    if path.is_dir() or path.name in ("result.json", "series.h5"):
        if given := [f"--{name}" for name, value in reading.items() if value is not None]:
            raise ReadError(
                f"{target} is a result, and a file of scans alone takes {', '.join(given)}: leave that out"
            )
        done = _of_results(path)
    else:
        done = [check_spectrum(s.mu()) for s in io.read_all(target, **reading)]
    present(json, *done)
    raise typer.Exit(0 if all(d.good for d in done) else FAILED)


def _of_results(path: Path) -> list[Checked]:
    """The checks of every fit and series of a folder, and of the spectra that were fitted."""
    from .._series import open_run
    from .._series.checks import check_series
    from ..errors import ReadError
    from ..report.section_fit import read_result
    from ..report.sections import find_inputs
    from ..workflow.checkxas import check_fits, check_sources

    done: list[Checked] = []
    for found in find_inputs([path]):
        if found.name == "series.h5":
            done.append(check_series(open_run(found)))
            continue
        try:
            document = read_result(found)
            done += [*check_fits(document), *check_sources(document)]
        except (KeyError, TypeError, AttributeError) as exc:
            raise ReadError(
                f"{found} is no result of a fit ({type(exc).__name__}: {exc}); name a folder that xasuite fit wrote"
            ) from exc
    return done
