"""Checking a spec against data and structures before anything is fitted."""

from __future__ import annotations

import warnings

from ..errors import ReadError, SpecError, XasuiteError, XasuiteWarning
from ..spec.load import LoadedSpec, nearest
from ..spec.published import table_of
from .resolve import Context, find_path, foil_spec, resolve_row


def check_spec(loaded: LoadedSpec, context: Context | None = None) -> list[str]:
    """Everything that would stop a spec or mislead its reader; raises SpecError with all of the first kind.

    Checked beyond the text: the published table and its rows, the specs that parameters come from, crystals,
    data files, k ranges against the data. Returned are the warnings: data that are not there, ranges that
    differ from a foil's, choices that bias.
    """
    context = context or Context()
    mistakes: list[str] = []
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XasuiteWarning)
        mistakes += _published(loaded)
        mistakes += _inheritance(loaded)
        mistakes += _structures(loaded, context)
        if not mistakes:
            wrong, absent = _data(loaded, context)
            mistakes += wrong
            said += absent
    if mistakes:
        raise SpecError(mistakes)
    said += [str(w.message) for w in caught if issubclass(w.category, XasuiteWarning)]
    said += biases(loaded)
    return list(dict.fromkeys(said))


# fits that begin below this reach what background removal changes (A); the study's limits for its warnings
_SHORT = 1.5
_HIGH_RBKG = 1.05


def biases(loaded: LoadedSpec) -> list[str]:
    """Choices that the closure study shows to move N of a first shell (docs/decisions/background.md)."""
    spec = loaded.spec
    said = []
    if spec.reduce.rbkg > spec.fit.r[0] + 0.05:
        said.append(
            f"{loaded.at('reduce', 'rbkg')}: rbkg = {spec.reduce.rbkg:g} A reaches into the fit, which begins at "
            f"{spec.fit.r[0]:g} A: the background takes part of the first shell; lower rbkg or raise r"
        )
    if spec.fit.r[0] >= _SHORT:
        return said
    where = "in the closure study of metal-oxygen shells near 2 A"
    if spec.reduce.bkg_kweight < 2:
        said.append(
            f"{loaded.at('reduce', 'bkg_kweight')}: bkg_kweight = {spec.reduce.bkg_kweight} moves N by -0.6 to +4.2 {where}; "
            "take 2 or 3"
        )
    if spec.reduce.rbkg > _HIGH_RBKG:
        said.append(
            f"{loaded.at('reduce', 'rbkg')}: rbkg = {spec.reduce.rbkg:g} A moves N by -0.7 to +0.8 {where}; take 0.8 to 1.0"
        )
    if spec.fit.dk < 1:
        said.append(
            f"{loaded.at('fit', 'dk')}: dk = {spec.fit.dk:g} lets farther shells leak in: N moves by -0.2 to -0.5 {where}; "
            "take 2 to 4"
        )
    return said


def _published(loaded: LoadedSpec) -> list[str]:
    if not loaded.spec.reproduces:
        return []
    try:
        table = table_of(loaded)
    except SpecError as exc:
        return [f"{loaded.at('reproduces')}: {exc}"]
    found = []
    rows = {c.row for c in table.cell}
    for i, entry in enumerate(loaded.spec.data):
        name = entry.published or (entry.simulate.row if entry.simulate else entry.label)
        if name not in rows:
            found.append(
                f'{loaded.at("data", i)}: data "{entry.label}": {loaded.spec.reproduces} has no row "{name}"'
                f"{nearest(name, rows)}"
            )
    return found


def _inheritance(loaded: LoadedSpec) -> list[str]:
    found = []
    for name, p in loaded.spec.params.items():
        if p.from_ is None:
            continue
        try:
            foil_spec(loaded, name, p)
        except SpecError as exc:
            found += exc.mistakes
    return found


def _structures(loaded: LoadedSpec, context: Context) -> list[str]:
    found = []
    for i, table in enumerate(loaded.spec.path):
        try:
            find_path(loaded, table, *loaded.spec.absorber_of(table.data), context)
        except XasuiteError as exc:
            found.append(f'{loaded.at("path", i)}: path "{table.label}": {exc}')
    return found


def _data(loaded: LoadedSpec, context: Context) -> tuple[list[str], list[str]]:
    """Mistakes of the data against the ranges, and rows whose data are not there."""
    wrong, absent = [], []
    kmin, kmax = loaded.spec.fit.k
    for i, entry in enumerate(loaded.spec.data):
        if entry.simulate is not None:
            continue
        try:
            row = resolve_row(loaded, i, loaded.spec.reduce, context)
        except ReadError as exc:
            absent.append(str(exc))
            continue
        except XasuiteError as exc:
            wrong.append(f'{loaded.at("data", i)}: data "{entry.label}": {exc}')
            continue
        end = float(row.chi.k[-1])
        if kmax > end + 1e-9:
            wrong.append(
                f'{loaded.at("fit", "k")}: [fit]: k = [{kmin:g}, {kmax:g}] goes beyond data "{entry.label}", '
                f"which end at {end:.2f} 1/A; set kmax to {int(end * 10) / 10:g} or less"
            )
    return wrong, absent
