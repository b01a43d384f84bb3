"""The audit of a series: an acceptance sample of its rows fitted again by Larch (docs/decisions/series_audit.md).

A chunk's good rows are put in the order of their leverage and halved, and an equal share of each half is drawn at random
(of a long run, one row of each stretch of some thousands in that order): the sample is spread over the run and over
what its rows are like. Which rows, follows from the plan alone.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exafs.engine import BatchFit
from ..records import OK, Array, Chi
from .fitting import RowFit
from .plan import Plan
from .processes import pool

LIMIT = 0.01  # standard errors between the engine and Larch
AGREE, CONFIDENCE = 0.99, 0.95  # the share of rows that must agree, and how sure the sample has to make that
ALONE = 16  # rows from which on a process of its own is worth its start


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of a chunk for Larch: their numbers in the series, their chi(k) and fits, by model; the smallest share of a stratum.

    `start` is where Larch begins, as the engine did: at the mean of the rows, or (None) at the model's values.
    """

    batches: tuple[tuple[NDArray[np.intp], Chi, BatchFit], ...]
    fraction: float
    start: Mapping[str, float] | None = None

    def __len__(self) -> int:
        return sum(len(rows) for rows, _, _ in self.batches)


def sample_size(rows: int) -> int:
    """How many of so many rows must agree with Larch for the statement: about 300, fewer of a small series.

    Examples
    --------
    >>> sample_size(100_000), sample_size(1000), sample_size(50)
    (299, 239, 48)
    """
    bad = int((1 - AGREE) * rows + 1e-9) + 1
    return min(rows, math.ceil(rows * (1 - (1 - CONFIDENCE) ** (1 / bad)) - 1e-9))


def hidden(fraction: float) -> int:
    """The largest number of bad rows that a sample of no bad one leaves possible, at 95 % confidence.

    `fraction` is the smallest share of a stratum that was drawn, without replacement. Each bad row more is missed with
    a probability of 1 - n/(N - D) at most 1 - fraction, wherever it lies: all D are missed with (1 - fraction)^D.
    """
    return 0 if fraction >= 1 else math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - fraction)) - 1


def draw(plan: Plan, chunk: int, fit: RowFit, rows: NDArray[np.intp]) -> Sample | None:
    """The rows of a chunk that are to be fitted again; `rows` are the numbers in the series of the fitted ones."""
    good = np.flatnonzero(np.array(fit.status, object) == OK)
    if not plan.series.audit or not good.size:
        return None
    share = sample_size(len(plan)) / len(plan)
    seed = int(plan.fingerprint[:15] or "0", 16)
    by_leverage = good[np.argsort(leverage(fit)[good], kind="stable")]
    if share >= 0.5 or share * plan.series.chunk >= 2:
        rng = np.random.default_rng([seed, chunk])
        halves = [h for h in np.array_split(by_leverage, 2) if h.size]
        drawn = [rng.choice(h, math.ceil(share * h.size - 1e-9), replace=False) for h in halves]
        chosen, fraction = (
            np.concatenate(drawn),
            min(d.size / h.size for d, h in zip(drawn, halves, strict=True)),
        )
    else:  # less than one row a half: one from each stretch of 1 / share rows of the whole run, in this order
        start, end = plan.rows_of(chunk)
        stretches = range(int(start * share), int(end * share) + 1)
        at = np.array([(i + np.random.default_rng([seed, i]).random()) / share for i in stretches])
        rank = at[(at >= start) & (at < end)].astype(int) - start
        # a row on the border of two stretches is missed a little more often
        chosen, fraction = by_leverage[rank[rank < good.size]], share * (1 - share / 4)
    return sample_of(fit, rows, np.sort(chosen), fraction, plan.series.start) if chosen.size else None


def sample_of(
    fit: RowFit,
    rows: NDArray[np.intp],
    chosen: NDArray[np.intp],
    fraction: float = 0.0,
    start: str = "model",
) -> Sample:
    """The rows `chosen` of a fit with all that Larch needs; `rows` are the numbers in the series of the fitted ones."""
    batches = []
    for batch in fit.batches:
        own = np.flatnonzero(np.isin(batch.rows, chosen))
        if own.size:
            batches.append((rows[batch.rows[own]], batch.chi.take(own), batch.fit.take(own)))
    mean = {n: float(np.nanmean(v)) for n, v in fit.values.items()} if start == "mean" else None
    return Sample(tuple(batches), fraction, mean)


