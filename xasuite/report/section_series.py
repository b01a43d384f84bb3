"""What a report says of a series: its table thinned, what became of the spectra, audit, the slider's curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records import OK
from ..records.quantities import as_printed
from .sections import CLOSURE_NOTE, GOOD_RFACTOR, Section
from .tables import PaperTable
from .viewer import Stack, Trend, thinned

if TYPE_CHECKING:
    from .._series.record import SeriesRun

SHOWN_ROWS = 24
# What a path's parameter is called in a paper, and its unit
QUANTITIES = {"n": ("N", ""), "deltar": ("ΔR", "Å"), "sigma2": ("σ²", "Å²"), "e0": ("ΔE₀", "eV")}


def series_section(path: Path) -> Section:
    """The section of a series: its table thinned, status counts, audit, and the slider's curves."""
    import tomllib

    from .._series.record import open_run

    run = open_run(path)
    spec = tomllib.loads(run.spec_text)
    return Section(
        title=str(spec.get("title", path.parent.name)),
        kind=run.kind,
        source=str(path),
        facts=_series_facts(run, spec),
        warnings=_series_warnings(run),
        tables=(_series_table(run, spec),),
        quality=_status_table(run),
        audit=_series_audit(run),
        stack=_series_stack(run, spec),
        provenance=_series_provenance(run),
        spec_text=run.spec_text,
    )


