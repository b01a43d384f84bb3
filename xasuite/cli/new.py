"""``xasuite new``: a commented spec from a data file and a crystal, by flags or by questions."""

from __future__ import annotations

from pathlib import Path

import typer

from ._xanes import MU
from .common import say, say_written, spinner


def new(
    files: list[str] | None = typer.Argument(
        None, help="Data, one row each; FILE::GROUP for one group. Asked for if left out."
    ),
    crystal: str | None = typer.Option(
        None, help="A shipped crystal or cluster, a CIF or xyz file, or amcsd:NUMBER."
    ),
    absorber: str | None = typer.Option(None, help="The absorbing element; found from the data if left out."),
    edge: str | None = typer.Option(None, help="K, L3, ...; found from the data if left out."),
    mu: str | None = MU,
    foil: bool | None = typer.Option(
        None,
        "--foil/--sample",
        help="N of the crystal and S02 free, or N free; a foil where the crystal is the metal.",
    ),
    s02: float | None = typer.Option(None, help="S02 of a sample."),
    s02_err: float = typer.Option(0.05, help="Its standard error; it goes into every N."),
    s02_from: Path | None = typer.Option(None, help="Spec of the foil that S02 comes from."),
    rmax: float | None = typer.Option(
        None, help="Fit every shell out to this distance, A; the first one if left out."
    ),
    output: Path = typer.Option(Path("new.toml"), "--output", "-o", help="The spec to write."),
    force: bool = typer.Option(False, help="Overwrite the spec."),
) -> None:
    """Write a commented spec that passes check and fits: paths that matter, k from the noise, R from the paths."""
    from .. import feff, io
    from .. import files as disk
    from ..workflow.check import check_spec
    from ..workflow.new import Amplitude, new_spec

    _refuse_names([*(files or []), crystal or ""], output, force)
    _refuse_amplitude(foil, s02, s02_err, s02_from)
    asked = not files or not crystal
    chosen = list(files or [_ask("Data file", "no data file is named: xasuite new FILE --crystal NAME")])
    crystal = crystal or _ask(
        "Crystal (a shipped name, a CIF or xyz file, or amcsd:NUMBER)",
        "no crystal is named: give --crystal, a shipped name such as Co_hcp, a CIF or xyz file, or amcsd:NUMBER",
    )
    if asked and absorber is None:
        absorber = str(typer.prompt("Absorber", default=io.read(chosen[0], mu=mu).element))
    if asked and foil is None and s02 is None and s02_from is None:
        metal = feff.load_crystal(crystal).elements == (absorber,)
        foil = typer.confirm("Is it a foil, whose N is known?", default=metal)
        if not foil:
            name = str(typer.prompt("Spec of a foil that S02 comes from (empty for none)", default=""))
            s02_from = Path(name) if name else None
    with spinner(False) as progress:
        progress("reading, running FEFF")
        amplitude = Amplitude(s02_from, s02, 0.0 if s02 is None else s02_err)
        draft = new_spec(
            chosen, crystal=crystal, target=output, absorber=absorber, edge=edge, mu=mu, foil=foil, amplitude=amplitude, rmax=rmax
        )  # fmt: skip
        with disk.replacing(output) as temporary:  # only a spec that passes check takes its place
            temporary.write_text(draft.text, encoding="utf-8")
            warnings = check_spec(draft.loaded)
    for line in draft.decisions:
        say(f"  {line}")
    for line in warnings:
        say(f"  {line}", "yellow")
    say_written([output])
    say(f"next: xasuite fit {output}")


def _refuse_names(inputs: list[str], output: Path, force: bool) -> None:
    """Refuse inputs and outputs that cannot be used, before a question or a run. Raises SpecError, WriteError."""
    from ..errors import SpecError, WriteError

    for name in inputs:
        if name.endswith(".toml") and Path(name).is_file():
            raise SpecError(
                f"{name} is a spec already, and new makes one from data; run it with xasuite fit {name}"
            )
    if output.is_dir():
        raise WriteError(f"{output} is a folder; name the spec in it, as in -o {output / 'new.toml'}")
    if output.exists() and not force:
        raise WriteError(f"{output} is there already; name another with -o, or --force to overwrite it")


def _refuse_amplitude(foil: bool | None, s02: float | None, s02_err: float, s02_from: Path | None) -> None:
    """Refuse amplitude options that contradict each other or are no amplitude. Raises SpecError."""
    from ..errors import SpecError

    if foil and (s02 is not None or s02_from is not None):
        raise SpecError(
            "--foil leaves S02 free, so --s02 and --s02-from have no place; leave out the one or the other"
        )
    if s02 is not None and not s02 > 0:
        raise SpecError(f"--s02 {s02:g} is no amplitude factor; it is above zero, for most samples 0.7 to 1")
    if not s02_err >= 0:
        raise SpecError(f"--s02-err {s02_err:g} is no standard error; give one of zero or more")
    if s02 is not None and s02_from is not None:
        raise SpecError("--s02 and --s02-from exclude each other; give one of them")


def _ask(question: str, otherwise: str) -> str:
    """The answer; without a terminal (a script, a batch job) an error that names the flag."""
    import sys

    from ..errors import DataError

    try:
        return str(typer.prompt(question))
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        typer.echo("")
        raise DataError(otherwise) from None
