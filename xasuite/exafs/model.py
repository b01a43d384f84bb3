"""The model of a fit: parameters, paths whose values are expressions of parameters, and ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..choices import PATH_VALUES
from ..constants import independent_points
from ..expressions import Expression, parse, term
from ..feff.paths import FeffPath
from .tokens import bound


@dataclass(frozen=True)
class Parameter:
    """One parameter: varied (`expr` None, `vary` True), fixed, or an expression of others.

    `stderr` is the standard error of a value taken over from another fit (S02 of a foil); it is propagated
    to the errors of the result. With `each` a fit of several data sets has one copy of the parameter per set.
    """

    name: str
    value: float = 0.0
    vary: bool = True
    min: float = -math.inf
    max: float = math.inf
    expr: Expression | None = None
    stderr: float = 0.0
    origin: str = ""
    each: bool = False


@dataclass(frozen=True)
class PathModel:
    """One path of the model: FEFF's path and an expression for each of its values.

    `n` replaces FEFF's degeneracy. deltar is in A, sigma2 and the third and fourth cumulants in A^2, A^3, A^4, e0 in
    eV, ei (imaginary part added to the energy) in eV, dphase (added to the phase) in rad. `data` is the label of the only data set
    that has the path ("" for all).
    """

    label: str
    feff: FeffPath
    n: Expression
    s02: Expression = field(default_factory=lambda: parse(1.0))
    e0: Expression = field(default_factory=lambda: parse(0.0))
    deltar: Expression = field(default_factory=lambda: parse(0.0))
    sigma2: Expression = field(default_factory=lambda: parse(0.0))
    third: Expression = field(default_factory=lambda: parse(0.0))
    fourth: Expression = field(default_factory=lambda: parse(0.0))
    ei: Expression = field(default_factory=lambda: parse(0.0))
    dphase: Expression = field(default_factory=lambda: parse(0.0))
    data: str = ""

    def __post_init__(self) -> None:
        for value in PATH_VALUES:
            object.__setattr__(self, value, bound(getattr(self, value), self.feff))

    def given(self, numbers: Mapping[str, float]) -> PathModel:
        """The path with numbers instead of some names in its expressions."""
        values: dict[str, Any] = {v: getattr(self, v).given(numbers) for v in PATH_VALUES}
        return replace(self, **values)

    @property
    def names(self) -> frozenset[str]:
        """The parameters and the variables of data sets that the path uses."""
        return frozenset().union(*(getattr(self, v).names for v in PATH_VALUES))


@dataclass(frozen=True)
class FitRange:
    """The range of a fit: k in 1/A and R in A (not corrected for phase), k weights, space, windows.

    With `background` a spline for the part below r[0] is refined in the fit, which then uses R from 0 to r[1].
    """

    k: tuple[float, float]
    r: tuple[float, float]
    kweight: tuple[int, ...] = (2,)
    space: str = "r"
    window: str = "hanning"
    dk: float = 1.0
    dk2: float | None = None
    dr: float = 0.0
    rwindow: str = "hanning"
    background: bool = False

    @property
    def n_idp(self) -> float:
        """Number of independent points, 1 + 2 dk dR / pi (Stern 1993; docs/decisions/n_idp.md); with `background` dR begins at 0."""
        return independent_points(self.k, (0.0, self.r[1]) if self.background else self.r)


@dataclass(frozen=True)
class Restraint:
    """A restraint: the expression `that` is known to be `value` with a standard deviation of `within`.

    ((that - value) / within)^2 is added to chi-square (docs/decisions/restraints.md). `that` may contain
    parameters, values of paths such as r("Co-O"), and valence_sum; `note` names the bond-valence parameters that were used.
    """

    that: Expression
    value: float
    within: float
    note: str = ""

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the paths in the expression."""
        found = (term(name) for name in self.that.names)
        return frozenset(a for t in found if t is not None for a in t[1] if isinstance(a, str))

    def __str__(self) -> str:
        return f"{self.that.text} = {self.value:g} within {self.within:g}"


@dataclass(frozen=True)
class Model:
    """Parameters, paths, ranges and restraints: the input of a fit, which a spec is resolved to."""

    params: tuple[Parameter, ...]
    paths: tuple[PathModel, ...]
    range: FitRange
    restraints: tuple[Restraint, ...] = ()

    @property
    def varied(self) -> tuple[Parameter, ...]:
        """The parameters that the fit varies."""
        return tuple(p for p in self.params if p.vary and p.expr is None)

    def of(self, label: str, variables: Mapping[str, Any] | None = None) -> Model:
        """The model of one data set: without paths of other sets, and with the numbers of its `variables`."""
        own = self.with_paths(p for p in self.paths if p.data in ("", label))
        known = {p.name for p in self.params}
        numbers = {n: float(v) for n, v in (variables or {}).items() if n not in known}
        return own.given(numbers) if numbers else own

    def with_paths(self, paths: Iterable[PathModel]) -> Model:
        """The model with other paths, and without restraints on paths that are not among them."""
        kept = tuple(paths)
        labels = {p.label for p in kept}
        return replace(self, paths=kept, restraints=tuple(r for r in self.restraints if r.labels <= labels))

    def given(self, numbers: Mapping[str, float]) -> Model:
        """The model with numbers instead of names that are not parameters."""
        return replace(
            self,
            params=tuple(
                p if p.expr is None else replace(p, expr=p.expr.given(numbers)) for p in self.params
            ),
            paths=tuple(p.given(numbers) for p in self.paths),
            restraints=tuple(replace(r, that=r.that.given(numbers)) for r in self.restraints),
        )

    @property
    def open_names(self) -> tuple[str, ...]:
        """Names in expressions that are not parameters: variables of the data sets, such as T."""
        used = frozenset().union(*(p.names for p in self.paths))
        used |= frozenset().union(*(p.expr.names for p in self.params if p.expr is not None))
        used |= {n for r in self.restraints for n in r.that.names if term(n) is None}
        return tuple(sorted(used - {p.name for p in self.params}))
