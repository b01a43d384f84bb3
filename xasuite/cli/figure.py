"""``xasuite figure``: a figure as PDF, SVG and PNG at a journal's column width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from .common import DATA_ROOT, Interval, print_table, ranged, say_written, spinner


def figure(
    kind: str | None = typer.Argument(
        None, help="Kind of figure, or PAPER/NAME of a published one; left out, both are listed."
    ),
    inputs: list[str] | None = typer.Argument(
        None, help="Specs (.toml), data files, folders of results, series.h5."
    ),
    output: Path = typer.Option(Path("figure"), "--output", "-o", help="File name without its ending."),
    formats: list[str] = typer.Option(
        ["pdf", "svg", "png"], "--format", help="pdf, svg, png; may be repeated."
    ),
    width: str = typer.Option("own", help="column (85 mm), double (178 mm), or the figure's own."),
    rows: list[str] = typer.Option([], "--row", help="Label of a row to show; may be repeated."),
    times: str | None = typer.Option(None, help="Times of the rows, with commas: colours follow them."),
    kweight: int | None = typer.Option(None, help="k weight."),
    k: Interval | None = ranged(None, "--k", help="k range in 1/Å, of ft."),
    against: str | None = typer.Option(
        None, help="Column of a series that parameters are drawn against; left out, the spec's, or time."
    ),
    data_root: Path | None = DATA_ROOT,
) -> None:
    """Draw a figure: XANES, |chi(R)|, fits, wavelets, valence, a series against time."""
    from ..errors import DataError
    from ..report import figures
    from ..report.plots.style import COLUMN, DOUBLE
    from ..specs.published import papers

    if kind is None:
        print_table("Figures", ("kind", "shows"), [(n, known.text) for n, known in figures.KINDS.items()])
        published = [(f"{p}/{n}", f.text) for p, of in papers().items() for n, f in of.figure.items()]
        print_table("Figures of references/published", ("name", "shows"), published)
        return
    widths = {"own": None, "column": COLUMN, "double": DOUBLE}
    if width not in widths:
        raise DataError(f"--width is {', '.join(widths)}, not {width!r}")
    when = [_time(t) for t in times.split(",")] if times else None
    given = {"rows": rows or None, "kweight": kweight, "k": k, "data_root": data_root, "against": against}
    options: dict[str, Any] = {n: v for n, v in (given | {"times": when}).items() if v is not None}
    with spinner(False) as progress:
        progress("drawing")
        made = figures.figure(kind, *(inputs or []), **options)
        written = figures.save_figure(made, output, tuple(formats), width=widths[width])
    say_written(written)


def _time(text: str) -> float:
    from ..errors import DataError

    try:
        return float(text)
    except ValueError:
        raise DataError(f"--times takes numbers with commas between, not {text!r}") from None
