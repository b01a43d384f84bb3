"""Fits of data rows with a model: the step that a spec's main fit, its variants and the fit of its foil share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from ..errors import SpecError, XasuiteError
from ..exafs.fit import fit_chi
from ..exafs.model import Model
from ..exafs.result import FitResult
from ..records import Chi, Normalized
from ..specs.load import LoadedSpec
from ..specs.schema import Fit
from .verdict import Verdict, verdict_of


class Progress(Protocol):
    """The function that a runner calls at each step, with its name and, where known, how much of the work is done."""

    def __call__(self, word: str, done: int = 0, total: int = 0, /) -> object: ...


def silent(word: str, done: int = 0, total: int = 0, /) -> None:
    """Progress that is not shown."""


@dataclass(frozen=True, eq=False)
class Row:
    """One data row ready to be fitted: its spectrum (None of a chi(k) file), chi(k), and whether it is measured or closure."""

    label: str
    kind: str
    chi: Chi
    norm: Normalized | None
    origin: str

    @property
    def spectrum(self) -> Normalized:
        """The spectrum, without a point where the file held chi(k)."""
        return self.norm or Normalized(energy=np.empty(0), mu=np.empty(0), label=self.label)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fits of a spec's rows, with what was fitted; `inherited` is the verdict on each fit that a parameter was taken from."""

    loaded: LoadedSpec
    rows: tuple[FitResult, ...]
    inputs: Mapping[str, Row]
    inherited: Mapping[str, Verdict]

    def row(self, label: str) -> FitResult:
        """The result of the row with that label. Raises SpecError naming the rows there are."""
        for r in self.rows:
            if r.label == label or any(d.label == label for d in r.data):
                return r
        known = ", ".join(d.label for r in self.rows for d in r.data)
        raise SpecError(f'{self.loaded.path.name}: no row "{label}"; there are {known or "none"}')

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What each row's fit is worth, by the row's label: good, doubtful or not a fit, with the reasons."""
        spectra = {label: row.norm for label, row in self.inputs.items() if row.norm is not None}
        return {f.label: verdict_of(f, self.inherited, spectra) for f in self.rows}


def fit_rows(
    model: Model, rows: Sequence[Row], settings: Fit, say: Progress = silent
) -> tuple[tuple[FitResult, ...], dict[str, XasuiteError]]:
    """One fit per row, or one of all together; and the errors of those that failed, by label."""
    fit = partial(fit_chi, epsilon_k=settings.epsilon_k, engine=settings.engine)
    if settings.together and rows:
        return (fit(model, [r.chi for r in rows]),), {}
    done: list[FitResult] = []
    failed: dict[str, XasuiteError] = {}
    for i, row in enumerate(rows):
        say(row.label, i, len(rows))
        try:
            done.append(fit(model.of(row.label, row.chi.variables), row.chi))
        except XasuiteError as exc:
            failed[row.label] = exc
    return tuple(done), failed
