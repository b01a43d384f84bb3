"""From a spec to the input of the fit: data files found and reduced to chi(k), paths found by FEFF, parameters made."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FitError, ReadError, SpecError, nearest
from ..exafs.model import FitRange, Model, Parameter, PathModel, Restraint
from ..exafs.restraints import bound
from ..exafs.result import FitResult
from ..expressions import parse as parse_expression
from ..notices import warn
from ..records import Chi, Normalized, Scan, Spectrum
from ..references import fits_dir
from ..specs.load import Loaded, LoadedSpec, load_spec
from ..specs.schema import NORMALIZATION, Data, Fit, Param, Reduce, Variant
from ..specs.schema import Restraint as RestraintTable
from ..version import metadata_folder
from .fits import Fitted, Row, fit_rows
from .given import same_chi
from .paths import path_models
from .verdict import Verdict, edge_mismatch

MEASURED, CLOSURE = "measured", "closure"


@dataclass(frozen=True)
class Context:
    """Where files are looked for, in addition to the spec's own folder: --data-root, else XASUITE_DATA."""

    data_root: Path | None = None

    @classmethod
    def of(cls, data_root: str | Path | None) -> Context:
        """The context of a runner's `data_root`. Raises ReadError when it is no folder."""
        if data_root is not None and not Path(data_root).is_dir():
            raise ReadError(f"--data-root {data_root} is no folder")
        return cls(Path(data_root) if data_root is not None else None)

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders, in order."""
        given = self.data_root or (Path(v) if (v := os.environ.get("XASUITE_DATA")) else None)
        return (Path(given),) if given else ()

    def places(self, loaded: Loaded[Any]) -> list[Path]:
        """Where a spec's files are looked for, in order."""
        return list(dict.fromkeys([loaded.path.parent, *self.roots, Path.cwd()]))

    def find(self, loaded: Loaded[Any], name: str, what: str, *key: str | int) -> str:
        """The path ("file::group") of a data file that a spec names.

        Looked for in the spec's folder, in `roots` and in the working folder. Raises ReadError naming every place.
        """
        file, _, group = name.partition("::")
        places = self.places(loaded)
        for place in places:
            if (place / file).exists():
                return f"{place / file}::{group}" if group else str(place / file)
        tried = ", ".join(str(p) for p in places)
        hint = "" if self.roots else "; name the folder of measured spectra with --data-root or XASUITE_DATA"
        raise ReadError(f"{loaded.at(*key)}: {what}: no file {file} in {tried}{hint}")


@dataclass(frozen=True, eq=False)
class Resolved:
    """A spec with its rows and model; `missing` names the rows whose data are not there, with the reason."""

    loaded: LoadedSpec
    rows: tuple[Row, ...]
    model: Model
    missing: Mapping[str, str] = field(default_factory=dict)


def resolve_spec(
    loaded: LoadedSpec, context: Context | None = None, *, skip_missing: bool = False
) -> Resolved:
    """Read and reduce the data, find the paths with FEFF (cached), and take parameters from the fits that they name.

    Parameters
    ----------
    loaded : LoadedSpec
        Of `load_spec`.
    context : Context, optional
        Where data are looked for; left out, the spec's folder and XASUITE_DATA.
    skip_missing : bool
        Name rows whose file is not there in place of an error.

    Returns
    -------
    Resolved
        The spec with its reduced rows and the model; `missing` names rows without data.

    Raises
    ------
    SpecError
        Mistakes in the spec, all at once.
    ReadError
        And whatever reading, reducing and FEFF raise.

    Examples
    --------
    >>> from xasuite.references import fits_dir
    >>> from xasuite.specs import load_spec
    >>> from xasuite.workflow import resolve_spec
    >>> resolved = resolve_spec(load_spec(fits_dir() / "foils" / "co_foil_closure.toml"))
    >>> resolved.rows[0].kind
    'closure'
    """
    context = context or Context()
    settings = reduction_of(loaded)
    rows, missing = [], {}
    for i, entry in enumerate(loaded.spec.data):
        try:
            rows.append(resolve_row(loaded, i, settings, context))
            if entry.label in loaded.spec.held:
                same_chi(loaded.spec.held[entry.label], rows[-1].chi)
        except ReadError as exc:
            if not skip_missing or entry.simulate is not None:
                raise
            missing[entry.label] = str(exc)
    return Resolved(loaded, tuple(rows), resolve_model(loaded, context), missing)


