"""Running a spec: every row fitted, its variants beside it, with hashes and versions."""

from __future__ import annotations

import hashlib
import platform
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ReadError, SpecError, XasuiteError, XasuiteWarning
from ..exafs.fit import fit_chi
from ..exafs.model import Model
from ..exafs.result import FitResult
from ..records.table import Presented, Table
from ..specs.load import LoadedSpec, as_loaded
from ..specs.schema import Fit, Spec
from .audit import SpecAudit
from .resolve import Context, Progress, Resolved, Row, resolve_model, resolve_row, resolve_spec, source_fit
from .verdict import Verdict, energy_scale, normalised_otherwise, verdict_of

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
class SpecResult(Presented):
    """The results of a spec: one FitResult a row (or one of all rows together), and its variants.

    `kinds` says of each row whether it is measured or closure; `failed` holds the rows that could not be
    fitted and `missing` those whose data are not there, each with the reason; `inherited` is the verdict on the fit that
    a parameter was taken from, by its name; `audit` is Larch's (`audit_spec`), where it was asked for.
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
    inherited: Mapping[str, Verdict] = field(default_factory=dict)
    audit: SpecAudit | None = None

    @property
    def spec(self) -> Spec:
        """The spec that was fitted."""
        return self.loaded.spec

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
        spectra = {label: row.norm for label, row in self.inputs.items()}
        return {f.label: verdict_of(f, self.inherited, spectra) for f in self.rows}

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter of the first row as a ufloat."""
        if not self.rows:
            raise SpecError(
                f"{self.loaded.path.name}: no row could be fitted: "
                + next(iter([*self.failed.values(), *self.missing.values(), "the spec holds none"]))
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


def fit(
    spec: str | Path | Spec | LoadedSpec,
    *,
    data_root: str | Path | None = None,
    progress: Progress | None = None,
) -> SpecResult:
    """Fit a spec: the library's one-line form of ``xasuite fit``.

    Parameters
    ----------
    spec : str, Path, Spec or Loaded
        The file, or a spec made in Python.
    data_root : str or Path, optional
        Where data are looked for beside the spec's folder; left out, the environment variable XASUITE_DATA.
    progress : callable, optional
        Called with a word on each step, rows done and rows in all.

    Returns
    -------
    SpecResult
        A FitResult a row, with variants, warnings and what made it.

    Raises
    ------
    SpecError, ReadError
        And the other errors of this package when not a single row could be fitted.
    """
    return run_spec(as_loaded(spec, Spec), Context.of(data_root), progress=progress)


def run_spec(
    loaded: LoadedSpec,
    context: Context | None = None,
    *,
    variants: bool = True,
    skip_missing: bool = False,
    progress: Progress | None = None,
) -> SpecResult:
    """Fit every row of a spec (all at once where [fit] together = true).

    A row that fails is kept in `failed` with its reason while the others go on; when none is left, its error
    is raised.
    """
    context = context or Context()
    say = progress or (lambda word, done=0, total=0: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XasuiteWarning)
        resolved = resolve_spec(loaded, context, skip_missing=skip_missing)
        fits, errors = _fit_rows(resolved.model, resolved.rows, loaded.spec.fit, say)
        if errors and not fits:
            raise next(iter(errors.values()))
        extra = dict(_variants(resolved, context, say)) if variants else {}
        inherited = _inherited(resolved, context)
        for sentence in (told for f in fits for told in energy_scale(f)):
            warnings.warn(sentence, XasuiteWarning, stacklevel=2)
    said = tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, XasuiteWarning)))
    return SpecResult(
        loaded=loaded,
        rows=fits,
        kinds={r.label: r.kind for r in resolved.rows},
        inputs={r.label: r for r in resolved.rows},
        variants=extra,
        failed={label: str(exc) for label, exc in errors.items()},
        missing=resolved.missing,
        provenance=_provenance(resolved),
        warnings=said,
        inherited=inherited,
    )


def _inherited(resolved: Resolved, context: Context) -> dict[str, Verdict]:
    """The verdict on each fit that a parameter was taken from; warns where foil and sample were normalised otherwise."""
    found = {}
    for name, p in resolved.loaded.spec.params.items():
        if p.from_ is None:
            continue
        result, fit = source_fit(resolved.loaded, name, p, context)
        found[name] = result.verdicts[fit.label]
        for row in resolved.rows:
            if sentence := normalised_otherwise(row.norm, result.inputs[fit.data[0].label].norm):
                warnings.warn(f"{name}, {row.label}: {sentence}", XasuiteWarning, stacklevel=2)
    return found


def _fit_rows(
    model: Model, rows: Sequence[Row], settings: Fit, say: Progress
) -> tuple[tuple[FitResult, ...], dict[str, XasuiteError]]:
    """A fit a row, or one of all together; and the errors of those that failed, by label."""
    if settings.together and rows:
        together = [r.chi for r in rows]
        return (fit_chi(model, together, epsilon_k=settings.epsilon_k, engine=settings.engine),), {}
    done: list[FitResult] = []
    failed: dict[str, XasuiteError] = {}
    for i, row in enumerate(rows):
        say(row.label, i, len(rows))
        try:
            done.append(
                fit_chi(model.of(row.label), row.chi, epsilon_k=settings.epsilon_k, engine=settings.engine)
            )
        except XasuiteError as exc:
            failed[row.label] = exc
    return tuple(done), failed


def _variants(
    resolved: Resolved, context: Context, say: Progress
) -> Iterator[tuple[str, tuple[FitResult, ...]]]:
    """The fits of every variant, made as the main one is; what fails is warned of."""
    loaded = resolved.loaded
    at = {d.label: i for i, d in enumerate(loaded.spec.data)}
    for i, variant in enumerate(loaded.spec.variant):
        say(f"variant {variant.label}", i, len(loaded.spec.variant))
        spec, rows = loaded.spec.with_variant(variant), resolved.rows
        try:
            model = resolve_model(loaded, context, variant)
            if variant.reduce:
                rows = tuple(resolve_row(loaded, at[r.label], spec.reduce, context) for r in rows)
            fits, failed = _fit_rows(model, rows, spec.fit, lambda word, done=0, total=0: None)
        except ReadError as exc:
            warnings.warn(f'variant "{variant.label}" left out: {exc}', XasuiteWarning, stacklevel=2)
            continue
        except XasuiteError as exc:
            fits, failed = (), {"all rows": exc}
        for label, why in failed.items():
            warnings.warn(f'variant "{variant.label}", {label}: {why}', XasuiteWarning, stacklevel=2)
        yield variant.label, fits


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
