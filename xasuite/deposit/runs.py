"""The specs of a deposition, fits, series and valence calibrations: each run, its spectra for other programs, its rows."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .. import files, io
from .._series.ingest import ingest
from .._series.prepare import prepare
from .._series.record import SeriesRun, open_run
from .._series.run import run_series
from .._series.store import Folder
from ..errors import FitError, ReadError, SpecError, XasuiteError
from ..records import Series, Spectrum
from ..records.quantities import Quantity
from ..records.table import Entry, Table
from ..report.results import write_results
from ..specs.load import Loaded, LoadedSpec, load_spec, slug
from ..specs.schema import Spec
from ..specs.series import SeriesSpec
from ..specs.valence import ValenceSpec
from ..workflow.audit import audit_spec
from ..workflow.resolve import Context, read_row
from ..workflow.run import SpecResult, run_spec
from ..workflow.valence import ValenceResult, run_valence
from .about import Row

NUMBERS = "numbers.json"
VERSIONS = ("xasuite", "xraylarch", "numpy", "scipy", "numba", "h5py")


def run(loaded: Loaded[Any], data: Path, results: Path, *, figures: bool) -> dict[str, Any] | None:
    """Run a spec of any kind, write its results into a folder of `results`, and return all its numbers.

    They are what result.json of a fit holds, and NUMBERS of a series or a calibration. None where no row of a fit has data.
    Raises SpecError, and FitError where a row cannot be fitted.
    """
    if type(loaded.spec) is Spec:
        return _fit(loaded, data, results, figures)
    folder = results / loaded.name
    if isinstance(loaded.spec, SeriesSpec):
        series = run_series(loaded, Context(data), folder=Folder(folder))
        kind, tables = series.kind, {"table": rows_of(series)}
        if figures:
            from ..report.plots.series import write_figures

            write_figures(series, folder)
    else:
        result = run_valence(loaded, data_root=data)
        kind, tables = result.kind, _tables_of(result)
        if figures:
            _draw(result, folder)
    from ..report.tables import write_table

    for name, table in tables.items():
        write_table(table, folder / f"{slug(name)}.csv")
    document = {
        "tables": {name: table.to_dict() for name, table in tables.items()},
        "label": kind,
        "provenance": {"spec_sha256": loaded.sha256, "versions": {n: metadata.version(n) for n in VERSIONS}},
    }
    files.write_text(folder / NUMBERS, json.dumps(document, indent=1))
    return document


def _fit(loaded: LoadedSpec, data: Path, results: Path, figures: bool) -> dict[str, Any] | None:
    try:
        result = run_spec(loaded, Context(data), skip_missing=True)
    except SpecError:
        raise
    except XasuiteError as exc:
        raise FitError(f"{loaded.name}: {exc}") from exc
    if result.failed:
        raise FitError("; ".join(f"{loaded.name} {row}: {why}" for row, why in result.failed.items()))
    if not result.rows:
        return None
    _no_layout(result)
    result = replace(result, audit=audit_spec(result))
    write_results(result, results, figures=figures)
    return result.to_dict()


def _no_layout(result: SpecResult) -> None:
    """Raises SpecError where a row is read by a layout of this machine."""
    for row in result.inputs.values():
        for note in (*row.chi.notes, *row.spectrum.notes):
            if note.startswith("read by the layout"):
                raise SpecError(
                    f'{result.loaded.path.name}: data "{row.label}" is {note}, which other machines do not have; '
                    "write its energy, units, i0 and mu into the spec and fit again"
                )


def _draw(result: ValenceResult, folder: Path) -> None:
    from ..report.plots import style, xanes

    for r in result.results:
        if r.calibration is not None:
            style.save(xanes.valence(r, kind=result.kind), folder / "figures" / f"valence_E{r.fraction:g}")
    style.save(
        xanes.edges([s for c in result.compounds for s in c.scans[:1]]), folder / "figures" / "valence_xanes"
    )


def rows_of(run: SeriesRun) -> Table:
    """Every row of a series with every number that has an error, the edge energies, the R factor and its status."""
    table = run.table
    named = [c for c in table.columns if f"{c}_err" in table.columns]
    more = [c for c in ("edge_step", "rfactor", "valence") if c in table.columns and c not in named]
    more += [c for c in table.columns if c.startswith("x(")]
    numbers = table.to_dict("list")
    rows = [
        (
            f"{i + 1} {numbers['label'][i]}",
            numbers["status"][i],
            *(_entry(numbers[c][i], numbers[f"{c}_err"][i]) for c in named),
            *(_entry(numbers[c][i], math.nan) for c in more),
        )
        for i in range(len(table))
    ]
    heads = {"row": "Row", "status": "Status"} | {c: c for c in (*named, *more)}
    columns = [Quantity(key, head) for key, head in heads.items()]
    return Table.of(run.path.parent.name, columns, rows, label=run.kind)


def _entry(value: float, stderr: float) -> Entry | None:
    if not np.isfinite(value):
        return None
    return Entry(float(value), float(stderr) if np.isfinite(stderr) else 0.0)


def _tables_of(result: ValenceResult) -> dict[str, Table]:
    """The unknowns, the edge energies, and each fraction's calibration."""
    lines = {f"E{r.fraction:g}": r.calibration.summary() for r in result.results if r.calibration is not None}
    return {"table": result.summary(), "edges": result.edges(), **lines}


