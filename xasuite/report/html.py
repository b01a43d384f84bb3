"""The report: one self-contained HTML file with tables, interactive figures, audit and provenance."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from .. import files
from ..errors import ReadError
from ..records.quantities import ERRORS
from ..records.table import Entry, Table
from ..version import __version__
from .section_fit import result_section
from .section_series import series_section
from .sections import Section, find_inputs
from .tables import write_table
from .viewer import payload

TEMPLATES = "templates"
SHORT_TABLE = 14  # rows; a table no longer than that stands before the figures, a longer one after them


def write_report(
    inputs: Sequence[str | Path],
    target: str | Path = "report.html",
    *,
    title: str = "",
    errors: str = ERRORS[0],
) -> Path:
    """Write the report of results: one HTML file that needs no network.

    Parameters
    ----------
    inputs : sequence of str or Path
        Folders of results (of fit, reproduce, series), result.json or series.h5 files.
    target : str or Path
        The file to write.
    title : str
        By default that of the only result, or the number of results.
    errors : str
        "parentheses" for 5.8(6), or "plus-minus" for 5.8 ± 0.6.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ReadError
        A file that is missing or damaged.
    WriteError
        A place that cannot be written.

    Examples
    --------
    >>> from xasuite.errors import ReadError
    >>> try:
    ...     xs.report.write_report(["no_such_results"])
    ... except ReadError as exc:
    ...     print("not there")
    not there
    """
    sections = [section_of(p) for p in find_inputs(inputs)]
    if not sections:
        raise ReadError("a report needs results; name a folder of them")
    named = title or (sections[0].title if len(sections) == 1 else f"{len(sections)} analyses")
    return files.write_text(target, render(sections, named, errors))


def write_tables(inputs: Sequence[str | Path], target: str | Path, *, errors: str = ERRORS[0]) -> list[Path]:
    """Write the main table of every input in the format of the suffix; several files are numbered.

    Raises ReadError, WriteError.
    """
    found = [replace(s.tables[0], title=s.title) for s in map(section_of, find_inputs(inputs))]
    target = Path(target)
    if len(found) == 1:
        return [write_table(found[0], target, errors)]
    stems = (target.with_stem(f"{target.stem}_{i}") for i in range(1, len(found) + 1))
    return [write_table(t, stem, errors) for t, stem in zip(found, stems, strict=True)]


def section_of(path: Path) -> Section:
    """The section of a result.json or a series.h5. Raises ReadError for any other file."""
    if path.suffix in (".h5", ".hdf5"):
        return series_section(path)
    if path.suffix == ".json":
        return result_section(path)
    raise ReadError(f"{path} is no result: a report takes folders of results, result.json and series.h5")


def _shown(table: Table, errors: str) -> dict[str, Any]:
    """A table for the template: heads and cells with their CSS classes, and whether any cell is marked outside."""
    kinds = ["number" if n else "" for n in table.numeric()]
    wrong = [[isinstance(c, Entry) and c.within is False for c in row] for row in table.rows]
    rows = []
    for texts, outside in zip(table.cells(errors), wrong, strict=True):
        classes = (f"{k} outside" if w else k for k, w in zip(kinds, outside, strict=True))
        rows.append(list(zip(texts, classes, strict=True)))
    return {"header": zip(table.header, kinds, strict=True), "rows": rows, "outside": any(map(any, wrong))}


def render(sections: Sequence[Section], title: str, errors: str = ERRORS[0]) -> str:
    """The HTML of the page."""
    import jinja2

    source = resources.files(__package__) / TEMPLATES
    page, css, js = (
        (source / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    viewers = [None if s.stack is None else payload(s.stack) for s in sections]
    # "<" never stands in a script: the text of a label cannot end it
    data = json.dumps(viewers, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return environment.from_string(page).render(
        title=title,
        version=__version__,
        time=time.strftime("%Y-%m-%d %H:%M"),
        sections=sections,
        short_table=SHORT_TABLE,
        css=css,
        js=js,
        plotly=_plotly() if any(v is not None for v in viewers) else "",
        data=data,
        provenance=dict.fromkeys(line for s in sections for line in s.provenance),
        shown=lambda table: _shown(table, errors),
        dict=dict,
    )


def _plotly() -> str:
    """plotly.js as the plotly package ships it, without importing the package's figures."""
    text = (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script")
