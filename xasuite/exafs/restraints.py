"""Restraints as expressions of parameters only: values of paths and bond-valence sums are filled in."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ..choices import PATH_VALUES
from ..errors import FitError, nearest
from ..expressions import VALENCE_SUM, Expression, term
from ..feff.paths import FeffPath
from ..references import references_dir
from .model import Model, PathModel, Restraint

Codes = tuple[tuple[str, Any], ...]
# largest difference between a valence and the listed one whose parameters are used
_NEAREST = 0.5


@dataclass(frozen=True)
class BondValence:
    """Bond-valence parameters of a cation with an anion: valence of a bond = exp((r0 - r) / b), r0 and b in A."""

    cation: str
    valence: int | None
    anion: str
    r0: float
    b: float
    source: str

    def __str__(self) -> str:
        charge = "" if self.valence is None else f"{self.valence}+"
        return f"{self.cation}{charge}-{self.anion}: r0 = {self.r0:g} A, b = {self.b:g} A ({self.source})"


@lru_cache(maxsize=1)
def bond_valences() -> tuple[BondValence, ...]:
    """The published parameters of references/bond_valence.csv."""
    lines = (references_dir() / "bond_valence.csv").read_text(encoding="utf-8").splitlines()
    sources = {"a": "Brown and Altermatt 1985", "b": "Brese and O'Keeffe 1991"}
    _, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    return tuple(
        BondValence(cation, int(valence) if valence else None, anion, float(r0), float(b), sources[source])
        for cation, valence, anion, r0, b, source in rows
    )


def bond_valence(cation: str, valence: float, anion: str) -> BondValence:
    """The parameters of the cation with the valence nearest to `valence`. Raises FitError if there are none."""
    pair = [p for p in bond_valences() if p.cation == cation and p.anion == anion]
    known = sorted((p for p in pair if p.valence is not None), key=lambda p: abs((p.valence or 0) - valence))
    if known and abs((known[0].valence or 0) - valence) <= _NEAREST:
        return known[0]
    for p in pair:
        if p.valence is None:
            return p
    listed = ", ".join(f"{cation}{p.valence}+" for p in sorted(known, key=lambda p: p.valence or 0))
    has = f"; it has {listed}" if listed else ""
    raise FitError(
        f"references/bond_valence.csv has no parameters for {cation}{valence:g}+ with {anion}{has}; write the sum out: "
        f'n("label") * exp((r0 - r("label")) / 0.37)'
    )


def bond_strength(path: FeffPath) -> float | None:
    """The valence of the bond of a path at its length in the structure, with r0 and b averaged over valences; None without parameters."""
    pair = [p for p in bond_valences() if (p.cation, p.anion) == (path.absorber, path.scatterers[0])]
    if not pair or path.nleg != 2:
        return None
    r0, b = (sum(x) / len(pair) for x in zip(*((p.r0, p.b) for p in pair), strict=True))
    return math.exp((r0 - path.crystal[1]) / b)


def bound(
    restraint: Restraint, paths: Sequence[PathModel], names: Mapping[str, str] | None = None
) -> Restraint:
    """The restraint as an expression of parameters; `names` are new names for some of them.

    Raises FitError for an unknown path or a bond without bond-valence parameters.
    """
    codes: list[tuple[str, Any]] = []
    notes: list[str] = []
    changed = names or {}
    for op, argument in restraint.that.program:
        found = term(argument) if op == "name" else None
        if found is None:
            codes.append((op, changed.get(argument, argument) if op == "name" else argument))
        elif found[0] == VALENCE_SUM:
            codes += _valence_sum(restraint, found[1], paths, notes)
        else:
            codes += _value(restraint, found[0], _path(restraint, found[1][0], paths))
    used = frozenset(a for op, a in codes if op == "name")
    note = restraint.note or "; ".join(dict.fromkeys(notes))
    return replace(restraint, that=Expression(restraint.that.text, used, tuple(codes)), note=note)


def with_bound(model: Model) -> Model:
    """The model with its restraints as expressions of its parameters, so that later changes of its paths do not affect them."""
    return replace(model, restraints=tuple(bound(r, model.paths) for r in model.restraints))


def _path(restraint: Restraint, label: str, paths: Sequence[PathModel]) -> PathModel:
    for p in paths:
        if p.label == label:
            return p
    raise FitError(f"restraint {restraint}: no path {label!r}{nearest(label, [p.label for p in paths])}")


def _value(restraint: Restraint, quantity: str, path: PathModel) -> Codes:
    """The operations that compute n, sigma2 ... or r of a path."""
    if quantity in PATH_VALUES:
        expression: Expression = getattr(path, quantity)
        return expression.program
    return ("const", path.feff.reff), *path.deltar.program, ("add", None)


def _valence_sum(
    restraint: Restraint, given: Sequence[Any], paths: Sequence[PathModel], notes: list[str]
) -> Codes:
    """The operations that compute the sum of n exp((r0 - r) / b) over the named paths, or over all paths to anions."""
    valence = given[0] if given and not isinstance(given[0], str) else restraint.value
    labels = [a for a in given if isinstance(a, str)]
    chosen = [_path(restraint, label, paths) for label in labels] or list(_to_anions(paths))
    if not chosen:
        raise FitError(
            f"restraint {restraint}: no path leads to an anion; name the paths in valence_sum(...)"
        )
    codes: Codes = (("const", 0.0),)
    for p in chosen:
        if p.feff.nleg != 2:
            raise FitError(f"restraint {restraint}: {p.label} is no bond but a path of {p.feff.nleg} legs")
        bond = bond_valence(p.feff.absorber, float(valence), p.feff.scatterers[0])
        notes.append(str(bond))
        r = _value(restraint, "r", p)
        exponent: Codes = (
            ("const", bond.r0),
            *r,
            ("sub", None),
            ("const", bond.b),
            ("div", None),
            ("call", "exp"),
        )
        codes = (*codes, *p.n.program, *exponent, ("mul", None), ("add", None))
    return codes


def _to_anions(paths: Sequence[PathModel]) -> Iterator[PathModel]:
    pairs = {(b.cation, b.anion) for b in bond_valences()}
    return (p for p in paths if p.feff.nleg == 2 and (p.feff.absorber, p.feff.scatterers[0]) in pairs)