def reduction_of(loaded: LoadedSpec) -> Reduce:
    """The spec's [reduce]; where it does not set the normalisation, with that of the foil whose S02 it takes."""
    own = loaded.spec.reduce
    if own.model_fields_set & set(NORMALIZATION):
        return own
    for name, p in loaded.spec.taken_over.items():
        foil = reduction_of(ancestor(loaded, name, p))
        return own.model_copy(update={key: getattr(foil, key) for key in NORMALIZATION})
    return own


def resolve_row(loaded: LoadedSpec, index: int, settings: Reduce, context: Context) -> Row:
    """One row: read or simulated, then reduced to chi(k) by the spec's settings."""
    entry = loaded.spec.data[index]
    if entry.kind == "chi":
        chi = read_chi_entry(loaded, index, context)
        chi = replace(chi, label=entry.label, variables=variables_of(loaded, index, chi.meta))
        return Row(entry.label, MEASURED, chi, None, entry.source or str(chi.source))
    read = read_row(loaded, index, context)
    norm, chi = reduce_row(read.spectrum, settings, entry)
    check_edge(loaded, index, norm)
    chi = replace(chi, label=entry.label, variables=variables_of(loaded, index, read.spectrum.meta))
    return Row(entry.label, read.kind, chi, norm, read.origin)


def check_edge(loaded: LoadedSpec, index: int, norm: Normalized) -> None:
    """Raises SpecError when a row's spectrum cannot be of the spec's element and edge."""
    if why := edge_mismatch(norm):
        raise SpecError(f'{loaded.at("data", index)}: data "{loaded.spec.data[index].label}": {why}')


@dataclass(frozen=True, eq=False)
class ReadRow:
    """A row's spectrum, whether it is measured or closure, and where it comes from."""

    spectrum: Spectrum
    kind: str
    origin: str


def read_row(loaded: LoadedSpec, index: int, context: Context) -> ReadRow:
    """The spectrum of a row: read, simulated, or the one that a spec made in Python holds."""
    entry = loaded.spec.data[index]
    if entry.simulate is not None:
        from .simulated import simulate_row

        return ReadRow(simulate_row(loaded, index).spectrum, CLOSURE, "simulated")
    held = loaded.spec.held.get(entry.label)
    spectrum = read_entry(loaded, index, context) if held is None else _labelled(held.spectrum, loaded, index)
    kind = CLOSURE if "simulated" in spectrum.notes else MEASURED
    return ReadRow(spectrum, kind, entry.source or str(spectrum.source))


def variables_of(loaded: LoadedSpec, index: int, meta: Mapping[str, Any]) -> dict[str, float]:
    """A row's variables as numbers; one given as text is read from that field of the file's header. Raises SpecError."""
    entry, out = loaded.spec.data[index], {}
    for name, value in entry.variables.items():
        if isinstance(value, str):
            found = re.match(r"\s*([-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)", str(meta.get(value, "")))
            if found is None:
                said = (
                    f"its header says {meta[value]!r}"
                    if value in meta
                    else f"its header has no such field{nearest(value, meta)}"
                )
                raise SpecError(
                    f'{loaded.at("data", index, "variables")}: data "{entry.label}": variables: {name} = "{value}": {said}; '
                    "give the number"
                )
            value = found[1]
        out[name] = float(value)
    return out


def read_chi_entry(loaded: LoadedSpec, index: int, context: Context) -> Chi:
    """The chi(k) of a row whose file holds it."""
    from ..io import read_chi

    entry, (element, edge) = loaded.spec.data[index], loaded.spec.absorber(index)
    columns = {"chi": entry.chi, "chi_err": entry.chi_err, "kweight": entry.chi_kweight}
    return read_chi(_file_of(loaded, index, context), element=element, edge=edge, **columns)


