"""Running a spec: every row fitted, its variants beside it, with hashes and versions."""

from __future__ import annotations

import hashlib
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ReadError, SpecError, XasuiteError, XasuiteWarning
from ..exafs.fit import fit_chi
from ..exafs.model import Model
from ..exafs.result import FitResult
from ..records import Shown
from ..records.table import Table
from ..spec.load import LoadedSpec, load_spec
from ..spec.schema import Reduce, Variant
from .resolve import Context, Resolved, Row, resolve_model, resolve_row, resolve_spec
from .verdict import Verdict, energy_scale, verdict_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Provenance:
    """What made a result: hashes of spec, data and FEFF input, versions, time."""

    spec: str
    spec_sha256: str
    data: Mapping[str, Mapping[str, str]]
    feff: Mapping[str, str]
    versions: Mapping[str, str]
    time: str


@dataclass(frozen=True, eq=False)
class SpecResult(Shown):
    """The results of a spec: one FitResult a row (or one of all rows together), and its variants.

    `kinds` says of each row whether it is measured or closure; `failed` holds the rows that could not be
    fitted and `missing` those whose data are not there, each with the reason.
    """

    loaded: LoadedSpec
    rows: tuple[FitResult, ...]
    kinds: Mapping[str, str]
    inputs: Mapping[str, Row]
    variants: Mapping[str, tuple[FitResult, ...]]
    failed: Mapping[str, str]
    missing: Mapping[str, str]
    provenance: Provenance
    warnings: tuple[str, ...] = field(default=())

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
        return {f.label: verdict_of(f) for f in self.rows}

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter of the first row as a ufloat."""
        if not self.rows:
            raise SpecError(
                f"{self.loaded.path.name}: no row could be fitted: {_first(self.failed, self.missing)}"
            )
        return self.rows[0].params

    def summary(self) -> Table:
        """The coordination table as papers lay it out, with published values where the spec reproduces a table."""
        from .summary import coordination_table

        return coordination_table(self)

    def table(self) -> pd.DataFrame:
        """The coordination table as data: a row a path of each data row."""
        return self.summary().to_dataframe()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the curves as plain data (docs/guide/json.md)."""
        from .summary import result_dict

        return result_dict(self)


def _first(*reasons: Mapping[str, str]) -> str:
    return next((reason for r in reasons for reason in r.values()), "the spec holds none")


def fit(path: str | Path, *, data_root: str | Path | None = None) -> SpecResult:
    """Fit a spec file: the library's one-line form of ``xasuite fit``.

    Raises SpecError, ReadError and the other errors of this package when not a single row could be fitted.
    """
    return run_spec(load_spec(path), Context(Path(data_root) if data_root else None))


def run_spec(
    loaded: LoadedSpec,
    context: Context | None = None,
    *,
    variants: bool = True,
    skip_missing: bool = False,
    progress: Callable[[str], None] | None = None,
) -> SpecResult:
    """Fit every row of a spec (all at once where [fit] together = true).

    A row that fails is kept in `failed` with its reason while the others go on; when none is left, its error
    is raised. `progress` is called with a word on each step.
    """
    context = context or Context()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XasuiteWarning)
        resolved = resolve_spec(loaded, context, skip_missing=skip_missing)
        rows, failed = _fit_rows(resolved, progress)
        extra = _variants(resolved, context, progress) if variants else {}
        for f in rows:
            for sentence in energy_scale(f):
                warnings.warn(sentence, XasuiteWarning, stacklevel=2)
    said = tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, XasuiteWarning)))
    return SpecResult(
        loaded=loaded,
        rows=rows,
        kinds={r.label: r.kind for r in resolved.rows},
        inputs={r.label: r for r in resolved.rows},
        variants=extra,
        failed=failed,
        missing=resolved.missing,
        provenance=_provenance(resolved),
        warnings=said,
    )


def _fit_rows(
    resolved: Resolved, progress: Callable[[str], None] | None
) -> tuple[tuple[FitResult, ...], dict[str, str]]:
    settings = resolved.loaded.spec.fit
    if not resolved.rows:
        return (), {}
    if settings.together:
        result = fit_chi(resolved.model, [r.chi for r in resolved.rows], epsilon_k=settings.epsilon_k)
        return (result,), {}
    done: list[FitResult] = []
    failed: dict[str, str] = {}
    first: XasuiteError | None = None
    for row in resolved.rows:
        if progress:
            progress(row.label)
        try:
            done.append(fit_chi(_for_row(resolved.model, row.label), row.chi, epsilon_k=settings.epsilon_k))
        except XasuiteError as exc:
            failed[row.label] = str(exc)
            first = first or exc
    if not done and first is not None:
        raise first
    return tuple(done), failed


def _for_row(model: Model, label: str) -> Model:
    paths = tuple(p for p in model.paths if p.data in ("", label))
    return Model(model.params, paths, model.range)


def _variants(
    resolved: Resolved, context: Context, progress: Callable[[str], None] | None
) -> dict[str, tuple[FitResult, ...]]:
    out: dict[str, tuple[FitResult, ...]] = {}
    for variant in resolved.loaded.spec.variant:
        if progress:
            progress(f"variant {variant.label}")
        try:
            model = resolve_model(resolved.loaded, context, variant)
        except ReadError as exc:
            warnings.warn(f'variant "{variant.label}" left out: {exc}', XasuiteWarning, stacklevel=2)
            continue
        results = []
        for i, entry in enumerate(resolved.loaded.spec.data):
            row = next((r for r in resolved.rows if r.label == entry.label), None)
            if row is None:
                continue
            if variant.reduce:
                row = resolve_row(resolved.loaded, i, _reduce(resolved.loaded, variant), context)
            try:
                results.append(fit_chi(_for_row(model, row.label), row.chi))
            except XasuiteError as exc:
                warnings.warn(f'variant "{variant.label}", {row.label}: {exc}', XasuiteWarning, stacklevel=2)
        out[variant.label] = tuple(results)
    return out


def _reduce(loaded: LoadedSpec, variant: Variant) -> Reduce:
    return Reduce.model_validate({**loaded.spec.reduce.model_dump(), **variant.reduce})


def _provenance(resolved: Resolved) -> Provenance:
    import importlib.metadata as metadata

    names = ("xraylarch", "larixite", "lmfit", "numpy", "scipy")
    versions = {n: metadata.version(n) for n in names}
    from ..version import __version__

    data = {
        r.label: {
            "path": str(r.chi.source.path),
            "group": r.chi.source.group,
            "sha256": r.chi.source.sha256 or hashlib.sha256(r.norm.mu.tobytes()).hexdigest(),
            "kind": r.kind,
            "origin": r.origin,
        }
        for r in resolved.rows
    }
    return Provenance(
        spec=str(resolved.loaded.path),
        spec_sha256=resolved.loaded.sha256,
        data=data,
        feff={p.label: p.feff.sha256 for p in resolved.model.paths},
        versions={"xasuite": __version__, "python": platform.python_version(), **versions},
        time=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
