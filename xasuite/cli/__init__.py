"""The shell's commands: arguments only, each a thin layer over a function of the library.

One module a command; a module imports nothing heavy at its top, so that ``xasuite --help`` stays fast.
"""

from __future__ import annotations

import codecs
import difflib
import errno
import gc
import importlib
import inspect
import io
import logging
import os
import re
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, TextIO

import typer

from ..errors import XasuiteError
from ..threads import one_blas_thread_from_start
from ..version import __version__
from ._interrupts import insistent
from .common import QUIET, warn

# Modules of this package; each has a function of its own name.
COMMANDS: tuple[str, ...] = (
    "new", "check", "checkxas", "explore", "convert", "export", "fit", "reproduce", "bundle", "closure", "compare", "posterior",
    "show", "layouts", "merge", "plot", "crystals", "paths", "wavelet", "series", "report", "figure", "watch", "valence", "edge",
    "lcf", "components", "peaks", "dband", "modulation", "xanes",
)  # fmt: skip

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
UNREAD = 141  # 128 + SIGPIPE: who read the output (| head) has gone

# typer may carry its own copy of click: its errors' base class is found through one of them
_CLICK_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
_NUMBERS = {"int": "a whole number", "float": "a number"}  # by the first word of pydantic's kind of mistake
_LIMITS = {"ge": "of at least", "le": "of at most", "gt": "above", "lt": "below"}

# Commands that users of other programs type, and what to use here
ELSEWHERE = {
    "draw": "xasuite plot, or xasuite figure",
    "view": "xasuite explore, or xasuite show FILE",
    "info": "xasuite show FILE",
    "read": "xasuite show FILE",
    "init": "xasuite new",
    "run": "xasuite fit SPEC, or xasuite series SPEC",
    "batch": "xasuite series SPEC",
    "feff": "xasuite paths CRYSTAL --absorber ELEMENT",
    "pca": "xasuite components",
    "mcr": "xasuite components",
    "normalize": "xasuite show FILE, or xasuite.normalize in Python",
    "background": "a spec's [reduce] table, or xasuite.background in Python",
    "autobk": "a spec's [reduce] table, or xasuite.background in Python",
    "align": "a spec's [reduce] table, or xasuite.align in Python",
    "table": "xasuite report RESULTS -o table.tex",
    "validate": "xasuite check",
}


def _with_quiet(function: Any) -> Any:
    """A command that also takes --quiet."""

    def run(*, quiet: bool, **options: Any) -> Any:
        if quiet:
            os.environ[QUIET] = "1"
        return function(**options)

    option = typer.Option(False, "--quiet", "-q", help="Print warnings and errors only; files are written.")
    more = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=option, annotation=bool)
    signature = inspect.signature(function, eval_str=True)
    signature = signature.replace(parameters=[*signature.parameters.values(), more])
    run.__doc__, run.__signature__ = function.__doc__, signature  # type: ignore[attr-defined]
    run.__annotations__ = {n: p.annotation for n, p in signature.parameters.items()}
    return run


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


def _register(first: str) -> None:
    """Register the command that a line begins with, or all of them where it begins with none, for help and hints."""
    app.registered_commands.clear()
    for name in (first,) if first in COMMANDS else COMMANDS:
        app.command(name)(_with_quiet(getattr(importlib.import_module(f"{__name__}.{name}"), name)))


def _show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if issubclass(category, (DeprecationWarning, PendingDeprecationWarning)):
        return
    warn(str(message))


