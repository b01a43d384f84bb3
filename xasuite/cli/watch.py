"""``xasuite watch``: scans taken up as they are measured, results and figures kept current."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import DATA_ROOT, OUTPUT
from .common import say as say_line


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch")(watch)


def watch(
    folder: Path = typer.Argument(help="Folder in which scans appear."),
    spec: Path = typer.Argument(
        help="Spec of a series; of its files the names are used (*.txt), not the folder."
    ),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    interval: float = typer.Option(2.0, "--interval", min=0.05, help="Seconds between two looks."),
    patience: float = typer.Option(
        300.0, "--patience", help="Seconds after which a half-written scan is given up."
    ),
    settle: float = typer.Option(1.0, "--settle", help="Seconds that a file must have stayed as it is."),
    until: int | None = typer.Option(None, "--until", help="Stop after so many scans."),
    idle: float | None = typer.Option(None, "--idle", help="Stop when nothing came for so many seconds."),
    figures: bool = typer.Option(True, help="Keep the figures current."),
) -> None:
    """Fit scans as they appear, until Ctrl-C; results/<spec>/ is whole at every moment."""
    from .._series.live import Watch
    from .._series.live import watch as look
    from .._series.store import Folder
    from ..specs import SeriesSpec, load_spec
    from ..workflow.resolve import Context

    context = Context.of(data_root)
    loaded = load_spec(spec, SeriesSpec)
    target = Folder(output / loaded.name)
    watcher = Watch(folder, loaded, target, context, settle=settle, patience=patience)
    last = [""]

    def say(word: str) -> None:
        if word != last[0]:
            typer.echo(word, err=True)
            last[0] = word

    def draw(run: object) -> None:
        if figures:
            from ..report.plots.series import write_figures

            write_figures(run, target.path)  # type: ignore[arg-type]

    try:
        look(watcher, interval=interval, until=until, idle=idle, say=say, current=draw)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    say_line(f"{watcher.scans} scans in {target.path}/")