def _file_of(loaded: LoadedSpec, index: int, context: Context) -> str:
    """The file of a row that has one: its own, or one that an installed package ships."""
    entry = loaded.spec.data[index]
    what = f'data "{entry.label}"'
    if entry.example is not None:
        return example_file(entry.example, f"{loaded.at('data', index, 'example')}: {what}")
    return context.find(loaded, str(entry.file), what, "data", index, "file")


def read_entry(loaded: LoadedSpec, index: int, context: Context) -> Spectrum:
    """The measured spectrum of a row; several scans of it aligned and merged."""
    from .. import io
    from ..io.sources import find_files

    entry = loaded.spec.data[index]
    if entry.files:
        names = [str(p) for p in find_files(entry.files, context.places(loaded))]
    else:
        names = [_file_of(loaded, index, context)]
    how = {key: getattr(entry, key) for key in ("mu", "reference", "i0", "energy", "units")}
    spectra = [_labelled(_mu(io.read(n, **how), entry), loaded, index) for n in names]
    if len(spectra) == 1:
        return spectra[0]
    from ..reduce import merge

    return merge(spectra, align=entry.align, label=entry.label)


def _mu(scan: Scan, entry: Data) -> Spectrum:
    """A scan's mu, corrected for dead time and merged over the detector's elements where the row says so."""
    from ..reduce import correct_deadtime, merge_elements

    if (d := entry.deadtime) is not None:
        scan = correct_deadtime(scan, d.channels, rates=d.rates, tau=d.tau, model=d.model)
    if (e := entry.elements) is not None:
        return merge_elements(scan, e.channels, i0=e.i0, weights=e.weights or None)
    return scan.mu()


def _labelled(spectrum: Spectrum, loaded: LoadedSpec, index: int) -> Spectrum:
    """The spectrum with a row's label and absorber. Raises SpecError when it is of another element."""
    entry, (element, edge) = loaded.spec.data[index], loaded.spec.absorber(index)
    if spectrum.element and spectrum.element != element:
        raise SpecError(
            f'{loaded.at("data", index)}: data "{entry.label}" is a {spectrum.element} {spectrum.edge} scan, '
            f"the spec says {element} {edge}"
        )
    return replace(spectrum, element=element, edge=edge, label=entry.label)


def example_file(example: str, what: str) -> str:
    """The file ("package:name") that an installed package ships, found without importing the package.

    Raises ReadError saying what to install.
    """
    package, _, name = example.partition(":")
    folder = metadata_folder(package)
    record = folder / "RECORD" if folder else None
    lines = record.read_text(encoding="utf-8").splitlines() if record and record.is_file() else []
    places = (line.split(",")[0] for line in lines)
    found = next((str(folder.parent / p) for p in places if folder and p.rpartition("/")[2] == name), None)
    if found is None or not Path(found).is_file():
        raise ReadError(
            f"{what}: {name} comes with the package {package}, which is not installed; "
            "pip install 'xasuite[examples]'"
        )
    return found


def reduce_row(spectrum: Spectrum, settings: Reduce, entry: Data) -> tuple[Normalized, Chi]:
    """mu(E) to chi(k) by a spec's [reduce]."""
    norm = normalize_row(spectrum, settings, entry)
    return norm, chi_of(norm, settings)


def normalize_row(spectrum: Spectrum, settings: Reduce, entry: Data) -> Normalized:
    """mu(E) cleaned and normalised by a spec's [reduce]."""
    from .. import reduce as steps

    if settings.deglitch:
        spectrum = steps.deglitch(spectrum, settings.deglitch)
    if settings.rebin:
        spectrum = steps.rebin(spectrum)
    e0 = entry.e0 if entry.e0 is not None else settings.e0
    return steps.normalize(spectrum, e0=e0, **settings.normalization())