def _series_facts(run: SeriesRun, spec: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    fit = spec["fit"]
    weights, window, dk = _transform(fit)
    said = ", ".join(map(str, weights))
    x, label = run.along()
    span = f"{np.nanmin(x):.4g} to {np.nanmax(x):.4g}" if np.isfinite(x).any() else "not known"
    return (
        ("Spectra", f"{int(run.ok.sum())} good of {len(run)}"),
        ("Edge", f"{spec['sample']['element']} {spec['sample'].get('edge', 'K')}"),
        (label, span),
        ("k", f"{fit['k'][0]:g} to {fit['k'][1]:g} 1/Å, weight {said}, {window}, dk {dk:g}"),
        ("R", f"{fit['r'][0]:g} to {fit['r'][1]:g} Å, not corrected for phase"),
        ("Median R factor", f"{run.table['rfactor'].median():.4f}"),
    )


def _transform(fit: dict[str, Any]) -> tuple[list[int], str, float]:
    """k weights, window and dk (1/A) of a spec's [fit], with the schema's defaults for what it leaves out."""
    from ..specs.schema import Fit

    given = {name: fit[name] for name in ("kweight", "window", "dk") if name in fit}
    full = Fit.model_validate({"k": fit["k"], "r": fit["r"], **given})
    return list(full.kweight), full.window, full.dk


def _series_warnings(run: SeriesRun) -> tuple[str, ...]:
    said = [CLOSURE_NOTE] if run.kind == "closure" else []
    table = run.table
    for status, rows in table[table["status"] != OK].groupby("status"):
        first = rows.iloc[0]
        said.append(
            f"{len(rows)} spectra are marked “{status}”; the first, {first['label']}: {first['reason']}"
        )
    poor = int((table["rfactor"] > GOOD_RFACTOR).sum())
    if poor:
        said.append(
            f"In {poor} of {len(table)} spectra the fit leaves more than {100 * GOOD_RFACTOR:g} % of the signal "
            "unexplained (R factor); look at them before using their numbers."
        )
    return tuple(dict.fromkeys([*said, *run.warnings]))


def shown_names(spec: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Parameters as papers write them, with their unit: n_o is N(Sn-O) where it is one path's n and no other's."""
    uses: dict[str, list[tuple[str, str]]] = {}
    for path in spec["path"]:
        for key, (symbol, unit) in QUANTITIES.items():
            if str(path.get(key, "")) in spec["params"]:
                uses.setdefault(path[key], []).append((f"{symbol}({path['label']})", unit))
    return {name: found[0] for name, found in uses.items() if len(found) == 1}


def _series_table(run: SeriesRun, spec: dict[str, Any]) -> PaperTable:
    varied = [p["name"] for p in run.parameters if p["vary"]]
    names = {n: shown for n, shown in shown_names(spec).items() if n in varied}
    heads = [f"{names[n][0]} ({names[n][1]})".replace(" ()", "") if n in names else n for n in varied]
    x, label = run.along()
    rows = []
    for i in thinned(len(run), SHOWN_ROWS):
        record = run.table.iloc[i]
        lost = set(str(record["undetermined"]).split(", "))
        cells = ["-" if n in lost else as_printed(record[n], record[f"{n}_err"]) for n in varied]
        rows.append((str(i + 1), f"{x[i]:.4g}", *cells, f"{record['rfactor']:.4f}", record["status"]))
    notes = [
        f"{len(rows)} of {len(run)} rows, evenly chosen; all of them are in {run.path.with_suffix('.parquet').name}."
    ]
    for p in run.parameters:
        if p["stderr"]:
            origin = p["origin"] or "given"
            notes.append(
                f"{p['name']} held at {as_printed(p['value'], p['stderr'])} ({origin}); its error is in every row."
            )
    notes.append("- : the data do not determine it.")
    if names:
        notes.append(f"In the spec: {', '.join(f'{n} is {shown}' for n, (shown, _) in names.items())}.")
    return PaperTable(
        "Parameters along the series",
        ("Row", label, *heads, "R factor", "Status"),
        tuple(rows),
        tuple(notes),
    )


def _status_table(run: SeriesRun) -> PaperTable:
    counts = run.table["status"].value_counts()
    rows = tuple((str(word), str(count)) for word, count in counts.items())
    return PaperTable("What became of the spectra", ("Status", "Spectra"), rows)


def _series_audit(run: SeriesRun) -> tuple[str, ...]:
    a = run.audit
    worst = f"; the largest difference is {a['largest']:.1e} standard errors (row {a['row'] + 1}, {a['parameter']})"
    return (f"{a['statement']}{worst if a['n'] else ''}.",)


def _series_provenance(run: SeriesRun) -> tuple[tuple[str, str], ...]:
    held = run.provenance
    lines = [
        ("Spec", f"{held['spec']} (sha256 {held['spec_sha256']})"),
        ("Source", str(held["source"]) or "-"),
    ]
    lines += [("Versions", ", ".join(f"{n} {v}" for n, v in json.loads(held["versions"]).items()))]
    lines += [(f"FEFF path {n}", f"sha256 {h}") for n, h in json.loads(held["feff_sha256"]).items()]
    return (*lines, ("Fingerprint of the run", str(held["fingerprint"])))


def _series_stack(run: SeriesRun, spec: dict[str, Any]) -> Stack | None:
    import h5py

    with h5py.File(run.path, "r") as handle:
        if not {"norm", "chi", "fit"} <= set(handle["entry"]):
            return None
    fit = spec["fit"]
    energy, norm = run.curves("norm")
    k, chi = run.curves("chi")
    _, fitted = run.curves("fit")
    table = run.table
    norm = np.where((table["edge_step"].isna() if "edge_step" in table else False), np.nan, norm.T).T
    x, label = run.along()
    weights, window, dk = _transform(fit)
    return Stack(
        x=x,
        xlabel=label,
        labels=tuple(table["label"].astype(str)),
        status=tuple(table["status"]),
        energy=energy,
        norm=norm,
        k=k,
        chi=chi,
        fit=fitted,
        krange=tuple(fit["k"]),
        rrange=tuple(fit["r"]),
        kweight=weights[-1],
        window=window,
        dk=dk,
        trends=_series_trends(run, shown_names(spec)),
    )


def _series_trends(run: SeriesRun, names: dict[str, tuple[str, str]]) -> tuple[Trend, ...]:
    """The varied parameters, then the edge's energy."""
    table = run.table
    out = []
    for name in [p["name"] for p in run.parameters if p["vary"]]:
        lost = np.array([name in u.split(", ") for u in table["undetermined"]])
        values, errors = (table[column].to_numpy(float) for column in (name, f"{name}_err"))
        shown, unit = names.get(name, (name, ""))
        out.append(Trend(shown, unit, values, errors, lost))
    for name in [c for c in table.columns if c.startswith("E(") and c.endswith(")")][:1]:
        errors = (
            table[f"{name}_err"].to_numpy(float) if f"{name}_err" in table else np.full(len(table), np.nan)
        )
        out.append(Trend(name, "eV", table[name].to_numpy(float), errors))
    return tuple(out)
