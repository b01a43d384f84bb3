"""The checks that a referee asks, of every row of a series, summed up: one line per check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..constants import KTOE
from ..errors import SeriesError
from ..expressions import parse
from ..records import OK, Array
from ..reduce.edge import tabulated_e0
from ..workflow.checkxas import (
    E0_OFF,
    EDGE,
    EDGE_POINTS,
    END_OF_K,
    PRE_EDGE,
    STEP_THICK,
    STEP_THIN,
    Checked,
    Finding,
    Limits,
    Outcome,
    limit_text,
)
from ..workflow.verdict import E0_SHIFT, S02_POSSIBLE, S02_USUAL
from .marks import UNDETERMINED

if TYPE_CHECKING:
    from .record import SeriesRun

# Statuses of a fit that is there and says what it cannot tell; any other than OK is no fit
_DOUBTFUL = {UNDETERMINED, "at bound"}
_OUTCOMES: tuple[Outcome, ...] = ("pass", "note", "fail")


def check_series(run: SeriesRun) -> Checked:
    """The checks of `xasuite checkxas` on every row of a series; a check has the outcome of its worst row.

    What a series does not keep is not checked: correlations, glitches (removed when rows are read), the error of the edge step.

    Parameters
    ----------
    run : SeriesRun
        Of `open_run`.

    Returns
    -------
    Checked
        A finding a check, with the median, the worst row, and how many rows pass, are a note and fail.

    Raises
    ------
    SeriesError
        The file cannot be read.
    """
    findings = [f for f in (*_of_spectra(run), *_of_fits(run)) if f is not None]
    return Checked(f"{run.path.parent.name}, {len(run)} rows", run.kind, tuple(findings))


def _of_spectra(run: SeriesRun) -> Iterator[Finding | None]:
    table, sample = run.table, run.spec["sample"]
    if "e0" in table:
        e0 = table["e0"].to_numpy(float)
        off = np.abs(e0 - tabulated_e0(sample["element"], sample.get("edge", "K")))
        yield _rows(run, "E0 against the table", off, E0_OFF, "{:.1f} eV", most=True)
        try:
            energy, norm = run.curves("norm")
        except SeriesError:  # the spec's `keep` leaves the spectra out
            pass
        else:
            yield from _of_grid(run, e0, energy, norm)
    if "edge_step" in table:
        step = table["edge_step"].to_numpy(float)
        outside = np.where((step < STEP_THIN) | (step > STEP_THICK), 1, 0)
        limit = f"{STEP_THIN:g} to {STEP_THICK:g} in transmission; fluorescence has no unit"
        middle = np.sqrt(STEP_THIN * STEP_THICK)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs(np.log(step / middle))
        yield _graded(run, "edge step", step, outside, away, "{:.3g}", limit)
    if "usable_k" in table:
        yield _rows(run, "usable k", table["usable_k"].to_numpy(float), END_OF_K, "{:.1f} 1/Å")


def _of_grid(run: SeriesRun, e0: Array, energy: Array, norm: Array) -> Iterator[Finding | None]:
    """What the rows' energies allow: range before the edge, end of k, points at the edge."""
    there = np.isfinite(norm)
    first = np.where(there.any(1), energy[there.argmax(1)], np.nan)
    last = np.where(there.any(1), energy[len(energy) - 1 - there[:, ::-1].argmax(1)], np.nan)
    yield _rows(run, "pre-edge range", e0 - first, PRE_EDGE, "{:.0f} eV")
    with np.errstate(invalid="ignore"):
        end = np.sqrt(np.maximum(last - e0, 0.0) / KTOE)
        near = there & (np.abs(energy - e0[:, None]) <= EDGE)
    yield _rows(run, "end of k", end, END_OF_K, "{:.1f} 1/Å")
    points = np.where(there.any(1), near.sum(1), np.nan)
    yield _rows(run, f"points within {EDGE:g} eV of E0", points, EDGE_POINTS, "{:.0f}")


