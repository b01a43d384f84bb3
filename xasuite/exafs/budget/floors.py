"""What no spectrum of its own can show: potentials, energy scale, edge step, third cumulant, as changes of the model.

Each is fitted to the same data: the shift of everything is its standard error. The sizes and where
they come from are in docs/decisions/error_budget.md.
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

# potentials against potentials, for a shell whose amplitude is carried over from another compound's; R in A, sigma2 in A^2
_ALONE = 0.063, 0.001, 0.45e-3
# half of what potentials differ by among those of which the estimate is a mean, in other compounds than the one at hand
_AMONG = 0.016, 0.9e-3, 0.17e-3
# R (A) of a path whose Fermi level is freed from that of another structure: between the root mean square and the worst of
# nine oxides beside their metals
DISTANCE_FREED = 0.005
# standard deviation of E - E0 between beamlines, as a share of it
ENERGY_SCALE = 0.004
# linear thermal expansion, 1/K, quoted from memory: of a bond to oxygen this over its strength in valence units (R. M. Hazen and L. W. Finger,
# Comparative Crystal Chemistry, Wiley 1982: 4.0(4)e-6 n / (S^2 z+ z-), with S^2 = 0.5 and z- = 2), of others that of metals
_EXPANSION_TO_OXYGEN, _EXPANSION = 4.0e-6, 1e-5

# between the Fermi levels of two structures' potentials, eV: self-consistent ones move it by up to 8
LEVEL = 10.0
_FREED = "e0_level_"

_NONE = parse(0.0)
# a cause, and the numbers of the changed model (`changeable`) that are not zero
Change = tuple[str, dict[str, float]]
# the third cumulant that thermal expansion gives bonds of their sigma2, all of it thermal
ANHARMONIC = {"changed_third": 1.0}


def changed_names(model: Model) -> list[str]:
    """The names of what can be changed of a model: amplitude (as a share), R (A), sigma2 (A^2) of each path, and the third cumulant."""
    return [*ANHARMONIC, *(_name(q, i) for q in ("n", "r", "sigma2") for i in range(len(model.paths)))]


def _name(quantity: str, path: int) -> str:
    return f"changed_{quantity}_{path}"


def expansion(path: FeffPath, temperature: float) -> float:
    """The thermal elongation (A) of a path at a temperature in K; its third cumulant, where sigma2 is all thermal, is 2 sigma2 times it.

    A. I. Frenkel and J. J. Rehr, Phys. Rev. B 48, 585 (1993), classical limit; their quantum one is 10 to 20 % more for a
    bond to oxygen at 300 K.
    """
    strength = bond_strength(path) if path.scatterers == ("O",) else None
    coefficient = _EXPANSION if strength is None else _EXPANSION_TO_OXYGEN / strength
    return coefficient * temperature * path.reff


def changeable(model: Model, temperatures: Sequence[float]) -> Model:
    """The model whose paths, with samples at `temperatures` (np,) in K, also depend on `changed_names`; all of them 0 is the model itself."""

    def path(i: int, p: PathModel) -> PathModel:
        amplitude, distance, disorder, third = (
            parse(name) for name in (*(_name(q, i) for q in ("n", "r", "sigma2")), *ANHARMONIC)
        )
        thermal = _times(_times(p.sigma2, parse(repr(2 * expansion(p.feff, temperatures[i])))), third)
        if p.third.program != _NONE.program:  # what the model itself says of it
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
        # E - E0 off by x: k by x / 2, R by -x / 2; the edge step and the amplitude by 2 x (measured)
        at = [i for i, b in enumerate(beamline) if b == number]
        far = {_name("r", i): 0.5 * scale * model.paths[i].feff.reff for i in at}
        yield "energy scale", dict.fromkeys((amplitudes[i] for i in at), 2 * scale) | far
    varied = {q.name for q in model.params if q.vary or q.expr is not None}
    freed = {q.name for q in model.params if q.name.startswith(_FREED)}
    # several data sets may have one path, whose potentials are wrong in all of them alike
    alike: dict[tuple[str, int, float], list[int]] = {}
    for i, p in enumerate(model.paths):
        alike.setdefault((p.feff.origin, p.feff.index, p.feff.reff), []).append(i)
    count = len(spectra.others)
    amplitude, distance, disorder = (x / math.sqrt(count) for x in _AMONG) if count > 1 else _ALONE
    distance_freed = DISTANCE_FREED / math.sqrt(max(count, 1))
    for at in alike.values():
        paths = [model.paths[i] for i in at]
        # a free S02 is by its definition what makes the amplitude right
        if not any(p.s02.names & varied for p in paths):
            yield "potentials", {amplitudes[i]: amplitude for i in at}
        off = distance_freed if any(p.e0.names & freed for p in paths) else distance
        yield "potentials", {_name("r", i): off for i in at}
        yield "potentials", {_name("sigma2", i): disorder for i in at}


def released(model: Model, sets: int = 1) -> Model:
    """The model of so many data sets with the E0 of each structure free, where paths of several runs of FEFF share one.

    FEFF counts k from the Fermi level of its own potentials: a shared E0 takes those of two structures to be equally
    wrong, and they differ by several eV, which R of the lighter atom takes up. Left as it is where the fit has no
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
    """The model with the paths of other potentials. E0 has no bounds: it is counted from the Fermi level of the potentials."""
    free = levels(model)
    return replace(
        model,
        params=tuple(replace(p, min=-math.inf, max=math.inf) if p.name in free else p for p in model.params),
        paths=tuple(replace(p, feff=feff) for p, feff in zip(model.paths, paths, strict=True)),
    )


def levels(model: Model) -> frozenset[str]:
    """The names of the parameters that E0 of any path depends on."""
    return frozenset().union(*(p.e0.names for p in model.paths))


def own_share(count: int) -> float:
    """What deviations of `count` potentials from their mean are multiplied by: any of them may be right, and their quadrature sum is then the variance.

    That they may differ little by chance is what the sizes of other compounds (`changes`) are added for, by half of their variance
    where there are two.
    """
    return 1 / math.sqrt(count)


def _times(a: Expression, b: Expression) -> Expression:
    return _joined(a, b, "mul", "*")


def _plus(a: Expression, b: Expression) -> Expression:
    return _joined(a, b, "add", "+")


def _joined(a: Expression, b: Expression, operation: str, sign: str) -> Expression:
    """By their programs: a row's variables and a path's own tokens are in these as numbers, and in the text by name."""
    return Expression(
        f"({a.text}) {sign} ({b.text})", a.names | b.names, (*a.program, *b.program, (operation, None))
    )
