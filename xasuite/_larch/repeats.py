"""Many fits by Larch in a process that does nothing else: objects that are equal in every fit are made once and kept.

The fit itself is unchanged: Larch's feffit, its EXAFS equation, splines, transforms and residual, lmfit's Minimizer and MINPACK's
numerical derivatives. Steps that do not affect the values are left out (docs/decisions/series_audit.md); a test holds that the
values are equal to the last bit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import fitting
from .fitting import DataSet

if TYPE_CHECKING:
    from ..exafs.model import FitRange

TOLERANCE = 1e-8  # moves no value by more than 1e-5 standard errors
_SETS = 8  # data sets that are kept


def begin() -> None:
    """Load Larch and prepare this process: from now on fits by Larch have no standard errors and a larger tolerance."""
    from asteval.astutils import Procedure
    from larch.xafs import feffit
    from lmfit.minimizer import Minimizer

    module: Any = sys.modules[feffit.__module__]
    feffdat: Any = sys.modules[module.FeffPathGroup.__module__]
    module.propagate_uncertainties = lambda *args, **options: None
    Minimizer._calculate_uncertainties_correlations = lambda self: None
    module.FeffitDataSet.save_outputs = lambda self, **options: None  # chi(R) for plots
    # Larch parses sigma2_debye and others for every fit, but no expression uses them
    module.add_sigma2funcs = feffdat.add_sigma2funcs = lambda params: None
    # lmfit copies its parameters and with them these objects, which no fit changes
    feffdat.FeffDatFile.__deepcopy__ = Procedure.__deepcopy__ = lambda self, memo: self
    feffdat.FeffPathGroup.create_path_params = _once(feffdat.FeffPathGroup.create_path_params)
    fitting.TOLERANCE = TOLERANCE
    fitting.DATA_SET = _Kept()


def _once(create: Any) -> Any:
    """A create_path_params that defines a path's parameters once; feffit would define them again for every residual."""

    def create_path_params(path: Any, params: Any = None, dataset: Any = None) -> None:
        path.dataset = dataset or path.dataset
        if isinstance(params, dict) and path.pathpar_name("ei") in params:
            path.params = params
        else:
            create(path, params=params, dataset=dataset)

    return create_path_params


class _Kept:
    """Data sets by their paths and ranges; the next fit with the same ones only replaces the data and their noise."""

    def __init__(self) -> None:
        self._sets: dict[Any, Any] = {}

    def __call__(
        self, data: DataSet, ranges: FitRange, noise: Sequence[Any] | None, number: int, folder: Path
    ) -> Any:
        from larch import Group

        k, chi, models = data
        key = (ranges, number, *(repr(fitting.waves(p)) for p in models))
        made = self._sets.get(key)
        if made is None:
            if len(self._sets) == _SETS:
                self._sets.clear()
            made = self._sets[key] = fitting.data_set(data, ranges, noise, number, folder)
            return made
        made.__dict__.pop("set_epsilon_k", None)
        made.__dict__.pop("_residual", None)  # of an earlier fit's restraints
        hashkey = made.hashkey
        made.set_datagroup(Group(k=np.array(k), chi=np.array(chi)))
        made.hashkey = hashkey
        fitting.give_noise(made, noise, ranges)
        return made
