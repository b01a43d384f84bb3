"""Running a spec: every row is fitted, and its variants; hashes and versions say what made the result."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError, SpecError, XasuiteError
from ..exafs.profiles import with_profiles
from ..exafs.result import FitResult
from ..notices import collected, warn
from ..records.table import Presented, Table
from ..specs.load import Loaded, LoadedSpec, as_loaded
from ..specs.schema import Spec
from ..threads import one_blas_thread
from ..version import __version__, installed
from .audit import SpecAudit
from .fits import Fitted, Progress, fit_rows, silent
from .given import Given
from .resolve import Context, Resolved, resolve_model, resolve_row, resolve_spec, sources
from .verdict import Verdict, energy_scale, normalised_otherwise

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
class SpecResult(Fitted, Presented):
    """The results of a spec: one FitResult a row (or one of all rows together), and its variants.

    `failed` holds the rows that could not be fitted and `missing` those whose data are not there, each with the reason.
    `audit` is the comparison with Larch (`audit_spec`), where it was asked for.
    """

    variants: Mapping[str, tuple[FitResult, ...]]
    failed: Mapping[str, str]
    missing: Mapping[str, str]
    provenance: Provenance
    warnings: tuple[str, ...] = ()
    audit: SpecAudit | None = None

    @property
    def spec(self) -> Spec:
        """The spec that was fitted."""
        return self.loaded.spec

    @property
    def kinds(self) -> dict[str, str]:
        """For each row whether it is "measured" or "closure"."""
        return {label: row.kind for label, row in self.inputs.items()}

    @property
    def kind(self) -> str:
        """Whether the rows are measured, closure, or both."""
        return " and ".join(dict.fromkeys(self.kinds.values()))

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
        """The coordination table as data: one row per path of each data row."""
        return self.summary().to_dataframe()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the curves as plain data (docs/guide/json.md)."""
        from .summary import result_dict

        return result_dict(self)


