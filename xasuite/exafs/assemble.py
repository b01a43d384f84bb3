"""The records of a fit from its minimum: parameters with their state, paths, curves, warnings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..choices import PATH_VALUES
from ..records import Array, Chi
from .engine.kernel_numpy import evaluate
from .engine.objective import background_basis
from .engine.program import run, run_all
from .engine.spread import Spread, everything, full
from .equation import at_zero, path_wave
from .model import Model, Parameter, PathModel
from .result import (
    STRONG_CORRELATION,
    FitResult,
    FittedData,
    FittedParameter,
    FittedPath,
    FittedRestraint,
    Value,
)

if TYPE_CHECKING:
    from .fit import Minimum, Problem

# a parameter is at its bound if it is nearer to it than this share of its standard error (or 1e-8 of the bound)
_AT_BOUND = 1e-3


def fit_result(model: Model, sets: Sequence[Chi], problem: Problem, found: Minimum, engine: str) -> FitResult:
    """The FitResult of a minimum; all errors follow from its covariance and from inherited errors."""
    spread = Spread(problem.program, found.covar[None], found.response[None])
    params, quantities = everything(problem.program, problem.model, found.x[None])
    carried = problem.program.names[problem.program.n_varied :]

    def value(number: Array, slope: Array) -> Value:
        own, shares = spread.parts(slope)
        inherited = dict(zip(carried, shares[0].tolist(), strict=True))
        return Value.of(float(number[0]), {"fit": float(own[0])} | inherited)

    ordered = problem.model.params
    correlations = _correlations(problem.program.names, found.covar)
    parameters = tuple(_parameter(p, value(*params[p.name])) for p in ordered)
    values = {key: value(*pair) for key, pair in quantities.items()}
    states = {p.name: p.state for p in parameters if p.state}
    moving = {p.name for p in ordered if p.vary or p.expr is not None}
    owners = [problem.labels[i] for i in problem.owner]
    paths = (_path(p, o, values, states, moving) for p, o in zip(problem.model.paths, owners, strict=True))
    return FitResult(
        label=" + ".join(problem.labels),
        model=model,
        data=_data(sets, problem, found),
        parameters=parameters,
        paths=tuple(paths),
        covar=spread.covariance(np.stack([params[p.name][1] for p in ordered], axis=1))[0],
        correlations=correlations,
        n_idp=problem.work.n_idp,
        n_varys=problem.program.n_varied + problem.work.n_background,
        step=found.step,
        engine=engine,
        warnings=tuple(_warnings(parameters, correlations, found)),
        restraints=tuple(_restraints(problem, found, value)),
        **statistics(found),
    )


def statistics(found: Any) -> dict[str, Any]:
    """The statistics of a minimum, or of a fit by Larch, by their names in FitResult."""
    return {n: getattr(found, n) for n in ("chi2", "chi2_reduced", "rfactor", "nfev", "success", "message")}


def _restraints(
    problem: Problem, found: Minimum, value: Callable[[Array, Array], Value]
) -> Iterator[FittedRestraint]:
    """Each restraint after the fit."""
    program = problem.program
    *_, values, slopes = run_all(program, full(program, found.x[None]))
    for i, r in enumerate(program.restraints):
        yield FittedRestraint(r.that.text, r.value, r.within, value(values[:, i], slopes[:, i]), r.note)


def _parameter(p: Parameter, value: Value) -> FittedParameter:
    """A parameter after the fit, with its state."""
    kind = (
        "expression" if p.expr is not None else "varied" if p.vary else "inherited" if p.stderr else "fixed"
    )
    state = ""
    if kind == "varied":
        size = max(value.parts.get("fit", 0.0), 1e-12)
        if math.isfinite(p.min) and value.value - p.min <= max(_AT_BOUND * size, 1e-8 * max(1, abs(p.min))):
            state = "at min"
        elif math.isfinite(p.max) and p.max - value.value <= max(_AT_BOUND * size, 1e-8 * max(1, abs(p.max))):
            state = "at max"
        elif value.value == p.value:
            state = "not moved"
        elif "fit" not in value.parts:
            state = "no error"
    return FittedParameter(p.name, value, kind, p.min, p.max, p.expr.text if p.expr else "", p.origin, state)


def _path(
    p: PathModel, label: str, values: Mapping[str, Value], states: Mapping[str, str], moving: set[str]
) -> FittedPath:
    """A path after the fit; `states` marks the quantities that depend on a doubtful parameter."""
    of = {"r" if q == "deltar" else q: getattr(p, q).names for q in PATH_VALUES}
    marked = {q: states[name] for q, names in of.items() for name in names & states.keys()}
    return FittedPath(
        label=p.label.removeprefix(f"{label}/"),
        data=label,
        feff_index=p.feff.index,
        reff=p.feff.reff,
        degen=p.feff.degen,
        scatterers=p.feff.scatterers,
        fixed=tuple(q for q, names in of.items() if not names & moving),
        states=marked,
        **{q: values[f"{p.label}.{q}"] for q in (*PATH_VALUES, "r")},
    )


def _data(sets: Sequence[Chi], problem: Problem, found: Minimum) -> tuple[FittedData, ...]:
    """Each data set's curves and statistics."""
    program, work = problem.program, problem.work
    x = full(program, found.x[None])
    weight, n_rows = problem.weights[0, work.weight_of_row], len(work.matrix)
    residual2 = weight * (problem.data[0] - evaluate(work, x)[0][0, :n_rows]) ** 2
    values, _ = run(program, x)
    out, row = [], 0
    for i, (chi, label, goal) in enumerate(zip(sets, problem.labels, problem.goals, strict=True)):
        k, rows = problem.k[i], slice(row, row + len(goal.data_matrix))
        row = rows.stop
        curves = {}
        for j, p in enumerate(problem.model.paths):
            if problem.owner[j] == i:
                wave = np.zeros(k.size)
                wave[1:] = path_wave(work.tables, j, k[1:], values[:, j])[0].imag[0]
                curves[p.label.removeprefix(f"{label}/")] = at_zero(k, wave)
        background = None
        if goal.n_background:
            background = background_basis(k, goal.ranges) @ problem.background(i, found.x)
        out.append(
            FittedData(
                label=label,
                k=k,
                data=problem.chi[i],
                fit=np.sum([*curves.values(), *([] if background is None else [background])], axis=0),
                background=background,
                paths=curves,
                epsilon_k=tuple(problem.noise[i].tolist()),
                epsilon_r=tuple((problem.noise[i] / goal.epsilon_scale).tolist()),
                noise=problem.noise_from[i],
                rfactor=float(residual2[rows].sum()) / problem.size_of(i, found.x),
                n_idp=goal.n_idp,
                element=chi.element,
                edge=chi.edge,
                e0=float(chi.e0),
                edge_step=float(chi.edge_step),
                source=chi.source,
                history=chi.history,
                notes=chi.notes,
            )
        )
    return tuple(out)


