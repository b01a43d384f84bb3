"""The studies of ``xasuite xanes``: convergence with the radius, published structures; input of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .common import print_json, print_table, say

if TYPE_CHECKING:
    from ..specs.studies import StandardsStudy, StructuresStudy
    from ..theory.xanes import TheoryXanes


Settings = dict[str, Any]  # of theory_xanes


def _say(sentences: Sequence[str], limits: Sequence[str]) -> None:
    for sentence in sentences:
        say(sentence)
    say("limits: " + "; ".join(limits))


def save(output: Path | None, columns: Any, record: Any, form: str | None = None) -> None:
    """Write columns, if any, as CSV and the figure of a record, if an output is given; name its files on stderr."""
    if output is None:
        return
    from ..files import replacing
    from ..report.plots import style
    from ..report.plots.dispatch import plot

    if columns is not None:
        import pandas as pd

        with replacing(output.with_suffix(".csv")) as temporary:
            pd.DataFrame(columns).to_csv(temporary, index=False, float_format=form)
    for path in style.save(plot(record), output):
        typer.echo(str(path), err=True)


def print_notes(theory: TheoryXanes) -> None:
    """Print the notes and limits of a computed spectrum."""
    _say([f"note: {note}" for note in theory.notes], theory.limits)


def progress(quiet: bool) -> AbstractContextManager[Callable[[str, int, int], None]]:
    """A bar with the time left on stderr; nothing when quiet or not a terminal."""
    from .._series.progress import progress_bar

    return progress_bar(quiet, lines=False)


def run_converge(structure: str, absorber: str, settings: Settings, json: bool) -> None:
    """The study of convergence with the radius: from where on the spectrum no longer changes."""
    from ..theory.xanes import converge

    most = settings.pop("radius", 7.0)
    with progress(json) as said:
        study = converge(structure, absorber=absorber, most=most, progress=said, **settings)
    if json:
        found = {n: getattr(study, n) for n in ("radii", "atoms", "change")}
        print_json({"kind": "theory", **found, "converged_from": study.radius})
    else:
        say(str(study))
        print_notes(study.spectra[-1])


def measured_root(data_root: Path | None) -> Path:
    """The folder of measured standards. Raises ReadError when none is named."""
    from ..errors import ReadError

    root = data_root or Path(os.environ.get("XASUITE_DATA", ""))
    if str(root) in ("", ".") or not root.is_dir():
        raise ReadError(
            "the table needs measured standards: name their folder with --data-root or XASUITE_DATA"
        )
    return root


def run_standards(
    study: StandardsStudy, root: Path, only: list[str], settings: Settings, json: bool, output: Path | None
) -> None:
    """A table of measured standards against theory."""
    from ..workflow.structures import theory_table

    with progress(json) as said:
        table = theory_table(study, root, only or None, progress=said, **settings)
    frame = table.frame()
    if json:
        rows = {"rows": frame.to_dict("records"), "sentences": table.sentences, "limits": table.limits}
        print_json({"kind": "theory against measured"} | rows)
    else:
        shown = frame.drop(columns=["wanted correlation", "scale"])
        print_table("theory against measured standards", tuple(shown.columns), shown.itertuples(index=False))
        _say(table.sentences, table.limits)
    save(output, frame, table)


def run_structures(study: StructuresStudy, settings: Settings, json: bool, output: Path | None) -> None:
    """A table of computed structures against each other."""
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
        print_json({"kind": "theory", "differences": differences, "limits": done.limits})
    else:
        print_table("theory against theory", header, rows)
        _say(done.verdict, done.limits)
    save(output, None, done)


def fit_structures(
    study: StructuresStudy, measured: str, gauss: float, settings: Settings, json: bool, output: Path | None
) -> None:
    """The structures of a study fitted to a measurement."""
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
        print_json({"kind": "theory against measured", "models": models, "sentences": fit.sentences})
    else:
        for m in fit.models:
            say(f"{m.label}: probability {m.probability:.3f}, R {m.rfactor:.5f}")
        _say(fit.sentences, fit.limits)
    save(output, None, fit)


def write_input(structure: str, absorber: str, program: str, settings: Settings, output: Path | None) -> None:
    """Write the input of FEFF9, FEFF10 or FDMNES."""
    from ..theory.external import write_fdmnes, write_feff

    target = output or Path("feff.inp" if program.startswith("feff") else "job.inp")
    if program == "fdmnes":
        own = {k: v for k, v in settings.items() if k in ("radius", "scf")}
        paths = write_fdmnes(structure, target, absorber=absorber, **own)
    else:
        own = {k: v for k, v in settings.items() if k in ("radius", "scf", "nohole", "site")}
        paths = write_feff(structure, target, absorber=absorber, program=program, **own)
    for path in paths:
        say(str(path))
