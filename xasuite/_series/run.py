"""A series from its spec to its results: planned, worked on chunk by chunk, written, audited."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import files
from ..errors import AuditError, SeriesError, XasuiteWarning
from ..spec.load import LoadedSpec
from ..spec.series import load_series_spec
from ..workflow.resolve import Context
from .audit import LIMIT
from .plan import Plan, make_plan
from .progress import progress_bar
from .record import SeriesRun, open_run
from .schedule import run_chunks
from .store import LOG, Folder, Resume, assemble, parts_of, save_part

Progress = Callable[[str, int, int], None]  # what is being done, rows done, rows in all


def series(
    path: str | Path,
    *,
    data_root: str | Path | None = None,
    output: str | Path = "results",
    resume: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
    threads: int | None = None,
    progress: Progress | bool = True,
) -> SeriesRun:
    """Run a series spec: the library's one-line form of ``xasuite series``.

    Parameters
    ----------
    path : the spec.
    data_root : where data are looked for beside the spec's folder.
    output : folder of results; this series' own is output/<folder of the spec>/<its stem>/.
    resume : take up what an earlier run of the same spec and scans left, or its finished result; when either changed
        since, begin anew.
    workers, scheduler, threads : who works (`schedule.run_chunks`).
    progress : a bar on a terminal or in a notebook, nothing (False), or what is called with a word, rows done and
        rows in all.

    Returns SeriesRun. Raises SpecError, ReadError, SeriesError; AuditError when the engine and Larch differ by more
    than 0.01 standard errors on an audited row (the results are written before).
    """
    loaded = load_series_spec(path)
    context = Context(Path(data_root) if data_root is not None else None)
    folder = Folder(Path(output) / loaded.name)
    options: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "threads": threads}
    how: Resume = "if same" if resume else "no"
    if callable(progress):
        return run_series(loaded, context, folder=folder, resume=how, progress=progress, **options)
    with progress_bar(not progress, lines=False) as bar:
        return run_series(loaded, context, folder=folder, resume=how, progress=bar, **options)


def run_series(
    loaded: LoadedSpec,
    context: Context | None = None,
    *,
    folder: Folder,
    resume: bool | Resume = False,
    workers: int = 1,
    scheduler: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SeriesRun:
    """Plan a series, work on what is not done yet, and write its results into `folder`.

    `resume`: True (or "must") takes up an earlier run and raises SeriesError when it was of another spec or other
    scans; "if same" begins anew then; False (or "no") always does.
    """
    say = progress or (lambda word, done, total: None)
    begun = time.perf_counter()
    say("planning", 0, 0)
    plan = make_plan(loaded, context)
    for line in plan.warnings:
        warnings.warn(line, XasuiteWarning, stacklevel=2)
    wanted: Resume = resume if isinstance(resume, str) else "must" if resume else "no"
    todo = folder.begin(plan, wanted)
    if not folder.parts.is_dir():
        return checked(open_run(folder.h5))
    total = len(plan)
    done = total - sum(plan.chunks[i][1] - plan.chunks[i][0] for i in todo)
    say("fitting", done, total)
    for chunk, part in run_chunks(plan, todo, workers=workers, scheduler=scheduler, threads=threads):
        save_part(folder.part(chunk), part)
        done += part.end - part.start
        say("fitting", done, total)
    say("writing", total, total)
    finish(plan, folder, fresh=len(todo), seconds=time.perf_counter() - begun)
    return checked(open_run(folder.h5))


def finish(plan: Plan, folder: Folder, *, fresh: int, seconds: float) -> dict[str, Any]:
    """The files of a series whose parts are all there; gives the audit's summary.

    Raises SeriesError when no row at all could be used, with the first row's reason.
    """
    paths = parts_of(plan, folder)
    _some_row(plan, paths)
    from .beside import beside
    from .timeline import along_time

    audit = assemble(plan, folder, paths, along_time(plan, paths), beside(plan, paths))
    log = {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(seconds, 2),
        "chunks_of_this_run": fresh,
        "chunks": len(plan.chunks),
        "rows": len(plan),
    }
    files.write_text(folder.path / LOG, json.dumps(log, indent=1))
    folder.finish()
    return audit


def _some_row(plan: Plan, paths: list[Path]) -> None:
    from .store import load_part

    first = ""
    for path in paths:
        columns = load_part(path, curves=()).columns
        if any(s not in ("", "not fitted") for s in columns["fit_status"]):
            return
        first = first or f"{columns['label'][0]}: {columns['status'][0]}: {columns['reason'][0]}"
    raise SeriesError(f"{plan.loaded.path.name}: none of {len(plan)} rows could be fitted; {first}")


def checked(run: SeriesRun) -> SeriesRun:
    """The run, when its audit holds. Raises AuditError naming the worst row."""
    largest = run.audit["largest"]
    if largest > LIMIT:
        raise AuditError(
            f"{run.path}: row {run.audit['row'] + 1} differs from Larch by {largest:.3g} standard errors in "
            f"{run.audit['parameter']} (limit {LIMIT:g}, {run.audit['n']} rows audited); the results are written but "
            "not to be trusted"
        )
    return run
