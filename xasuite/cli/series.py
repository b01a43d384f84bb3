"""``xasuite series``: a whole series fitted, audited and written, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import DATA_ROOT, JSON, OUTPUT, console, print_json, print_table

if TYPE_CHECKING:
    from .._series.record import SeriesRun

SHOWN_ROWS = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("series")(series)


def series(
    spec: Path = typer.Argument(help=r"Spec of a series (.toml with a \[series] table)."),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    resume: bool = typer.Option(
        False, "--resume", help="Go on where an interrupted run of this spec stopped."
    ),
    workers: int = typer.Option(1, "--workers", min=1, help="Processes; 1 for threads in this one."),
    scheduler: str | None = typer.Option(
        None, "--scheduler", help="Address of a Dask scheduler, tcp://host:port."
    ),
    threads: int | None = typer.Option(
        None, "--threads", min=1, help="Threads of this process; all cores if left out."
    ),
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figures."),
) -> None:
    """Fit a series of spectra: results/<spec>/series.h5, series.csv and figures; every run is audited by Larch."""
    from .._series.progress import progress_bar
    from .._series.run import run_series
    from .._series.store import Folder
    from ..specs import SeriesSpec, load_spec
    from ..workflow.resolve import Context

    context = Context.of(data_root)
    loaded = load_spec(spec, SeriesSpec)
    folder = Folder(output / loaded.name)
    with progress_bar(json) as progress:
        run = run_series(
            loaded, context, folder=folder, resume=resume, workers=workers, scheduler=scheduler, threads=threads,
            progress=progress,
        )  # fmt: skip
        if figures:
            from ..report.plots.series import write_figures

            progress("drawing", len(run), len(run))
            write_figures(run, folder.path)
    if json:
        print_json(series_json(run))
    else:
        print_run(run)


def series_json(run: SeriesRun) -> dict[str, Any]:
    """The document of ``xasuite series --json``: files, audit, and every row's values with errors."""
    import math

    def number(value: Any) -> float | None:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

    names = [p["name"] for p in run.parameters]
    rows = []
    for record in run.table.to_dict("records"):
        rows.append(
            {
                "label": record["label"],
                "time": number(record["time"]),
                "status": record["status"],
                "reason": record["reason"],
                "undetermined": [u for u in record["undetermined"].split(", ") if u],
                "params": {
                    n: {
                        "value": number(record[n]),
                        "stderr": number(record[f"{n}_err"]),
                        "common": number(record[f"{n}_err_common"]),
                    }
                    for n in names
                },
                "rfactor": number(record["rfactor"]),
                "chi2_reduced": number(record["chi2_reduced"]),
            }
        )
    return {
        "file": str(run.path),
        "table": str(run.path.with_suffix(".parquet")),
        "label": run.kind,
        "audit": dict(run.audit),
        "rows": rows,
    }


def print_run(run: SeriesRun) -> None:
    """A dozen rows along the series, what became of the others, the audit and the files."""
    import numpy as np

    from ..records.quantities import as_printed

    table = run.table
    varied = [p["name"] for p in run.parameters if p["vary"]]
    times, label = run.along()
    picked = np.unique(np.linspace(0, len(table) - 1, SHOWN_ROWS).round().astype(int))
    rows = []
    for i in picked:
        record = table.iloc[i]
        lost = set(record["undetermined"].split(", "))
        cells = ["-" if n in lost else as_printed(record[n], record[f"{n}_err"]) for n in varied]
        beside = [f"{record[n]:.4g}" for n in run.logged]
        rows.append((i + 1, f"{times[i]:.4g}", *beside, *cells, f"{record['rfactor']:.4f}", record["status"]))
    print_table(
        f"{len(table)} spectra ({run.kind})", ("row", label, *run.logged, *varied, "R factor", "status"), rows
    )
    for word, count in table["status"].value_counts().items():
        console().print(f"  {count} {word}")
    audit = run.audit
    largest = f"; largest difference {audit['largest']:.1e}" if audit["n"] else ""
    console().print(f"  audit: {audit['statement']}{largest}")
    for p in run.parameters:
        if p["stderr"]:
            origin = p["origin"] or "given"
            console().print(
                f"  {p['name']} held at {as_printed(p['value'], p['stderr'])} ({origin}); its error is in every row"
            )
    print_trend(run)
    print_beside(run)
    for line in run.warnings:
        console().print(f"  {line}", style="yellow")
    names = sorted(p.name for p in run.path.parent.iterdir() if p.is_file() and not p.name.startswith("."))
    console().print(f"written: {run.path.parent}/ ({', '.join(names)})")


def print_trend(run: SeriesRun) -> None:
    """What the fit along time found: what was tied, how strongly, the numbers behind it."""
    import json

    from ..records.quantities import as_printed

    if not run.timeline:
        return
    facts = json.loads(run.timeline["facts"])
    for name, strength in facts["strength"].items():
        console().print(
            f"  along time: {name} smooth, strength {strength:.2g}, worth {facts['freedom'][name]:.1f} parameters"
        )
    for name, value in facts["trend"].items():
        console().print(f"  along time: {name} = {as_printed(value, facts['trend_stderr'][name])}")
    if not facts["converged"]:
        console().print("  along time: the fit did not converge", style="yellow")


def print_beside(run: SeriesRun) -> None:
    """Valence and components where the spec asks for them: the first and the last row that has them."""
    import json

    from ..records.quantities import as_printed

    def ends(column: str) -> Any:
        have = run.table[run.table[column].notna()]
        return have.iloc[[0, -1]].to_dict("records") if len(have) else []

    if "valence" in run.table:
        said = [
            f"{as_printed(r['valence'], r['valence_err'])} (95 %: {r['valence_low']:.2f} to {r['valence_high']:.2f})"
            for r in ends("valence")
        ]
        console().print(f"  valence: {', at the end '.join(said) or 'no row has one'}")
    if run.components:
        facts = json.loads(run.components["facts"])
        console().print(f"  {facts['method']}: rms {facts['rms']:.2g} of the edge step")
        for name in facts["names"]:
            shares = [f"{r[f'x({name})']:.3f}" for r in ends(f"x({name})")]
            console().print(f"    component {name}: share {', at the end '.join(shares)}")