def chi_of(norm: Normalized, settings: Reduce) -> Chi:
    """chi(k) by a spec's [reduce]."""
    from .. import reduce as steps

    chi = steps.background(norm, **settings.of_background())
    if settings.overabsorption is not None:
        chi = steps.correct_overabsorption(chi, steps.Geometry(**settings.overabsorption.model_dump()))
    return chi


def resolve_model(loaded: LoadedSpec, context: Context, variant: Variant | None = None) -> Model:
    """The model of a spec, or of one of its variants."""
    spec = loaded.spec if variant is None else loaded.spec.with_variant(variant)
    paths = path_models(replace(loaded, spec=spec), context)
    params = parameters(replace(loaded, spec=spec), context)
    f = spec.fit
    restraints = tuple(_restraint(loaded, i, r, paths) for i, r in enumerate(spec.restraint))
    ranges = FitRange(f.k, f.r, f.kweight, f.space, f.window, f.dk, f.dk2, f.dr, f.rwindow, f.background)
    return Model(params, paths, ranges, restraints)


def _restraint(
    loaded: LoadedSpec, index: int, table: RestraintTable, paths: Sequence[PathModel]
) -> Restraint:
    """A restraint; SpecError with its line where a bond has no bond-valence parameters."""
    made = Restraint(parse_expression(table.that), table.is_, table.within)
    try:
        bound(made, paths)
    except FitError as exc:
        raise SpecError(f"{loaded.at('restraint', index)}: {exc}") from None
    return made


def parameters(loaded: LoadedSpec, context: Context) -> tuple[Parameter, ...]:
    """The parameters of a spec. A guess that is an expression is evaluated once, at the starting values of the others.

    Raises SpecError where the result is no number, or lies outside the parameter's bounds.
    """
    spec = loaded.spec
    made = {n: _parameter(loaded, n, p, context, spec.fit) for n, p in spec.params.items()}

    def start(name: str) -> float:
        p = made[name]
        if p.expr is not None:
            where = f"{loaded.at('params', name)}: [params]: {name}"
            try:
                with np.errstate(all="ignore"):
                    value = p.expr({n: start(n) for n in p.expr.names})
                if isinstance(value, complex) or not math.isfinite(value):
                    raise ArithmeticError("no finite number")
                found = spec.params[name].inside(float(value)) if p.vary else float(value)
            except (ArithmeticError, TypeError) as exc:
                raise SpecError(f"{where}: {p.expr.text} cannot be evaluated at the start: {exc}") from None
            except ValueError as exc:
                raise SpecError(f"{where}: {exc}") from None
            if not p.vary:
                return found
            made[name] = p = replace(p, value=found, expr=None)
        return p.value

    for name in spec.params:
        if made[name].vary:
            start(name)
    return tuple(made.values())


def _parameter(loaded: LoadedSpec, name: str, p: Param, context: Context, fit: Fit) -> Parameter:
    if p.from_ is not None:
        return inherited(loaded, name, p, context, fit)
    if p.expr is not None:
        return Parameter(name, vary=False, expr=parse_expression(p.expr), each=p.each)
    if p.value is not None:
        return Parameter(name, p.value, vary=False, stderr=p.stderr, origin="given" if p.stderr else "")
    assert p.guess is not None
    if isinstance(p.guess, str):
        return Parameter(name, expr=parse_expression(p.guess), min=p.min, max=p.max, each=p.each)
    return Parameter(name, p.guess, True, p.min, p.max, each=p.each)


def find_spec(loaded: Loaded[Any], name: str, what: str, *key: str | int) -> Path:
    """The other spec that a spec names: in its folder, above it, or among the shipped ones. Raises SpecError."""
    for place in (loaded.path.parent, loaded.path.parent.parent, fits_dir()):
        if (place / name).is_file():
            return (place / name).resolve()
    raise SpecError(
        f'{loaded.at(*key)}: {what} = "{name}" is no spec in the folder of this one, above it or in {fits_dir()}'
    )


