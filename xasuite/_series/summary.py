"""What a reader is shown of a finished series: rows along it, statistics, the audit, and what was tied along time."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records.quantities import Quantity, as_printed, quantity
from ..records.table import Entry, Table, finite
from .store import LOG

if TYPE_CHECKING:
    import pandas as pd

    from .record import SeriesRun

SHOWN_ROWS = 12
# what is said of each value of a row, and how its column's name ends
ERRORS = {
    "value": "",
    "stderr": "_err",
    "own": "_err_own",
    "common": "_err_common",
    "plus": "_err_plus",
    "minus": "_err_minus",
    "stated": "_stated",
}
ENDS = ("plus", "minus")
PATH_QUANTITIES = ("n", "deltar", "sigma2", "e0", "third", "fourth")


def shown_names(spec: Mapping[str, Any]) -> dict[str, Quantity]:
    """Parameters as papers write them: n_o is N(Sn-O) where it is one path's n and no other's."""
    uses: dict[str, list[Quantity]] = {}
    for path in spec.get("path", []):
        for key in PATH_QUANTITIES:
            if str(path.get(key, "")) in spec["params"]:
                uses.setdefault(path[key], []).append(quantity(key).within(path["label"]))
    return {name: found[0] for name, found in uses.items() if len(found) == 1}


def varied_columns(run: SeriesRun, spec: Mapping[str, Any]) -> dict[str, tuple[str, Quantity]]:
    """Of every varied parameter the column that shows it and its quantity: R(Co-O) for what moves the distance."""
    names = shown_names(spec)
    out = {}
    for name in (p["name"] for p in run.parameters if p["vary"]):
        q = names.get(name) or quantity(name)
        if q.name == "deltar" and f"{q.of}.r" in run.names:
            out[name] = f"{q.of}.r", quantity("r").within(q.of)
        else:
            out[name] = name, q
    return out


def picked(run: SeriesRun, most: int) -> list[int]:
    """At most `most` rows, evenly chosen, the first and the last among them."""
    return [int(i) for i in np.unique(np.linspace(0, len(run) - 1, min(len(run), most)).round())]


def series_table(run: SeriesRun, most: int = SHOWN_ROWS) -> Table:
    """Rows along the series with what was logged, every varied parameter and its error, R factor and status."""
    varied = varied_columns(run, run.spec)
    of_values = (f"{c}{end}" for c, _ in varied.values() for end in ERRORS.values())
    wanted = dict.fromkeys(["time", *run.logged, *of_values, "rfactor", "status", "undetermined"])
    numbers, rows = picked(run, most), []
    table = run.rows(numbers, [name for name in wanted if name in run.names])
    times, along = run.along(rows=table)
    time = Quantity("time", along.partition(" (")[0], along.partition("(")[2].rstrip(")"), form=".4g")
    columns = ("row", time, *run.logged.values(), *(q for _, q in varied.values()), "rfactor", "status")
    for i, t, (_, record) in zip(numbers, times, table.iterrows(), strict=True):
        lost = set(str(record["undetermined"]).split(", "))
        values = (Entry(math.nan) if n in lost else _entry(record, c) for n, (c, _) in varied.items())
        logged = (float(record[n]) for n in run.logged)
        rows.append((i + 1, t, *logged, *values, record["rfactor"], record["status"]))
    notes = [
        f"{len(rows)} of {len(run)} rows, evenly chosen; all of them are in {run.path.with_suffix('.parquet').name}."
    ]
    notes += held_notes(run)
    if any(isinstance(c, Entry) and math.isnan(c.value) for row in rows for c in row):
        notes.append("- : the data do not determine it.")
    named = [f"{n} is {q.title}" for n, (_, q) in varied.items() if q.title != n]
    if named:
        notes.append(f"Parameters of the spec: {', '.join(named)}.")
    title = str(run.spec.get("title", run.path.parent.name))
    facts = (
        ("Spectra", counted(run)),
        ("Audit", audited(run)),
        *budget_facts(run),
        *timeline_facts(run),
        *derived_facts(run),
    )
    return Table.of(title, columns, rows, notes=(*notes, *run.warnings), facts=facts, label=run.kind)


def _entry(record: pd.Series[Any], name: str) -> Entry:
    """A value of a row with its error, which may differ upwards and downwards."""
    plus, minus = (float(record.get(f"{name}_err_{end}", math.nan)) for end in ENDS)
    return Entry(record[name], record[f"{name}_err"], plus=plus, minus=minus)


def counted(run: SeriesRun) -> str:
    """How many rows there are, and of which status."""
    return f"{len(run)}: " + ", ".join(
        f"{n} {s}" for s, n in Counter(run.columns("status")["status"]).most_common()
    )


def audited(run: SeriesRun) -> str:
    """What the refit of some rows by Larch found."""
    a = run.audit
    if not a["n"]:
        return str(a["statement"])
    return f"{a['statement']}; largest difference {a['largest']:.1e} standard errors (row {a['row'] + 1}, {a['parameter']})"


def budget_facts(run: SeriesRun) -> Iterator[tuple[str, str]]:
    """How the errors were made, and of every varied parameter its trend with the error of a difference."""
    if not run.budget:
        yield "Errors", "the fit's own, scaled by its misfit"
        return
    facts = json.loads(run.budget["facts"])
    yield from (("Errors", note) for note in facts["notes"])
    if "sampled" not in facts:
        return
    said = f"a budget of {facts['sampled']} of {facts['rows']} rows, their common part carried to all"
    log = run.path.parent / LOG
    if log.is_file() and "seconds_of_budget" in (kept := json.loads(log.read_text(encoding="utf-8"))):
        said += f" in {kept['seconds_of_budget']:.1f} s"
    missed = facts["missed"]
    yield "Errors", said + ("" if missed is None else f"; errors of rows left out are met to {missed:.0%}")
    for column, q in varied_columns(run, run.spec).values():
        if column in facts["trends"]:
            yield "Trend", _trend(run, q, facts["trends"][column])


def _trend(run: SeriesRun, q: Quantity, trend: Mapping[str, Any]) -> str:
    """A trend in words: the change from the first to the last good row, the slope, and of each what rows do not share."""

    def said(of: Mapping[str, float]) -> str:
        own, common = (of[n] * 10.0**q.power for n in ("own", "common"))
        return f"{q.text(of['value'], of['stderr'])}{f' {q.shown_unit}' if q.unit else ''} (own {own:.2g}, common {common:.2g})"

    first, last = trend["rows"]
    slope = f"; {said(trend['slope'])} per {run.time_unit}" if "slope" in trend else ""
    return f"{q.title} from row {first} to {last}: {said(trend['change'])}{slope}"


def held_notes(run: SeriesRun) -> Iterator[str]:
    """Parameters that were held with an error, and where they come from."""
    for p in run.parameters:
        if p["stderr"]:
            value = as_printed(p["value"], p["stderr"])
            yield f"{p['name']} held at {value} ({p['origin'] or 'given'}); its error is in every row."


def timeline_facts(run: SeriesRun) -> Iterator[tuple[str, str]]:
    """What the fit along time found: what was tied, how strongly, the numbers behind it."""
    if not run.timeline:
        return
    facts = json.loads(run.timeline["facts"])
    for name, strength in facts["strength"].items():
        yield (
            "Along time",
            f"{name} smooth, strength {strength:.2g}, worth {facts['freedom'][name]:.1f} parameters",
        )
    for name, value in facts["trend"].items():
        yield "Along time", f"{name} = {as_printed(value, facts['trend_stderr'][name])}"
    if not facts["converged"]:
        yield "Along time", "the fit did not converge"


def derived_facts(run: SeriesRun) -> Iterator[tuple[str, str]]:
    """Valence and components where the spec asks for them: the first and the last row that has them."""

    def ends(column: str) -> Any:
        have = run.table[run.table[column].notna()]
        return have.iloc[[0, -1]].to_dict("records") if len(have) else []

    if "valence" in run.names:
        said = [
            f"{as_printed(r['valence'], r['valence_err'])} (95 %: {r['valence_low']:.2f} to {r['valence_high']:.2f})"
            for r in ends("valence")
        ]
        yield "Valence", ", at the end ".join(said) or "no row has one"
    if run.components:
        facts = json.loads(run.components["facts"])
        yield "Components", f"{facts['method']}, rms {facts['rms']:.2g} of the edge step"
        for name in facts["names"]:
            shares = [f"{r[f'x({name})']:.3f}" for r in ends(f"x({name})")]
            yield "Components", f"component {name}: share {', at the end '.join(shares)}"


def series_dict(run: SeriesRun) -> dict[str, Any]:
    """Files, audit, and every row's values with errors (docs/guide/json.md)."""
    names = [p["name"] for p in run.parameters]
    rows = [
        {
            "label": r["label"],
            "time": finite(r["time"]),
            "status": r["status"],
            "reason": r["reason"],
            "undetermined": [u for u in r["undetermined"].split(", ") if u],
            "params": {
                n: {
                    k: finite(r[f"{n}{end}"])
                    for k, end in ERRORS.items()
                    if f"{n}{end}" in r and not (k in ENDS and math.isnan(r[f"{n}{end}"]))
                }
                for n in names
            },
            "rfactor": finite(r["rfactor"]),
            "chi2_reduced": finite(r["chi2_reduced"]),
        }
        for r in run.table.to_dict("records")
    ]  # fmt: skip
    table = str(run.path.with_suffix(".parquet"))
    budget = json.loads(run.budget["facts"]) if run.budget else {}
    return {
        "file": str(run.path), "table": table, "label": run.kind, "audit": dict(run.audit), "budget": budget, "rows": rows,
    }  # fmt: skip
