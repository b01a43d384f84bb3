"""``xasuite check``: what is wrong with a spec, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, JSON, context_of, print_json

if TYPE_CHECKING:
    from ..workflow.resolve import Context


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    specs: list[Path] = typer.Argument(help="Spec files (.toml)."),
    data_root: Path | None = DATA_ROOT,
    json: bool = JSON,
) -> None:
    """Check specs: form, names, published rows, crystals, data and k ranges; all mistakes at once."""
    from ..errors import SpecError

    context = context_of(data_root)
    mistakes: list[str] = []
    document = []
    for path in specs:
        wrong: list[str] = []
        said: list[str] = []
        try:
            said = _warnings(path, context)
        except SpecError as exc:
            wrong = exc.mistakes
        mistakes += wrong
        document.append({"spec": str(path), "ok": not wrong, "mistakes": wrong, "warnings": said})
        if not json:
            for warning in said:
                typer.secho(f"warning: {warning}", fg="yellow", err=True)
            if not wrong:
                typer.echo(f"{path}: ok")
    if json:
        print_json({"specs": document})
    if mistakes:
        raise SpecError(mistakes)


def _warnings(path: Path, context: Context) -> list[str]:
    """What a spec of either kind would mislead its reader about. Raises SpecError with its mistakes."""
    from .. import spec, workflow
    from ..spec.series import holds_series, load_series_spec

    if not holds_series(path):
        return workflow.check_spec(spec.load_spec(path), context)
    from .._series.prepare import check_series

    return check_series(load_series_spec(path), context)
