"""What a watch leaves for later, so that no row waits for it: Larch's audit, the error budget, the figures.

They are made in a process beside the watch; without one (`Watch.step` alone), when the files are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..exafs.model import Model
from ..notices import collected, warn
from ..threads import one_blas_thread
from ..workflow.resolve import Context
from .audit import Sample, begin_beside, refit
from .columns import columns_of, fitted_names
from .plan import Plan
from .processes import pool
from .row_budgets import Along, Known, budget_along
from .store import DamagedPartError, Folder
from .work import Part, process_rows


@dataclass(frozen=True, eq=False)
class Made:
    """The budget of the first `rows` rows, what Larch found in the samples, and what there was to warn of."""

    rows: int
    budget: Along
    audits: tuple[dict[str, Any], ...] = ()
    said: tuple[str, ...] = ()


def make(plan: Plan, output: Folder, context: Context, samples: Sequence[Sample], known: Known) -> Made:
    """Audit and budget of a plan's rows, from its parts as they lie in the folder."""
    with collected() as said, one_blas_thread():
        audits = tuple(refit(s) for s in samples)
        parts = (load_part(plan, output, chunk, keep=False).without_curves() for chunk in range(plan.chunks))
        budget = budget_along(plan, parts, context, known)
    return Made(len(plan), budget, audits, tuple(said))


def load_part(plan: Plan, output: Folder, chunk: int, threads: int = 1, *, keep: bool = True) -> Part:
    """A part, less rows whose scans are not noted; made again from its scans (and kept) where it is damaged."""
    start, end = plan.rows_of(chunk)
    try:
        part = output.load(plan, chunk)
        if part.end >= end:
            return _cut(part, end)
        why = f"part {chunk} has {part.end - part.start} rows of {end - start}"
    except DamagedPartError as exc:
        why = str(exc)
    part = process_rows(plan, start, end, threads)[0]
    if keep:
        warn(f"{why}; it is done again")
        output.save(plan, chunk, part)
    return part


def joined(a: Part, b: Part) -> Part:
    """The rows of two parts, the second behind the first."""
    columns = {n: np.concatenate([v, b.columns[n]]) for n, v in a.columns.items()}
    curves = {n: np.concatenate([v, b.curves[n]]) for n, v in a.curves.items()}
    return Part(a.start, b.end, columns, curves, b.content)


def _cut(part: Part, end: int) -> Part:
    """A part without the rows from `end` on."""
    if part.end == end:
        return part
    m = end - part.start
    return replace(
        part, end=end, columns={n: v[:m] for n, v in part.columns.items()}, curves={n: v[:m] for n, v in part.curves.items()}
    )  # fmt: skip


def with_budget(part: Part, made: Made, model: Model) -> Part:
    """A part whose first rows, those of `made`, have the values and errors of their budget.

    The rows behind them have those of their fits, and the column `budget` says that theirs follows.
    """
    done = min(max(made.rows - part.start, 0), part.end - part.start)
    columns = dict(part.columns)
    for name, place in fitted_names(model).items():
        value = columns_of(name, place)[0]
        columns[f"{place[0]}/{name}_stated"] = columns[value]
    for name, values in made.budget.columns.items():
        columns[name] = np.concatenate([values[part.start : part.start + done], columns[name][done:]])
    follows = np.full(part.end - part.start, "made", object)
    follows[done:] = "follows"
    return replace(part, columns=columns | {"status/budget": follows})


class Beside:
    """One process that makes budgets and figures, one of each at a time; what a dead one leaves is made here."""

    def __init__(self, output: Folder, context: Context) -> None:
        self._output, self._context = output, context
        self._pool: Any = pool(1, _begin, context)
        self._making: tuple[Future[Made], Plan, tuple[Sample, ...]] | None = None
        self._drawing: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a budget is being made."""
        return self._making is not None

    def ask(self, plan: Plan, samples: Sequence[Sample]) -> None:
        """Make the budget of a plan's rows, and the audit of samples."""
        future = self._submit(_make, plan, self._output, tuple(samples))
        self._making = future, plan, tuple(samples)

    def made(self, *, wait: bool = False) -> Made | None:
        """What was asked for, once it is there; `wait` until then. None where nothing is."""
        if self._making is None or not (wait or self._making[0].done()):
            return None
        future, plan, samples = self._making
        self._making = None
        try:
            return future.result()
        except BrokenProcessPool:
            return make(plan, self._output, self._context, samples, {})

    def draw(self, how: Callable[[Path], Any], *, wait: bool = False) -> bool:
        """Draw the figures of what the files hold; whether it was taken on, which it is not while others are drawn."""
        if self._drawing is not None and not (wait or self._drawing.done()):
            return False
        if self._drawing is not None:
            self._drawn()
        self._drawing = self._submit(how, self._output.h5)
        if wait:
            self._drawn()
        return True

    def _drawn(self) -> None:
        assert self._drawing is not None
        with suppress(BrokenProcessPool):
            self._drawing.result()
        self._drawing = None

    def _submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        try:
            return self._pool.submit(work, *args)  # type: ignore[no-any-return]
        except BrokenProcessPool:
            self._pool = pool(1, _begin, self._context)
            return self._pool.submit(work, *args)  # type: ignore[no-any-return]

    def end(self) -> None:
        """Stop the process, when it has ended what it does."""
        self._pool.shutdown(wait=False, cancel_futures=True)


_CONTEXT = Context()
_KNOWN: Known = {}


def _begin(context: Context) -> None:
    global _CONTEXT
    _CONTEXT = context
    begin_beside()


def _make(plan: Plan, output: Folder, samples: Sequence[Sample]) -> Made:
    return make(plan, output, _CONTEXT, samples, _KNOWN)


def parts_of(plan: Plan, output: Folder, threads: int, made: Made | None) -> Iterator[Part]:
    """All parts; with a budget that not all rows have yet, as `with_budget` gives them."""
    for chunk in range(plan.chunks):
        part = load_part(plan, output, chunk, threads)
        yield part if made is None else with_budget(part, made, plan.model)
