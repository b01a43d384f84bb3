"""From a spec to what is fitted: data files found and reduced to chi(k), paths found by FEFF, parameters made."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ReadError, SpecError, XasuiteError, XasuiteWarning
from ..exafs.model import FitRange, Model, Parameter, PathModel
from ..expressions import parse as parse_expression
from ..feff.paths import FeffPath, read_feff_dat
from ..records import Chi, Normalized, Source, Spectrum
from ..references import fits_dir
from ..spec.load import LoadedSpec, load_spec
from ..spec.schema import Data, Param, Reduce, Variant
from ..spec.schema import Path as PathTable
from .verdict import other_edge

MEASURED, CLOSURE, THEORY = "measured", "closure", "theory"


@dataclass(frozen=True)
class Context:
    """Where files are looked for beside the spec's own folder: --data-root, else XASUITE_DATA."""

    data_root: Path | None = None

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders, in order."""
        given = self.data_root or (Path(v) if (v := os.environ.get("XASUITE_DATA")) else None)
        return (Path(given),) if given else ()


@dataclass(frozen=True, eq=False)
class Row:
    """One data row ready to be fitted: its spectrum, chi(k), and whether it is measured or closure."""

    label: str
    kind: str
    chi: Chi
    norm: Normalized
    origin: str
    truth: Any = None


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
    """Read and reduce the data, run FEFF (cached), take inherited parameters over.

    With `skip_missing` rows whose file is not there are named in `missing` in place of an error.
    Raises SpecError, ReadError, and whatever reading, reducing and FEFF raise.
    """
    context = context or Context()
    rows, missing = [], {}
    for i, entry in enumerate(loaded.spec.data):
        try:
            rows.append(resolve_row(loaded, i, loaded.spec.reduce, context))
        except ReadError as exc:
            if not skip_missing or entry.simulate is not None:
                raise
            missing[entry.label] = str(exc)
    return Resolved(loaded, tuple(rows), resolve_model(loaded, context), missing)


def find_file(loaded: LoadedSpec, entry: Data, index: int, context: Context) -> str:
    """The path ("file::group") of a row's data. Raises ReadError naming every place that was looked in."""
    assert entry.file is not None
    name, _, group = entry.file.partition("::")
    places = [loaded.path.parent, *context.roots, Path.cwd()]
    if Path(name).is_absolute():
        places = [Path("/")]
    for place in places:
        if (place / name).exists():
            return f"{place / name}::{group}" if group else str(place / name)
    tried = ", ".join(str(p) for p in dict.fromkeys(places))
    hint = "" if context.roots else "; name the folder of measured spectra with --data-root or XASUITE_DATA"
    raise ReadError(
        f'{loaded.at("data", index, "file")}: data "{entry.label}": no file {name} in {tried}{hint}'
    )


def resolve_row(loaded: LoadedSpec, index: int, settings: Reduce, context: Context) -> Row:
    """One row: read or simulated, then reduced to chi(k) by the spec's settings."""
    entry = loaded.spec.data[index]
    truth = None
    if entry.simulate is not None:
        from .simulated import simulate_row

        simulated = simulate_row(loaded, index)
        spectrum, truth, kind, origin = simulated.spectrum, simulated.truth, CLOSURE, "simulated"
    else:
        spectrum, origin = read_entry(loaded, index, context)
        kind = MEASURED
    norm, chi = reduce_row(spectrum, settings, entry)
    if why := other_edge(norm):
        raise SpecError(f'{loaded.at("data", index)}: data "{entry.label}": {why}')
    return Row(entry.label, kind, replace(chi, label=entry.label), norm, origin, truth)


def read_entry(loaded: LoadedSpec, index: int, context: Context) -> tuple[Spectrum, str]:
    """The measured spectrum of a row and where it came from."""
    from .. import io

    entry = loaded.spec.data[index]
    element, edge = loaded.spec.absorber(index)
    name = example_file(loaded, index) if entry.example else find_file(loaded, entry, index, context)
    scan = io.read(name, mu=entry.mu, reference=entry.reference)
    if scan.element and scan.element != element:
        raise SpecError(
            f'{loaded.at("data", index)}: data "{entry.label}" is a {scan.element} {scan.edge} scan, '
            f"the spec says {element} {edge}"
        )
    spectrum = replace(scan.mu(), element=element, edge=edge, label=entry.label)
    return spectrum, entry.source or str(spectrum.source)


