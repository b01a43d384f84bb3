"""``xasuite series``: a whole series fitted, audited and written, resumable."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import DATA_ROOT, JSON, OUTPUT, present


def series(
    spec: Path = typer.Argument(help=r"Spec of a series (.toml with a \[series] table)."),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    resume: bool = typer.Option(
        False, "--resume", help="Go on where an interrupted run of this spec stopped."
    ),
    workers: int = typer.Option(1, min=1, help="Processes; 1 for threads in this one."),
    scheduler: str | None = typer.Option(None, help="Address of a Dask scheduler, tcp://host:port."),
    threads: int | None = typer.Option(None, min=1, help="Threads of this process; all cores if left out."),
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
    written = sorted(p for p in run.path.parent.iterdir() if p.is_file() and not p.name.startswith("."))
    present(json, run, written=written)
