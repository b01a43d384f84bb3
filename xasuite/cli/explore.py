"""``xasuite explore``: the interactive page in a browser."""

from __future__ import annotations

from pathlib import Path

import typer


def explore(
    inputs: list[Path] = typer.Argument(
        help="Data files, a folder of them, a spec (.toml), or the results of a series (their folder or the series' spec)."
    ),
    save_as: Path | None = typer.Option(None, "--output", "-o", help="The spec that Save writes."),
    port: int = typer.Option(0, min=0, max=65535, help="Port on this machine; 0 takes a free one."),
    browser: bool = typer.Option(True, help="Open the page in the default browser."),
) -> None:
    """Look at scans, move ranges, fit, and save what you did as a spec. Served to this machine only; Ctrl-C ends it."""
    from ..explorer import page_maker

    make = page_maker(inputs, save_as)
    from ..explorer.server import serve

    server, address = serve(make, port=port)
    typer.echo(f"open {address}\nCtrl-C ends it.")
    if browser:
        import webbrowser

        webbrowser.open(address)
    server.run_until_shutdown()
