"""Errors that a spectrum itself cannot show: potentials, energy scale, edge step and third cumulant, as changes of the model.

Each changed model is fitted to the same data; the shift of the results is the standard error. The sizes of the changes and
their origin are in docs/decisions/error_budget.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...expressions import Expression, parse
from ...feff.paths import FeffPath
from ..model import Model, Parameter, PathModel
from ..restraints import bond_strength
from .record import EDGE_STEP
from .spectra import Spectra

# differences between potentials in amplitude (relative), R (A) and sigma2 (A^2), for a shell whose S02 comes from another compound
_ALONE = 0.063, 0.001, 0.45e-3
# half of the differences between several potentials, for an estimate that is their mean; determined on other compounds
_AMONG = 0.016, 0.9e-3, 0.17e-3
# error of R (A) for a path with its own E0, because its potentials are of another structure: between the root mean square and the
# largest difference found for nine oxides with their metals
DISTANCE_FREED = 0.005
# standard deviation of E - E0 between beamlines, as a share of E - E0
ENERGY_SCALE = 0.004
# linear thermal expansion, 1/K, quoted from memory. For a bond to oxygen it is the first number over the bond strength in valence units
# (R. M. Hazen and L. W. Finger, Comparative Crystal Chemistry, Wiley 1982: 4.0(4)e-6 n / (S^2 z+ z-), with S^2 = 0.5 and z- = 2), for
# other bonds it is that of metals
_EXPANSION_TO_OXYGEN, _EXPANSION = 4.0e-6, 1e-5

# largest difference in eV between the Fermi levels of the potentials of two structures; self-consistency shifts a level by up to 8
LEVEL = 10.0
_FREED = "e0_level_"

_NONE = parse(0.0)
# a cause, and the numbers of the changed model (`changeable`) that are not zero
Change = tuple[str, dict[str, float]]
# the third cumulant by thermal expansion, if sigma2 is all thermal
ANHARMONIC = {"changed_third": 1.0}


def changed_names(model: Model) -> list[str]:
    """The names of the possible changes of a model: the third cumulant, and amplitude (relative), R (A), sigma2 (A^2) of each path."""
    return [*ANHARMONIC, *(_name(q, i) for q in ("n", "r", "sigma2") for i in range(len(model.paths)))]


def _name(quantity: str, path: int) -> str:
    return f"changed_{quantity}_{path}"


def expansion(path: FeffPath, temperature: float) -> float:
    """The thermal elongation (A) of a path at a temperature in K; if sigma2 is all thermal, the third cumulant is 2 sigma2 times it.

    A. I. Frenkel and J. J. Rehr, Phys. Rev. B 48, 585 (1993), classical limit; their quantum result is 10 to 20 % larger for a
    bond to oxygen at 300 K.
    """
    strength = bond_strength(path) if path.scatterers == ("O",) else None
    coefficient = _EXPANSION if strength is None else _EXPANSION_TO_OXYGEN / strength
    return coefficient * temperature * path.reff


def changeable(model: Model, temperatures: Sequence[float]) -> Model:
    """The model with paths that also depend on `changed_names` (all 0: the model itself); `temperatures` (np,) of the samples in K."""

    def path(i: int, p: PathModel) -> PathModel:
        amplitude, distance, disorder, third = (
            parse(name) for name in (*(_name(q, i) for q in ("n", "r", "sigma2")), *ANHARMONIC)
        )
        thermal = _times(_times(p.sigma2, parse(repr(2 * expansion(p.feff, temperatures[i])))), third)
        if p.third.program != _NONE.program:  # the model has its own third cumulant
            thermal = _times(parse("0"), third)
        return replace(
            p,
            s02=_times(p.s02, _plus(amplitude, parse("1"))),
            deltar=_plus(p.deltar, distance),
            sigma2=_plus(p.sigma2, disorder),
            third=_plus(p.third, thermal),
        )

    return replace(model, paths=tuple(path(i, p) for i, p in enumerate(model.paths)))


def changes(spectra: Spectra) -> Iterator[Change]:
    """The changes of a model, each by one standard error."""
    model, scale = spectra.model, spectra.energy_scale
    amplitudes = [_name("n", i) for i in range(len(model.paths))]
    several = len(spectra.sources) > 1
    for cause, size in spectra.steps.items():
        own = min(spectra.own_step, size) if several and cause == EDGE_STEP else 0.0
        yield cause, dict.fromkeys(amplitudes, math.sqrt(size**2 - own**2))
        for one in dict.fromkeys(spectra.owner) if own > 0 else ():
            yield cause, {amplitudes[i]: own for i, owner in enumerate(spectra.owner) if owner == one}
    beamline = [spectra.beamline[owner] if spectra.beamline else 0 for owner in spectra.owner]
    for number in dict.fromkeys(beamline) if scale > 0 else ():
        # a relative error x of E - E0 changes k by x / 2, R by -x / 2, and edge step and amplitude by 2 x (measured)
        at = [i for i, b in enumerate(beamline) if b == number]
        far = {_name("r", i): 0.5 * scale * model.paths[i].feff.reff for i in at}
        yield "energy scale", dict.fromkeys((amplitudes[i] for i in at), 2 * scale) | far
    varied = {q.name for q in model.params if q.vary or q.expr is not None}
    freed = {q.name for q in model.params if q.name.startswith(_FREED)}
    # if several data sets have the same path, the error of its potentials is the same in all of them
    alike: dict[tuple[str, int, float], list[int]] = {}
    for i, p in enumerate(model.paths):
        alike.setdefault((p.feff.origin, p.feff.index, p.feff.reff), []).append(i)
    count = len(spectra.others)
    amplitude, distance, disorder = (x / math.sqrt(count) for x in _AMONG) if count > 1 else _ALONE
    distance_freed = DISTANCE_FREED / math.sqrt(max(count, 1))
    for at in alike.values():
        paths = [model.paths[i] for i in at]
        # a free S02 takes up the error of the amplitude
        if not any(p.s02.names & varied for p in paths):
            yield "potentials", {amplitudes[i]: amplitude for i in at}
        off = distance_freed if any(p.e0.names & freed for p in paths) else distance
        yield "potentials", {_name("r", i): off for i in at}
        yield "potentials", {_name("sigma2", i): disorder for i in at}


def released(model: Model, sets: int = 1) -> Model:
    """The model with a free E0 for each structure, if paths of several runs of FEFF share one E0; `sets` is the number of data sets.

    FEFF counts k from the Fermi level of its potentials. A shared E0 assumes the same error of this level for two structures, but
    they differ by several eV, which changes R of the lighter atom. The model is not changed if the fit has no
    independent point to spare.
    """
    first = max(model.paths, key=lambda p: p.feff.reff).feff.origin
    others = [o for o in dict.fromkeys(p.feff.origin for p in model.paths) if o != first]
    varied = {q.name for q in model.params if q.vary and q.expr is None}
    shared = frozenset().union(*(p.e0.names for p in model.paths if p.feff.origin == first)) & varied
    names = {o: f"{_FREED}{i}" for i, o in enumerate(others, 1)}
    own = [o for o in others if any(p.feff.origin == o and p.e0.names & shared for p in model.paths)]
    if not own or sets * model.range.n_idp < len(varied) + len(own) + 1:
        return model
    params = (*model.params, *(Parameter(names[o], 0.0, True, -LEVEL, LEVEL) for o in own))
    paths = tuple(
        replace(p, e0=_plus(p.e0, parse(names[p.feff.origin])))
        if p.feff.origin in own and p.e0.names & shared
        else p
        for p in model.paths
    )
    return replace(model, params=params, paths=paths)


def levelled(model: Model, paths: Sequence[FeffPath]) -> Model:
    """The model with paths of other potentials. E0 has no bounds, because it is counted from the Fermi level of the potentials."""
    free = levels(model)
    return replace(
        model,
        params=tuple(replace(p, min=-math.inf, max=math.inf) if p.name in free else p for p in model.params),
        paths=tuple(replace(p, feff=feff) for p, feff in zip(model.paths, paths, strict=True)),
    )


def levels(model: Model) -> frozenset[str]:
    """The names of the parameters on which E0 of any path depends."""
    return frozenset().union(*(p.e0.names for p in model.paths))


def own_share(count: int) -> float:
    """The factor for the deviations of `count` potentials from their mean: the sum of squares is then the variance, if any of them may be right.

    They may agree by chance; therefore the sizes found for other compounds are added (`changes`), with half of their variance for two
    potentials.
    """
    return 1 / math.sqrt(count)


def _times(a: Expression, b: Expression) -> Expression:
    return _joined(a, b, "mul", "*")


def _plus(a: Expression, b: Expression) -> Expression:
    return _joined(a, b, "add", "+")


def _joined(a: Expression, b: Expression, operation: str, sign: str) -> Expression:
    """Two expressions combined by their programs, in which variables and a path's own values are numbers; in the text they are names."""
    return Expression(
        f"({a.text}) {sign} ({b.text})", a.names | b.names, (*a.program, *b.program, (operation, None))
    )
