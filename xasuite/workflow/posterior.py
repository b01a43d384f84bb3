"""The posterior of a spec's row over parameters and the analyst's choices together, compared with its error budget."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SpecError
from ..exafs.budget import Spectra, budgets
from ..exafs.result import Value
from ..exafs.sampling import LONG_ENOUGH, sample, space
from ..records import Array
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table, finite
from ..specs.load import LoadedSpec, as_loaded, slug
from ..specs.schema import Errors, Spec
from .budgets import Under, drawn
from .fits import Progress, Row, fit_rows, silent
from .resolve import Context, resolve_spec

STEPS = 2000
# quantities of paths that are shown besides the parameters
_SHOWN = ("n", "r", "sigma2")
# samples that are kept for figures and files
_KEPT = 4000
_FORMAT = "1"


@dataclass(frozen=True, eq=False)
class Posterior(Presented):
    """Samples of one row's posterior.

    `names` (n) are the varied parameters, then "label.n", "label.r", "label.sigma2" of the paths; `samples` (m, n) their values.
    `budget` holds the same quantities from the error budget, with the parts that are sampled here: noise and choices.
    `steps` is the length of the chain, `tau` the longest autocorrelation time in steps; the chain is kept in `file`.
    """

    label: str
    names: tuple[str, ...]
    samples: Array
    budget: Mapping[str, Value]
    steps: int
    tau: float
    file: Path

    def value(self, name: str) -> Value:
        """Median, standard deviation and 68 % interval of one quantity."""
        own = self.samples[:, self.names.index(name)]
        low, middle, high = (float(q) for q in np.quantile(own, [0.15865, 0.5, 0.84135]))
        return Value(middle, float(own.std()), plus=high - middle, minus=middle - low)

    @property
    def long_enough(self) -> bool:
        """Whether the chain is 50 autocorrelation times long."""
        return bool(self.steps >= LONG_ENOUGH * self.tau)

    def summary(self) -> Table:
        """One row per quantity: median and 68 % interval of the posterior, and the budget's value."""
        rows = []
        for name in self.names:
            own, other = self.value(name), self.budget[name]
            posterior = Entry(own.value, own.stderr, plus=own.plus, minus=own.minus)
            rows.append((name, posterior, Entry(other.value, other.stderr)))
        notes = [
            f"{self.steps} steps, {self.steps / max(self.tau, 1e-9):.0f} autocorrelation times ({self.tau:.0f} steps).",
            "Both hold noise and choices; farther shells, foil, theory and energy scale are parts of the budget alone.",
        ]
        if not self.long_enough:
            notes.append(
                f"The chain is shorter than {LONG_ENOUGH} autocorrelation times: run it again with more steps."
            )
        columns = (Quantity("quantity", "Quantity"), Quantity("posterior", "Posterior"), Quantity("budget", "Budget: noise, choices"))  # fmt: skip
        return Table.of(f"{self.label}, posterior", columns, rows, notes=tuple(notes))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: no samples, which are in the chain's file."""
        values = {n: {"posterior": self.value(n), "budget": self.budget[n]} for n in self.names}
        return {
            "label": self.label,
            "steps": self.steps,
            "autocorrelation": finite(self.tau),
            "long_enough": self.long_enough,
            "file": str(self.file),
            "quantities": {n: {k: v.to_dict() for k, v in both.items()} for n, both in values.items()},
        }


