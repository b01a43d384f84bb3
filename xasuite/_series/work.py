"""One chunk of a series from scans to fitted rows; runs anywhere and depends on nothing but the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..notices import collected
from ..records import Array, Chi, Series, spread
from ..reduce.autobk_matrices import KSTEP
from .audit import Sample, draw
from .columns import fitted_columns, row_columns
from .ends import end_columns
from .fitting import RowFit, fit_rows
from .ingest import Taken, ingest
from .plan import Plan
from .reduction import reduce_rows


@dataclass(frozen=True, eq=False)
class Part:
    """What a chunk gives: columns (m,) by "group/name", curves (m, n), the hash of what was read."""

    start: int
    end: int
    columns: Mapping[str, NDArray[Any]]
    curves: Mapping[str, NDArray[np.float32]]
    content: str = ""

    def without_curves(self) -> Part:
        """The columns alone, copied: those of a part that was read hold all of it in memory."""
        return replace(self, columns={n: np.array(v) for n, v in self.columns.items()}, curves={})


def process(
    plan: Plan, chunk: int, threads: int = 1, scans: Taken | None = None
) -> tuple[Part, Sample | None]:
    """One chunk's results, and the rows of it that Larch is to fit again."""
    part, fit, rows = process_rows(plan, *plan.rows_of(chunk), threads, scans)
    return part, draw(plan, chunk, fit, part.start + rows) if fit is not None else None


def process_rows(
    plan: Plan, start: int, end: int, threads: int = 1, scans: Taken | None = None
) -> tuple[Part, RowFit | None, NDArray[np.intp]]:
    """Ingest, reduce and fit rows start to end; their part, the fit, and which of them were fitted.

    A scan that fails marks its row. `scans` are the rows' scans where they were taken before.
    """
    with collected():  # said once, by the plan, and not once a chunk
        norm, chi = reduce_rows(ingest(plan, np.arange(start, end), scans), plan)
        rows = np.flatnonzero(chi.ok)
        fit = fit_rows(plan, chi.data.take(rows), plan.model, threads=threads) if rows.size else None
    columns = fitted_columns(plan, chi, fit, rows) | end_columns(plan, fit, rows, end - start)
    columns |= row_columns(plan, norm)
    curves = _curves(plan, norm, chi, fit, rows)
    return Part(start, end, columns, curves, norm.data.source.sha256), fit, rows


def _curves(
    plan: Plan, norm: Series, chi: Series, fit: RowFit | None, rows: NDArray[np.intp]
) -> dict[str, NDArray[np.float32]]:
    """The curves (m, n) that the spec keeps, NaN where a row has none."""
    m = len(norm)
    end = plan.spec.reduce.bkg_k[1] if plan.spec.reduce.bkg_k else plan.kmax
    nothing = np.full((m, int(1.01 + end / KSTEP)), np.nan)
    held: dict[str, Array] = {
        "norm": getattr(norm.data, "norm", np.full((m, plan.energy.size), np.nan)),
        "chi": chi.data.chi if isinstance(chi.data, Chi) else nothing,
        "fit": spread(fit.chi, rows, m) if fit is not None else nothing,
    }
    return {name: held[name].astype(np.float32) for name in held if name in plan.series.keep}
