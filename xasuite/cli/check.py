"""``xasuite check``: what is wrong with a spec, before anything runs."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import DATA_ROOT, context_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    specs: list[Path] = typer.Argument(help="Spec files (.toml)."),
    data_root: Path | None = DATA_ROOT,
) -> None:
    """Check specs: form, names, published rows, crystals, data and k ranges; all mistakes at once."""
    from .. import spec
    from ..errors import SpecError

    context = context_of(data_root)
    mistakes: list[str] = []
    for path in specs:
        try:
            for warning in spec.check_spec(spec.load_spec(path), context):
                typer.secho(f"warning: {warning}", fg="yellow", err=True)
        except SpecError as exc:
            mistakes += exc.mistakes
        else:
            typer.echo(f"{path}: ok")
    if mistakes:
        raise SpecError(mistakes)
