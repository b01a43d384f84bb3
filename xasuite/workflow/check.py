"""Checking a spec against data and structures before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from ..errors import ReadError, SpecError, XasuiteError, nearest
from ..notices import collected, warn
from ..specs.load import LoadedSpec
from ..specs.published import table_of
from ..specs.schema import Param
from .paths import find_path, shells_paths
from .resolve import Context, ancestor, inherited, parameters, resolve_row

# A k range may end this far beyond the data (1/A): a number read off a plot, 18.06 for data to 18.0599
ROUNDED = 0.05


def check_spec(loaded: LoadedSpec, context: Context | None = None) -> list[str]:
    """Check a spec against data and structures: raises SpecError with all mistakes, returns the warnings.

    Checked besides the text: the published table and its rows, the specs that parameters come from (each to
    its end, and whether its fit is good), crystals, data files and their groups, k ranges against the data.
    Warnings are about ranges that differ from a foil's, a foil whose data are missing, and choices that bias the result.

    Parameters
    ----------
    loaded : LoadedSpec
        Of `load_spec`.
    context : Context, optional
        Where data are looked for; left out, the spec's folder and XASUITE_DATA.

    Returns
    -------
    list of str
        The warnings, a sentence each.

    Examples
    --------
    >>> from xasuite.references import fits_dir
    >>> from xasuite.specs import load_spec
    >>> from xasuite.workflow import check_spec
    >>> check_spec(load_spec(fits_dir() / "foils" / "co_foil_closure.toml"))
    []
    """
    context = context or Context()
    spec, mistakes = loaded.spec, _published(loaded)

    def try_(step: Callable[[], object], where: str) -> None:
        try:
            step()
        except XasuiteError as exc:
            said = exc.mistakes if isinstance(exc, SpecError) else [str(exc)]
            name = loaded.path.name
            mistakes.extend(m if m.startswith(f"{name}:") else f"{where}: {m}" for m in said)

    with collected() as heard:
        taken = [
            (n, p) for params in (spec.params, *(v.params for v in spec.variant)) for n, p in params.items()
        ]
        for name, p in taken:
            if p.from_ is not None:
                try_(lambda n=name, p=p: ancestor(loaded, n, p), "")  # type: ignore[misc]
        for name, p in spec.params.items():
            if p.from_ is not None and not mistakes:
                try_(lambda n=name, p=p: _source(loaded, n, p, context), "")  # type: ignore[misc]
        if not mistakes and any(isinstance(p.guess, str) for p in spec.params.values()):
            try_(lambda: _starts(loaded, context), "")
        for i in range(len(spec.path)):
            try_(lambda i=i: find_path(loaded, i, context), loaded.path.name)  # type: ignore[misc]
        try_(lambda: shells_paths(loaded), loaded.path.name)
        for i, entry in enumerate(spec.data):
            if entry.simulate is None:
                where = f'{loaded.at("data", i)}: data "{entry.label}"'
                try_(lambda i=i: _ranges(loaded, i, context), where)  # type: ignore[misc]
    if mistakes:
        raise SpecError(list(dict.fromkeys(mistakes)))
    return list(dict.fromkeys([*heard, *biases(loaded)]))


# fits that begin below this reach what background removal changes (A); the study's limits for its warnings
_SHORT = 1.5
_HIGH_RBKG = 1.05


def biases(loaded: LoadedSpec) -> Iterator[str]:
    """Choices that the closure study shows to move N of a first shell (docs/decisions/background.md)."""
    reduce, fit = loaded.spec.reduce, loaded.spec.fit
    if reduce.rbkg > fit.r[0] + 0.05:
        yield (
            f"{loaded.at('reduce', 'rbkg')}: rbkg = {reduce.rbkg:g} A reaches into the fit, which begins at "
            f"{fit.r[0]:g} A: the background takes part of the first shell; lower rbkg or raise r"
        )
    if fit.r[0] >= _SHORT:
        return
    where = "in the closure study of metal-oxygen shells near 2 A"
    if reduce.bkg_kweight < 2:
        yield (
            f"{loaded.at('reduce', 'bkg_kweight')}: bkg_kweight = {reduce.bkg_kweight} moves N by -0.6 to +4.2 {where}; "
            "take 2 or 3"
        )
    if reduce.rbkg > _HIGH_RBKG:
        yield (
            f"{loaded.at('reduce', 'rbkg')}: rbkg = {reduce.rbkg:g} A moves N by -0.7 to +0.8 {where}; take 0.8 to 1.0"
        )
    if fit.dk < 1:
        yield (
            f"{loaded.at('fit', 'dk')}: dk = {fit.dk:g} lets farther shells leak in: N moves by -0.2 to -0.5 {where}; "
            "take 2 to 4"
        )


def _source(loaded: LoadedSpec, name: str, p: Param, context: Context) -> None:
    """Fits the spec that a parameter comes from. Raises SpecError where that fit is not good; warns of absent data."""
    try:
        inherited(loaded, name, p, context, loaded.spec.fit)
    except ReadError as exc:
        warn(f"{loaded.at('params', name)}: [params]: {name}: {exc}")


def _starts(loaded: LoadedSpec, context: Context) -> None:
    """Evaluates the guesses that are expressions. Raises SpecError where one is no number; absent data are warned of elsewhere."""
    with suppress(ReadError):
        parameters(loaded, context)


def _published(loaded: LoadedSpec) -> list[str]:
    if not loaded.spec.reproduces:
        return []
    try:
        table = table_of(loaded)
    except SpecError as exc:
        return [f"{loaded.at('reproduces')}: {exc}"]
    rows = {c.row for c in table.cell}
    return [
        f'{loaded.at("data", i)}: data "{e.label}": {loaded.spec.reproduces} has no row "{e.published_row}"{nearest(e.published_row, rows)}'
        for i, e in enumerate(loaded.spec.data)
        if e.published_row not in rows
    ]


def _ranges(loaded: LoadedSpec, index: int, context: Context) -> None:
    """Reads and reduces a row. Raises SpecError for a k range that goes beyond its data."""
    end = float(resolve_row(loaded, index, loaded.spec.reduce, context).chi.k[-1])
    kmin, kmax = loaded.spec.fit.k
    if kmax > end + ROUNDED:
        raise SpecError(
            f'{loaded.at("fit", "k")}: [fit]: k = [{kmin:g}, {kmax:g}] goes beyond data "{loaded.spec.data[index].label}", '
            f"which end at {end:.2f} 1/A; set kmax to {int(end * 10) / 10:g} or less"
        )
