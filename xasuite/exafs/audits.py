"""The audit: a sample of a batch's rows fitted again by Larch, and how far apart the two are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AuditError
from ..records import Array, Chi, Series
from .engine.result import BatchFit
from .fit import fit_chi
from .model import Model

if TYPE_CHECKING:
    import pandas as pd

    from .result import FitResult

# largest difference in standard errors that passes; at tight tolerance 1e-4 is usual
ALLOWED = 0.01


@dataclass(frozen=True, eq=False)
class Audit:
    """Rows `rows` (n,) fitted again by Larch.

    `difference` (n,) is the largest difference of a varied parameter in its standard errors, `parameter` its name;
    `stderr_difference`, `rfactor_difference` (n,) are relative. `elsewhere` marks rows where Larch, from the model's
    start, stopped at a higher minimum, and was started again from the engine's.
    """

    rows: NDArray[np.int64]
    difference: Array
    parameter: tuple[str, ...]
    stderr_difference: Array
    rfactor_difference: Array
    elsewhere: NDArray[np.bool_]
    allowed: float = ALLOWED

    @property
    def worst(self) -> float:
        """The largest difference in standard errors (0 when no row could be audited)."""
        return float(np.max(self.difference, initial=0.0))

    @property
    def passed(self) -> bool:
        """Whether every audited row agrees."""
        return bool((self.difference <= self.allowed).all())

    def check(self) -> Audit:
        """Itself. Raises AuditError naming the worst row when one differs by more than is allowed."""
        if not self.passed:
            i = int(np.argmax(np.where(np.isnan(self.difference), np.inf, self.difference)))
            raise AuditError(
                f"row {self.rows[i]}: the engine and Larch differ by {self.difference[i]:.3g} standard errors in "
                f"{self.parameter[i]!r} ({self.allowed:g} is allowed); fit this series with Larch and report the row"
            )
        return self

    def table(self) -> pd.DataFrame:
        """A row an audited spectrum."""
        import pandas as pd

        return pd.DataFrame(
            {
                "row": self.rows,
                "difference (standard errors)": self.difference,
                "parameter": self.parameter,
                "stderr (relative)": self.stderr_difference,
                "R factor (relative)": self.rfactor_difference,
            }
        )


def audit(
    model: Model,
    chi: Chi | Series,
    fit: BatchFit,
    *,
    fraction: float = 0.01,
    at_least: int = 5,
    seed: int = 0,
    allowed: float = ALLOWED,
) -> Audit:
    """Fit max(at_least, fraction) of the rows that are ok again with Larch, at tight tolerance.

    Parameters
    ----------
    model, chi, fit : what fit_stack took and gave.
    fraction, at_least : how many rows; drawn at random with `seed`.
    allowed : largest difference in standard errors that passes.

    Returns Audit; its `check()` raises AuditError naming the row.
    """
    good = np.flatnonzero(fit.ok)
    n = min(len(good), max(at_least, math.ceil(fraction * len(fit))))
    rows = np.sort(np.random.default_rng(seed).choice(good, n, replace=False)) if n else good[:0]
    return compare(model, chi, fit, rows, allowed=allowed)


def compare(
    model: Model, chi: Chi | Series, fit: BatchFit, rows: NDArray[Any], *, allowed: float = ALLOWED
) -> Audit:
    """The audit of chosen rows."""
    record = chi.data if isinstance(chi, Series) else chi
    found = [_one(model, record, fit, int(row), allowed) for row in rows]
    return Audit(
        rows=np.asarray(rows, np.int64),
        difference=np.array([f[0] for f in found]),
        parameter=tuple(f[1] for f in found),
        stderr_difference=np.array([f[2] for f in found]),
        rfactor_difference=np.array([f[3] for f in found]),
        elsewhere=np.array([f[4] for f in found], bool),
        allowed=allowed,
    )


def _one(
    model: Model, chi: Chi, fit: BatchFit, row: int, allowed: float
) -> tuple[float, str, float, float, bool]:
    single = replace(
        chi.take(row) if chi.stacked else chi, mu=None, bkg=None, epsilon_k=None, label=f"row {row}"
    )
    epsilon = None if fit.epsilon_given is None else float(fit.epsilon_given[row])
    one = fit_chi(model, single, epsilon_k=epsilon, engine="larch")
    result = _difference(fit, row, one)
    elsewhere = result[0] > allowed and one.chi2 > fit.chi2[row]
    if elsewhere:
        # Larch's own minimum lies higher: is the engine's one of Larch's too?
        start = {name: float(fit.values[name][row]) for name in fit.names}
        result = _difference(fit, row, fit_chi(model, single, epsilon_k=epsilon, start=start, engine="larch"))
    return (*result, elsewhere)


def _difference(fit: BatchFit, row: int, one: FitResult) -> tuple[float, str, float, float]:
    """Largest difference in standard errors and whose, of the errors, and of the R factor."""
    worst, name_of, errors = 0.0, fit.names[0], 0.0
    for name in fit.names:
        larch = one.parameter(name).value
        unit = larch.parts.get("fit", float(fit.stderr_fit[name][row]))
        apart = abs(float(fit.values[name][row]) - larch.value) / unit
        if not apart <= worst:
            worst, name_of = apart, name
        errors = max(errors, abs(float(fit.stderr_fit[name][row]) / unit - 1))
    return worst, name_of, errors, abs(float(fit.rfactor[row]) / one.rfactor - 1)
