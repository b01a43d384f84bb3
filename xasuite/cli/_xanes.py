"""What the XANES commands share: files to normalised records, ranges, figures beside their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import RangeError

if TYPE_CHECKING:
    import pandas as pd

    from ..records import Normalized


def pair(text: str | None, name: str) -> tuple[float, float] | None:
    """A range "low,high" as two numbers. Raises RangeError."""
    if text is None:
        return None
    try:
        low, high = (float(x) for x in text.replace(":", ",").split(","))
    except ValueError:
        raise RangeError(f'--{name} {text!r} is no range; write it as "low,high" in eV') from None
    if low >= high:
        raise RangeError(f"--{name} {text!r} runs backwards; write the lower end first")
    return low, high


def normalized(
    names: list[str], *, mu: str | None = None, pre_range: str | None = None, norm_range: str | None = None
) -> list[Normalized]:
    """Every scan of the files named (a file's groups all, or "file::group"), normalised, no two of one label.

    Scans that call themselves alike are told apart by their files.
    """
    from .. import io, reduce

    records, stems = [], []
    for name in names:
        scans = [io.read(name, mu=mu)] if "::" in name else io.read_all(name, mu=mu)
        records += [
            reduce.normalize(
                s.mu(), pre_range=pair(pre_range, "pre-range"), norm_range=pair(norm_range, "norm-range")
            )
            for s in scans
        ]
        stems += [Path(name.partition("::")[0]).stem] * len(scans)
    labels = [" ".join(r.label.split()) or stem for r, stem in zip(records, stems, strict=True)]
    often = Counter(labels)
    labels = [
        f"{label} ({stem})" if often[label] > 1 else label for label, stem in zip(labels, stems, strict=True)
    ]
    return [replace(r, label=label) for r, label in zip(records, labels, strict=True)]


def pair_of(text: str) -> tuple[float, float]:
    """The energies used, which have no default. Raises RangeError."""
    within = pair(text, "energy")
    if within is None:
        raise RangeError('--energy is needed: "low,high" in eV')
    return within


def show(table: pd.DataFrame, digits: int = 3) -> None:
    """Print a table; numbers that are not there are left empty."""
    typer.echo(
        table.to_string(index=False, na_rep="", float_format=lambda x: "" if x != x else f"{x:.{digits}f}")
    )


def keep(figure: Any, table: pd.DataFrame, out: Path | None, name: str) -> None:
    """Write a figure and its table into a folder, when there is one."""
    if out is None:
        return
    from ..files import write_text
    from ..report.plots import style

    paths = style.save(figure, out / name)
    paths.append(write_text(out / f"{name}.csv", table.to_csv(index=False)))
    for path in paths:
        typer.echo(f"wrote {path}")


MU = typer.Option(None, "--mu", help='Expression of channels for mu, such as "ln(i0/it)".')
PRE = typer.Option(None, "--pre-range", help="Pre-edge range in eV from E0, as in --pre-range=-150,-50.")
NORM = typer.Option(None, "--norm-range", help="Post-edge range in eV from E0, as in --norm-range 50,400.")
ENERGY = typer.Option(..., "--energy", help='Energies used in eV, not from E0: "7100,7160".')
OUT = typer.Option(None, "--output", "-o", help="Folder for the table (CSV) and the figure.")
FLAT = typer.Option(False, "--flat", help="Use flattened spectra.")