def example_file(loaded: LoadedSpec, index: int) -> str:
    """A file that an installed package ships, found without importing the package.

    Raises ReadError saying what to install.
    """
    import importlib.metadata

    entry = loaded.spec.data[index]
    assert entry.example is not None
    package, _, name = entry.example.partition(":")
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return str(file.locate())
    raise ReadError(
        f'{loaded.at("data", index, "example")}: data "{entry.label}": {name} comes with the package {package}, '
        "which is not installed; pip install 'xasuite[examples]'"
    )


def reduce_row(spectrum: Spectrum, settings: Reduce, entry: Data) -> tuple[Normalized, Chi]:
    """mu(E) to chi(k) by a spec's [reduce]."""
    from .. import reduce as steps

    if settings.deglitch:
        spectrum = steps.deglitch(spectrum, settings.deglitch)
    if settings.rebin:
        spectrum = steps.rebin(spectrum)
    norm = steps.normalize(
        spectrum,
        e0=entry.e0 if entry.e0 is not None else settings.e0,
        pre=settings.pre,
        norm=settings.norm,
        nnorm=settings.nnorm,
        method=settings.method,
    )
    chi = steps.background(
        norm,
        rbkg=settings.rbkg,
        kweight=settings.bkg_kweight,
        k=settings.bkg_k,
        dk=settings.bkg_dk,
        window=settings.bkg_window,
        clamp=settings.clamp,
    )
    return norm, chi


def resolve_model(loaded: LoadedSpec, context: Context, variant: Variant | None = None) -> Model:
    """The model of a spec, or of one of its variants."""
    spec = loaded.spec
    fit = (
        spec.fit
        if variant is None
        else type(spec.fit).model_validate({**spec.fit.model_dump(), **variant.fit})
    )
    tables = dict(spec.params) | (dict(variant.params) if variant else {})
    paths = tuple(
        _path(loaded, i, table, *spec.absorber_of(table.data), context) for i, table in enumerate(spec.path)
    )
    params = tuple(_parameter(loaded, name, p, context, fit) for name, p in tables.items())
    ranges = FitRange(
        fit.k, fit.r, tuple(fit.kweight), fit.space, fit.window, fit.dk, fit.dk2, fit.dr, fit.rwindow
    )
    return Model(params, paths, ranges)


def _parameter(loaded: LoadedSpec, name: str, p: Param, context: Context, fit: Any) -> Parameter:
    if p.from_ is not None:
        value, stderr, origin = inherited(loaded, name, p, context, fit)
        return Parameter(name, value, vary=False, stderr=stderr, origin=origin)
    if p.expr is not None:
        return Parameter(name, vary=False, expr=parse_expression(p.expr), each=p.each)
    if p.value is not None:
        return Parameter(name, p.value, vary=False, stderr=p.stderr, origin="given" if p.stderr else "")
    assert p.guess is not None
    return Parameter(name, p.guess, True, p.min, p.max, each=p.each)


def foil_spec(loaded: LoadedSpec, name: str, p: Param) -> Path:
    """The spec that a parameter comes from. Raises SpecError."""
    assert p.from_ is not None
    for place in (loaded.path.parent, loaded.path.parent.parent, fits_dir()):
        if (place / p.from_).is_file():
            return (place / p.from_).resolve()
    raise SpecError(
        f'{loaded.at("params", name)}: [params]: {name}: from = "{p.from_}" is no spec beside this one, above it '
        f"or in {fits_dir()}"
    )


