"""``xasuite closure``: simulated spectra of known truth fitted blind, over noise seeds and choices of the analysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import JSON, OUTPUT, present, spinner

if TYPE_CHECKING:
    from ..choices import Potentials


def closure(
    specs: list[Path] = typer.Argument(help=r"Specs whose \[\[data]] are simulated."),
    seeds: int = typer.Option(200, min=5, help="Noise seeds per row."),
    ensemble: bool = typer.Option(
        False,
        "--ensemble",
        help="Draw true values around the published rows, fit them blind, and print how often the errors cover the truth, "
        "for all specs together. The same command continues where it stopped.",
    ),
    truths: int = typer.Option(32, min=2, help="Drawn truths at each of two noise levels, with --ensemble."),
    seed: int = typer.Option(1, min=0, help="Seed of the drawn truths, with --ensemble."),
    potentials: list[str] = typer.Option(
        [],
        help="With --ensemble: potentials that a fit is averaged over, feff6l, feff8l, 'feff8l scf'; repeat for each.",
    ),
    blind: bool = typer.Option(
        False, "--blind", help="With --ensemble: fit without the potentials that the truth was made with."
    ),
    output: Path = OUTPUT,
    json: bool = JSON,
    figures: bool = typer.Option(True, help="Make the figure of the choices."),
) -> None:
    """Bias, spread, reported error and coverage of every published value; and how far N moves with each choice."""
    from ..errors import SpecError
    from ..specs import load_spec

    loaded = [load_spec(spec) for spec in specs]
    for each in loaded:
        if not any(d.simulate for d in each.spec.data):
            raise SpecError(
                f"{each.path.name}: no [[data]] row is simulated, so there is no truth to compare with"
            )
    if ensemble:
        from ..workflow.ensemble import ensemble as fit_ensemble
        from ..workflow.ensemble import pooled

        asked: Any = {"truths": truths, "seed": seed, "potentials": _potentials(potentials), "blind": blind}
        found = {}
        with spinner(json) as progress:
            for x in loaded:
                found[x.name] = fit_ensemble(x, folder=output / x.name, progress=progress, **asked)
        present(json, pooled(found))
        return
    from ..report.closure import write_closure
    from ..workflow.closure import study

    with spinner(json) as progress:
        done = [study(x, seeds=seeds, progress=progress) for x in loaded]
        written: list[Path] = []
        for each, d in zip(loaded, done, strict=True):
            written += write_closure(d, output / each.name, figures=figures)
    shown: list[Any] = [t for d in done for t in ([d] if json else [d, d.moved()])]
    present(json, *shown, written=written)


def _potentials(given: list[str]) -> tuple[Potentials, ...]:
    """The potentials given with --potentials. Raises SpecError for an unknown name."""
    from ..choices import POTENTIALS
    from ..errors import SpecError, nearest

    for name in given:
        if name not in POTENTIALS:
            raise SpecError(f'--potentials "{name}" is not a kind of potentials{nearest(name, POTENTIALS)}')
    return tuple(p for p in POTENTIALS if p in given)
