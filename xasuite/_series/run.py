"""A series from its spec to its results: planned, worked on chunk by chunk, written, audited."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .. import files
from ..errors import AuditError, WriteError
from ..notices import warn
from ..specs.load import Loaded, LoadedSpec, as_loaded
from ..specs.series import SeriesSpec
from ..threads import one_blas_thread
from ..workflow.resolve import Context
from .audit import LIMIT, Auditor, sample_size, summary
from .derived import components_of
from .plan import Plan
from .prepare import prepare
from .progress import progress_bar
from .record import SeriesRun, open_run
from .results import Extra, write_results
from .row_budgets import Ahead, budget_along, budgets_ahead
from .schedule import run_chunks, work_alone
from .store import LOG, DamagedPartError, Folder, Resume
from .timeline import along_time
from .work import Part

Progress = Callable[[str, int, int], None]  # what is being done, rows done, rows in all
LONG = 20_000  # rows whose fits take longer than Larch's start and the budgets of the sampled rows


def series(
    spec: str | Path | SeriesSpec | Loaded[SeriesSpec],
    *,
    data_root: str | Path | None = None,
    output: str | Path = "results",
    resume: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> SeriesRun:
    """Run a series spec: the library's one-line form of ``xasuite series``.

    Raises SpecError, ReadError, SeriesError; AuditError when the engine and Larch differ by more than 0.01
    standard errors on an audited row (the results are written before).

    Parameters
    ----------
    spec : str, Path, SeriesSpec or Loaded
        The file, or a spec made in Python.
    data_root : str or Path, optional
        where data are looked for, in addition to the spec's folder.
    output : str or Path
        folder of results; this series' own is output/<folder of the spec>/<its stem>/.
    resume : bool
        take up what an earlier run of the same spec and scans left, or its finished result; when either
        changed since, begin anew.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler whose workers fit in place of processes on this machine.
    threads : int, optional
        Threads of one process; left out, one for each core.
    progress : Progress or bool, optional
        left out, a bar on a terminal or in a notebook; nothing (False), or what is called with a word, rows
        done and rows in all.

    Returns
    -------
    SeriesRun
        The finished series: its table of rows, statuses with reasons, audit and files.

    Examples
    --------
    >>> from xasuite.errors import XasuiteError
    >>> try:
    ...     xs.series("no_such.toml")
    ... except XasuiteError as exc:
    ...     print("not there")
    not there
    """
    loaded = as_loaded(spec, SeriesSpec)
    context = Context.of(data_root)
    folder = Folder(Path(output) / loaded.name)
    options: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "threads": threads}
    how: Resume = "if same" if resume else "no"
    if callable(progress):
        return run_series(loaded, context, folder=folder, resume=how, progress=progress, **options)
    with progress_bar(progress is False, lines=False) as bar:
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

    `resume`: True (or "must") takes up an earlier run and raises SeriesError when it was of another spec or
    other scans; "if same" begins anew then; False (or "no") always does.

    Parameters
    ----------
    loaded : LoadedSpec
        Of `load_spec`.
    context : Context, optional
        Where data are looked for; left out, the spec's folder and XASUITE_DATA.
    folder : Folder
        Folder of the results.
    resume : bool or Resume
        Take up an earlier run.
    workers : int
        Processes.
    scheduler : str, optional
        Address of a Dask scheduler.
    threads : int, optional
        Threads of a process.
    progress : Progress, optional
        Called with a word on each step.

    Returns
    -------
    SeriesRun
        The record of the files that were written.

    Raises
    ------
    SeriesError
        Too when another process writes into the folder, or when files are changed or removed while the series
        runs.

    Examples
    --------
    >>> from xasuite.errors import XasuiteError
    >>> try:
    ...     xs.series("no_such.toml")  # the function that calls it
    ... except XasuiteError as exc:
    ...     print("not there")
    not there
    """
    say = progress or (lambda word, done, total: None)
    begun = time.perf_counter()
    with folder.lock():
        say("planning", 0, 0)
        plan = prepare(loaded, context)
        for line in plan.warnings:
            warn(line)
        todo = folder.begin(plan, resume if isinstance(resume, str) else "must" if resume else "no")
        if todo is not None:
            try:
                with _auditor(plan, folder, todo) as auditor:
                    who: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "threads": threads}
                    places = context or Context()
                    ahead = _budgets_beside(plan, todo, auditor, places)
                    held = _work(plan, folder, todo, say, auditor, **who)
                    say("writing", len(plan), len(plan))
                    wait = partial(auditor.wait, lambda: say("auditing", len(plan), len(plan)))
                    finish(plan, folder, places, wait, held, ahead(), fresh=len(todo), begun=begun)
            except WriteError as exc:
                raise WriteError(f"{exc}; the parts are kept: run again with --resume") from exc
    return checked(open_run(folder.h5))


