"""Series and valence calibrations in a deposition: run from the copies, their tables written, and every number compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from ..errors import ReadError, SpecError, XasuiteError
from ..notices import collected
from ..records.quantities import Quantity
from ..records.table import Entry, Table
from ..specs.load import Loaded, load_spec, slug
from ..specs.series import SeriesSpec
from ..specs.valence import ValenceSpec
from ..workflow.resolve import Context
from ..workflow.valence import ValenceResult, run_valence

NUMBERS = "numbers.json"
VERSIONS = ("xasuite", "xraylarch", "numpy", "scipy", "numba", "h5py")


@dataclass(frozen=True, eq=False)
class Made:
    """A series or a calibration that was run: its spec, whether it is measured or closure, its tables."""

    loaded: Loaded[Any]
    kind: str
    tables: dict[str, Table]

    def document(self) -> dict[str, Any]:
        """All its numbers as plain data, and what they were made with."""
        return {
            "tables": {name: table.to_dict() for name, table in self.tables.items()},
            "label": self.kind,
            "provenance": {
                "spec_sha256": self.loaded.sha256,
                "versions": {n: metadata.version(n) for n in VERSIONS},
            },
        }


def make(loaded: Loaded[Any], data: Path, folder: Path, *, figures: bool) -> Made:
    """Run a spec of a series or of a valence calibration and write what it gives into `folder`."""
    if isinstance(loaded.spec, SeriesSpec):
        run = run_series(loaded, Context(data), folder=Folder(folder))
        made = Made(loaded, run.kind, {"table": rows_of(run)})
        if figures:
            from ..report.plots.series import write_figures

            write_figures(run, folder)
    else:
        result = run_valence(loaded, data_root=data)
        made = Made(loaded, result.kind, tables_of(result))
        folder.mkdir(parents=True, exist_ok=True)
        if figures:
            _draw(result, folder)
    _write(made, folder)
    return made


def _write(made: Made, folder: Path) -> None:
    from ..report.tables import write_table

    for name, table in made.tables.items():
        write_table(table, folder / f"{slug(name)}.csv")
    files.write_text(folder / NUMBERS, json.dumps(made.document(), indent=1))


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


def tables_of(result: ValenceResult) -> dict[str, Table]:
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


def named(folder: Path) -> tuple[Loaded[Any], dict[str, Any]]:
    """The spec of a folder of a series' results, and its numbers. Raises ReadError, SpecError."""
    run = open_run(folder)
    log = run.path.parent / "run.json"
    said = json.loads(log.read_text(encoding="utf-8")).get("spec", "") if log.is_file() else ""
    loaded = spec_behind(run.path, said, run.provenance["spec_sha256"], SeriesSpec, "series")
    return loaded, {"tables": {"table": rows_of(run).to_dict()}}


# -------------------------------------------------------------------------------------------------- data


def write_spectra(loaded: Loaded[Any], data: Path, folder: Path) -> Iterator[Path]:
    """The spectra for other programs: a series as one stack of NXxas, compounds of a calibration as XDI."""
    with collected():
        if isinstance(loaded.spec, SeriesSpec):
            plan = prepare(loaded, Context(data))
            stack = ingest(plan, np.arange(len(plan)))
            yield io.write(folder / loaded.name / f"{loaded.path.stem}.nxs", stack)
            return
        for table, entries in (("standard", loaded.spec.standard), ("unknown", loaded.spec.unknown)):
            for i, entry in enumerate(entries):
                for j, name in enumerate(entry.files):
                    what = f'{table} "{entry.label}"'
                    file = Context(data).find(loaded, name, what, table, i, "files")
                    spectrum = replace(io.read(file, mu=entry.mu).mu(), label=entry.label)
                    end = f"_{j + 1}" if len(entry.files) > 1 else ""
                    yield io.write(folder / loaded.name / f"{slug(entry.label)}{end}.xdi", spectrum)


def rows_named(loaded: Loaded[Any]) -> Iterator[tuple[str, str, str, str]]:
    """Label, kind, source and licence of a series, or of each compound of a calibration."""
    if isinstance(loaded.spec, SeriesSpec):
        series = loaded.spec.series
        kind = "measured" if series.simulate is None else "closure"
        yield loaded.path.stem, kind, series.source or _span(series.files) or "simulated", series.licence
        return
    assert isinstance(loaded.spec, ValenceSpec)
    for entry in (*loaded.spec.standard, *loaded.spec.unknown):
        kind = "measured" if entry.simulate is None else "closure"
        yield entry.label, kind, entry.source or ", ".join(entry.files) or "simulated", entry.licence


def _span(names: Sequence[str]) -> str:
    """Files by name; of more than three the first and the last."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} ... {names[-1]} ({len(names)} files)"


def again(
    where: Path,
    data: Path,
    results: Path,
    output: Path,
    spec_of: Callable[[Path, Path], Path],
    say: Callable[[str], Any],
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | str]]:
    """Each series and calibration of an unpacked deposition made again: its name, what is stated, what came or why nothing did."""
    for stated in sorted(results.rglob(NUMBERS)):
        loaded: Loaded[Any] = load_spec(spec_of(stated, where), None)
        say(f"{loaded.name}: {loaded.spec.title}")
        document = json.loads(stated.read_text(encoding="utf-8"))
        try:
            yield loaded.name, document, make(loaded, data, output / loaded.name, figures=False).document()
        except XasuiteError as exc:
            yield loaded.name, document, str(exc)