def leverage(fit: RowFit) -> Array:
    """How far (m,) the parameters of each row lie from those of the others with the same model."""
    out = np.zeros(len(fit.status))
    for batch in fit.batches:
        x = np.nan_to_num(batch.fit.x - np.nanmean(batch.fit.x, axis=0))
        inverse = np.linalg.pinv(np.atleast_2d(np.cov(x, rowvar=False)) if len(x) > 1 else np.eye(x.shape[1]))
        here = batch.rows >= 0
        out[batch.rows[here]] = np.einsum("mi,ij,mj->m", x, inverse, x)[here]
    return out


def refit(sample: Sample) -> dict[str, Any]:
    """{"rows": [{row, difference, parameter}], "fraction"}: each row's largest difference from Larch in standard errors."""
    from ..exafs.audits import compare

    # Larch's own correlations divide by errors of 0
    warnings.filterwarnings("ignore", message="Using UFloat objects with std_dev==0")
    found = []
    for rows, chi, fit in sample.batches:
        made = compare(fit.model, chi, fit, np.arange(len(rows)), start=sample.start, errors=False)
        for row, one in zip(rows, made, strict=True):
            found.append({"row": int(row), "difference": one.difference, "parameter": one.parameter})
    return {"rows": sorted(found, key=lambda r: r["row"]), "fraction": sample.fraction}


class Auditor:
    """Fits samples again: in a process of its own where there is a second core for it, else when it is waited for."""

    def __init__(self, keep: Callable[[int, dict[str, Any]], None], rows: int) -> None:
        self._keep = keep
        self._waiting: dict[int, tuple[Sample, Future[dict[str, Any]] | None]] = {}
        self._pool = None
        if rows >= ALONE and (os.cpu_count() or 1) > 1:
            self._pool = pool(1, begin_beside)  # it starts, and loads Larch, now

    def beside(self, work: Callable[..., Any], *args: Any) -> Future[Any] | None:
        """work(*args) in that process; None where there is none."""
        if self._pool is not None:
            try:
                return self._pool.submit(work, *args)
            except BrokenProcessPool:
                self._pool = None
        return None

    def add(self, chunk: int, sample: Sample) -> None:
        """Take a chunk's sample; keep what others have given."""
        future = self.beside(refit, sample)
        self._waiting[chunk] = (sample, future)
        for done in [c for c, (_, f) in self._waiting.items() if f is not None and f.done()]:
            self._finish(done)

    def wait(self, said: Callable[[], None]) -> None:
        """Finish everything; `said` is called before each."""
        while self._waiting:
            said()
            self._finish(next(iter(self._waiting)))

    def _finish(self, chunk: int) -> None:
        sample, future = self._waiting.pop(chunk)
        try:
            found = refit(sample) if future is None else future.result()
        except BrokenProcessPool:  # it was killed: what it had is done here
            found = refit(sample)
        self._keep(chunk, found)

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def begin_beside() -> None:
    """What a process beside the fits does first: it gives way to them, and loads Larch."""
    from .._larch.repeats import begin

    with suppress(AttributeError, OSError):
        os.nice(5)
    begin()


def summary(found: Iterable[Mapping[str, Any]], rows: int) -> dict[str, Any]:
    """How many of `rows` good rows were refitted, the worst of them, and what that says of the others."""
    found = list(found)
    refitted = [r for chunk in found for r in chunk["rows"]]
    fraction = min((chunk["fraction"] for chunk in found), default=0.0)
    nothing: dict[str, Any] = {"row": -1, "difference": 0.0, "parameter": ""}
    worst = max(refitted, key=lambda r: float(r["difference"]), default=nothing)
    out = {"n": len(refitted), "largest": worst["difference"], "row": worst["row"], "parameter": worst["parameter"]}  # fmt: skip
    if not refitted:
        return out | {"agree": None, "statement": "no row was fitted again with Larch"}
    if worst["difference"] > LIMIT:
        return out | {"agree": None, "statement": f"{len(refitted)} rows were fitted again with Larch and not all agree"}  # fmt: skip
    if not fraction:  # rows that were chosen as they came say nothing of the others
        return out | {"agree": None, "statement": f"{len(refitted)} of {rows} rows fitted again with Larch, and all agree"}  # fmt: skip
    return out | statement(len(refitted), fraction, rows)


def statement(n: int, fraction: float, rows: int) -> dict[str, Any]:
    """What n rows without disagreement say of all rows: {"agree": share, "statement": sentence}."""
    share = 1 - hidden(fraction) / rows
    confident = f"with {100 * CONFIDENCE:g} % confidence at least {math.floor(1e4 * share) / 100:g} % of {rows} rows agree"
    return {
        "agree": share,
        "statement": f"{n} of {rows} rows fitted again with Larch: "
        f"{'every row agrees' if share == 1 else confident} with it within {LIMIT:g} standard errors",
    }
