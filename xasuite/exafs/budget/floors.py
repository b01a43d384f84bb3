"""What no spectrum of its own can show: potentials, energy scale, edge step, third cumulant, as changes of the model.

Each is one changed model, fitted to the same data: the shift of everything is its standard error. The sizes and where
they come from are in docs/decisions/error_budget.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ...expressions import Expression, parse
from ..model import Model, Parameter, PathModel

# potentials against potentials, for a shell whose amplitude is carried over from another compound's; R in A, sigma2 in A^2
AMPLITUDE, DISTANCE, DISORDER = 0.063, 0.001, 0.45e-3
# R of a path whose Fermi level is freed from that of another structure
DISTANCE_FREED = 0.005
# standard deviation of E - E0 between beamlines, as a share of it
ENERGY_SCALE = 0.004
# thermal elongation of a bond over its length, about 1e-5 1/K at 300 K: the third cumulant is 2 sigma2 times it
ELONGATION = 0.003

# between the Fermi levels of two structures' potentials, eV: self-consistent ones move it by up to 8
LEVEL = 10.0
_FREED = "e0_level_"

Change = tuple[str, Model]  # the cause, and the model changed by one standard error


def changes(model: Model, step_error: float, energy_scale: float) -> Iterator[Change]:
    """The changed models.

    Parameters
    ----------
    model : Model
    step_error : float
        Standard error of the edge step, or of its ratio to the foil's, as a share of it.
    energy_scale : float
        That of E - E0; 0 where the scale is exact.
    """
    yield "edge step", _each(model, lambda p: replace(p, s02=_times(p.s02, 1 + step_error)))
    if energy_scale > 0:
        # E - E0 off by x: k by x / 2, R by -x / 2; the edge step and the amplitude by 2 x (measured)
        yield (
            "energy scale",
            _each(
                model,
                lambda p: replace(
                    p,
                    deltar=_plus(p.deltar, parse(0.5 * energy_scale * p.feff.reff)),
                    s02=_times(p.s02, 1 + 2 * energy_scale),
                ),
            ),
        )
    varied = {q.name for q in model.params if q.vary or q.expr is not None}
    freed = {q.name for q in model.params if q.name.startswith(_FREED)}
    for i, path in enumerate(model.paths):
        # a free S02 is by its definition what makes the amplitude right
        if not path.s02.names & varied:
            yield "potentials", _one(model, i, replace(path, s02=_times(path.s02, 1 + AMPLITUDE)))
        yield (
            "potentials",
            _one(
                model,
                i,
                replace(
                    path,
                    deltar=_plus(path.deltar, parse(DISTANCE_FREED if path.e0.names & freed else DISTANCE)),
                ),
            ),
        )
        yield "potentials", _one(model, i, replace(path, sigma2=_plus(path.sigma2, parse(DISORDER))))


def anharmonic(model: Model) -> Model:
    """The model with the third cumulant that thermal expansion gives a bond of this sigma2, all of it thermal."""
    return _each(
        model, lambda p: replace(p, third=_plus(p.third, _times(p.sigma2, 2 * ELONGATION * p.feff.reff)))
    )


def released(model: Model) -> Model:
    """The model with the E0 of each structure free, where paths of several runs of FEFF share one.

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
    if not own or model.range.n_idp < len(varied) + len(own) + 1:
        return model
    params = (*model.params, *(Parameter(names[o], 0.0, True, -LEVEL, LEVEL) for o in own))
    paths = tuple(
        replace(p, e0=_plus(p.e0, parse(names[p.feff.origin])))
        if p.feff.origin in own and p.e0.names & shared
        else p
        for p in model.paths
    )
    return replace(model, params=params, paths=paths)


def _each(model: Model, change: Callable[[PathModel], PathModel]) -> Model:
    return replace(model, paths=tuple(change(p) for p in model.paths))


def _one(model: Model, index: int, path: PathModel) -> Model:
    return replace(model, paths=(*model.paths[:index], path, *model.paths[index + 1 :]))


def _times(a: Expression, factor: float) -> Expression:
    return _joined(a, parse(repr(factor)), "mul", "*")


def _plus(a: Expression, b: Expression) -> Expression:
    return _joined(a, b, "add", "+")


def _joined(a: Expression, b: Expression, operation: str, sign: str) -> Expression:
    """By their programs: a row's variables and a path's own tokens are in these as numbers, and in the text by name."""
    return Expression(
        f"({a.text}) {sign} ({b.text})", a.names | b.names, (*a.program, *b.program, (operation, None))
    )
