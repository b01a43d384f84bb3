"""``xasuite merge``: scans of one sample on one energy scale, averaged, written as one file."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import MU
from .common import JSON, print_json, say, say_written


def merge(
    files: list[str] = typer.Argument(
        help="Scans of one sample; a pattern in quotes, FILE::GROUP for one group."
    ),
    output: Path = typer.Option(
        Path("merged.xdi"), "--output", "-o", help="File to write: .xdi, .prj, .h5 or .csv."
    ),
    align: str = typer.Option(
        "auto",
        help="Spectrum by which scans are aligned to the first: reference, mu, auto (the reference where all have one) or none.",
    ),
    mu: str | None = MU,
    reference: str | None = typer.Option(None, help="Expression of channels for mu of the reference foil."),
    label: str = typer.Option("", help="Name of the merged spectrum; left out, the number of scans."),
    json: bool = JSON,
) -> None:
    """Align scans to the first, average them, and write the mean with its standard deviation."""
    from .. import io, reduce
    from ..choices import ALIGNS
    from ..errors import ReductionError

    if align not in ALIGNS:
        raise ReductionError(f"--align {align!r} is not one of {', '.join(ALIGNS)}")
    read = [io.read(name, mu=mu, reference=reference) for name in files]
    scans = [s for found in read for s in (found if isinstance(found, list) else [found])]
    merged = reduce.merge(scans, align=align, label=label)  # type: ignore[arg-type]
    io.write(output, merged)
    used = merged.history[-1].settings
    if json:
        moved = {"scans": list(used["labels"]), "shifts": list(used["shifts"])}
        print_json({"file": str(output), "label": merged.label, **moved})
        return
    for name, by in zip(used["labels"], used["shifts"], strict=True):
        say(f"{name}: shifted by {by:+.3f} eV")
    say_written([output])
