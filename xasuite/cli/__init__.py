"""The shell's commands: arguments only, each a thin layer over a function of the library.

One module a command; a module imports nothing heavy at its top, so that ``xasuite --help`` stays fast.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from typing import Any

import typer

from ..errors import XasuiteError
from ..version import __version__

# One module of this package a line; each has register(app).
COMMANDS: tuple[str, ...] = (
    "new",
    "check",
    "convert",
    "fit",
    "reproduce",
    "closure",
    "show",
    "crystals",
    "paths",
    "wavelet",
    "series",
    "report",
    "figure",
    "watch",
    "valence",
    "edge",
    "lcf",
    "components",
    "peaks",
    "dband",
    "xanes",
)

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# typer may carry its own copy of click: its errors' base class is found through one of them
_CLICK_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    name="xasuite",
    help="XANES and EXAFS from raw scans to a coordination table that can be defended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"xasuite {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    if debug:
        os.environ["XASUITE_DEBUG"] = "1"


def _register() -> None:
    if app.registered_commands:
        return
    for name in COMMANDS:
        importlib.import_module(f"{__name__}.{name}").register(app)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if issubclass(category, (DeprecationWarning, PendingDeprecationWarning)):
        return
    typer.secho(f"warning: {message}", fg="yellow", err=True)


def main(argv: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 1."""
    _register()
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        code = app(args=argv, prog_name="xasuite", standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code without a word
            raise KeyboardInterrupt
    except XasuiteError as exc:
        if os.environ.get("XASUITE_DEBUG"):
            raise
        typer.secho(f"xasuite: {exc}", fg="red", err=True)
        sys.exit(1)
    except _CLICK_ERROR as exc:
        typer.secho(f"xasuite: {exc.format_message()}", fg="red", err=True)
        sys.exit(1)
    except (typer.Abort, KeyboardInterrupt):
        typer.secho("xasuite: interrupted; what was done is kept", fg="yellow", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
