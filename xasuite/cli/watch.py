"""``xasuite watch``: scans read as they are measured, results and figures updated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import ReadError
from .common import DATA_ROOT, OUTPUT
from .common import say as say_line

if TYPE_CHECKING:
    from .._series.live import Watch


def watch(
    folder: str = typer.Argument(
        help="Folder in which scans appear, an HDF5 file that grows (file.h5::groups), or the address of a Tiled catalogue."
    ),
    spec: Path = typer.Argument(
        help="Spec of a series; only the pattern of its file names (*.txt) is used, not their folder."
    ),
    data_root: Path | None = DATA_ROOT,
    output: Path = OUTPUT,
    interval: float = typer.Option(0.2, min=0.05, help="Seconds between two checks of the folder."),
    patience: float = typer.Option(300.0, help="Seconds after which an incomplete scan is given up."),
    settle: float = typer.Option(0.5, help="Seconds without change after which the first file is read."),
    until: int | None = typer.Option(None, help="Stop after so many scans."),
    idle: float | None = typer.Option(None, help="Stop after so many seconds without a new scan."),
    figures: bool = typer.Option(True, help="Keep the figures current."),
    serve: bool = typer.Option(False, "--serve", help="Show the running series as a page on this machine."),
    port: int = typer.Option(0, help="Port of that page; 0 takes a free one."),
) -> None:
    """Fit scans as they appear, until Ctrl-C; the files in results/<spec>/ are complete at every moment."""
    from .._series.live import Watch
    from .._series.store import Folder
    from .._series.watching import watch as look
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

    try:
        with _page(watcher, port) if serve else nullcontext():
            look(watcher, interval=interval, until=until, idle=idle, say=say, draw=_draw if figures else None)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    say_line(f"{watcher.scans} scans in {target.path}/")


def _draw(file: Path) -> None:
    """Write the figures of a series into the folder of its file."""
    from .._series.record import open_run
    from ..report.plots.series import write_figures

    write_figures(open_run(file), file.parent)


@contextmanager
def _page(watcher: Watch, port: int) -> Iterator[None]:
    """Serve the page of the running series while it is watched."""
    try:
        from ..explorer.series import SeriesPage
        from ..explorer.server import serving
    except ModuleNotFoundError as exc:
        raise ReadError(f'--serve needs {exc.name}: pip install "xasuite[explore]"') from None

    with serving(
        lambda doc: SeriesPage(watcher.output.h5, watcher).show(doc), port=port, title="xasuite watch"
    ) as address:
        typer.echo(f"open {address}", err=True)
        yield