def _correlations(names: Sequence[str], covar: Array) -> dict[tuple[str, str], float]:
    """Correlations of every pair of varied parameters that have errors."""
    sigma = np.sqrt(np.diag(covar))
    return {
        (names[i], names[j]): float(covar[i, j] / sigma[i] / sigma[j])
        for i in range(len(sigma))
        for j in range(i + 1, len(sigma))
        if sigma[i] > 0 and sigma[j] > 0
    }


def _warnings(
    parameters: Sequence[FittedParameter], correlations: Mapping[tuple[str, str], float], found: Minimum
) -> list[str]:
    """Warnings about the results, one sentence each."""
    said = []
    for p in parameters:
        if p.state in {"at min", "at max"}:
            bound = p.min if p.state == "at min" else p.max
            said.append(
                f"{p.name} ended at its bound {bound:g}: it has no error, and the errors of correlated parameters are "
                "those with it held there"
            )
        elif p.state == "not moved":
            said.append(f"fit insensitive to {p.name}: it did not move from its start {p.value.value:g}")
        elif p.state == "no error":
            said.append(f"{p.name} has no standard error: the data do not determine it")
    said += [
        f"{a} and {b} are correlated by {c:+.2f}: |r| above {STRONG_CORRELATION:g}"
        for (a, b), c in correlations.items()
        if abs(c) >= STRONG_CORRELATION
    ]
    if not found.success:
        said.append(f"the fit did not converge: {found.message}")
    return said
