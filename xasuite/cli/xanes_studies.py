"""What ``xasuite xanes`` does besides one spectrum: radius study, studies of published structures, input of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import print_json, print_table, say

if TYPE_CHECKING:
    from ..specs.studies import StandardsStudy, StructuresStudy
    from ..theory.xanes import TheoryXanes


def _say(sentences: Sequence[str], limits: Sequence[str]) -> None:
    for sentence in sentences:
        say(sentence)
    say("limits: " + "; ".join(limits))


def _save(figure: Any, output: Path) -> None:
    from ..report.plots import style

    for path in style.save(figure, output):
        typer.echo(str(path), err=True)


def print_notes(theory: TheoryXanes) -> None:
    """The notes and limits that go with every computed spectrum."""
    _say([f"note: {note}" for note in theory.notes], theory.limits)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar with the time left on stderr; nothing when quiet or not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def said(what: str, done: int, most: int) -> None:
            if what not in tasks:
                # Potentials do not say how far they are: a bar without an end.
                tasks[what] = bar.add_task(what, total=most if most > 1 else None)
            bar.update(tasks[what], completed=done)

        yield said


def run_converge(structure: str, absorber: str, settings: dict[str, Any], json: bool) -> None:
    """When does the spectrum stop changing with the radius?"""
    from ..theory.xanes import converge

    most = settings.pop("radius", 7.0)
    with progress(json) as said:
        study = converge(structure, absorber=absorber, most=most, progress=said, **settings)
    if json:
        print_json(
            {
                "kind": "theory",
                "radii": list(study.radii),
                "atoms": list(study.atoms),
                "change": list(study.change),
                "converged_from": study.radius,
            }
        )
    else:
        say(str(study))
        print_notes(study.spectra[-1])


def run_study(
    reference: str,
    measured: str | None,
    data_root: Path | None,
    only: list[str],
    settings: dict[str, Any],
    gauss: float,
    json: bool,
    output: Path | None,
) -> None:
    """A study of references/published: measured standards, structures against each other, or their fit to a measurement."""
    from ..specs.studies import StandardsStudy
    from ..workflow.structures import load_study

    study = load_study(reference)
    if isinstance(study, StandardsStudy):
        _standards(study, data_root, only, settings, json, output)
    elif measured is not None:
        _fit_structures(study, measured, settings, gauss, json, output)
    else:
        _structures(study, settings, json, output)


def _standards(
    study: StandardsStudy,
    data_root: Path | None,
    only: list[str],
    settings: dict[str, Any],
    json: bool,
    output: Path | None,
) -> None:
    from ..errors import ReadError
    from ..workflow.structures import theory_table

    root = data_root or Path(os.environ.get("XASUITE_DATA", ""))
    if str(root) in ("", ".") or not root.is_dir():
        raise ReadError(
            "the table needs measured standards: name their folder with --data-root or XASUITE_DATA"
        )
    with progress(json) as said:
        table = theory_table(study, root, only or None, progress=said, **settings)
    frame = table.frame()
    if json:
        print_json(
            {
                "kind": "theory against measured",
                "rows": frame.to_dict("records"),
                "sentences": list(table.sentences),
                "limits": list(table.limits),
            }
        )
    else:
        shown = frame.drop(columns=["wanted correlation", "scale"])
        print_table("theory against measured standards", tuple(shown.columns), shown.itertuples(index=False))
        _say(table.sentences, table.limits)
    if output is not None:
        from ..files import replacing
        from ..report.plots.theory import plot_standards

        with replacing(output.with_suffix(".csv")) as temporary:
            frame.to_csv(temporary, index=False)
        _save(plot_standards([r.comparison for r in table.rows]), output)


def _structures(study: StructuresStudy, settings: dict[str, Any], json: bool, output: Path | None) -> None:
    from ..workflow.structures import compare_structures

    with progress(json) as said:
        done = compare_structures(study, progress=said, **settings)
    rows = [
        (d.first, d.second, f"{d.rms:.4f}", f"{d.largest:.4f}", f"{d.rfactor:.5f}", f"{d.noise:.3f}")
        for d in done.differences
    ]
    header = ("structure", "against", "rms", "largest", "R", "noise that hides it")
    if json:
        differences = [dict(zip(header, r, strict=True)) for r in rows]
        print_json({"kind": "theory", "differences": differences, "limits": list(done.limits)})
    else:
        print_table("theory against theory", header, rows)
        _say(done.verdict, done.limits)
    if output is not None:
        from ..report.plots.theory import plot_structures

        _save(plot_structures(done), output)


def _fit_structures(
    study: StructuresStudy,
    measured: str,
    settings: dict[str, Any],
    gauss: float,
    json: bool,
    output: Path | None,
) -> None:
    from ..io import read
    from ..reduce import normalize
    from ..theory.fit import fit_structure
    from ..workflow.structures import study_grids

    data = normalize(read(measured).mu(), method="polynomial")
    with progress(json) as said:
        grids = study_grids(study, progress=said, **settings)
    fit = fit_structure(grids, data, gauss=gauss)
    if json:
        kept = ("probability", "rfactor", "mean", "stderr")
        models = [{"model": m.label} | {n: getattr(m, n) for n in kept} for m in fit.models]
        print_json({"kind": "theory against measured", "models": models, "sentences": list(fit.sentences)})
    else:
        for m in fit.models:
            say(f"{m.label}: probability {m.probability:.3f}, R {m.rfactor:.5f}")
        _say(fit.sentences, fit.limits)
    if output is not None:
        from ..report.plots.theory import plot_structure_fit

        _save(plot_structure_fit(fit), output)


def write_input(
    structure: str, absorber: str, program: str, settings: dict[str, Any], output: Path | None
) -> None:
    """Input of a program that others have."""
    from ..theory.external import write_fdmnes, write_feff

    target = output or Path("feff.inp" if program.startswith("feff") else "job.inp")
    if program == "fdmnes":
        paths = write_fdmnes(
            structure, target, absorber=absorber, radius=settings.get("radius", 6.0), scf=settings["scf"]
        )
    else:
        paths = write_feff(
            structure,
            target,
            absorber=absorber,
            program=program,
            **{k: settings[k] for k in ("radius", "scf", "nohole", "site") if k in settings},
        )
    for path in paths:
        say(str(path))
