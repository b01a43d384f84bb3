"""``xasuite check``: what is wrong with a spec, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, context_of

if TYPE_CHECKING:
    from ..spec.resolve import Context


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    specs: list[Path] = typer.Argument(help="Spec files (.toml)."),
    data_root: Path | None = DATA_ROOT,
) -> None:
    """Check specs: form, names, published rows, crystals, data and k ranges; all mistakes at once."""
    from ..errors import SpecError

    context = context_of(data_root)
    mistakes: list[str] = []
    for path in specs:
        try:
            for warning in _warnings(path, context):
                typer.secho(f"warning: {warning}", fg="yellow", err=True)
        except SpecError as exc:
            mistakes += exc.mistakes
        else:
            typer.echo(f"{path}: ok")
    if mistakes:
        raise SpecError(mistakes)


def _warnings(path: Path, context: Context) -> list[str]:
    """What a spec of either kind would mislead its reader about. Raises SpecError with its mistakes."""
    from .. import spec
    from ..spec.series import holds_series, load_series_spec

    if not holds_series(path):
        return spec.check_spec(spec.load_spec(path), context)
    from ..series.plan import check_series

    return check_series(load_series_spec(path), context)
