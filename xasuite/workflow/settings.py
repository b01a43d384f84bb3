"""Other settings that an analyst could have chosen: a spec's rows, and its foil, are fitted with each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import XasuiteError
from ..exafs.fit import fit_chi
from ..exafs.model import FitRange, Model, Parameter
from ..exafs.result import FitResult
from ..records import Chi
from ..specs.schema import Reduce
from .fits import Fitted
from .resolve import Context, reduce_row, source_fit

COUNT = 30
# What is drawn from: a background, the normalisation's degree (None: by the scan's length), k weight, taper of the
# window (1/A), and how far the ends of the k range (1/A) and of the R range (A) lie from the spec's own
RBKG, BKG_KWEIGHT, NNORM = (0.8, 0.9, 1.0), (2, 3), (None, 1, 2)
KWEIGHT, DK = (2, 3), (1.0, 2.0, 4.0)
K_ENDS, R_ENDS = ((-0.25, 0.0, 0.25, 0.5), (-1.0, -0.5, 0.0, 0.5)), ((-0.1, 0.0, 0.1), (-0.1, 0.0, 0.1, 0.2))


@dataclass(frozen=True)
class Setting:
    """One choice: background, normalisation, weights, taper, and the shift of each end of the ranges."""

    rbkg: float
    bkg_kweight: int
    nnorm: int | None
    kweight: int
    dk: float
    k: tuple[float, float]
    r: tuple[float, float]

    def reduced(self, own: Reduce, e0: float) -> Reduce:
        """A spec's [reduce] with this choice, for a spectrum that is cleaned already; E0 stays."""
        changed: dict[str, Any] = {"rbkg": self.rbkg, "bkg_kweight": self.bkg_kweight}
        changed |= {"deglitch": (), "rebin": False, "e0": e0}
        if own.norm_range is None:
            changed["nnorm"] = self.nnorm
        return own.model_copy(update=changed)

    def ranged(self, own: FitRange, kmax: float) -> FitRange:
        """A fit's ranges with this choice; k ends with the data."""
        k = (own.k[0] + self.k[0], min(own.k[1] + self.k[1], kmax))
        r = (own.r[0] + self.r[0], own.r[1] + self.r[1])
        return replace(own, k=k, r=r, kweight=(self.kweight,), dk=self.dk)


def settings(count: int = COUNT) -> tuple[Setting, ...]:
    """`count` settings drawn at random, without regard to any result; every call gives the same ones."""
    rng = np.random.default_rng(0)

    def one(of: Sequence[Any]) -> Any:
        return of[int(rng.integers(len(of)))]

    return tuple(
        Setting(
            one(RBKG), one(BKG_KWEIGHT), one(NNORM), one(KWEIGHT), one(DK),
            (one(K_ENDS[0]), one(K_ENDS[1])), (one(R_ENDS[0]), one(R_ENDS[1])),
        )
        for _ in range(count)
    )  # fmt: skip


@dataclass
class Refits:
    """Fits of specs with other settings. A foil is refitted with the same setting as its sample, once."""

    context: Context
    _foils: dict[tuple[str, str, Setting], Parameter] = field(default_factory=dict)
    _chis: dict[tuple[str, str, Reduce], Chi] = field(default_factory=dict)

    def fits(self, result: Fitted, setting: Setting) -> tuple[FitResult, ...]:
        """The rows of a spec under a setting; a row that cannot be fitted so is left out."""
        found = []
        for fit in result.rows:
            chis = [self._chi(result, d.label, setting) for d in fit.data]
            ranges = setting.ranged(fit.model.range, min(float(c.k[-1]) for c in chis))
            model = replace(fit.model, params=self._params(result, fit.model, setting), range=ranges)
            try:
                found.append(fit_chi(model, chis if len(chis) > 1 else chis[0]))
            except XasuiteError:
                continue
        return tuple(found)

    def _chi(self, result: Fitted, label: str, setting: Setting) -> Chi:
        norm = result.inputs[label].norm
        if norm is None:  # a chi(k) file leaves nothing of this to choose
            return result.inputs[label].chi
        reduction = setting.reduced(result.loaded.spec.reduce, float(norm.e0))
        key = (str(result.loaded.path), label, reduction)
        if key not in self._chis:
            entry = next(d for d in result.loaded.spec.data if d.label == label)
            variables = result.inputs[label].chi.variables
            self._chis[key] = replace(reduce_row(norm, reduction, entry)[1], label=label, variables=variables)
        return self._chis[key]

    def _params(self, result: Fitted, model: Model, setting: Setting) -> tuple[Parameter, ...]:
        """The model's parameters; one that comes from a foil has the value of the foil's fit with the same setting."""
        return tuple(self._inherited(result, p, setting) or p for p in model.params)

    def _inherited(self, result: Fitted, p: Parameter, setting: Setting) -> Parameter | None:
        table = result.loaded.spec.params.get(p.name)
        if table is None or table.from_ is None:
            return None
        key = (str(result.loaded.path), p.name, setting)
        if key not in self._foils:
            foil, row = source_fit(result.loaded, p.name, table, self.context)
            fits = self.fits(foil, setting)
            found = [f.parameter(table.param or "").value for f in fits if f.label == row.label]
            self._foils[key] = replace(p, value=found[0].value, stderr=found[0].stderr) if found else p
        return self._foils[key]
