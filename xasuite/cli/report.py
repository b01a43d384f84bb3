"""``xasuite report``: one self-contained HTML page of results, or their tables for a paper."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import say, say_written, spinner


def report(
    results: list[Path] = typer.Argument(
        help="Folders of results (of fit, reproduce, series), result.json or series.h5."
    ),
    output: Path = typer.Option(
        Path("report.html"),
        "--output",
        "-o",
        help=".html for the report; .tex, .docx, .md, .csv for its tables.",
    ),
    title: str = typer.Option("", help="Title; by default that of the analysis."),
    errors: str = typer.Option("parentheses", help="parentheses for 5.8(6), plus-minus for 5.8 ± 0.6."),
) -> None:
    """Write one HTML page with tables, interactive figures, audit and provenance; it needs no network."""
    from ..errors import WriteError
    from ..report.html import write_report, write_tables
    from ..report.tables import FORMATS

    kind = output.suffix.lstrip(".").lower()
    with spinner(False) as progress:
        progress("reading results")
        if kind in FORMATS:
            written = write_tables(results, output, errors=errors)
        elif kind in ("html", "htm"):
            written = [write_report(results, output, title=title, errors=errors)]
        else:
            raise WriteError(
                f"{output}: name it .html for the report, or .{', .'.join(FORMATS)} for its tables"
            )
    say_written(written)
    say(f"{sum(p.stat().st_size for p in written) / 1e6:.1f} MB")
