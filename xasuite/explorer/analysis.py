"""From the text of a spec to the curves of the page; a step is computed again only when its settings change."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import SpecError, XasuiteError
from ..exafs import fourier
from ..exafs.fit import fit_chi
from ..exafs.result import FitResult
from ..notices import collected
from ..records import Chi, Normalized, Spectrum, Transform
from ..specs.load import LoadedSpec, parse_spec
from ..specs.schema import Data, Fit, Reduce, Sample, Spec
from ..workflow.fits import Row
from ..workflow.resolve import (
    Context,
    check_edge,
    chi_of,
    normalize_row,
    read_row,
    reduction_of,
    resolve_model,
)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class View:
    """Everything computed for one data row; a step that failed is None and its message is in `problems`."""

    loaded: LoadedSpec
    row: int = 0
    spectrum: Spectrum | None = None
    norm: Normalized | None = None
    chi: Chi | None = None
    transform: Transform | None = None
    fit: FitResult | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class Analysis:
    """The steps of one page, each with its last result and the settings that gave it."""

    context: Context
    _kept: dict[str, tuple[Hashable, Any]] = field(default_factory=dict)

    def view(self, loaded: LoadedSpec, row: int = 0, *, fit: bool = False) -> View:
        """Compute a data row as the spec says; with `fit`, fit its paths as well.

        A step that fails is the last; its message goes to `problems`.
        """
        found: dict[str, Any] = {}
        problems: tuple[str, ...] = ()
        with collected() as heard:
            try:
                for name, made in self._steps(loaded, row, fit):
                    found[name] = made
            except XasuiteError as exc:
                problems = (str(exc),)
        said = tuple(dict.fromkeys(heard))
        return View(loaded, row, **found, problems=problems, warnings=said)

    def _steps(self, loaded: LoadedSpec, row: int, fit: bool) -> Iterator[tuple[str, Any]]:
        spec, entry = loaded.spec, loaded.spec.data[row]
        origin = (str(loaded.path.parent), row, entry, spec.sample)
        read = self._keep("read", origin, lambda: read_row(loaded, row, self.context))
        yield "spectrum", read.spectrum
        settings = self._keep("settings", (spec.reduce, repr(spec.params)), lambda: reduction_of(loaded))
        cleaned = (*origin, settings.deglitch, settings.rebin, settings.e0, repr(settings.normalization()))
        norm = self._keep("norm", cleaned, lambda: normalize_row(read.spectrum, settings, entry))
        yield "norm", norm
        check_edge(loaded, row, norm)
        chi = self._keep(
            "chi", (cleaned, settings), lambda: replace(chi_of(norm, settings), label=entry.label)
        )
        yield "chi", chi
        yield "transform", transform(chi, spec.fit)
        if fit and spec.structures:
            yield "fit", self._fit(loaded, Row(entry.label, read.kind, chi, norm, read.origin))

    def _fit(self, loaded: LoadedSpec, row: Row) -> FitResult:
        spec = loaded.spec
        if spec.fit.together and len(spec.data) > 1:
            raise SpecError("rows that are fitted together are not fitted while you change them: press Fit")
        key = (str(loaded.path.parent), repr(spec.structures), repr(spec.params), spec.fit, spec.sample)
        model = self._keep("model", key, lambda: resolve_model(loaded, self.context))
        return fit_chi(
            model.of(row.label, row.chi.variables), row.chi, epsilon_k=spec.fit.epsilon_k, engine=spec.fit.engine,
            backend="numba",
        )  # fmt: skip

    def _keep(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        last = self._kept.get(name)
        if last is None or last[0] != key:
            self._kept[name] = last = (key, make())
        return last[1]  # type: ignore[no-any-return]


def transform(chi: Chi, ranges: Fit) -> Transform:
    """chi(R) with the k range, window and highest k weight of the fit."""
    return fourier(chi, k=ranges.k, kweight=max(ranges.kweight), window=ranges.window, dk=ranges.dk, rmax=8.0)


def load_draft(text: str, path: Path) -> LoadedSpec:
    """The spec of a text, which unlike the spec of a fit need not have a path yet.

    Raises SpecError with every mistake, and pydantic's ValidationError for the tables of a spec without paths.
    """
    tables = tomllib.loads(text)
    if tables.get("path") or tables.get("shells"):
        return parse_spec(text, path)
    draft = Spec.model_construct(
        xasuite=tables["xasuite"],
        title=tables.get("title", ""),
        data=tuple(Data.model_validate(d) for d in tables["data"]),
        sample=Sample.model_validate(tables["sample"]),
        reduce=Reduce.model_validate(tables.get("reduce", {})),
        fit=Fit.model_validate(tables["fit"]),
        params={},
        path=(),
    )
    return LoadedSpec(draft, path, text)


def first_spec(file: Path, element: str, edge: str) -> dict[str, Any]:
    """The tables of a spec for one data file, before its paths are chosen."""
    return {
        "xasuite": 2,
        "title": file.stem,
        "data": [{"label": file.stem, "file": str(file)}],
        "sample": {"element": element, "edge": edge},
        "reduce": {},
        "fit": {"k": [3.0, 12.0], "kweight": [2], "r": [1.0, 3.0]},
    }