def main(argv: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 1."""
    # imports make many objects and little garbage: collecting at every 700th object costs a tenth of the start
    gc.set_threshold(50_000, 20, 20)
    one_blas_thread_from_start()
    # pydantic looks for plugins in the metadata of every installed package
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    os.environ.pop(QUIET, None)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the shell closed it (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # the C locale has no Å, which a JSON document must keep; a file name may not be valid text
            lacking = "ascii" in codecs.lookup(stream.encoding).name
            stream.reconfigure(encoding="utf-8" if lacking else stream.encoding, errors="backslashreplace")
    with insistent() as ended:
        code = _run_to_reader(argv)
        ended.set()
    sys.exit(code)


def _run_to_reader(argv: list[str] | None) -> int:
    """The exit code of a command line; UNREAD, without a message, where the reader of its output has ended."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except SystemExit as exc:  # click ends so on a broken pipe
        if not isinstance(exc.__context__, BrokenPipeError):
            raise
    except OSError as exc:  # files are written with errors of their own: this is standard output
        if os.environ.get("XASUITE_DEBUG") or exc.errno not in _FULL:
            raise
        _nowhere(sys.__stdout__)
        return _mistake(f"the output cannot be written: {exc.strerror}")
    else:
        return code
    _nowhere(sys.__stdout__, sys.__stderr__)
    return UNREAD


def _nowhere(*streams: TextIO | None) -> None:
    """Send what is left in the buffers to os.devnull; the interpreter would fail to write it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        if stream is not None:
            os.dup2(nowhere, stream.fileno())


def _run(argv: list[str] | None) -> int:
    """The exit code of a command line. SIGTERM (of a batch system) ends it as Ctrl-C does, with exit code 143."""
    terminated: list[int] = []

    def terminate(number: int, _: Any) -> None:
        terminated.append(number)
        raise KeyboardInterrupt

    try:
        os.getcwd()
    except FileNotFoundError:
        return _mistake("the working folder was deleted; change to one that is there")
    if "" in (sys.argv[1:] if argv is None else argv):
        return _mistake(
            'an argument is empty (""), as a variable of the shell that is not set leaves it; write a name there'
        )
    in_front = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if in_front else None
    try:
        _register(next(iter(sys.argv[1:] if argv is None else argv), ""))
        code = app(args=argv, prog_name="xasuite", standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code without a word
            raise KeyboardInterrupt
    except XasuiteError as exc:
        if os.environ.get("XASUITE_DEBUG"):
            raise
        return _mistake(str(exc))
    except _CLICK_ERROR as exc:
        return _mistake(_sentence(exc))
    except (KeyboardInterrupt, RuntimeError) as exc:
        # Abort is a RuntimeError; Python 3.11 turns an exception raised while a class is made into one
        if not any(isinstance(e, (typer.Abort, KeyboardInterrupt)) for e in (exc, exc.__cause__)):
            raise
        word = "terminated" if terminated else "interrupted"
        typer.secho(f"xasuite: {word}; what was done is kept", fg="yellow", err=True)
        return 128 + terminated[0] if terminated else INTERRUPTED
    finally:
        if in_front:
            signal.signal(signal.SIGTERM, before)
    return 128 + terminated[0] if terminated else code if isinstance(code, int) else 0


def _mistake(sentence: str) -> int:
    typer.secho(f"xasuite: {sentence}", fg="red", err=True)
    return 1


def _refused(exc: Any) -> str | None:
    """The sentence for a value of the wrong type, for which pydantic's message names its own classes; else None."""
    found: list[dict[str, Any]] = getattr(exc.__cause__, "errors", list)()
    if not found or exc.param is None:
        return None
    first = found[0]
    limits = [f"{name} {first['ctx'][key]}" for key, name in _LIMITS.items() if key in first.get("ctx", {})]
    wanted = _NUMBERS.get("int" if limits else first["type"].partition("_")[0])
    if wanted is None:
        return None
    return f"{exc.param.opts[-1 if len(exc.param.opts[0]) < 3 else 0]} takes {' '.join([wanted, *limits])}; found {first['input']!r}"


def _sentence(exc: Any) -> str:
    """The message of a click error; for an unknown command with the one that was probably meant."""
    found = re.search(r"No such command '([^']*)'", exc.format_message())
    if found is None:
        sentence = str(exc.format_message())
        if missing := re.fullmatch(r"Missing (argument|option) '(.*)'\.", sentence):
            meaning = str(getattr(exc.param, "help", "") or "").replace("\\[", "[").rstrip(".")
            meaning = f" ({meaning[0].lower()}{meaning[1:]})" if meaning[1:2].islower() else ""
            names = missing[2].replace("'", "")
            return f"{exc.ctx.info_name} needs {names}{meaning}; {exc.ctx.command_path} --help says how it is used"
        if (refused := _refused(exc)) is not None:
            return refused
        if exc.ctx is not None and re.match("(No such option|Got unexpected)(?!.*Possible)", sentence):
            return f"{sentence}; {exc.ctx.command_path} --help says what it takes"
        if bare := re.fullmatch(r"Option '(.*)' requires an argument\.", sentence):
            return f"{bare[1]} needs a value after it"
        return sentence
    name = found[1]
    near = difflib.get_close_matches(name.lower(), [*ELSEWHERE, *COMMANDS], 1)
    if near and near[0] in ELSEWHERE:
        return f'there is no command "{name}"; for that: {ELSEWHERE[near[0]]}'
    if Path(name).is_file():
        return f'"{name}" is no command; to see what a file holds: xasuite show {name}'
    meant = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(COMMANDS)}"
    return f'there is no command "{name}"; {meant}'
