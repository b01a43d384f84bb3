"""The spectra that a figure shows, read from a spec, a file, a folder of results or a record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..exafs.fourier_transform import fourier
from ..exafs.model import FitRange
from ..exafs.result import FittedData
from ..records import Array, Chi, Normalized, Series, Spectrum, Transform

if TYPE_CHECKING:
    from ..specs.schema import Fit
    from ..workflow.resolve import Context

# k range where no fit gives one, 1/A; data that end earlier end the range
KMIN, KMAX = 3.0, 12.0


@dataclass(frozen=True, eq=False)
class Sample:
    """A spectrum for a figure: normalised mu, chi(k), the fit's ranges, and the fit where there is one."""

    label: str
    kind: str
    norm: Normalized
    chi: Chi
    range: FitRange
    fit: FittedData | None = None

    def weight(self, kweight: int | None) -> int:
        """`kweight`, or the last k weight of the fit where it is None."""
        return self.range.kweight[-1] if kweight is None else kweight


def fit_ranges(fit: Fit | Mapping[str, Any]) -> FitRange:
    """The ranges of a [fit] table, of a spec or a result, with the schema's defaults for what is left out."""
    from ..specs.schema import Fit

    if not isinstance(fit, Fit):
        fit = Fit.model_validate({name: value for name, value in fit.items() if name in Fit.model_fields})
    return FitRange(fit.k, fit.r, fit.kweight, fit.space, fit.window, fit.dk)


def samples(
    *inputs: Any, fit: bool = False, rows: Sequence[str] = (), data_root: str | Path | None = None
) -> tuple[Sample, ...]:
    """Samples of specs (.toml, measured or closure), data files, folders of results, and records.

    Parameters
    ----------
    inputs : names of files and folders; Scan, Spectrum or Normalized records, stacks and Series of them.
    fit : True for figures of fits: specs are fitted, and a sample without a fit is an error.
    rows : labels to keep, in this order; by default all.
    data_root : folder of the data files that specs name.

    Raises DataError, and what reading, reducing and fitting raise.
    """
    from ..workflow.resolve import Context

    context = Context(Path(data_root) if data_root is not None else None)
    found = [s for one in inputs for s in _of(one, fit, context)]
    if rows:
        known = {s.label: s for s in found}
        absent = [r for r in rows if r not in known]
        if absent:
            raise DataError(f"there is no {absent[0]!r} to draw; there are {', '.join(known)}")
        found = [known[r] for r in rows]
    if not found and inputs:
        names = ", ".join(str(one) for one in inputs)
        raise DataError(
            f"{names}: no results to draw in there; name a spec, a data file or a folder of results"
        )
    if not found:
        raise DataError("nothing to draw; name a spec, a data file or a folder of results")
    unfitted = [s.label for s in found if s.fit is None]
    if fit and unfitted:
        raise DataError(f"{unfitted[0]} has no fit to draw; name its spec (.toml) or a folder of results")
    return tuple(found)


def _of(one: Any, fit: bool, context: Context) -> Iterator[Sample]:
    if isinstance(one, Sample):
        yield one
    elif isinstance(one, Series):
        for i in np.flatnonzero(one.ok):
            yield from _of(one.row(int(i)), fit, context)
    elif hasattr(one, "truth") and hasattr(one, "spectrum"):
        yield from _of(one.spectrum, fit, context)
    elif isinstance(one, Spectrum):
        yield _record(one)
    elif hasattr(one, "channels"):
        yield _record(one.mu())
    else:
        yield from _named(Path(str(one)), fit, context)


def _named(path: Path, fit: bool, context: Context) -> Iterator[Sample]:
    if path.suffix == ".toml":
        yield from _spec(path, fit, context)
    elif path.is_dir() or path.name == "result.json":
        for found in sorted(path.rglob("result.json")) if path.is_dir() else [path]:
            yield from _result(found)
    else:
        from ..io import read

        yield _record(read(str(path)).mu())


def _spec(path: Path, fit: bool, context: Context) -> Iterator[Sample]:
    from ..references import fits_dir
    from ..specs.load import load_spec
    from ..workflow.resolve import resolve_row
    from ..workflow.run import run_spec

    if not path.exists() and (fits_dir().parent / path).exists():
        path = fits_dir().parent / path  # fits/... of this project, whatever the working folder is
    loaded = load_spec(path)
    span = fit_ranges(loaded.spec.fit)
    if not fit:
        # rows alone: the model, and the foils that its parameters come from, are not needed
        for i in range(len(loaded.spec.data)):
            row = resolve_row(loaded, i, loaded.spec.reduce, context)
            yield Sample(row.label, row.kind, row.spectrum, row.chi, span)
        return
    result = run_spec(loaded, context, variants=False)
    for one in result.rows:
        for data in one.data:
            row = result.inputs[data.label]
            yield Sample(row.label, row.kind, row.spectrum, row.chi, span, data)


def _result(path: Path) -> Iterator[Sample]:
    from .curves import load_curves

    document = json.loads(path.read_text(encoding="utf-8"))
    span = fit_ranges(document["range"])
    of = {d["label"]: (row, d) for row in document["rows"] if row["paths"] for d in row["data"]}
    for c in load_curves(path.with_name("curves.h5")):
        row, d = of[c.label]
        facts = {"label": c.label, "e0": d["e0"], "edge_step": d["edge_step"]}
        norm = Normalized(energy=c.energy, mu=c.mu, norm=c.norm, flat=c.norm, **facts)
        chi = Chi(k=c.k, chi=c.chi, **facts)
        fitted = FittedData(
            c.label, c.k, c.chi, c.fit, c.paths, tuple(d["epsilon_k"]), tuple(d["epsilon_r"]), d["noise"],
            d["rfactor"], d["n_idp"],
        )  # fmt: skip
        yield Sample(c.label, row["kind"], norm, chi, span, fitted)


def _record(spectrum: Spectrum) -> Sample:
    from ..reduce import background, normalize

    norm = spectrum if isinstance(spectrum, Normalized) else normalize(spectrum)
    chi = background(norm)
    end = float(np.floor(2 * min(KMAX, float(chi.k[-1]) - 0.5)) / 2)
    kind = "closure" if spectrum.source.format == "simulated" else "measured"
    span = FitRange((KMIN, max(end, KMIN + 2)), (1.0, 3.0))
    return Sample(spectrum.label, kind, norm, replace(chi, label=spectrum.label), span)


def chi_record(k: Array, chi: Array, label: str = "") -> Chi:
    """chi (..., nk) on k (nk,) as a record to be transformed, which needs neither E0 nor edge step; NaN becomes 0."""
    zero = np.zeros(np.shape(chi)[:-1])
    return Chi(k=k, chi=np.nan_to_num(chi), e0=zero, edge_step=zero + 1, label=label)


def transformed(
    k: Array, chi: Array, ranges: FitRange, *, kweight: float | None = None, label: str = ""
) -> Transform:
    """chi(R) of chi (..., nk) with the k range, window and (unless given) last k weight of a fit."""
    weight = ranges.kweight[-1] if kweight is None else kweight
    record = chi_record(k, chi, label)
    return fourier(record, k=ranges.k, kweight=weight, window=ranges.window, dk=ranges.dk)


def on_k(found: Sequence[Sample]) -> tuple[Array, Array]:
    """The k grid (nk,) that all samples cover, and chi (m, nk) on it."""
    n = min(s.chi.k.size for s in found)
    return found[0].chi.k[:n], np.stack([s.chi.chi[:n] for s in found])