def sample_posterior(
    spec: str | Path | Spec,
    *,
    row: str | None = None,
    steps: int = STEPS,
    folder: str | Path = "results",
    data_root: str | Path | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Sample the posterior of one row of a spec.

    Parameters
    ----------
    spec : str, Path or Spec
        A spec's file, or a spec made in Python.
    row : str, optional
        Label of the row; left out, the first.
    steps : int
        Length of the chain; in each step all walkers move. An existing chain is continued up to this length.
    folder : str or Path
        Where <spec>/posterior_<row>.h5 is kept.
    data_root : str or Path, optional
        Where data are looked for, in addition to the spec's folder; left out, the environment variable XASUITE_DATA.
    progress : callable, optional
        Called with a word, steps done and steps in all.

    Returns
    -------
    Posterior
        Samples after the burn-in, with the budget's values.

    Raises
    ------
    SpecError
        For a row that is not there, and a spec without an error budget.
    FitError
        Where the row cannot be fitted, or most draws end at no minimum.

    Examples
    --------
    >>> import tempfile
    >>> from xasuite.references import fits_dir
    >>> from xasuite.workflow import sample_posterior
    >>> spec = fits_dir() / "foils" / "co_foil_closure.toml"
    >>> found = sample_posterior(spec, steps=20, folder=tempfile.mkdtemp())
    >>> 0.6 < found.value("s02").value < 1.0
    True
    """
    loaded, say = as_loaded(spec, Spec), progress or silent
    say("data and paths")
    chosen, spectra, under = _drawn(loaded, row, Context.of(data_root))
    budget = budgets(spectra, *under)[0]
    where = space(spectra, *under)
    if budget is None:
        raise SpecError(f"{loaded.path.name}: {chosen.label} has no error budget to compare with")
    # a chain is continued only if spec, row and data are unchanged
    begun_with = "\0".join((_FORMAT, loaded.text, chosen.label, "")).encode()
    key = hashlib.sha256(begun_with + np.asarray(chosen.chi.chi).tobytes()).hexdigest()
    file = Path(folder) / loaded.name / f"posterior_{slug(chosen.label)}.h5"
    file.parent.mkdir(parents=True, exist_ok=True)
    chain, tau = sample(where, file, key, steps=steps, progress=say)
    names, values = where.values(chain[:: max(1, len(chain) // _KEPT)])
    varied = [p.name for p in spectra.model.varied]
    shown = [n for n in (*varied, *(f"{p.label}.{q}" for p in spectra.model.paths for q in _SHOWN)) if np.ptp(values[:, names.index(n)]) > 0]  # fmt: skip
    # the budget's noise and the spread of its draws alone; its shift of the mean by the third cumulant is taken back
    third = math.sqrt(3) * budget.shifts["cumulant"][0]
    plain = replace(budget, values=budget.values - third, draws=budget.draws - third, shifts={})
    return Posterior(
        label=chosen.label,
        names=tuple(shown),
        samples=values[:, [names.index(n) for n in shown]],
        budget={n: plain.value(n) for n in shown},
        steps=max(steps, int(_steps(file))),
        tau=float(np.nanmax(tau)) if np.isfinite(tau).any() else float("nan"),
        file=file,
    )


def _drawn(loaded: LoadedSpec, label: str | None, context: Context) -> tuple[Row, Spectra, Under]:
    """The row with that label, or the first one, and the input of its error budget."""
    how = loaded.spec.errors
    together = "rows fitted together have no posterior" if loaded.spec.fit.together else ""
    why = together or ('errors = "fit" asks for none' if not isinstance(how, Errors) else "")
    if why:
        raise SpecError(
            f"{loaded.path.name}: a posterior is sampled over the draws of the error budget: {why}"
        )
    assert isinstance(how, Errors)
    resolved = resolve_spec(loaded, context)
    row = next((r for r in resolved.rows if label in (None, r.label)), None)
    if row is None:
        known = ", ".join(r.label for r in resolved.rows)
        raise SpecError(f'{loaded.path.name}: no row "{label}"; there are {known}')
    fits, failed = fit_rows(resolved.model, [row], loaded.spec.fit)
    for error in failed.values():
        raise error
    _, spectra, under = drawn(loaded, how, [row], fits[0], context)
    return row, spectra, under


def _steps(file: Path) -> int:
    import h5py

    with h5py.File(file, "r") as held:
        return int(held["mcmc"].attrs["iteration"])
