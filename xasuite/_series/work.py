"""One chunk of a series from scans to fitted rows; runs anywhere and depends on nothing but the plan."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import XasuiteError, XasuiteWarning
from ..exafs.model import Model
from ..records import OK, Array, Chi, Series
from .fitting import RowFit, fit_rows
from .ingest import ingest
from .marks import mark
from .plan import Plan
from .quality import FAILED

NO_FIT = "not fitted"


@dataclass(frozen=True, eq=False)
class Part:
    """What a chunk gives: columns (m,), arrays (m, n), and what the audit found (JSON)."""

    start: int
    end: int
    columns: Mapping[str, NDArray[Any]]
    arrays: Mapping[str, Array]
    audit: Mapping[str, Any] = field(default_factory=dict)


def process(plan: Plan, chunk: int, threads: int = 1) -> Part:
    """Ingest, reduce, fit and audit one chunk. A scan that fails marks its row."""
    from .audit import audit_rows

    start, end = plan.chunks[chunk]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)  # said once, by the plan, and not once a chunk
        norm, chi = reduce_rows(ingest(plan, start, end), plan)
        ok = np.flatnonzero(chi.ok)
        status, reason = list(chi.status), list(chi.reason)
        columns = _ingested(norm, plan)
        fit = None
        if ok.size:
            fit = fit_rows(plan, chi, ok, plan.model, threads=threads)
            columns |= _fitted(plan, fit, ok, len(chi), status, reason)
        else:
            columns |= empty_columns(plan, len(chi))
        audit = audit_rows(plan, ok, fit, start) if fit is not None else {}
    columns["status"], columns["reason"] = np.array(status, str), np.array(reason, str)
    return Part(start, end, columns, _arrays(plan, norm, chi, fit, ok), audit)


def reduced(plan: Plan, start: int, end: int) -> Series:
    """chi(k) of rows start to end."""
    return reduce_rows(ingest(plan, start, end), plan)[1]


def reduce_rows(series: Series, plan: Plan) -> tuple[Series, Series]:
    """Normalized and Chi of a series of spectra; rows that fail are marked, and the others go on."""
    settings = plan.spec.reduce
    e0 = plan.e0 if plan.series.e0 == "shared" else None
    k = settings.bkg_k or (0.0, plan.kmax)

    def normalize(s: Any) -> Any:
        from .. import reduce as steps

        ranges: dict[str, Any] = {"pre": settings.pre, "norm": settings.norm, "nnorm": settings.nnorm}
        return steps.normalize(s, e0=e0, method=settings.method, **ranges)

    def background(s: Any) -> Any:
        from .. import reduce as steps

        return steps.background(
            s, rbkg=settings.rbkg, kweight=settings.bkg_kweight, k=k, dk=settings.bkg_dk,
            window=settings.bkg_window, clamp=settings.clamp,
        )  # fmt: skip

    norm = _each(series, normalize)
    return norm, _each(norm, background)


def _each(series: Series, step: Any) -> Series:
    """step(series), or the series with every ok row marked when no row of it works."""
    if not series.ok.any():
        return series
    try:
        return step(series)
    except XasuiteError as exc:
        status = tuple(FAILED if s == OK else s for s in series.status)
        reason = tuple(str(exc) if s == OK else r for s, r in zip(series.status, series.reason, strict=True))
        return replace(series, status=status, reason=reason)


def _ingested(norm: Series, plan: Plan) -> dict[str, NDArray[Any]]:
    """The table of the ingest, edge step and edge energies as columns."""
    from ..xanes.edge import crossing, slope_at

    columns = {str(n): _column(norm.table[n].to_numpy()) for n in norm.table.columns}
    m, data = len(norm), norm.data
    columns["edge_step"] = np.array(getattr(data, "edge_step", np.full(m, np.nan)), float) * np.ones(m)
    columns["e0"] = np.array(getattr(data, "e0", np.full(m, np.nan)), float) * np.ones(m)
    for fraction in plan.series.edge_fraction:
        name = f"E({fraction:g})"
        columns[name], columns[f"{name}_err"] = np.full(m, np.nan), np.full(m, np.nan)
        ok = np.flatnonzero(norm.ok)
        if not ok.size or not hasattr(data, "norm"):
            continue
        mu, energy = data.norm[ok], data.energy
        at = crossing(energy, mu, fraction, start=plan.e0 - 60.0)
        columns[name][ok] = at
        with np.errstate(all="ignore"):
            columns[f"{name}_err"][ok] = columns["noise"][ok] / slope_at(energy, mu, at)
    return columns


def _column(values: NDArray[Any]) -> NDArray[Any]:
    """A column as floats, or as text where it is not numbers."""
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError):
        return np.array(["" if v is None or v != v else str(v) for v in values], str)


def fitted_names(plan: Plan, model: Model) -> list[str]:
    """The numeric columns that a fit adds, in order."""
    names = []
    for p in model.params:
        names += [p.name, f"{p.name}_err", f"{p.name}_err_fit", f"{p.name}_share"]
    for path in model.paths:
        for q in ("n", "r", "sigma2"):
            names += [f"{path.label}.{q}", f"{path.label}.{q}_err"]
        names.append(f"{path.label}.seen")
    return [*names, "chi2", "chi2_reduced", "rfactor", "n_idp", "epsilon_k", "usable_k", "kmax"]


def empty_columns(plan: Plan, m: int) -> dict[str, NDArray[Any]]:
    """The columns of rows that were not fitted."""
    out: dict[str, NDArray[Any]] = {n: np.full(m, np.nan) for n in fitted_names(plan, plan.model)}
    return out | {"undetermined": np.full(m, "", "U1"), "fit_status": np.array([NO_FIT] * m, str)}


def _fitted(
    plan: Plan, fit: RowFit, ok: NDArray[np.intp], m: int, status: list[str], reason: list[str]
) -> dict[str, NDArray[Any]]:
    columns = empty_columns(plan, m)

    def put(name: str, values: Array) -> None:
        columns[name][ok] = values

    for p in plan.model.params:
        total, own = fit.stderr[p.name], fit.stderr_fit[p.name]
        put(p.name, fit.values[p.name])
        put(f"{p.name}_err", total)
        put(f"{p.name}_err_fit", own)
        share = np.sqrt(np.maximum(np.nan_to_num(total) ** 2 - np.nan_to_num(own) ** 2, 0.0))
        put(f"{p.name}_share", np.where(np.isfinite(total), share, np.nan))
    for path in plan.model.paths:
        for q in ("n", "r", "sigma2"):
            put(f"{path.label}.{q}", fit.path_values[f"{path.label}.{q}"])
            put(f"{path.label}.{q}_err", fit.path_stderr[f"{path.label}.{q}"])
    for name in ("chi2", "chi2_reduced", "rfactor", "n_idp", "epsilon_k", "usable_k", "kmax"):
        put(name, getattr(fit, name))
    marks = mark(plan, fit)
    for path in plan.model.paths:
        put(f"{path.label}.seen", marks.seen[path.label].astype(float))
    _texts(columns, "undetermined", ok, [", ".join(u) for u in marks.undetermined])
    _texts(columns, "fit_status", ok, list(fit.status))
    for row, i in enumerate(ok):
        if marks.status[row] != OK:
            status[i] = marks.status[row]
        reason[i] = "; ".join(r for r in (reason[i], marks.reason[row]) if r)
    return columns


def _texts(columns: dict[str, NDArray[Any]], name: str, rows: NDArray[np.intp], words: list[str]) -> None:
    whole = list(columns[name])
    for i, word in zip(rows, words, strict=True):
        whole[i] = word
    columns[name] = np.array(whole, str)


def _arrays(
    plan: Plan, norm: Series, chi: Series, fit: RowFit | None, ok: NDArray[np.intp]
) -> dict[str, Array]:
    m, keep = len(norm), plan.series.keep
    nk = int(1.01 + (plan.spec.reduce.bkg_k[1] if plan.spec.reduce.bkg_k else plan.kmax) / 0.05)
    out: dict[str, Array] = {}
    if "norm" in keep:
        values = getattr(norm.data, "norm", None)
        out["norm"] = (
            values if values is not None and len(values) == m else np.full((m, plan.energy.size), np.nan)
        )
    if "chi" in keep:
        out["chi"] = chi.data.chi if isinstance(chi.data, Chi) else np.full((m, nk), np.nan)
    if "fit" in keep:
        out["fit"] = np.full((m, nk), np.nan)
        if fit is not None:
            out["fit"][ok] = fit.chi
    return {k: np.asarray(v, np.float32) for k, v in out.items()}