# -------------------------------------------------------------------------------------------------- what is named


def spec_behind(result: Path, spec: str, sha256: str, kind: Any, command: str) -> Loaded[Any]:
    """The spec that a result was made from. Raises ReadError where it is gone, SpecError where it was changed."""
    if not spec or not Path(spec).is_file():
        raise ReadError(
            f"{result} was made from {spec or 'a spec'}, which is not there; run this in the folder of the fit, or name the spec itself"
        )
    loaded: Loaded[Any] = load_spec(spec, kind)
    if loaded.sha256 != sha256:
        raise SpecError(f"{spec} was changed since {result} was made; run xasuite {command} {spec} again")
    return loaded


def series_behind(results: Path) -> tuple[Loaded[Any], dict[str, Any]]:
    """The spec of a series' results, and its numbers. Raises ReadError, SpecError."""
    series = open_run(results)
    log = series.path.parent / "run.json"
    said = json.loads(log.read_text(encoding="utf-8")).get("spec", "") if log.is_file() else ""
    loaded = spec_behind(series.path, said, series.provenance["spec_sha256"], SeriesSpec, "series")
    return loaded, {"tables": {"table": rows_of(series).to_dict()}}


# -------------------------------------------------------------------------------------------------- data


def spectra(
    loaded: Loaded[Any], data: Path, absent: Container[str]
) -> Iterator[tuple[str, Spectrum | Series]]:
    """The spectra of a spec by the names of their files: of a series one stack as NXxas, of others each as XDI.

    chi(k), which XDI does not hold, is left out, and so are the rows whose data are `absent`.
    """
    context = Context(data)
    if isinstance(loaded.spec, SeriesSpec):
        plan = prepare(loaded, context)
        yield f"{loaded.path.stem}.nxs", ingest(plan, np.arange(len(plan)))
    elif isinstance(loaded.spec, ValenceSpec):
        for table, entries in (("standard", loaded.spec.standard), ("unknown", loaded.spec.unknown)):
            for i, entry in enumerate(entries):
                for j, name in enumerate(entry.files):
                    file = context.find(loaded, name, f'{table} "{entry.label}"', table, i, "files")
                    spectrum = replace(io.read(file, mu=entry.mu).mu(), label=entry.label)
                    end = f"_{j + 1}" if len(entry.files) > 1 else ""
                    yield f"{slug(entry.label)}{end}.xdi", spectrum
    else:
        for i, entry in enumerate(loaded.spec.data):
            if entry.kind != "chi" and f"{loaded.name} {entry.label}" not in absent:
                yield f"{slug(entry.label)}.xdi", read_row(loaded, i, context).spectrum


def rows(
    loaded: Loaded[Any], document: Mapping[str, Any], licence: str, absent: Container[str]
) -> Iterator[Row]:
    """The rows of a spec whose data are there: a series, each compound of a calibration, each row of a fit.

    `document` is what `run` returned, empty for a spec that was only copied; `licence` that of measured data whose spec
    states none.
    """
    spec, read = loaded.spec, document.get("provenance", {}).get("data", {})
    entries: Sequence[Any]
    if isinstance(spec, SeriesSpec):
        entries = [spec.series]
    elif isinstance(spec, ValenceSpec):
        entries = [*spec.standard, *spec.unknown]
    else:
        entries = spec.data
    for entry in entries:
        label = getattr(entry, "label", loaded.path.stem)
        if f"{loaded.name} {label}" in absent:
            continue
        kind = "measured" if entry.simulate is None else "closure"
        kind = read[label]["kind"] if label in read else kind
        names = [one] if (one := getattr(entry, "file", None)) else entry.files
        source = entry.source or _span(names) or "simulated"
        yield Row(loaded.name, label, kind, source, entry.licence or (licence if kind == "measured" else ""))


def _span(names: Sequence[str]) -> str:
    """Files by name; of more than three the first and the last."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} ... {names[-1]} ({len(names)} files)"