def inherited(
    loaded: LoadedSpec, name: str, p: Param, context: Context, fit: Any, trail: tuple[Path, ...] = ()
) -> tuple[float, float, str]:
    """Value, standard error and origin of a parameter that another spec's fit determines."""
    path = foil_spec(loaded, name, p)
    _no_ring(loaded, path)
    result = _fitted(str(path), str(context.data_root) if context.data_root else None)
    row = result.rows[0] if p.row is None else result.row(p.row)
    try:
        found = row.parameter(p.param or "")
    except KeyError:
        known = ", ".join(q.name for q in row.parameters)
        raise SpecError(
            f'{loaded.at("params", name)}: [params]: {name}: {path.name} has no parameter "{p.param}"; '
            f"there are {known}"
        ) from None
    _warn_of_ranges(loaded, name, row.model.range, fit, path)
    return found.value.value, found.value.stderr, f"{path.parent.name}/{path.name} {row.label}"


def _warn_of_ranges(loaded: LoadedSpec, name: str, foil: FitRange, fit: Any, path: Path) -> None:
    """An amplitude means what its k weight and ranges make it mean: say where the two differ."""
    differ = []
    if tuple(foil.kweight) != tuple(fit.kweight):
        differ.append(f"k weight {list(foil.kweight)} there, {list(fit.kweight)} here")
    if foil.k != tuple(fit.k):
        differ.append(f"k {list(foil.k)} there, {list(fit.k)} here")
    if differ:
        warnings.warn(
            f"{loaded.path.name}: {name} comes from {path.name} with other ranges ({'; '.join(differ)}): "
            "an amplitude does not carry over between them unchanged",
            XasuiteWarning,
            stacklevel=2,
        )


def _no_ring(loaded: LoadedSpec, path: Path) -> None:
    trail = [loaded.path.resolve()]
    todo = [path]
    while todo:
        here = todo.pop()
        if here == trail[0]:
            raise SpecError(
                f"{loaded.path.name}: its parameters come from {path.name}, which comes back to it: a ring"
            )
        if here in trail:
            continue
        trail.append(here)
        other = load_spec(here)
        todo += [foil_spec(other, n, q) for n, q in other.spec.params.items() if q.from_ is not None]


@lru_cache(maxsize=64)
def _fitted(path: str, data_root: str | None) -> Any:
    from .run import run_spec

    return run_spec(load_spec(path), Context(Path(data_root) if data_root else None), variants=False)


def _path(
    loaded: LoadedSpec, index: int, table: PathTable, element: str, edge: str, context: Context
) -> PathModel:
    try:
        feff = find_path(loaded, table, element, edge, context)
    except SpecError:
        raise
    except XasuiteError as exc:
        raise type(exc)(f'{loaded.at("path", index)}: path "{table.label}": {exc}') from None
    n = table.n if table.n is not None else feff.degen
    values = {
        q: parse_expression(getattr(table, q)) for q in ("s02", "e0", "deltar", "sigma2", "third", "fourth")
    }
    return PathModel(table.label, feff, parse_expression(n), data=table.data, **values)


def find_path(
    loaded: LoadedSpec, table: PathTable, element: str, edge: str, context: Context | None = None
) -> FeffPath:
    """The FEFF path a [[path]] names."""
    context = context or Context()
    if table.feff is not None:
        places = [loaded.path.parent, *context.roots, Path.cwd()]
        return read_feff_dat(next((p / table.feff for p in places if (p / table.feff).exists()), table.feff))
    from .. import feff

    crystal = structure(loaded, table)
    paths = feff.find_paths(
        crystal,
        absorber=table.absorber or element,
        edge=edge,
        radius=table.radius,
        site=table.site,
        program=table.program,
        scf=table.scf,
    )
    return feff.select(paths, scatterer=table.scatterer, shell=table.shell or 1, path=table.path)


def structure(loaded: LoadedSpec, table: Any) -> Any:
    """The crystal or cluster a table names: beside the spec, or among the references."""
    from .. import feff

    name = f"amcsd:{table.amcsd}" if table.amcsd is not None else (table.crystal or table.cluster)
    local = loaded.path.parent / str(name)
    return feff.load_crystal(str(local) if local.is_file() else name)


def source_of(row: Row) -> Source:
    """Where a row's data came from."""
    return row.chi.source
