"""``xasuite modulation``: the part of a series that follows a periodic stimulus (phase-sensitive detection)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import DataError, SeriesError
from ._xanes import JSON, MU, NORM, OUT, PRE, Interval, kept, normalized
from .common import present, ranged

if TYPE_CHECKING:
    from ..records import Series

KINDS = ("xanes", "chi")


def modulation(
    inputs: list[str] = typer.Argument(
        help="Results of xasuite series (the folder or its series.h5), or scans in their order with --every or --time."
    ),
    period: float = typer.Option(..., help="Period of the stimulus in s."),
    kind: str = typer.Option("xanes", help="xanes, or chi for chi(k)."),
    harmonics: str = typer.Option("1", help="Harmonics fitted together, as in 1,2,3."),
    start: float | None = typer.Option(
        None, help="Time at which a period starts, s; left out, that of the first scan."
    ),
    skip: int = typer.Option(0, help="Number of periods at the beginning that are left out."),
    drift: str = typer.Option("run", help="Linear drift removed: run (one), period (one in each), none."),
    fit_range: Interval | None = ranged(
        None, "--range", help="Part that is used: eV (not from E0), or 1/Å for chi, as in --range 3,12."
    ),
    every: float | None = typer.Option(None, help="For scans: seconds from one to the next."),
    time: str | None = typer.Option(
        None, help="For scans: field of the headers, or dataset of a stack, that holds their time."
    ),
    form: str = typer.Option(
        "",
        "--format",
        help="Format of the field of --time where it is a date, as in %Y-%m-%d %H:%M:%S; left out, it holds seconds.",
    ),
    mu: str | None = MU,
    pre_range: Interval | None = PRE,
    norm_range: Interval | None = NORM,
    out: Path | None = OUT,
    json: bool = JSON,
) -> None:
    """Amplitude, phase and demodulated curves of a series under a periodic stimulus, with errors from its periods."""
    from .. import reduce
    from ..report import plot

    if kind not in KINDS:
        raise DataError(f"--kind is {' or '.join(KINDS)}, not {kind!r}")
    rows = _of_run(inputs[0], kind) if len(inputs) == 1 else None
    if rows is None:
        records = normalized(inputs, mu=mu, pre_range=pre_range, norm_range=norm_range)
        rows = _stacked(records, kind, _times(inputs, records, every, time, form))
    found = reduce.phase_sensitive(
        rows, period=period, harmonics=_numbers(harmonics), start=start, skip=skip,
        drift=drift, fit_range=fit_range,  # type: ignore[arg-type]
    )  # fmt: skip
    written = [*kept(out, "modulation", found.points(), lambda: plot(found))]
    present(json, found, written=written)


def _numbers(text: str) -> list[int]:
    try:
        return [int(t) for t in text.split(",")]
    except ValueError:
        raise DataError(f"--harmonics takes whole numbers with commas between, not {text!r}") from None


def _of_run(target: str, kind: str) -> Series | None:
    """The rows of a finished series; None where `target` is something else."""
    from .._series import open_run

    if not (Path(target).is_dir() or Path(target).suffix == ".h5"):
        return None
    try:
        run = open_run(target)
    except SeriesError:
        if Path(target).is_dir():
            raise
        return None  # an HDF5 file of scans
    return run.normalized if kind == "xanes" else run.chi


def _times(
    inputs: list[str], records: list[Any], every: float | None, time: str | None, form: str
) -> list[float]:
    """The time of each scan in s. Raises DataError where neither --every nor --time gives it."""
    from ..io.logs import seconds_of

    if (every is None) == (time is None):
        raise DataError("scans need their times: --every SECONDS, or --time FIELD of their headers")
    if every is not None:
        return [i * every for i in range(len(records))]
    assert time is not None
    stacked = _in_stacks(inputs, time)
    if len(stacked) == len(records):
        return stacked
    missing = [r for r in records if time not in r.meta]
    if missing:
        known = ", ".join(sorted(map(str, missing[0].meta))[:8]) or "nothing"
        raise DataError(f"{missing[0].label}: its header has no {time!r}; it has {known}")
    return [seconds_of(str(r.meta[time]), form, r.label) for r in records]


def _in_stacks(inputs: list[str], time: str) -> list[float]:
    """The values (one per row) of the dataset `time` of stacks in HDF5; empty where there is no such stack."""
    import numpy as np

    from ..io.sources import STACK, find_scans, read_stack

    stacks = [e for e in find_scans(inputs, [Path()]).entries if e.kind == STACK]
    found = [read_stack(e, np.arange(e.rows)).scalars.get(time, np.empty(0)) for e in stacks]
    return [float(t) for values in found for t in values]


def _stacked(records: list[Any], kind: str, times: list[float]) -> Series:
    """Scans as the rows of one record, on the energies of the first."""
    import numpy as np
    import pandas as pd

    from .. import reduce
    from ..records import OK, Chi, Normalized, Series
    from ..xanes.matrix import matrix

    first = records[0]
    facts: dict[str, Any] = {
        "element": first.element, "edge": first.edge, "e0": np.array([float(r.e0) for r in records]),
        "edge_step": np.array([float(r.edge_step) for r in records]), "label": f"{len(records)} scans",
    }  # fmt: skip
    data: Any
    if kind == "chi":
        made = [reduce.background(r) for r in records]
        n = min(c.k.size for c in made)
        data = Chi(k=made[0].k[:n], chi=np.stack([c.chi[:n] for c in made]), **facts)
    else:
        low, high = max(r.energy[0] for r in records), min(r.energy[-1] for r in records)
        held = matrix(records, energy_range=(low, high))
        data = Normalized(energy=held.energy, mu=held.rows, norm=held.rows, flat=held.rows, **facts)
    table = pd.DataFrame({"label": [r.label for r in records], "time": times})
    return Series(data, table, (OK,) * len(records), ("",) * len(records), data.label)
