"""``xasuite check``: what is wrong with a spec, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .common import DATA_ROOT, JSON, print_json, say

if TYPE_CHECKING:
    from ..workflow.resolve import Context


def check(
    specs: list[Path] = typer.Argument(help="Spec files (.toml)."),
    upgrade: bool = typer.Option(
        False, "--upgrade", help="Rewrite specs of an older format in place, comments kept."
    ),
    data_root: Path | None = DATA_ROOT,
    json: bool = JSON,
) -> None:
    """Check specs: form, names, published rows, crystals, data and k ranges; all mistakes at once."""
    from ..errors import SpecError
    from ..workflow.resolve import Context

    context = Context.of(data_root)
    mistakes: list[str] = []
    document = []
    for path in specs:
        wrong: list[str] = []
        said: list[str] = []
        try:
            if upgrade:
                _upgrade(path)
            said = _warnings(path, context)
        except SpecError as exc:
            wrong = exc.mistakes
        mistakes += wrong
        document.append({"spec": str(path), "ok": not wrong, "mistakes": wrong, "warnings": said})
        if not json:
            for warning in said:
                typer.secho(f"warning: {warning}", fg="yellow", err=True)
            if not wrong:
                say(f"{path}: ok")
    if json:
        print_json({"specs": document})
    if mistakes:
        raise SpecError(mistakes)


def _warnings(path: Path, context: Context) -> list[str]:
    """What a spec of either kind would mislead its reader about. Raises SpecError with its mistakes."""
    from .. import specs, workflow

    loaded = specs.load_spec(path, None)
    if isinstance(loaded.spec, specs.SeriesSpec):
        from .._series.prepare import check_series

        return check_series(loaded, context)
    return workflow.check_spec(loaded, context) if isinstance(loaded.spec, specs.Spec) else []


def _upgrade(path: Path) -> None:
    """Rewrite a spec of format 1 as the format of today. Raises SpecError."""
    from ..files import write_text
    from ..specs.toml import parse_toml, read_text, upgraded

    text = read_text(path)
    if parse_toml(text, path).get("xasuite") == 1:
        write_text(path, upgraded(text))
        typer.secho(f"{path}: rewritten in format 2", err=True)