def _rows(plan: Plan, chunks: Sequence[int]) -> int:
    return sum(end - start for start, end in map(plan.rows_of, chunks))


@contextmanager
def _auditor(plan: Plan, folder: Folder, todo: Sequence[int]) -> Iterator[Auditor]:
    """Larch in a second process, as long as chunks are fitted and the files are written."""
    rows = min(sample_size(len(plan)), _rows(plan, todo)) if plan.series.audit else 0
    auditor = Auditor(folder.keep, rows)
    try:
        yield auditor
    finally:
        auditor.close()


def _budgets_beside(
    plan: Plan, todo: Sequence[int], auditor: Auditor, context: Context
) -> Callable[[], Ahead]:
    """Begin the budgets of a long series' sampled rows while all rows are fitted; what gives them at the end.

    Only where all follows from the spectra: one model for all rows, which no fit of a foil and no simulation enters.
    """
    one_model = plan.series.kmax == "fixed" and not plan.series.optional and plan.spectra is None
    own = plan.spec.errors != "fit" and all(p.from_ is None for p in plan.spec.params.values())
    asked = (
        auditor.beside(budgets_ahead, plan, context)
        if one_model and own and _rows(plan, todo) >= LONG
        else None
    )

    def given() -> Ahead:
        try:
            return {} if asked is None else asked.result()
        except BrokenProcessPool:  # it was killed: they are made here
            return {}

    return given


def _work(
    plan: Plan, folder: Folder, todo: Sequence[int], say: Progress, auditor: Auditor, **who: Any
) -> dict[int, Part]:
    """Fit the chunks that are to do; rows of each are given to Larch. The columns of each stay in memory."""
    total, held = len(plan), {}
    done = total - _rows(plan, todo)
    say("fitting", done, total)
    for chunk, (part, sample) in run_chunks(plan, todo, **who):
        folder.save(plan, chunk, part, len(sample) if sample else 0)
        if sample is not None:
            auditor.add(chunk, sample)
        held[chunk] = part.without_curves()
        done += part.end - part.start
        say("fitting", done, total)
    return held


def finish(
    plan: Plan,
    folder: Folder,
    context: Context,
    audited: Callable[[], None],
    held: dict[int, Part],
    ahead: Ahead,
    *,
    fresh: int,
    begun: float,
) -> None:
    """The files of a series whose parts are all there; `audited` returns when Larch has fitted its rows.

    `held` are the columns of chunks that need not be read for them, `ahead` budgets that were made while they were fitted.
    Raises SeriesError when no row at all could be used, with the first row's reason.
    """

    def parts() -> Iterator[Part]:
        return (_whole(plan, folder, chunk) for chunk in range(plan.chunks))

    def audit(rows: int) -> dict[str, Any]:
        audited()  # last of all: Larch fits while the files are written
        return summary(filter(None, (folder.found(chunk) for chunk in range(plan.chunks))), rows)

    def extra() -> Extra:
        columns, components = components_of(plan, parts())
        asked = time.perf_counter()
        budget = budget_along(plan, rows, context, ahead=ahead)
        seconds.append(time.perf_counter() - asked)
        line = budget.moved(along_time(plan, parts()))
        groups = {"timeline": line, "components": components, "budget": budget.group}
        return Extra(columns | budget.columns, {name: values for name, values in groups.items() if values})

    held |= {c: _whole(plan, folder, c).without_curves() for c in range(plan.chunks) if c not in held}
    rows, seconds = [held[chunk] for chunk in range(plan.chunks)], list[float]()
    with one_blas_thread():  # so that the sums, and the bytes, do not depend on the number of cores
        write_results(plan, folder, parts(), extra, audit, rows)
    log = {
        "spec": str(plan.loaded.path.absolute()),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(time.perf_counter() - begun, 2),
        "seconds_of_budget": round(seconds[0], 2),
        "chunks_of_this_run": fresh,
        "chunks": plan.chunks,
        "rows": len(plan),
    }
    files.write_text(folder.path / LOG, json.dumps(log, indent=1))
    folder.finish()


def _whole(plan: Plan, folder: Folder, chunk: int) -> Part:
    """A chunk's part, made again where it is damaged."""
    try:
        return folder.load(plan, chunk)
    except DamagedPartError as exc:
        warn(f"{exc}; it is done again")
    part, sample = work_alone(plan, chunk)
    folder.save(plan, chunk, part, len(sample) if sample else 0)
    return part


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
