"""The section of a report about a series: thinned table, spectra by status, audit, and curves for the slider."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._series.checks import check_series
from .._series.summary import audited, series_table, varied_columns
from ..records import OK
from ..records.quantities import Quantity
from ..records.table import Table
from ..workflow.checkxas import checks_table
from .samples import fit_ranges
from .section_fit import ranges_in_words
from .sections import CLOSURE_NOTE, GOOD_RFACTOR, Section
from .viewer import Stack, Trend

if TYPE_CHECKING:
    from .._series.record import SeriesRun

SHOWN_ROWS = 24


def series_section(path: Path) -> Section:
    """The section of a series.h5. Raises SeriesError when it cannot be read."""
    from .._series.record import open_run

    run = open_run(path)
    spec = tomllib.loads(run.spec_text)
    table = series_table(run, SHOWN_ROWS)
    return Section(
        title=table.title,
        kind=run.kind,
        facts=_facts(run, spec),
        warnings=_warnings(run),
        tables=(replace(table, title="Parameters along the series", facts=(), label=""),),
        details=(_status_table(run), checks_table([check_series(run)])),
        audit=(f"{audited(run)[:1].upper()}{audited(run)[1:]}.",),
        stack=_stack(run, spec),
        provenance=tuple(_provenance(run)),
        spec_text=run.spec_text,
    )


def _facts(run: SeriesRun, spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    x, label = run.along()
    span = f"{np.nanmin(x):.4g} to {np.nanmax(x):.4g}" if np.isfinite(x).any() else "not known"
    return (
        ("Spectra", f"{int(run.ok.sum())} good of {len(run)}"),
        ("Edge", f"{spec['sample']['element']} {spec['sample'].get('edge', 'K')}"),
        (label, span),
        *ranges_in_words(fit_ranges(spec["fit"])),
        ("Median R factor", f"{run.table['rfactor'].median():.4f}"),
    )


def _warnings(run: SeriesRun) -> tuple[str, ...]:
    said = [CLOSURE_NOTE] if run.kind == "closure" else []
    table = run.table
    for status, rows in table[table["status"] != OK].groupby("status"):
        first = f"{rows.iloc[0]['label']}: {rows.iloc[0]['reason']}"
        said.append(f"{len(rows)} spectra are marked “{status}”; the first, {first}")
    poor = int((table["rfactor"] > GOOD_RFACTOR).sum())
    if poor:
        said.append(
            f"In {poor} of {len(table)} spectra the fit leaves more than {100 * GOOD_RFACTOR:g} % of the signal "
            "unexplained (R factor); look at them before using their numbers."
        )
    return tuple(dict.fromkeys([*said, *run.warnings]))


def _status_table(run: SeriesRun) -> Table:
    counts = run.table["status"].value_counts()
    return Table.of("Spectra by status", ("status", Quantity("n", "Spectra")), counts.items())


def _provenance(run: SeriesRun) -> Iterator[tuple[str, str]]:
    held = run.provenance
    yield "Software", ", ".join(f"{n} {v}" for n, v in json.loads(held["versions"]).items())
    yield "Spec", f"{Path(held['spec']).name} (sha256 {held['spec_sha256']})"
    if held["source"]:
        yield "Source", Path(str(held["source"])).name
    for n, h in json.loads(held["feff_sha256"]).items():
        yield f"FEFF path {n}", f"sha256 {h}"
    yield "Fingerprint of the run", str(held["fingerprint"])


def _stack(run: SeriesRun, spec: Mapping[str, Any]) -> Stack | None:
    import h5py

    with h5py.File(run.path, "r") as handle:
        if not {"norm", "chi", "fit"} <= set(handle["entry"]):
            return None
    energy, norm = run.curves("norm")
    k, chi = run.curves("chi")
    _, fitted = run.curves("fit")
    table = run.table
    norm = np.where((table["edge_step"].isna() if "edge_step" in table else False), np.nan, norm.T).T
    x, label = run.along()
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
        range=fit_ranges(spec["fit"]),
        trends=tuple(_trends(run, spec)),
    )


def _trends(run: SeriesRun, spec: Mapping[str, Any]) -> Iterator[Trend]:
    """Varied parameters (distances as R, not as deltar), the edge energy, then logged quantities."""
    table = run.table
    for name, (column, q) in varied_columns(run, spec).items():
        yield _trend(run, column, q, name)
    for name in [c for c in table.columns if c.startswith("E(") and c.endswith(")")][:1]:
        yield _trend(run, name, Quantity(name, unit="eV"), name)
    for name, q in run.logged.items():
        yield _trend(run, name, q, name)


def _trend(run: SeriesRun, column: str, of: Quantity, parameter: str) -> Trend:
    lost = np.array([parameter in u.split(", ") for u in run.table["undetermined"]])
    values, errors = run.table.reindex(columns=[column, f"{column}_err"]).to_numpy(float).T * 10.0**of.power
    return Trend(of.title, of.shown_unit, values, errors, lost)
