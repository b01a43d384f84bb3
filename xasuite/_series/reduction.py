"""Normalisation and background of a series' rows, as the spec has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .. import reduce
from ..choices import Method
from ..errors import XasuiteError
from ..records import OK, Chi, Series
from ..reduce.normalization import atomic_or_not
from ..specs.series import SeriesSpec
from .ingest import ingest
from .plan import Plan

FAILED = "failed"
LOOKED_AT = 5  # rows that decide for all


def normalized(spectrum: Any, spec: SeriesSpec, e0: float | None, method: Method | None) -> Any:
    """The spectrum, or series of them, normalised as the spec's [reduce] says."""
    return reduce.normalize(spectrum, e0=e0, **(spec.reduce.normalization() | {"method": method}))


def method_of(plan: Plan) -> Method | None:
    """How all rows are normalised: as the spec says, or as the first good ones allow; None leaves it to given ranges.

    A valence is read off a calibration whose standards were normalised by polynomials, and so is its series.
    """
    r = plan.spec.reduce
    if r.method is not None or (r.pre_range, r.norm_range, r.nnorm) != (None, None, None):
        return r.method
    if plan.series.valence is not None:
        return "polynomial"
    first = ingest(plan, np.arange(min(len(plan), LOOKED_AT)))
    if not first.ok.any():
        return "polynomial"
    return atomic_or_not(first.data.take(first.ok), plan.e0)[0]


def reduce_rows(series: Series, plan: Plan) -> tuple[Series, Series]:
    """Normalized and Chi of a series of spectra; rows that fail are marked, and the others go on."""
    r, e0 = plan.spec.reduce, plan.e0 if plan.series.e0 == "shared" else None
    norm = _each(series, lambda s: normalized(s, plan.spec, e0, plan.method))
    settings = r.of_background() | {"k": r.bkg_k or (0.0, plan.kmax)}
    chi = _each(norm, lambda s: reduce.background(s, **settings))
    if not isinstance(chi.data, Chi):
        return norm, chi
    variables = {n: chi.table[n].to_numpy(float) for n in plan.model.open_names}
    chi = replace(chi, data=replace(chi.data, variables=variables))
    if r.overabsorption is None:
        return norm, chi
    geometry = reduce.Geometry(**r.overabsorption.model_dump())
    return norm, _each(chi, lambda s: replace(s, data=reduce.correct_overabsorption(s.data, geometry)))


def reduced(plan: Plan, start: int, end: int) -> Series:
    """chi(k) of rows start to end."""
    return reduce_rows(ingest(plan, np.arange(start, end)), plan)[1]


def _each(series: Series, step: Callable[[Series], Any]) -> Series:
    """step(series), or the series with every good row marked when no row of it works."""
    if not series.ok.any():
        return series
    try:
        return step(series)
    except XasuiteError as exc:
        status = tuple(FAILED if s == OK else s for s in series.status)
        reason = tuple(str(exc) if s == OK else r for s, r in zip(series.status, series.reason, strict=True))
        return replace(series, status=status, reason=reason)
