"""From the text of a spec to what the page draws, each step made again only when its own settings change."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..errors import XasuiteError, XasuiteWarning
from ..exafs import fourier
from ..exafs.fit import fit_chi
from ..exafs.result import FitResult
from ..records import Chi, Normalized, Spectrum, Transform
from ..specs.load import LoadedSpec, parse_spec
from ..specs.schema import Data, Fit, Reduce, Sample, Spec
from ..workflow.resolve import Context, read_entry, reduce_row, resolve_model

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class View:
    """What there is to draw for one data row; a step that failed is None and its sentence stands in `problems`."""

    loaded: LoadedSpec
    spectrum: Spectrum | None = None
    norm: Normalized | None = None
    chi: Chi | None = None
    transform: Transform | None = None
    fit: FitResult | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class Analysis:
    """The steps of one page, with the last result of each."""

    context: Context
    _kept: dict[str, tuple[Hashable, Any]] = field(default_factory=dict)

    def view(self, loaded: LoadedSpec, row: int = 0, *, fit: bool = False) -> View:
        """Everything that the spec gives for a data row: with `fit`, the fit of its paths as well.

        A step that fails ends the chain, and its sentence is shown in place of a traceback.
        """
        found: dict[str, Any] = {}
        problems: list[str] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", XasuiteWarning)
            for name, step in self._steps(loaded, row, fit, found):
                try:
                    found[name] = step()
                except XasuiteError as exc:
                    problems.append(str(exc))
                    break
        norm, chi = found.get("reduced", (None, None))
        return View(
            loaded, found.get("spectrum"), norm, chi, found.get("transform"), found.get("fit"), tuple(problems),
            tuple(dict.fromkeys(str(w.message) for w in caught)),
        )  # fmt: skip

    def _steps(
        self, loaded: LoadedSpec, row: int, fit: bool, found: dict[str, Any]
    ) -> list[tuple[str, Callable[[], Any]]]:
        spec = loaded.spec
        entry, ranges = spec.data[row], spec.fit
        where = str(loaded.path.parent)
        data = ("spectrum", (where, entry, spec.sample))
        reduced = ("reduced", (*data[1], spec.reduce))
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("spectrum", lambda: self._keep(*data, lambda: read_entry(loaded, row, self.context))),
            (
                "reduced",
                lambda: self._keep(*reduced, lambda: reduce_row(found["spectrum"], spec.reduce, entry)),
            ),
            ("transform", lambda: transform(found["reduced"][1], ranges)),
        ]
        if fit and spec.path:
            steps.append(("fit", lambda: self._fit(loaded, found["reduced"][1])))
        return steps

    def _fit(self, loaded: LoadedSpec, chi: Chi) -> FitResult:
        spec = loaded.spec
        key = (str(loaded.path.parent), repr(spec.path), repr(spec.params), spec.fit, spec.sample)
        model = self._keep("model", key, lambda: resolve_model(loaded, self.context))
        return fit_chi(model, chi, epsilon_k=spec.fit.epsilon_k)

    def _keep(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        last = self._kept.get(name)
        if last is None or last[0] != key:
            self._kept[name] = last = (key, make())
        return last[1]  # type: ignore[no-any-return]


def transform(chi: Chi, ranges: Fit) -> Transform:
    """chi(R) as the fit sees it: its k range, window and highest k weight."""
    return fourier(chi, k=ranges.k, kweight=max(ranges.kweight), window=ranges.window, dk=ranges.dk, rmax=8.0)


def load_draft(text: str, path: Path) -> LoadedSpec:
    """The spec of a text, also before its first path is chosen (a file that is fitted needs one).

    Raises SpecError with every mistake, pydantic's for a draft's single tables included.
    """
    tables = tomllib.loads(text)
    if tables.get("path"):
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


def first_spec(file: Path, element: str, edge: str, e0: float | None = None) -> dict[str, Any]:
    """The tables of a spec for one data file, before its paths are chosen."""
    return {
        "xasuite": 2,
        "title": file.stem,
        "errors": "fit",
        "data": [{"label": file.stem, "file": str(file)}],
        "sample": {"element": element, "edge": edge},
        "reduce": {} if e0 is None else {"e0": round(e0, 2)},
        "fit": {"k": [3.0, 12.0], "kweight": [2], "r": [1.0, 3.0]},
        "params": {},
        "path": [],
    }
