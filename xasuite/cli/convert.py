"""``xasuite convert``: a project of Artemis, Larix or Athena as a folder of specs."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import JSON, print_json, say


def convert(
    project: str = typer.Argument(
        help="A project of Artemis (.fpj, .apj), Larix (.larix) or Athena (.prj), feffit.inp, or a script of Ifeffit."
    ),
    output: Path = typer.Option(..., "--output", "-o", help="Folder for specs, data and FEFF paths."),
    crystal: str = typer.Option(
        None, help="For an Athena project: the crystal whose shells are fitted; .prj::GROUP for one group."
    ),
    json: bool = JSON,
) -> None:
    """Write the fits of a project, or the groups of an Athena project, as specs; nothing in it is executed."""
    from ..workflow.convert import convert as run

    done = run(project, output, crystal=crystal)
    if json:
        print_json({n: getattr(done, n) for n in ("specs", "published", "refused", "runs")})
        return
    for path in done.specs:
        say(f"written: {path}")
    for name, reason in done.refused.items():
        typer.secho(f"not converted: {name}: {reason}", fg="yellow", err=True)
    if not done.runs:
        say("Athena has no scattering paths: add them to the specs, or name the sample with --crystal")
        return
    say(f"Next: xasuite fit {done.specs[-1]}")
    if done.published:
        say(f"      xasuite reproduce {output} scores the fits against what the project logged")
