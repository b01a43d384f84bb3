"""``xasuite convert``: a project of Artemis or Larix as a folder of specs that run."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import JSON, print_json, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("convert")(convert)


def convert(
    project: Path = typer.Argument(help="A project of Artemis (.fpj, .apj) or Larix (.larix)."),
    output: Path = typer.Option(..., "--output", "-o", help="Folder for specs, data and FEFF paths."),
    json: bool = JSON,
) -> None:
    """Write the fits of an Artemis or Larix project as specs; nothing in the project is executed."""
    from ..workflow.convert import convert as run

    done = run(project, output)
    if json:
        print_json(
            {
                "specs": [str(p) for p in done.specs],
                "published": str(done.published) if done.published else None,
                "refused": dict(done.refused),
            }
        )
        return
    for path in done.specs:
        say(f"written: {path}")
    for name, reason in done.refused.items():
        typer.secho(f"not converted: fit {name}: {reason}", fg="yellow", err=True)
    say(f"Next: xasuite fit {done.specs[-1]}")
    if done.published:
        say(f"      xasuite reproduce {output} scores the fits against what the project logged")