def fit(
    spec: str | Path | Spec | LoadedSpec | Given | Sequence[Given],
    *,
    data_root: str | Path | None = None,
    progress: Progress | None = None,
    **keywords: Any,
) -> SpecResult:
    """Fit a spec, or data with a crystal.

    Parameters
    ----------
    spec : str, Path, Spec, Loaded, or data
        A spec's file, or a spec made in Python; with keywords, data files or records (Scan, Spectrum, Normalized, Chi).
    data_root : str or Path, optional
        Where data are looked for, in addition to the spec's folder; left out, the environment variable XASUITE_DATA.
    progress : callable, optional
        Called with a word on each step, rows done and rows in all.
    **keywords
        Arguments of `xasuite.spec`: ``crystal="CoO", shells=2, k=(3, 12), r=(1, 3.2), s02=foil``. The spec that it makes is
        fitted, and is the result's `spec`.

    Returns
    -------
    SpecResult
        A FitResult for each row, with variants, warnings and provenance.

    Raises
    ------
    SpecError, ReadError
        And the other errors of this package when not a single row could be fitted.

    Examples
    --------
    >>> import xasuite as xs
    >>> paths = [p for p in xs.find_paths("Cu", absorber="Cu") if p.nleg == 2]
    >>> truth = [xs.simulate.TruthPath(p, n=p.degen, s02=0.9, sigma2=8e-3) for p in paths]
    >>> made = xs.simulate.spectrum(truth, element="Cu", noise=3e-4, seed=1)
    >>> result = xs.fit(made.spectrum, crystal="Cu", shells=1, k=(3, 12), r=(1.4, 2.8))
    >>> abs(result.params["s02"].n - 0.9) < 0.05
    True
    >>> print(result.spec.replace(fit={"k": (3, 11)}).fit.k)
    (3.0, 11.0)
    """
    if keywords or not isinstance(spec, str | Path | Spec | Loaded):
        if isinstance(spec, Spec | Loaded):
            raise SpecError(f"a spec takes no {', '.join(keywords)}; change it with spec.replace(...)")
        if "crystal" not in keywords:
            raise SpecError('data need a crystal to be fitted: xs.fit(data, crystal="CoO", ...)')
        from .new import make_spec

        spec = make_spec(spec, **keywords)
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

    Parameters
    ----------
    loaded : LoadedSpec
        Of `load_spec`.
    context : Context, optional
        Where data are looked for; left out, the spec's folder and XASUITE_DATA.
    variants : bool
        Fit the [[variant]] tables as well.
    skip_missing : bool
        Name rows whose file is not there in place of an error.
    progress : Progress, optional
        Called with a word on each step.

    Returns
    -------
    SpecResult
        A fit for each row, in the order of the spec; rows that could not be fitted are in `failed` with
        the reason.

    Examples
    --------
    >>> from xasuite.references import fits_dir
    >>> from xasuite.specs import load_spec
    >>> from xasuite.workflow import run_spec
    >>> result = run_spec(load_spec(fits_dir() / "foils" / "co_foil_closure.toml"), variants=False)
    >>> round(result.params["s02"].n, 1)
    0.8
    """
    context = context or Context()
    say = progress or silent
    # a start at which a path has no value ends in a verdict
    with np.errstate(all="ignore"), collected() as heard, one_blas_thread():
        resolved = resolve_spec(loaded, context, skip_missing=skip_missing)
        fits, errors = fit_rows(resolved.model, resolved.rows, loaded.spec.fit, say)
        if errors and not fits:
            raise next(iter(errors.values()))
        fits = _profiled(resolved, fits)
        if loaded.spec.errors != "fit":
            from .budgets import budgeted

            fits = budgeted(resolved, fits, context)
        extra = dict(_variants(resolved, context, say)) if variants else {}
        inherited = _inherited(resolved, context)
        for sentence in (s for f in fits for s in energy_scale(f)):
            warn(sentence)
    return SpecResult(
        loaded=loaded,
        rows=fits,
        inputs={r.label: r for r in resolved.rows},
        variants=extra,
        failed={label: str(exc) for label, exc in errors.items()},
        missing=resolved.missing,
        provenance=_provenance(resolved),
        warnings=tuple(dict.fromkeys(heard)),
        inherited=inherited,
    )


def _profiled(resolved: Resolved, fits: Sequence[FitResult]) -> tuple[FitResult, ...]:
    """The fits with asymmetric errors where they need them."""
    rows, epsilon = {r.label: r.chi for r in resolved.rows}, resolved.loaded.spec.fit.epsilon_k
    return tuple(with_profiles(f, [rows[d.label] for d in f.data], epsilon_k=epsilon) for f in fits)


def _inherited(resolved: Resolved, context: Context) -> dict[str, Verdict]:
    """The verdict on each fit that a parameter was taken from; warns where foil and sample were normalised otherwise."""
    found = sources(resolved.loaded, context)
    for name, (_, norm) in found.items():
        for row in resolved.rows:
            if row.norm and norm and (sentence := normalised_otherwise(row.norm, norm)):
                warn(f"{name}, {row.label}: {sentence}")
    return {name: verdict for name, (verdict, _) in found.items()}


def _variants(
    resolved: Resolved, context: Context, say: Progress
) -> Iterator[tuple[str, tuple[FitResult, ...]]]:
    """The fits of every variant, made like the main fit; a failure becomes a warning."""
    loaded = resolved.loaded
    at = {d.label: i for i, d in enumerate(loaded.spec.data)}
    for i, variant in enumerate(loaded.spec.variant):
        say(f"variant {variant.label}", i, len(loaded.spec.variant))
        spec, rows = loaded.spec.with_variant(variant), resolved.rows
        try:
            model = resolve_model(loaded, context, variant)
            if variant.reduce:
                rows = tuple(resolve_row(loaded, at[r.label], spec.reduce, context) for r in rows)
            fits, failed = fit_rows(model, rows, spec.fit)
        except ReadError as exc:
            warn(f'variant "{variant.label}" left out: {exc}')
            continue
        except XasuiteError as exc:
            fits, failed = (), {"all rows": exc}
        for label, why in failed.items():
            warn(f'variant "{variant.label}", {label}: {why}')
        yield variant.label, fits


def _provenance(resolved: Resolved) -> Provenance:
    versions = {n: installed(n) for n in ("xraylarch", "larixite", "lmfit", "numpy", "scipy")}
    data = {
        r.label: {
            "path": str(r.chi.source.path),
            "group": r.chi.source.group,
            # without a file, of the values
            "sha256": r.chi.source.sha256
            or hashlib.sha256((r.norm.mu if r.norm else r.chi.chi).tobytes()).hexdigest(),
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
