"""Who works on the chunks: this process with threads, other processes, or a Dask cluster.

All give the same parts; only this process writes them. A worker that dies costs its chunks' time and no more.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadError, SeriesError
from ..io.isolated import SECONDS, Helper, helping
from ..io.sources import rows_of
from ..notices import collected, warn
from ..threads import one_blas_thread
from .audit import Sample
from .cluster import AHEAD, by_cluster
from .ingest import Taken, take
from .plan import Plan
from .processes import pool
from .work import Part, process

ATTEMPTS = 3  # pools that may break before the run gives up
SECONDS_A_FILE = 0.1  # of the processor, at most on average, for a file of a chunk

Done = tuple[Part, Sample | None]

_PLAN: Plan | None = None
_READING = ExitStack()  # a worker process's reader, which ends with it


def run_chunks(
    plan: Plan,
    chunks: Sequence[int],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    threads: int | None = None,
) -> Iterator[tuple[int, Done]]:
    """(chunk, (part, rows for Larch)) of each chunk, in the order in which they are done. Raises SeriesError.

    `workers` above 1 are processes; `scheduler` is the address of a Dask cluster; otherwise this process works with
    `threads` threads (as many as there are cores).
    """
    if scheduler is not None:
        yield from by_cluster(plan, chunks, scheduler, work_alone)
    elif workers > 1:
        yield from _processes(plan, chunks, workers)
    else:
        yield from _here(plan, chunks, threads or os.cpu_count() or 1)


def _here(plan: Plan, chunks: Sequence[int], threads: int) -> Iterator[tuple[int, Done]]:
    def by_reader(chunk: int) -> bool:
        """Not the first of many files: there is nothing to do while they are read, and this process can."""
        return plan.spectra is None and (chunk != chunks[0] or _stacked(plan, chunk))

    seconds = SECONDS + SECONDS_A_FILE * plan.series.chunk * plan.width
    with one_blas_thread(), closing(Helper(partial(_taken, plan), seconds)) as reader:
        for i, chunk in enumerate(chunks):
            for following in chunks[i + 1 : i + 2] if i else chunks[:2]:  # taken while this one is fitted
                if by_reader(following):
                    reader.ask(following)
            scans = None
            if by_reader(chunk):
                with suppress(ReadError):  # it died of a file: taken here, one by one, it is said of which
                    scans = reader.get(plan.name, chunk)
            yield chunk, process(plan, chunk, threads, scans)


def _scans_of(plan: Plan, chunk: int) -> NDArray[np.intp]:
    return plan.scans_of(np.arange(*plan.rows_of(chunk)))


def _stacked(plan: Plan, chunk: int) -> bool:
    """Whether some of a chunk's scans are rows of stacked arrays, which are read all at once."""
    return any(True for _ in plan.scans.by_stack(_scans_of(plan, chunk)))


def _taken(plan: Plan, chunk: int) -> Taken:
    """A chunk's scans, read and checked: what the reader's process does."""
    with collected():  # said once, by the plan
        return take(plan, _scans_of(plan, chunk))


def work_alone(plan: Plan, chunk: int) -> Done:
    """One chunk on one thread: what a worker runs."""
    with one_blas_thread():
        return process(plan, chunk, 1)


def _start(plan: Plan) -> None:
    global _PLAN
    _PLAN = plan
    _READING.enter_context(helping(rows_of))


def _work(chunk: int) -> Done:
    assert _PLAN is not None
    return work_alone(_PLAN, chunk)


def _processes(plan: Plan, chunks: Sequence[int], workers: int) -> Iterator[tuple[int, Done]]:
    from concurrent.futures.process import BrokenProcessPool

    todo = list(chunks)
    for attempt in range(ATTEMPTS):
        try:
            for chunk, done in _pool(plan, todo, workers):
                yield chunk, done
                todo.remove(chunk)
            return
        except BrokenProcessPool:
            if attempt == ATTEMPTS - 1:
                raise SeriesError(
                    f"worker processes died {ATTEMPTS} times (out of memory?); what was done is kept: run again with "
                    "--resume, fewer --workers or a smaller [series] chunk"
                ) from None
            warn("a worker process died; its chunks are done again")


def _pool(plan: Plan, todo: Sequence[int], workers: int) -> Iterator[tuple[int, Done]]:
    from concurrent.futures import FIRST_COMPLETED, Future, wait

    waiting = deque(todo)
    running: dict[Future[Done], int] = {}
    workers_of = pool(workers, _start, plan)
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * workers:
                chunk = waiting.popleft()
                running[workers_of.submit(_work, chunk)] = chunk
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        workers_of.shutdown(wait=False, cancel_futures=True)
