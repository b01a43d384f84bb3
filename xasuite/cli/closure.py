"""``xasuite closure``: what the pipeline does to a known truth, over noise seeds and over the analyst's choices."""

from __future__ import annotations

from pathlib import Path

import typer

from .common import JSON, OUTPUT, present, spinner


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("closure")(closure)


def closure(
    spec: Path = typer.Argument(help=r"A spec whose \[\[data]] are simulated."),
    seeds: int = typer.Option(200, min=5, help="Noise seeds a row."),
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figure of the choices."),
) -> None:
    """Bias, spread, reported error and coverage of every published value; and how far N moves with each choice."""
    from ..errors import SpecError
    from ..report.closure import write_closure
    from ..specs import load_spec
    from ..workflow.closure import study

    loaded = load_spec(spec)
    if not any(d.simulate for d in loaded.spec.data):
        raise SpecError(f"{spec.name}: no [[data]] row is simulated, so there is no truth to compare with")
    with spinner(json) as progress:
        done = study(loaded, seeds=seeds, progress=progress)
        written = write_closure(done, output / loaded.name, figures=figures)
    if json:
        present(True, done)
    else:
        present(False, done, done.moved(), written=written)
