"""What a batch of fits gives: arrays with one row per spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...records import OK, Array, Rows, axes
from ..equation import at_zero, build_tables
from ..model import Model
from .program import Program, compile_model
from .spread import full, numbers_of

if TYPE_CHECKING:
    import pandas as pd

Backend = Literal["numba", "numpy"]
# a fit whose next step is longer than this many standard errors is not at a minimum
AT_MINIMUM = 1e-2

AT_BOUND = "at bound"
SINGULAR = "singular"
MAX_ITERATIONS = "max iterations"
STUCK = "stuck"
NO_DATA = "no data"

# Fields that map names to arrays with one row per spectrum
MAPS = ("values", "stderr", "stderr_fit", "path_values", "path_stderr", "path_stderr_fit")

REASONS: Mapping[str, str] = {
    OK: "",
    AT_BOUND: "a parameter ended at its bound: it has no error, and the errors of correlated parameters are too small",
    SINGULAR: "the data do not determine all parameters: there are no errors",
    MAX_ITERATIONS: "the fit did not converge, from any of several starts",
    STUCK: "no step from here lowers chi-square, or chi-square is not a number",
    NO_DATA: "chi(k), or a variable that the expressions name, holds NaN or inf",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class RowFits(Rows):
    """Fits of m spectra with one model, whoever made them.

    `values`, `stderr`, `stderr_fit` map every parameter's name, expressions included, to (m,); `path_values`,
    `path_stderr`, `path_stderr_fit` map "path label.quantity" (those of a spec, and r) likewise. `stderr` holds the
    error of inherited parameters (a foil's S02) in quadrature, `stderr_fit` does not. Errors are NaN where there are
    none; `status` (m,) says why.
    """

    model: Model
    values: Mapping[str, Array] = field(metadata=axes("row"))
    stderr: Mapping[str, Array] = field(metadata=axes("row"))
    stderr_fit: Mapping[str, Array] = field(metadata=axes("row"))
    path_values: Mapping[str, Array] = field(metadata=axes("row"))
    path_stderr: Mapping[str, Array] = field(metadata=axes("row"))
    path_stderr_fit: Mapping[str, Array] = field(metadata=axes("row"))
    chi2: Array = field(metadata=axes("row"))
    chi2_reduced: Array = field(metadata=axes("row"))
    rfactor: Array = field(metadata=axes("row"))
    epsilon_k: Array = field(metadata=axes("row"))
    status: tuple[str, ...] = field(metadata=axes("row"))


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchFit(RowFits):
    """The engine's fits of m spectra.

    `names` (nv) are the varied parameters, `x` (m, nv) their values, `covar` (m, nv, nv) the scaled covariance
    of the fit alone. `epsilon_k` (m, n k weights). `step` (m,) certifies the minimum: the length in standard errors of the
    Gauss-Newton step from the last point at which derivatives were taken (a fit that converged has taken it). A row above
    0.01 was fitted again from other starts and, where that did not help, is not ok. `variables` are the rows' own numbers
    that the model's expressions name, such as T. The rest is that of RowFits.
    """

    names: tuple[str, ...]
    x: Array = field(metadata=axes("row", "parameter"))
    covar: Array = field(metadata=axes("row", "parameter", "other parameter"))
    epsilon_k: Array = field(metadata=axes("row", "kweight"))
    n_idp: float
    evaluations: NDArray[np.int64] = field(metadata=axes("row"))
    step: Array = field(metadata=axes("row"))
    k: Array = field(default_factory=lambda: np.empty(0), metadata=axes("k"))
    backend: Backend = "numpy"
    epsilon_given: Array | None = field(default=None, metadata=axes("row"))
    variables: Mapping[str, Array] = field(default_factory=dict, metadata=axes("row"))

    def __len__(self) -> int:
        return len(self.status)

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Rows (m,) whose values and errors can be used as they are."""
        return np.array([s == OK for s in self.status], bool)

    @property
    def reason(self) -> tuple[str, ...]:
        """A sentence for each row that is not ok, naming the parameters at a bound."""
        return tuple(self._why(i, s) for i, s in enumerate(self.status))

    def _why(self, row: int, status: str) -> str:
        if status != AT_BOUND:
            return REASONS[status]
        at = ", ".join(
            n for n, held in zip(self.names, np.isnan(np.diag(self.covar[row])), strict=True) if held
        )
        return f"{at}: {REASONS[status]}"

    def chi(self, rows: slice | Array | None = None) -> Array:
        """The fitted chi(k) (m, nk) on `k`, of all rows or of some."""
        from .compiled_fit import curves

        at = slice(None) if rows is None else rows
        program = self.program
        x = full(program, np.atleast_2d(self.x[at]), np.atleast_2d(self.numbers[at]))
        inner = self.k[1:] if self.k[0] == 0 else self.k
        out = np.zeros((len(x), self.k.size))
        out[:, -inner.size :] = curves(program, build_tables([p.feff for p in self.model.paths]), inner, x)
        return at_zero(self.k, out)

    @property
    def program(self) -> Program:
        """The model compiled, with the names of `variables` as numbers of each row."""
        return compile_model(self.model, variables=dict.fromkeys(self.variables, 1.0))

    @property
    def numbers(self) -> Array:
        """The rows' variables (m, nn), in the order of their names."""
        return numbers_of(self.variables, len(self))

    def table(self) -> pd.DataFrame:
        """One row per spectrum: values, standard errors, statistics, status."""
        import pandas as pd

        columns: dict[str, object] = {}
        for name, value in self.values.items():
            columns[name] = value
            columns[f"{name}_err"] = self.stderr[name]
        columns |= {"chi2_reduced": self.chi2_reduced, "rfactor": self.rfactor, "status": list(self.status)}
        return pd.DataFrame(columns)
