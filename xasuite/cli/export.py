"""``xasuite export``: a spec as a script of Larch, or as an Athena project."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import say_written


def export(
    spec: Path = typer.Argument(help="A spec of a fit."),
    program: str = typer.Option(..., "--as", help="larch (a script) or athena (a project)."),
    output: Path = typer.Option(None, "--output", "-o", help="The file; by default the spec's name."),
    data_root: Path = typer.Option(None, help="Where data files are looked for."),
) -> None:
    """Write a spec for Larch or Athena: the script gives the same numbers, the project opens with the same settings."""
    from ..workflow.export import export as run

    suffix = ".prj" if program == "athena" else ".py"
    say_written(run(spec, output or Path(f"{spec.stem}{suffix}"), program=program, data_root=data_root)[:1])
