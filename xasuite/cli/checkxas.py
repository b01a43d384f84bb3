"""``xasuite checkxas``: what a referee asks of data and fits."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import MU
from .common import JSON, present

FAILED = 2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("checkxas")(checkxas)


def checkxas(
    target: str = typer.Argument(help="A file of scans, or a fit's folder of results or its result.json."),
    mu: str | None = MU,
    json: bool = JSON,
) -> None:
    """Check data or fits as a referee does: pass, note or fail with numbers. Exit code 2 where one fails."""
    import json as parser

    from .. import io
    from ..errors import ReadError
    from ..workflow.checkxas import check_fits, check_spectrum

    path = Path(target)
    path = path / "result.json" if path.is_dir() else path
    if path.name == "result.json":
        if not path.is_file():
            raise ReadError(f"{path} does not exist; name a folder that xasuite fit wrote")
        try:
            document = parser.loads(path.read_text(encoding="utf-8"))
            done = check_fits(document)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ReadError(
                f"{path} is no result of a fit ({type(exc).__name__}: {exc}); name a folder that xasuite fit wrote"
            ) from exc
    else:
        done = [check_spectrum(s.mu()) for s in io.read_all(target, mu=mu)]
    present(json, *done)
    raise typer.Exit(0 if all(d.good for d in done) else FAILED)