def _of_fits(run: SeriesRun) -> Iterator[Finding | None]:
    table = run.table
    varied = [p["name"] for p in run.parameters if p["vary"]]
    if "n_idp" in table:
        points = table["n_idp"].to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = len(varied) / points
        # at N_idp itself the fit has no answer, so the limit of a note lies just below
        yield _rows(
            run, "variables", share, (2 / 3, np.nextafter(1.0, 0.0)), "{:.2f} of N_idp", most=True,
            limit="up to 2/3 of N_idp; never N_idp",
        )  # fmt: skip
    (low, high), (least, most) = S02_USUAL, S02_POSSIBLE
    for value in _path_values(run, "s02", 1.0):
        grade = np.where(
            (value >= low) & (value <= high), 0, np.where((value >= least) & (value <= most), 1, 2)
        )
        limit = f"{low:g} to {high:g}; {least:g} to {most:g} at all"
        yield _graded(run, "S0²", value, grade, np.abs(value - (low + high) / 2), "{:.2f}", limit)
    shifts = [np.abs(v) for v in _path_values(run, "e0", 0.0)]
    if shifts:
        yield _rows(run, "largest E0 shift", np.max(shifts, axis=0), E0_SHIFT, "{:.1f} eV", most=True)
    fitted = (table["status"] == OK).to_numpy()
    errors = [table[f"{n}_err"].to_numpy(float) for n in varied if f"{n}_err" in table]
    without = fitted & np.any([~np.isfinite(e) for e in errors], axis=0) if errors else ~fitted & False
    yield _counted(run, "errors stated", np.where(without, 2, 0), "every variable has one")
    grade = np.where(fitted, 0, np.where(table["status"].isin(_DOUBTFUL), 1, 2))
    yield _counted(run, "verdict", grade, OK)


def _path_values(run: SeriesRun, key: str, usual: float) -> Iterator[Array]:
    """A value of every path in every row, each expression once; expressions of more than parameters are left out."""
    structures: list[Mapping[str, Any]] = [*run.spec.get("path", ()), *run.spec.get("shells", ())]
    for text in dict.fromkeys(table.get(key, usual) for table in structures):
        expression = parse(text)
        if not expression.names <= set(run.table.columns):
            continue
        columns = {n: run.table[n].to_numpy(float) for n in sorted(expression.names)}
        if len(columns) == 1 and text in columns:
            yield columns[text]
        else:
            yield np.array(
                [expression({n: float(v[i]) for n, v in columns.items()}) for i in range(len(run))]
            )


def _rows(
    run: SeriesRun,
    check: str,
    values: Array,
    limits: Limits,
    form: str,
    *,
    most: bool = False,
    limit: str = "",
) -> Finding | None:
    """A number of each row against limits, downwards or (`most`) upwards."""
    sign = -1.0 if most else 1.0
    with np.errstate(invalid="ignore"):
        grade = (sign * values < sign * limits[0]).astype(int) + (sign * values < sign * limits[1])
    said = limit or limit_text(limits, form, "up to" if most else "from")
    return _graded(run, check, values, grade, -sign * values, form, said)


def _graded(
    run: SeriesRun, check: str, values: Array, grade: Array, badness: Array, form: str, limit: str
) -> Finding | None:
    """A check by the grade of each row (0 pass, 1 note, 2 fail); None where no row has a number."""
    known = np.isfinite(values)
    if not known.any():
        return None
    worst = int(np.argmax(np.where(known, badness, -np.inf)))
    middle, low = form.format(np.median(values[known])), form.format(values[worst])
    found = middle if middle == low else f"{middle} (median), {low} in {run.table['label'].iloc[worst]}"
    return _summed(check, grade[known], found, limit)


def _counted(run: SeriesRun, check: str, grade: Array, limit: str) -> Finding:
    """A check without a number; the first of its worst rows is named."""
    worst = int(np.argmax(grade))
    said = f"first in {run.table['label'].iloc[worst]}" if grade[worst] else ""
    return _summed(check, grade, said, limit)


def _summed(check: str, grade: Array, found: str, limit: str) -> Finding:
    """The outcome of the worst row, and how many rows have which."""
    counts = [int(np.count_nonzero(grade == g)) for g in range(3)]
    rows = ", ".join(f"{n} {o}" for n, o in zip(counts, _OUTCOMES, strict=True) if n)
    return Finding(check, _OUTCOMES[int(grade.max())], f"{found}; {rows}".lstrip("; "), limit)