def ancestor(loaded: LoadedSpec, name: str, p: Param, trail: tuple[str, ...] = ()) -> LoadedSpec:
    """The spec that a parameter with `from` comes from; parameters with `from` in that spec are checked too.

    Raises SpecError for a spec that is missing, is not the spec of a fit, lacks the parameter or the row, or takes a
    parameter from a spec that depends on it (a ring).
    """
    at, trail = loaded.at("params", name), (*trail, str(loaded.path.resolve()))
    path = find_spec(loaded, str(p.from_), f"[params]: {name}: from", "params", name)
    if str(path) in trail:
        raise SpecError(
            f"{at}: [params]: its parameters come from {path.name}, which comes back to it: a ring"
        )
    try:
        other = load_spec(path)
        for n, q in other.spec.taken_over.items():
            ancestor(other, n, q, trail)
    except SpecError as exc:
        raise SpecError([f'{at}: [params]: {name}: from = "{p.from_}": {m}' for m in exc.mistakes]) from None
    for what, wanted, known in (
        ("parameter", p.param, list(other.spec.params)),
        ("row", p.row, [d.label for d in other.spec.data]),
    ):
        if wanted is not None and wanted not in known:
            raise SpecError(
                f'{at}: [params]: {name}: {path.name} has no {what} "{wanted}"; there are {", ".join(known)}'
            )
    return other


def source_fit(loaded: LoadedSpec, name: str, p: Param, context: Context) -> tuple[Fitted, FitResult]:
    """The fits of the spec that a parameter with `from` comes from, and its row. Raises SpecError, and what fitting raises."""
    source = _fitted(ancestor(loaded, name, p).path, context)
    return source, source.rows[0] if p.row is None else source.row(p.row)


def inherited(loaded: LoadedSpec, name: str, p: Param, context: Context, fit: Fit) -> Parameter:
    """A parameter that another spec's fit determines, with its standard error. Raises SpecError where that fit is not good."""
    source, row = source_fit(loaded, name, p, context)
    path, verdict = source.loaded.path, source.verdicts[row.label]
    _warn_of_ranges(loaded, name, row.model.range, fit, path)
    found = row.parameter(p.param or "").value
    if not verdict.good:
        said = f"{loaded.at('params', name)}: [params]: {name}: {path.name}, {row.label}, is {verdict}"
        if not p.force:
            raise SpecError(
                f"{said}. Its {p.param} = {found} is not taken over: make that fit good, or set force = true"
            )
        warn(f"{said}. Its {p.param} = {found} is taken over by force")
    origin = f"{path.parent.name}/{path.name} {row.label}"
    return Parameter(name, found.value, vary=False, stderr=found.stderr, origin=origin)


def _warn_of_ranges(loaded: LoadedSpec, name: str, foil: FitRange, fit: Fit, path: Path) -> None:
    """Warns where the k weight or k range differs from that of the foil's fit: an amplitude depends on both."""
    pairs = (("k weight", foil.kweight, fit.kweight), ("k", foil.k, fit.k))
    if differ := [f"{what} {list(a)} there, {list(b)} here" for what, a, b in pairs if a != b]:
        warn(
            f"{loaded.path.name}: {name} comes from {path.name} with other ranges ({'; '.join(differ)}): "
            "an amplitude does not carry over between them unchanged",
        )


@lru_cache(maxsize=64)
def _fitted(path: Path, context: Context) -> Fitted:
    """The fits of a spec's rows."""
    other = load_spec(path)
    resolved = resolve_spec(other, context)
    fits, failed = fit_rows(resolved.model, resolved.rows, other.spec.fit)
    if failed and not fits:
        raise next(iter(failed.values()))
    return Fitted(
        loaded=other,
        rows=fits,
        inputs={r.label: r for r in resolved.rows},
        inherited={n: v for n, (v, _) in sources(other, context).items()},
    )


def sources(loaded: LoadedSpec, context: Context) -> dict[str, tuple[Verdict, Normalized | None]]:
    """For each parameter with `from` the verdict on the fit that it comes from, and that fit's spectrum."""
    found = {}
    for name, p in loaded.spec.taken_over.items():
        source, fit = source_fit(loaded, name, p, context)
        found[name] = source.verdicts[fit.label], source.inputs[fit.data[0].label].norm
    return found
